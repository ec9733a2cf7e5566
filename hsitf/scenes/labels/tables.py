"""Tables of labelled places: rows and columns of pixels, or map coordinates."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.labels.base import (
    DEGREES,
    LabelMap,
    LabelOptions,
    RasterGrid,
    first_outside_degrees,
)
from hsitf.scenes.labels.features import LabelledFeatures, label_features
from hsitf.scenes.labels.shapes import PolygonsAndPoints
from hsitf.scenes.readers.base import check_single

MAX_BYTES = 256 * 2**20
MAX_FIELD = 2**16
# Pairs of columns that say where a place lies, by what they mean.
_PIXEL, _MAP, _DEGREES = "pixels", "map coordinates", "longitude and latitude"
_FIRST = {
    **dict.fromkeys(("col", "column", "sample"), _PIXEL),
    **dict.fromkeys(("x", "easting"), _MAP),
    **dict.fromkeys(("lon", "lng", "long", "longitude"), _DEGREES),
}
_SECOND = {
    **dict.fromkeys(("row", "line"), _PIXEL),
    **dict.fromkeys(("y", "northing"), _MAP),
    **dict.fromkeys(("lat", "latitude"), _DEGREES),
}
_LONGITUDE_LATITUDE = "EPSG:4326"


def read_table(path: Path, options: LabelOptions, grid: RasterGrid) -> LabelMap:
    """Reads labelled places from a text file with a head: row,col,class; x,y,class; lon,lat,class.

    Rows and columns count from 0; x and y are in the coordinate system of the cube.

    Raises:
        InputError: The columns are not known, or see `features.label_features`.
        DataError: It is no such table, or see there.
    """
    check_single(path, options.variable)
    head, lines = _read(path)
    first, second = _places(path, head)
    kind = _FIRST[head[first].strip().lower()]
    places = np.column_stack([_numbers(path, lines, at, head[at]) for at in (first, second)])
    others = {name: [line[at] for line in lines] for at, name in enumerate(head)}
    for at in (first, second):
        del others[head[at]]
    notes = []
    crs: str | None = _LONGITUDE_LATITUDE
    if kind == _PIXEL:
        _check_pixels(path, places, grid)
        # The middle of a pixel lies half a pixel from its corner.
        places, crs = places + 0.5, None
        notes.append(f"Rows and columns of {path.name} count from 0.")
    elif kind == _DEGREES:
        _check_degrees(path, places, (head[first], head[second]))
    elif kind == _MAP:
        crs = grid.georeference.crs
    shapes = [PolygonsAndPoints(points=place[None]) for place in places]
    found = LabelledFeatures((path,), shapes, others, crs)
    return label_features(found, options, grid, notes)


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    """The head and the lines of a table."""
    if path.stat().st_size > MAX_BYTES:
        raise DataError(
            f"{path} is too large for a table of labels", allowed=f"{MAX_BYTES:,} bytes"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text file in UTF-8", received=error.reason) from error
    kept = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    separator = next((one for one in "\t;," if kept and one in kept[0]), ",")
    csv.field_size_limit(MAX_FIELD)
    try:
        head, *lines = list(csv.reader(kept, delimiter=separator)) or [[]]
    except csv.Error as error:
        raise DataError(f"{path} is no table", received=str(error)) from error
    head = [name.strip() for name in head]
    if len(set(head)) < len(head) or not lines:
        raise DataError(
            f"{path} is no table of labels",
            received=f"columns {', '.join(head)}; {len(lines)} lines",
            allowed="a head with a name for each column, and lines of values",
        )
    if short := [at for at, line in enumerate(lines, start=2) if len(line) != len(head)]:
        raise DataError(
            f"{path} is no table of labels",
            received=f"a line of other length than its head ({short[0]} of those with values)",
            allowed=f"{len(head)} values, as in the head",
        )
    return head, lines


def _places(path: Path, head: Sequence[str]) -> tuple[int, int]:
    """The columns of x and y, or of column and row.

    Raises:
        InputError: There are none, or several.
    """
    lowered = [name.lower() for name in head]
    found = _pairs(lowered)
    if len(found) == 1:
        return found[0]
    received = f"columns {', '.join(head)}"
    if not found:
        raise InputError(
            f"{path} does not say where its labels lie",
            received=received,
            allowed="a head with row,col (counted from 0), x,y (in the cube's coordinate system), "
            "or lon,lat (degrees), and the class",
            remedy="name its columns so",
        )
    named = " or ".join(f"{head[second]} and {head[first]}" for first, second in found)
    raise InputError(
        f"{path} says in several ways where its labels lie",
        received=received,
        allowed=f"one of {named}",
        remedy="leave one of them out",
    )


def _pairs(lowered: Sequence[str]) -> list[tuple[int, int]]:
    return [
        (first, second)
        for first, x in enumerate(lowered)
        for second, y in enumerate(lowered)
        if x in _FIRST and _SECOND.get(y) == _FIRST[x]
    ]


def _numbers(path: Path, lines: Sequence[Sequence[str]], at: int, name: str) -> NDArray[np.float64]:
    found = np.empty(len(lines))
    for number, line in enumerate(lines):
        try:
            found[number] = float(line[at])
        except ValueError:
            found[number] = np.nan
        if not np.isfinite(found[number]):
            raise DataError(
                f"column {name} of {path} holds no number",
                received=f"{line[at][:80]!r} in line {number + 2} of those with values",
                allowed="numbers with a decimal point",
            )
    return found


def _check_degrees(path: Path, places: NDArray[np.float64], names: tuple[str, str]) -> None:
    """Refuses what is no longitude and latitude."""
    if strange := first_outside_degrees(places):
        raise DataError(
            f"columns {names[0]} and {names[1]} of {path} do not hold degrees",
            received=strange,
            allowed=DEGREES,
            remedy="exchange the two where they are mixed up, or name them x,y where they are in "
            "the coordinate system of the cube",
        )


def _check_pixels(path: Path, places: NDArray[np.float64], grid: RasterGrid) -> None:
    """Refuses columns and rows that are none of the cube's."""
    (low_col, low_row), (high_col, high_row) = places.min(axis=0), places.max(axis=0)
    rows, cols = grid.shape
    whole = np.array_equal(places, np.rint(places))
    if not whole or low_col < 0 or low_row < 0 or high_col >= cols or high_row >= rows:
        raise DataError(
            f"{path} names pixels that the cube does not have",
            received=f"rows {low_row:g} to {high_row:g}, columns {low_col:g} to {high_col:g}",
            allowed=f"whole numbers, rows 0 to {rows - 1} and columns 0 to {cols - 1}",
            remedy="count them from 0; name the columns x,y or lon,lat where they are map "
            "coordinates",
        )
