"""What is asked of labels, whatever their form, and what they become."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.scenes.metadata import NOWHERE, Color, Georeference

MAX_LABEL = 1000
"""Largest label of a raster; anything above is a no-data value or no label map."""

DEGREES = "longitudes from -180 to 180 and latitudes from -90 to 90"
"""What longitude and latitude may be, for messages."""


def counted(count: int, what: str) -> str:
    """A number with the noun that it counts, such as "1 pixel" or "2,000 pixels"."""
    return f"{count:,} {what}" + ("" if count == 1 else "es" if what.endswith("s") else "s")


def first_outside_degrees(places: NDArray[np.float64]) -> str:
    """The first of (places, 2) that is no longitude and latitude in degrees, else nothing."""
    outside = ~(np.abs(places) <= [180, 90]).all(axis=1)
    if not outside.any():
        return ""
    x, y = places[outside][0]
    return f"coordinates such as ({x:.10g}, {y:.10g})"


@dataclass(frozen=True)
class LabelOptions:
    """What a user says about a label map.

    Attributes:
        variable: Name of the map in a file that can hold several arrays, or of a vector layer.
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
        numbers: The number of each class in the labels as they were, or in the user's list.
        has_names: Whether the labels or the user's list name classes, so that those are not
            called after their numbers alone.
    """

    labels: NDArray[np.int32]
    class_names: tuple[str, ...]
    files: tuple[Path, ...]
    class_colors: tuple[Color, ...] = ()
    notes: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    has_names: bool = False
