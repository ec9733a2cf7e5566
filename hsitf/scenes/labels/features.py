"""Polygons and points with a class, drawn on the pixels of a cube."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.class_list import ClassEntry, read_classes
from hsitf.scenes.labels.alignment import describe_crs, is_affine
from hsitf.scenes.labels.base import LabelMap, LabelOptions, RasterGrid, counted
from hsitf.scenes.labels.burning import BurnedClasses, burn
from hsitf.scenes.labels.columns import Columns, FeatureClasses, feature_classes
from hsitf.scenes.labels.numbering import NumberedPixels, number_classes
from hsitf.scenes.labels.shapes import PolygonsAndPoints
from hsitf.scenes.metadata import Georeference


@dataclass(frozen=True, eq=False)
class LabelledFeatures:
    """Features as a file has them.

    Attributes:
        files: The files they were read from, the one that the user named last.
        shapes: Areas and points of each feature.
        columns: Values of each feature by column.
        crs: Coordinate system as WKT or a code; empty where the file has none; None for
            coordinates in pixels: x counts columns and y rows, corners of pixels are whole.
    """

    files: tuple[Path, ...]
    shapes: Sequence[PolygonsAndPoints]
    columns: Columns
    crs: str | None


def label_features(
    found: LabelledFeatures, options: LabelOptions, grid: RasterGrid, notes: Sequence[str] = ()
) -> LabelMap:
    """Labels of the pixels whose center lies in a polygon, or that a point lies in.

    A pixel in features of two classes is unlabelled.

    Raises:
        InputError: The class column or the place is not known, or no feature lies in the cube.
        DataError: The features hold no classes.
    """
    path = found.files[-1]
    listed = {} if options.classes is None else read_classes(options.classes)
    if not any(found.shapes):
        raise DataError(
            f"{path} holds neither polygons nor points",
            received=f"{len(found.shapes):,} features",
            remedy="give the layer of the labelled areas",
        )
    classes = feature_classes(path, found.columns, options.column, listed)
    said = [*notes, _summary(path, found, classes)]
    said += _left_out(found, classes)
    shapes = _on_pixels(path, found, grid, said)
    known = classes.known.tolist()
    shown = [shape if k else PolygonsAndPoints() for shape, k in zip(shapes, known, strict=True)]
    drawn = burn(shown, classes.numbers, grid.shape)
    said += _uncertain(path, drawn)
    pixels = _classes_on(drawn.numbers, drawn.labelled, classes, listed)
    return number_classes(found.files, pixels, listed, said)


def _uncertain(path: Path, drawn: BurnedClasses) -> list[str]:
    said = []
    if drawn.conflicts:
        verb = "lies" if drawn.conflicts == 1 else "lie"
        said.append(
            f"{counted(drawn.conflicts, 'pixel')} {verb} in features of two or more classes of "
            f"{path.name}: unlabelled."
        )
    if drawn.small:
        said.append(
            f"{counted(drawn.small, 'feature')} of {path.name} without the center of a pixel."
        )
    return said


def _summary(path: Path, found: LabelledFeatures, classes: FeatureClasses) -> str:
    polygons = sum(bool(shape.polygons) for shape in found.shapes)
    points = sum(not shape.polygons and len(shape.points) > 0 for shape in found.shapes)
    kinds = [counted(polygons, "polygon")] if polygons else []
    kinds += [counted(points, "point")] if points else []
    order = ", numbered in the order of their names" if classes.is_text else ""
    return f"Classes of {' and '.join(kinds)} of {path.name}: column {classes.column}{order}."


def _left_out(found: LabelledFeatures, classes: FeatureClasses) -> list[str]:
    name, said = found.files[-1].name, []
    if lines := sum(not shape for shape in found.shapes):
        said.append(f"{counted(lines, 'feature')} of {name} left out: no polygon and no point.")
    if nameless := int(np.count_nonzero(~classes.known)):
        said.append(
            f"{counted(nameless, 'feature')} of {name} left out: no class{_marks(classes)}."
        )
    return said


def _marks(classes: FeatureClasses) -> str:
    """What meant no class, where that was text."""
    if not classes.marks:
        return ""
    return f" ({' or '.join(classes.marks)})"


def _classes_on(
    numbers: NDArray[np.int64],
    labelled: NDArray[np.bool_],
    classes: FeatureClasses,
    listed: Mapping[int, ClassEntry],
) -> NumberedPixels:
    if not classes.is_text or listed:
        return NumberedPixels(numbers, labelled, classes.names)
    # Names have no numbers of their own: those on the cube's pixels count from 1.
    present, inverse = np.unique(numbers[labelled], return_inverse=True)
    counted = np.zeros_like(numbers)
    counted[labelled] = inverse + 1
    names = {at: classes.names[number] for at, number in enumerate(present.tolist(), start=1)}
    return NumberedPixels(counted, labelled, names)


def _on_pixels(
    path: Path, found: LabelledFeatures, grid: RasterGrid, said: list[str]
) -> list[PolygonsAndPoints]:
    """The shapes in columns and rows of the cube; those that lie outside are empty.

    Raises:
        InputError: The place is not known, or nothing lies in the cube.
    """
    parts = [part for shape in found.shapes for part in shape.parts]
    every = np.concatenate(parts)
    if found.crs is None:
        moved, extent = every, ""
    else:
        in_map = _projected(path, every, found.crs, grid.georeference, said)
        moved = _to_pixels(in_map, grid.georeference)
        extent = _extents(in_map, grid)
    left = iter(np.split(moved, np.cumsum([len(part) for part in parts])[:-1]))
    shapes = [shape.moved([next(left) for _ in shape.parts]) for shape in found.shapes]
    inside = [shape if shape and _overlaps(shape, grid.shape) else None for shape in shapes]
    outside = sum(bool(shape) and here is None for shape, here in zip(shapes, inside, strict=True))
    if all(shape is None for shape in inside):
        raise InputError(
            f"no feature of {path} lies in the cube",
            received=f"features from {_corner(moved, 0)} to {_corner(moved, 1)} in columns and rows"
            if found.crs is None
            else extent,
            allowed=f"{grid.shape[1]} columns and {grid.shape[0]} rows, which count from 0"
            if found.crs is None
            else _cube_extent(grid),
            remedy="give the labels of this place",
        )
    if outside:
        said.append(f"{counted(outside, 'feature')} of {path.name} outside the cube.")
    return [PolygonsAndPoints() if shape is None else shape for shape in inside]


def _projected(
    path: Path, every: NDArray[np.float64], crs: str, place: Georeference, said: list[str]
) -> NDArray[np.float64]:
    """Coordinates in the coordinate system of the cube.

    Raises:
        InputError: One of the two is not known.
        DataError: So is the one of the file, or the cube's does not reach the coordinates.
    """
    from rasterio.crs import CRS
    from rasterio.warp import transform

    if not is_affine(place):
        raise InputError(
            "the cube has no place on Earth that map coordinates could be found by",
            received=_known_place(place),
            allowed="an affine transform and a coordinate system",
            remedy="write them into the cube's file, warp it to a map first, or give the labels "
            "as a raster of its pixels or as a table of rows and columns",
        )
    if not crs:
        raise InputError(
            f"{path} does not say its coordinate system",
            remedy="assign it (a .prj file beside a shapefile, or ogr2ogr -a_srs EPSG:CODE)",
        )
    here = CRS.from_wkt(place.crs)
    try:
        there = CRS.from_user_input(crs)
    # Some texts are read by other readers first, whose errors are their own.
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{path} is in a coordinate system that is not known", received=str(error)[:200]
        ) from error
    if there == here:
        return every
    try:
        xs, ys = transform(there, here, every[:, 0], every[:, 1])
    # Errors of the projection are of types that rasterio does not publish.
    except Exception as error:
        raise DataError(
            f"the coordinates of {path} cannot be reprojected",
            received=f"{_corner(every, 0)} to {_corner(every, 1)} in {describe_crs(there)}",
            allowed=f"places that {describe_crs(here)} reaches, the coordinate system of the cube",
            remedy="correct the coordinate system that the file names, or reproject it",
        ) from error
    said.append(f"Reprojected {path.name} from {describe_crs(there)} to {describe_crs(here)}.")
    return np.column_stack([xs, ys])


def _known_place(place: Georeference) -> str:
    if place.gcps:
        return "ground control points alone"
    if place.rpcs:
        return "rational polynomial coefficients alone"
    if place.lookup is not None:
        return "a geometry lookup table"
    if place.transform:
        return "an affine transform without a coordinate system"
    return "a coordinate system without a transform" if place.crs else "nothing"


def _to_pixels(coordinates: NDArray[np.float64], place: Georeference) -> NDArray[np.float64]:
    """Columns and rows of map coordinates, by the inverse of the affine transform."""
    assert place.transform is not None
    a, b, c, d, e, f = place.transform
    return np.asarray((coordinates - [c, f]) @ np.linalg.inv([[a, d], [b, e]]))


def _overlaps(shape: PolygonsAndPoints, size: tuple[int, int]) -> bool:
    """Whether the bounding box of a shape in pixels meets the cube."""
    rows, cols = size
    every = np.concatenate(shape.parts)
    # What no projection holds is infinite, and outside.
    if not np.isfinite(every).all():
        return False
    low, high = every.min(axis=0), every.max(axis=0)
    return bool((high >= 0).all() and low[0] < cols and low[1] < rows)


def _corner(coordinates: NDArray[np.float64], last: int) -> str:
    finite = coordinates[np.isfinite(coordinates).all(axis=1)]
    if not len(finite):
        return "nowhere"
    x, y = finite.max(axis=0) if last else finite.min(axis=0)
    return f"({x:.10g}, {y:.10g})"


def _extents(in_map: NDArray[np.float64], grid: RasterGrid) -> str:
    return f"features from {_corner(in_map, 0)} to {_corner(in_map, 1)}"


def _cube_extent(grid: RasterGrid) -> str:
    from rasterio.crs import CRS

    place, (rows, cols) = grid.georeference, grid.shape
    assert place.transform is not None
    a, b, c, d, e, f = place.transform
    corners = np.array([(0, 0), (cols, 0), (0, rows), (cols, rows)], float)
    found = corners @ np.array([[a, d], [b, e]]) + [c, f]
    system = describe_crs(CRS.from_wkt(place.crs))
    return f"the cube's {_corner(found, 0)} to {_corner(found, 1)}, {system}"
