"""Cubes of HDF5 products, whose bands may lie in several datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.hdf5_files import hdf5_file
from hsitf.scenes.metadata import LookupTable, RasterMetadata
from hsitf.scenes.products.base import text_of
from hsitf.scenes.readers.base import (
    ArrayFile,
    BlockRows,
    by_blocks,
    nanometers,
    widths_in_nanometers,
)
from hsitf.scenes.readers.hdf5 import nodata_of


@dataclass(frozen=True, eq=False)
class CubePart:
    """A dataset that holds some of the bands of a cube.

    Attributes:
        name: Full name of the dataset.
        axes: Which of its axes count rows, cols and bands; two of them for a single band.
        order: Indices of its bands in the order of the cube; None as they are.
    """

    name: str
    axes: tuple[int, ...]
    order: NDArray[np.int64] | None = None


def is_numeric(item: Any, *ranks: int) -> bool:
    """Whether what a name of an HDF5 file stands for is a dataset of real numbers.

    Args:
        item: A dataset or group; None where there is neither.
        ranks: Numbers of axes that it may have; none for any.
    """
    import h5py

    if not isinstance(item, h5py.Dataset) or item.shape is None or item.dtype.kind not in "biuf":
        return False
    return not ranks or item.ndim in ranks


@dataclass(frozen=True, eq=False)
class SpectralScale:
    """Where the bands of a product lie.

    Attributes:
        wavelengths: (bands,) float64 in nanometers; None where their unit is no length.
        fwhm: (bands,) float64 in nanometers; None where unknown.
        notes: What was not kept, one sentence each.
    """

    wavelengths: NDArray[np.float64] | None
    fwhm: NDArray[np.float64] | None
    notes: tuple[str, ...] = ()


def spectral_scale(centers: Any, widths: Any | None = None) -> SpectralScale:
    """Band centers and widths of two datasets by the units that their attributes state.

    Args:
        centers: Dataset of band centers.
        widths: Dataset of full widths at half maximum; None where there is none.
    """
    values, unit = np.asarray(centers[()], np.float64).ravel(), unit_of(centers)
    wavelengths = nanometers(values.tolist(), unit)
    if wavelengths is None:
        return SpectralScale(None, None, (unknown_unit(unit),))
    if widths is None:
        return SpectralScale(wavelengths, None)
    if not is_numeric(widths):
        note = f"The widths are not kept: {widths.name.lstrip('/')} holds no numbers."
        return SpectralScale(wavelengths, None, (note,))
    fwhm = np.asarray(widths[()], np.float64).ravel()
    return SpectralScale(wavelengths, widths_in_nanometers(fwhm, unit_of(widths), values, unit))


def unknown_unit(unit: str) -> str:
    """A note where the unit of wavelengths is no length."""
    return (
        f"The wavelengths are not kept: their unit {unit!r} is no length that is known; "
        "--wavelengths FILE gives them."
    )


def list_of_bands(path: Path, file: Any, name: str) -> Any:
    """The dataset with a number a band that a product has under a name.

    Raises:
        DataError: There is none, or it holds something else.
    """
    item = file.get(name)
    if not is_numeric(item):
        raise DataError(
            f"{path} has no list of numbers {name}",
            received="nothing" if item is None else "a group, or no numbers",
            allowed="one number a band",
            remedy="give the product as it was delivered",
        )
    return item


def unit_of(dataset: Any) -> str:
    """The unit that a dataset's attributes state; empty where they state none."""
    names = (name for name in ("units", "unit", "Units", "Unit") if name in dataset.attrs)
    return next((text_of(dataset.attrs[name]) for name in names), "")


def open_parts(
    path: Path, file: Any, parts: Sequence[CubePart], metadata: RasterMetadata
) -> ArrayFile:
    """A cube of several datasets, whose bands follow one another.

    Args:
        path: The file.
        file: The same, open.
        parts: Its datasets.
        metadata: What the product says of all bands.

    Raises:
        DataError: The datasets do not fit together.
    """
    datasets = [file[part.name] for part in parts]
    sizes = [
        tuple(one.shape[axis] for axis in part.axes)
        for one, part in zip(datasets, parts, strict=True)
    ]
    grids = {size[:2] for size in sizes}
    if len(grids) != 1:
        raise DataError(
            f"the parts of the cube of {path} are of different sizes",
            received=", ".join(f"{p.name} {s}" for p, s in zip(parts, sizes, strict=True)),
            remedy="name one of them with --variable",
        )
    (grid,) = grids
    bands = sum(size[2] if len(size) > 2 else 1 for size in sizes)
    block_rows = max(
        one.chunks[part.axes[0]] if one.chunks else 1
        for one, part in zip(datasets, parts, strict=True)
    )
    return by_blocks(
        ArrayFile(
            (*grid, bands),
            np.result_type(*(one.dtype.newbyteorder("=") for one in datasets)),
            (path,),
            "HDF5 or NetCDF-4",
            parts_reader(path, parts),
            metadata,
            block_rows=min(block_rows, grid[0]),
        )
    )


def parts_reader(path: Path, parts: Sequence[CubePart]) -> Callable[[int, int], NDArray[Any]]:
    """What reads rows of several datasets, their bands one after another."""

    def rows(start: int, stop: int) -> NDArray[Any]:
        found = []
        with hdf5_file(path) as file:
            for part in parts:
                item = file[part.name]
                chosen = [slice(None)] * item.ndim
                chosen[part.axes[0]] = slice(start, stop)
                values = item[tuple(chosen)].transpose(part.axes)
                values = values[:, :, None] if values.ndim == 2 else values
                found.append(values if part.order is None else values[:, :, part.order])
        dtype = np.result_type(*(one.dtype.newbyteorder("=") for one in found))
        joined = np.empty((*found[0].shape[:2], sum(one.shape[2] for one in found)), dtype)
        first = 0
        for values in found:
            joined[:, :, first : first + values.shape[2]] = values
            first += values.shape[2]
        return joined

    return rows


def flags_reader(
    path: Path, file: Any, parts: Sequence[CubePart], bad: Sequence[int]
) -> Callable[[int, int], NDArray[np.bool_]]:
    """What reads which values are good, by datasets of error codes.

    Args:
        path: The file.
        file: The same, open.
        parts: The datasets of error codes.
        bad: Codes of values that are not to be used.
    """
    datasets = [file[part.name] for part in parts]
    block_rows = max(
        one.chunks[part.axes[0]] if one.chunks else 1
        for one, part in zip(datasets, parts, strict=True)
    )
    rows = datasets[0].shape[parts[0].axes[0]]
    read = parts_reader(path, parts)
    row_bytes = sum(one.size * one.dtype.itemsize for one in datasets) // max(rows, 1)
    if block_rows > 1 and block_rows * row_bytes <= 32 << 20:
        read = BlockRows(read, rows, block_rows)
    codes = np.asarray(bad)

    def valid(start: int, stop: int) -> NDArray[np.bool_]:
        return np.isin(read(start, stop), codes, invert=True)

    return valid


def lookup_table(
    path: Path,
    file: Any,
    names: tuple[str, str],
    transform: tuple[float, float, float, float, float, float],
) -> LookupTable:
    """A geometry lookup table in two datasets, cols and rows of pixels counted from 1.

    0 stands for no pixel; a number below 0 is that of the nearest pixel where none was measured.

    Args:
        path: The file.
        file: The same, open.
        names: Datasets of the cols and of the rows, which have the shape of the map grid.
        transform: Affine transform of the map grid.

    Raises:
        DataError: The datasets are empty, of different shapes, or no tables of numbers.
    """
    shapes = [file[name].shape if is_numeric(file[name]) else None for name in names]
    shape = shapes[0]
    if shape is None or shape != shapes[1] or len(shape) != 2 or 0 in shape:
        raise DataError(
            f"the lookup table of {path} is damaged",
            received=", ".join(
                f"{name} " + ("without numbers" if one is None else f"of shape {one}")
                for name, one in zip(names, shapes, strict=True)
            ),
            allowed="two tables of numbers of the same shape (rows, cols), not empty",
            remedy="fetch the file again",
        )

    def rows(start: int, stop: int) -> NDArray[np.int64]:
        with hdf5_file(path) as file:
            cols, lines = (np.asarray(file[name][start:stop]) for name in names)
            fill = nodata_of(file[names[0]].attrs)
        pair = np.stack([lines, cols], axis=-1)
        known = np.isfinite(pair).all(axis=-1) & np.isin(pair, (0, *fill), invert=True).all(axis=-1)
        found = np.abs(np.where(known[..., None], pair, 0)).astype(np.int64) - 1
        return np.where(known[..., None], found, -1)

    return LookupTable(shape, transform, rows)


def missing_lookup(file: Any, names: tuple[str, str]) -> str:
    """A note where one of the two datasets of a lookup table is missing; empty where not."""
    missing = [name for name in names if name not in file]
    return f"The lookup table is not kept: {missing[0]} is missing." if len(missing) == 1 else ""


def from_gdal(values: Iterable[float | str]) -> tuple[float, float, float, float, float, float]:
    """An affine transform (a, b, c, d, e, f) of GDAL's six numbers, whose order is another."""
    x, a, b, y, d, e = (float(value) for value in values)
    return a, b, x, d, e, y
