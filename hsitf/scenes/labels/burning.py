"""Drawing of polygons and points on pixels, so that overlaps of classes are seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.scenes.labels.shapes import Coordinates, PolygonsAndPoints

# No feature; larger than the index of any.
_NONE = np.iinfo(np.int32).max


@dataclass(frozen=True, eq=False)
class BurnedClasses:
    """Classes of features on pixels.

    Attributes:
        numbers: (rows, cols) int64, the class of a feature on each pixel.
        labelled: (rows, cols) bool, true where all features have that class, and there is one.
        conflicts: Pixels in features of two or more classes.
        small: Features that cover no center of a pixel.
    """

    numbers: NDArray[np.int64]
    labelled: NDArray[np.bool_]
    conflicts: int
    small: int


def burn(
    shapes: Sequence[PolygonsAndPoints], classes: NDArray[np.int64], size: tuple[int, int]
) -> BurnedClasses:
    """Draws features: a polygon covers pixels whose centers lie in it, a point its own pixel.

    Args:
        shapes: In columns (x) and rows (y) of the grid, corners of pixels at whole numbers; empty
            ones are not drawn.
        classes: (features,) int64.
        size: (rows, cols).
    """
    order = np.argsort(classes, kind="stable")
    ranked, numbers = [shapes[at] for at in order], classes[order]
    # Of all features over a pixel those of the least and of the greatest class.
    first, last = _indices(ranked, size, least=True), _indices(ranked, size, least=False)
    covered = first != _NONE
    least, greatest = np.zeros(size, np.int64), np.zeros(size, np.int64)
    least[covered], greatest[covered] = numbers[first[covered]], numbers[last[covered]]
    alone = covered & (least == greatest)
    hit = set(np.unique(first[covered]).tolist()) | set(np.unique(last[covered]).tolist())
    hidden = [shape for at, shape in enumerate(ranked) if shape and at not in hit]
    return BurnedClasses(
        least,
        alone,
        conflicts=int(np.count_nonzero(covered & ~alone)),
        small=sum(not _covers_a_pixel(shape, size) for shape in hidden),
    )


def _indices(
    shapes: Sequence[PolygonsAndPoints], size: tuple[int, int], least: bool
) -> NDArray[np.int32]:
    """(rows, cols) int32 the least or greatest index of the shapes on each pixel, else `_NONE`."""
    from rasterio.features import rasterize

    indexed = [(at, shape) for at, shape in enumerate(shapes) if shape]
    areas = [(_multi_polygon(shape), at) for at, shape in indexed if shape.polygons]
    nothing = _NONE if least else -1
    found: NDArray[np.int32] = np.full(size, nothing, np.int32)
    if areas:
        # What is drawn later hides what was drawn before.
        rasterize(areas[::-1] if least else areas, out=found, all_touched=False)
    rows, cols, owners = _pixels_of_points(indexed, size)
    (np.minimum if least else np.maximum).at(found, (rows, cols), owners)
    found[found == nothing] = _NONE
    return found


def _pixels_of_points(
    indexed: Sequence[tuple[int, PolygonsAndPoints]], size: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Row and column of every point in the grid, and the index of its shape."""
    with_points = [(at, shape.points) for at, shape in indexed if len(shape.points)]
    if not with_points:
        nothing = np.empty(0, np.int64)
        return nothing, nothing, nothing.astype(np.int32)
    # Far places stay outside, and within the range of whole numbers.
    places = np.clip(np.concatenate([points for _, points in with_points]), -1, max(size))
    cols, rows = np.floor(places).astype(np.int64).T
    owners = np.repeat([at for at, _ in with_points], [len(points) for _, points in with_points])
    inside = (rows >= 0) & (rows < size[0]) & (cols >= 0) & (cols < size[1])
    return rows[inside], cols[inside], owners[inside].astype(np.int32)


def _covers_a_pixel(shape: PolygonsAndPoints, size: tuple[int, int]) -> bool:
    """Whether a shape by itself covers the center of a pixel, or has a point in one."""
    every = np.concatenate(shape.parts)
    left, top = np.floor(np.maximum(every.min(axis=0), 0)).astype(int)
    limit = np.array([size[1], size[0]])
    right, bottom = np.floor(np.minimum(every.max(axis=0) + 1, limit)).astype(int)
    if right <= left or bottom <= top:
        return False
    moved = shape.moved([part - [left, top] for part in shape.parts])
    return bool((_indices([moved], (bottom - top, right - left), least=True) != _NONE).any())


def _multi_polygon(shape: PolygonsAndPoints) -> dict[str, Any]:
    rings = [
        [_closed(ring).tolist() for ring in polygon if len(ring) >= 3] for polygon in shape.polygons
    ]
    return {"type": "MultiPolygon", "coordinates": rings}


def _closed(ring: Coordinates) -> Coordinates:
    return ring if (ring[0] == ring[-1]).all() else np.concatenate([ring, ring[:1]])
