"""Label maps as people have them, brought to numbers from 1 with names and colors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.scenes.metadata import NOWHERE, Color, Georeference
from hsitf.scenes.readers import read_array

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

    Raises:
        InputError: No such file or variable, or it does not belong to the cube.
        DataError: It holds no labels.
    """
    truth = read_array(path, options.variable)
    labels = label_numbers(path, truth.values)
    if labels.shape != grid.shape:
        raise DataError(
            f"the labels of {path} are of another size than the cube",
            received=f"labels {labels.shape}, cube {grid.shape}",
            allowed="the same rows and cols",
            remedy="give the label map that belongs to this cube",
        )
    return LabelMap(labels, numbered_names(labels), truth.files)


def numbered_names(labels: NDArray[np.int32]) -> tuple[str, ...]:
    """Default class names of a label map without names."""
    return tuple(f"class {k}" for k in range(1, int(labels.max()) + 1))


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
