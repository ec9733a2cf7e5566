"""Label rasters in any format that a cube is read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.scenes.class_list import ClassEntry, read_classes
from hsitf.scenes.labels.alignment import on_grid
from hsitf.scenes.labels.base import LabelMap, LabelOptions, RasterGrid, counted
from hsitf.scenes.labels.colors import has_colors, numbers_by_color
from hsitf.scenes.labels.numbering import class_pixels, number_classes
from hsitf.scenes.metadata import RasterMetadata
from hsitf.scenes.readers import read_array


def read_raster(path: Path, options: LabelOptions, grid: RasterGrid) -> LabelMap:
    """Reads a label raster; see `labels.read_labels`."""
    truth = read_array(path, options.variable)
    listed = {} if options.classes is None else read_classes(options.classes)
    notes: list[str] = []
    values, missing = truth.values, _missing(truth.values, truth.metadata)
    if values.ndim == 3:
        values, missing = _one_band(path, values, missing, listed, notes)
    if values.ndim == 2:
        values, missing = _aligned(path, values, missing, truth.metadata, options, grid, notes)
    pixels = class_pixels(path, values, missing, truth.metadata.nodata, listed)
    known = truth.metadata
    pixels = replace(pixels, names=known.class_names, colors=known.class_colors)
    return number_classes(truth.files, pixels, listed, notes)


def _missing(values: NDArray[Any], metadata: RasterMetadata) -> NDArray[np.bool_]:
    """Where a label file says that it has no data; of the shape of `values`."""
    found = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    for value in metadata.nodata:
        found |= values == value
    if metadata.valid is not None and values.ndim >= 2:
        hidden = ~metadata.valid(0, len(values))
        found |= hidden if values.ndim == 2 else hidden[:, :, None]
    return found


def _aligned(
    path: Path,
    values: NDArray[Any],
    missing: NDArray[np.bool_],
    metadata: RasterMetadata,
    options: LabelOptions,
    grid: RasterGrid,
    notes: list[str],
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The values on the cube's pixels, and where they are no data."""
    known = np.where(missing, np.nan, values) if options.align and missing.any() else values
    aligned = on_grid(path, known, metadata.georeference, grid, options.align)
    if aligned is known:
        return values, missing
    notes.append(f"Resampled {path.name} to the cube's pixels by nearest neighbor.")
    return aligned, np.isnan(aligned)


def _one_band(
    path: Path,
    values: NDArray[Any],
    missing: NDArray[np.bool_],
    listed: Mapping[int, ClassEntry],
    notes: list[str],
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """(rows, cols) of several bands: one a class, or the colors of a legend.

    Raises:
        DataError: The bands are neither.
    """
    bands = values.shape[2]
    empty = np.asarray(missing.all(axis=2))
    if bands == 1:
        return values[:, :, 0], missing[:, :, 0]
    if bands == 3 and values.dtype == np.uint8 and has_colors(listed):
        colored = numbers_by_color(path, values, empty, listed, notes)
        return colored, colored < 0
    flags = np.where(missing, 0, values)
    if not flags.any() or not np.isin(flags, (0, 1)).all():
        raise _no_map(path, values)
    classes_here = flags.sum(axis=2)
    if several := int(np.count_nonzero(classes_here > 1)):
        raise DataError(
            f"{path} marks pixels of several classes at once",
            received=f"shape {values.shape}, zeros and ones; {counted(several, 'pixel')} with "
            "two or more ones",
            allowed="at most a single one a pixel, in the band of its class",
            remedy="keep one class a pixel, or give a (rows, cols) map of class numbers; where "
            "this is no label map, name the variable that holds it",
        )
    present = counted(int(np.count_nonzero(flags.any(axis=(0, 1)))), "class")
    notes.append(f"{path.name} marks each class in a band: {present} in {bands} bands.")
    found = np.where(classes_here > 0, flags.argmax(axis=2) + 1, 0)
    return found, empty


def _no_map(path: Path, values: NDArray[Any]) -> DataError:
    shares = values.dtype.kind == "f" and np.nanmin(values) >= 0 and np.nanmax(values) <= 1
    colors = values.shape[2] in (3, 4) and values.dtype == np.uint8
    remedy = "name the variable that holds the label map"
    if shares:
        remedy += ", or write the band of the largest share, from 1, for each pixel"
    if colors:
        remedy += ", or give a legend of its colors (number,name,#rrggbb a line) with --classes"
    return DataError(
        f"{path} does not hold a label map",
        received=f"shape {values.shape}",
        allowed="(rows, cols) of class numbers, or a band of zeros and ones for each class",
        remedy=remedy,
    )
