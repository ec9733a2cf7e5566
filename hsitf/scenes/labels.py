"""Label maps as people have them, brought to numbers from 1 with names and colors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.class_list import ClassEntry, read_classes
from hsitf.scenes.metadata import NOWHERE, Color, Georeference, RasterMetadata
from hsitf.scenes.readers import ArrayData, read_array

# What rasters without a declaration use for no data.
_USUAL_NODATA = {255}

MAX_LABEL = 1000
"""Largest label; anything above is a no-data value or no label map."""


@dataclass(frozen=True)
class LabelOptions:
    """What a user says about a label map.

    Attributes:
        variable: Name of the map in a file that can hold several arrays.
        classes: File with a number, a name and a color of each class; None where the labels bring
            them, or have none.
        column: Column of a vector layer or table that holds the class; None to recognize it.
        align: Whether a map on another grid is resampled to the cube's by nearest neighbor.
    """

    variable: str | None = None
    classes: Path | None = None
    column: str | None = None
    align: bool = False


@dataclass(frozen=True, eq=False)
class RasterGrid:
    """The pixels of the cube that labels are for.

    Attributes:
        shape: (rows, cols).
        georeference: Where they lie on Earth.
    """

    shape: tuple[int, int]
    georeference: Georeference = NOWHERE


@dataclass(frozen=True, eq=False)
class LabelMap:
    """Labels of the pixels of a cube.

    Attributes:
        labels: (rows, cols) int32, classes from 1, 0 where unlabelled.
        class_names: One name per class.
        files: The files that it was read from.
        class_colors: One color per class; empty where the labels bring none.
        notes: What was renumbered or left out, one sentence each.
    """

    labels: NDArray[np.int32]
    class_names: tuple[str, ...]
    files: tuple[Path, ...]
    class_colors: tuple[Color, ...] = ()
    notes: tuple[str, ...] = ()


def read_labels(path: Path, options: LabelOptions, grid: RasterGrid) -> LabelMap:
    """Reads a label map for the pixels of a cube.

    Pixels that the file declares to hold no data are unlabelled. Numbers with gaps (11, 21, 41)
    become 1, 2, 3 and are noted; names and colors come from the file of classes, or from the label
    file where it has them.

    Raises:
        InputError: No such file or variable, or it does not belong to the cube.
        DataError: It holds no labels.
    """
    truth = read_array(path, options.variable)
    notes: list[str] = []
    values = _on_grid(path, _flattened(path, truth.values, notes), truth, options, grid, notes)
    listed = {} if options.classes is None else read_classes(options.classes)
    numbers = _known_numbers(path, values, truth.metadata, listed)
    return _numbered_map(path, numbers, truth, listed, notes)


def _flattened(path: Path, values: NDArray[Any], notes: list[str]) -> NDArray[Any]:
    """(rows, cols) of whatever numbers; a map of zeros and ones a class is brought to them."""
    if values.ndim == 3 and values.shape[2] == 1:
        return values[:, :, 0]
    flags = values.ndim == 3 and values.any() and np.isin(values, (0, 1)).all()
    if flags and (values.sum(axis=2) <= 1).all():
        notes.append(f"{path.name} marks each of its {values.shape[2]} classes in a band.")
        return np.where(values.any(axis=2), values.argmax(axis=2) + 1, 0)
    return values


def _on_grid(
    path: Path,
    values: NDArray[Any],
    truth: ArrayData,
    options: LabelOptions,
    grid: RasterGrid,
    notes: list[str],
) -> NDArray[Any]:
    """The values on the pixels of the cube, resampled where the user asked for it.

    Raises:
        InputError: The map lies elsewhere, and was not to be aligned.
    """
    if values.ndim != 2:
        return values
    here, there = grid.georeference, truth.metadata.georeference
    placed = bool(here.transform and there.transform and here.crs and there.crs)
    same = values.shape == grid.shape and (not placed or _same_place(here, there))
    if same:
        return values
    if not placed:
        raise DataError(
            f"the labels of {path} are of another size than the cube",
            received=f"labels {values.shape}, cube {grid.shape}",
            allowed="the same rows and cols",
            remedy="give the label map that belongs to this cube",
        )
    if not options.align:
        raise InputError(
            f"{path} lies on another grid than the cube",
            received=f"labels {values.shape} at {_place(there)}",
            allowed=f"{grid.shape} at {_place(here)}",
            remedy="resample the labels to the cube's pixels with --align, or give those of this "
            "cube",
        )
    aligned = _resampled(values, truth.metadata, grid)
    if not np.isin(aligned, (0, *truth.metadata.nodata), invert=True).any():
        raise InputError(
            f"{path} does not overlap the cube",
            received=f"labels {values.shape} at {_place(there)}",
            allowed=f"{grid.shape} at {_place(here)}",
            remedy="give the labels of this place",
        )
    notes.append(f"Resampled {path.name} to the cube's pixels by nearest neighbor.")
    return aligned


def _same_place(here: Georeference, there: Georeference) -> bool:
    """Whether two grids agree to a hundredth of a pixel."""
    from rasterio.crs import CRS

    assert here.transform is not None
    assert there.transform is not None
    size = max(abs(here.transform[0]), abs(here.transform[1]), 1e-12)
    close = np.allclose(here.transform, there.transform, rtol=0, atol=0.01 * size)
    return bool(close) and CRS.from_wkt(here.crs) == CRS.from_wkt(there.crs)


def _place(reference: Georeference) -> str:
    from rasterio.crs import CRS

    assert reference.transform is not None
    a, b, c, _, e, f = reference.transform
    system = CRS.from_wkt(reference.crs)
    code = system.to_epsg()
    named = f"EPSG:{code}" if code else "its own coordinate system"
    turned = "" if b == 0 else ", rotated"
    return f"({c:.10g}, {f:.10g}), pixels of {abs(a):g} x {abs(e):g}{turned}, {named}"


def _resampled(values: NDArray[Any], metadata: RasterMetadata, grid: RasterGrid) -> NDArray[Any]:
    """Nearest neighbors of a map on the cube's grid; no data (or 0) outside of it."""
    import rasterio
    from rasterio.warp import Resampling, reproject

    there, here = metadata.georeference, grid.georeference
    assert there.transform is not None
    assert here.transform is not None
    empty = metadata.nodata[0] if metadata.nodata else 0
    target = np.full(grid.shape, empty, values.dtype)
    reproject(
        values,
        target,
        src_transform=rasterio.Affine(*there.transform),
        src_crs=there.crs,
        dst_transform=rasterio.Affine(*here.transform),
        dst_crs=here.crs,
        dst_nodata=empty,
        resampling=Resampling.nearest,
    )
    return target


def _known_numbers(
    path: Path, values: NDArray[Any], metadata: RasterMetadata, listed: Mapping[int, ClassEntry]
) -> NDArray[np.int32]:
    """(rows, cols) whole numbers, 0 where the map declares no data or a class is not listed."""
    missing = np.zeros(values.shape, bool)
    if values.dtype.kind == "f":
        missing |= np.isnan(values)
    for value in metadata.nodata:
        missing |= values == value
    if values.size and missing.all():
        raise DataError(
            f"{path} holds no label",
            received="NaN or no-data values everywhere",
            allowed=f"whole numbers, 0 (unlabelled) to {MAX_LABEL}",
            remedy="name the variable that holds the label map",
        )
    cleaned = np.where(missing, 0, values)
    declared = [value for value in metadata.nodata if value != 0]
    if declared and not listed and 0 in values:
        raise DataError(
            f"{path} can be read in two ways",
            received=f"{declared[0]:g} declared as no data, and pixels of 0 besides",
            allowed="0 as unlabelled, or 0 as a class",
            remedy="list the numbers that are classes in a file and give it with --classes",
        )
    if listed and 0 in listed:
        # Zero is a class here: the others keep their numbers, one further on.
        cleaned = np.where(missing, 0, values + 1)
        listed = {number + 1: entry for number, entry in listed.items()}
    numbers = label_numbers(path, cleaned)
    present = set(np.unique(numbers).tolist()) - {0}
    if not listed and not declared and present & _USUAL_NODATA and len(present) > 1:
        raise DataError(
            f"{path} can be read in two ways",
            received=f"{max(present)}, which often stands for no data and is not declared",
            allowed="no data, or a class",
            remedy="list the numbers that are classes in a file and give it with --classes",
        )
    if not listed:
        return numbers
    if present and not present & set(listed):
        raise DataError(
            f"no label of {path} is in the file of classes",
            received=f"labels {', '.join(map(str, sorted(present)))}",
            allowed=", ".join(map(str, sorted(listed))),
            remedy="list the numbers of the label map",
        )
    return numbers


def _numbered_map(
    path: Path,
    numbers: NDArray[np.int32],
    truth: ArrayData,
    listed: Mapping[int, ClassEntry],
    notes: list[str],
) -> LabelMap:
    """The map with classes from 1 without gaps, their names and colors."""
    shift = 1 if 0 in listed else 0
    present = [int(number) for number in np.unique(numbers) if number]
    classes = sorted(number + shift for number in listed) if listed else present
    table = np.zeros(max([*classes, 0]) + 1, np.int32)
    table[classes] = np.arange(1, len(classes) + 1)
    if strange := [number for number in present if listed and number not in classes]:
        count = int(np.count_nonzero(np.isin(numbers, strange)))
        shown = ", ".join(str(number - shift) for number in strange)
        notes.append(f"Labels {shown} are not in the file of classes: {count:,} pixels unlabelled.")
        numbers = np.where(np.isin(numbers, strange), 0, numbers)
    originals = [number - shift for number in classes]
    gapped = classes != list(range(1, len(classes) + 1)) or shift
    if gapped and classes:
        shown = ", ".join(f"{number}" for number in originals[:20])
        more = ", ..." if len(originals) > 20 else ""
        notes.append(f"Labels {shown}{more} of {path.name} are classes 1 to {len(classes)}.")
    names, colors = truth.metadata.class_names, truth.metadata.class_colors
    own = {number: entry.name for number, entry in listed.items()}
    found_names = tuple(
        own.get(number) or names.get(number) or f"class {number}" for number in originals
    )
    listed_colors = {number: entry.color for number, entry in listed.items() if entry.color}
    chosen = [listed_colors.get(number) or colors.get(number) for number in originals]
    found_colors = tuple(color for color in chosen if color is not None)
    return LabelMap(
        table[numbers],
        _distinct(path, found_names),
        truth.files,
        found_colors if len(found_colors) == len(chosen) else (),
        tuple(notes),
    )


def _distinct(path: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"two classes of {path} share a name",
            received=", ".join(twice),
            remedy="name them apart in a file of classes, and give it with --classes",
        )
    return names


def label_numbers(path: Path, values: NDArray[Any]) -> NDArray[np.int32]:
    """(rows, cols) of whole numbers 0 to `MAX_LABEL`, however they were stored.

    Raises:
        DataError: They are no such numbers.
    """
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    if values.ndim != 2:
        raise DataError(
            f"{path} does not hold a label map",
            received=f"shape {values.shape}",
            allowed="(rows, cols)",
            remedy="name the variable that holds the label map",
        )
    if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
        raise DataError(
            f"{path} does not hold a label map",
            received="values that are not whole numbers",
            allowed=f"whole numbers, 0 (unlabelled) to {MAX_LABEL}",
            remedy="name the variable that holds the label map",
        )
    low, high = values.min(), values.max()
    if low < 0 or high > MAX_LABEL:
        raise DataError(
            f"{path} holds values that cannot be labels",
            received=f"values from {low} to {high}",
            allowed=f"whole numbers, 0 (unlabelled) to {MAX_LABEL}",
            remedy="renumber them, with 0 for pixels without a class",
        )
    return np.ascontiguousarray(values, dtype=np.int32)
