"""HDF5 and NetCDF-4 files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.hdf5_files import hdf5_file
from hsitf.scenes.metadata import AXES, RasterMetadata
from hsitf.scenes.readers.base import (
    ArrayFile,
    Shape,
    by_blocks,
    choose,
    nanometers,
    parser_errors_reported,
    widths_in_nanometers,
)

# Attributes of a dataset that name values without data, numbers or vectors of them.
_NODATA = ("_FillValue", "missing_value", "Data_Ignore_Value", "FillValue")
_CENTERS = ("wavelength", "wavelengths", "band_center", "band_centers", "central_wavelength")
_WIDTHS = ("fwhm", "band_width", "bandwidth")
_GOOD = ("good_wavelengths", "good_bands", "bbl")


def open_hdf5(path: Path, variable: str | None, axes: Sequence[str] | None = None) -> ArrayFile:
    """HDF5 and NetCDF-4, axes as stored, but the band axis last where the file identifies it.

    The band axis is identified by a one-dimensional dataset of band centers (`wavelength`,
    `wavelengths`, `band_center`) whose length equals that of exactly one axis of the array. A note
    says where this moved an axis, and where the length fits several.

    Args:
        path: The file.
        variable: Full name of the array, or a last part of it that no other has.
        axes: Order of the cube's axes, where the user gave it: rows, cols and bands.
    """
    kind = "HDF5 or NetCDF-4"
    with parser_errors_reported(path, kind), hdf5_file(path) as file:
        datasets = numeric_datasets(file)
        name = choose(path, {key: item.shape for key, item in datasets.items()}, variable)
        shape, dtype, chunks = datasets[name].shape, datasets[name].dtype, datasets[name].chunks
        listed, unit = _centers(datasets, shape)
        fitting = 0 if listed is None else shape.count(len(listed))
        order = _order(path, shape, listed if fitting == 1 else None, axes)
        bands = shape[order[2]] if order is not None else 0
        # Where the length fits several axes, the user's word on these decides.
        centers = listed if fitting == 1 or axes is not None else None
        metadata = RasterMetadata(
            wavelengths=centers_in_nanometers(centers, unit, bands),
            fwhm=_widths(datasets, bands, centers, unit),
            good_bands=_good(datasets, bands),
            nodata=nodata_of(datasets[name].attrs),
            scale=_factor(datasets[name].attrs, "scale_factor", 1.0),
            offset=_factor(datasets[name].attrs, "add_offset", 0.0),
            notes=() if listed is None or axes is not None else axes_notes(shape, len(listed)),
        )

    def rows(start: int, stop: int) -> NDArray[Any]:
        chosen = [slice(None)] * len(shape)
        chosen[0 if order is None else order[0]] = slice(start, stop)
        with hdf5_file(path) as file:
            values = file[name][tuple(chosen)]
        values = values.astype(values.dtype.newbyteorder("="), copy=False)
        return np.asarray(values if order is None else values.transpose(order))

    stored = shape if order is None else tuple(shape[axis] for axis in order)
    block_rows = chunks[0 if order is None else order[0]] if chunks and shape else 1
    return by_blocks(
        ArrayFile(
            stored,
            dtype.newbyteorder("="),
            (path,),
            kind,
            rows,
            metadata,
            block_rows=min(block_rows, stored[0]) if stored else 1,
        )
    )


def _order(
    path: Path,
    shape: Shape,
    centers: NDArray[np.float64] | None,
    axes: Sequence[str] | None,
) -> tuple[int, int, int] | None:
    """Which axes of the file count rows, cols and bands; None for an array that is no cube.

    Raises:
        InputError: Axes are given for an array that is no cube.
        DataError: The file itself says that its axes are in an order that no network takes.
    """
    if axes is not None:
        if len(shape) != 3:
            raise InputError(
                f"{path} holds no cube whose axes could be named",
                received=f"shape {shape}",
                allowed="three axes",
                remedy="leave --axes out, or name another variable",
            )
        rows, cols, bands = (list(axes).index(name) for name in AXES)
        return rows, cols, bands
    if len(shape) != 3:
        return None
    if centers is None:
        if "PRS_L" in str(_names(path)):
            raise DataError(
                f"{path} is a product of PRISMA, whose cubes have bands between rows and cols",
                received=f"shape {shape}",
                allowed="axes (rows, cols, bands)",
                remedy="name the order of its axes with --axes rows,bands,cols",
            )
        return 0, 1, 2
    band = shape.index(len(centers))
    first, second = (axis for axis in range(3) if axis != band)
    return first, second, band


def _names(path: Path) -> list[str]:
    found: list[str] = []
    with hdf5_file(path) as file:
        file.visit(found.append)
    return found


def _centers(
    datasets: Mapping[str, Any], shape: Shape
) -> tuple[NDArray[np.float64] | None, str | None]:
    """Band centers that fit an axis of a cube, and their unit."""
    scales = [item for key, item in datasets.items() if _is(key, _CENTERS) and item.ndim == 1]
    if len(scales) != 1 or len(shape) != 3 or len(scales[0]) not in shape:
        return None, None
    unit = scales[0].attrs.get("units")
    unit = unit.decode() if isinstance(unit, bytes) else unit
    return np.asarray(scales[0][()], np.float64), None if unit is None else str(unit)


def centers_in_nanometers(
    centers: NDArray[np.float64] | None, unit: str | None, bands: int
) -> NDArray[np.float64] | None:
    """Band centers in nanometers, where there is one for each band."""
    if centers is None or len(centers) != bands:
        return None
    return nanometers(centers.tolist(), unit)


def axes_notes(shape: Shape, wavelengths: int) -> tuple[str, ...]:
    """What a user has to know of axes that a number of wavelengths decides, or does not decide."""
    if shape.count(wavelengths) > 1:
        return (
            f"The {wavelengths} wavelengths were not used: several axes of {shape} have that "
            "length; --axes says which counts the bands, or --wavelengths FILE gives those of the "
            "last.",
        )
    band = shape.index(wavelengths)
    if band == 2:
        return ()
    names = ["rows", "cols"]
    names.insert(band, "bands")
    return (f"Axes taken as {', '.join(names)}: {wavelengths} wavelengths.",)


def _widths(
    datasets: Mapping[str, Any], bands: int, centers: NDArray[np.float64] | None, unit: str | None
) -> NDArray[np.float64] | None:
    found = [item for key, item in datasets.items() if _is(key, _WIDTHS) and item.shape == (bands,)]
    # Without wavelengths, nothing tells the unit.
    if len(found) != 1 or not bands or centers is None:
        return None
    own = found[0].attrs.get("units", "")
    own = own.decode() if isinstance(own, bytes) else str(own)
    return widths_in_nanometers(np.asarray(found[0][()], np.float64), own, centers, unit)


def _good(datasets: Mapping[str, Any], bands: int) -> NDArray[np.bool_] | None:
    found = [item for key, item in datasets.items() if _is(key, _GOOD) and item.shape == (bands,)]
    return np.asarray(found[0][()]) > 0 if len(found) == 1 and bands else None


def _is(key: str, names: Sequence[str]) -> bool:
    return key.rpartition("/")[2].lower() in names


def nodata_of(attributes: Mapping[str, Any]) -> tuple[float, ...]:
    """Values that stand for no data by the attributes of a dataset."""
    found = [
        np.asarray(attributes[name], np.float64).ravel()
        for name in _NODATA
        if name in attributes and np.asarray(attributes[name]).dtype.kind in "biuf"
    ]
    return tuple(np.unique(np.concatenate(found)).tolist()) if found else ()


def _factor(attributes: Mapping[str, Any], name: str, default: float) -> float:
    value = np.asarray(attributes.get(name, default))
    return float(value.ravel()[0]) if value.size == 1 and value.dtype.kind in "biuf" else default


def numeric_datasets(file: Any) -> dict[str, Any]:
    """The numeric datasets of an open HDF5 file by their full names."""
    import h5py

    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        # MATLAB keeps the content of cells under #refs# and text as 16-bit integers.
        if (
            isinstance(item, h5py.Dataset)
            and item.shape is not None
            and item.dtype.kind in "biuf"
            and not name.startswith("#")
            and item.attrs.get("MATLAB_class", b"") != b"char"
        ):
            found[name] = item

    file.visititems(visit)
    return found
