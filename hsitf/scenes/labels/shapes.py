"""Polygons and points as plain arrays of coordinates, from GeoJSON and well-known binary."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Collections within collections.
MAX_DEPTH = 8
_POINT, _POLYGON, _MULTI_POINT, _MULTI_POLYGON, _COLLECTION = 1, 3, 4, 6, 7
# Flags of PostGIS's extended form: coordinates z and m, and a number of the coordinate system.
_HAS_Z, _HAS_M, _HAS_SRID = 0x80000000, 0x40000000, 0x20000000

Coordinates = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PolygonsAndPoints:
    """The areas and places of a feature.

    Attributes:
        polygons: Rings of each polygon, the outer one first, (corners, 2) float64 x and y.
        points: (points, 2) float64.
    """

    polygons: tuple[tuple[Coordinates, ...], ...] = ()
    points: Coordinates = field(default_factory=lambda: np.empty((0, 2)))

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.polygons) or len(self.points) > 0

    @property
    def parts(self) -> list[Coordinates]:
        """All arrays of coordinates: the rings of the polygons, then the points."""
        return [ring for rings in self.polygons for ring in rings] + [self.points]

    def moved(self, parts: Sequence[Coordinates]) -> PolygonsAndPoints:
        """The same shapes with other coordinates, in the order of `parts`."""
        left = iter(parts)
        polygons = tuple(tuple(next(left) for _ in rings) for rings in self.polygons)
        return PolygonsAndPoints(polygons, next(left))


def _joined(members: Sequence[PolygonsAndPoints]) -> PolygonsAndPoints:
    points = [one.points for one in members if len(one.points)]
    return PolygonsAndPoints(
        tuple(rings for one in members for rings in one.polygons),
        np.concatenate(points) if points else np.empty((0, 2)),
    )


def from_geojson(geometry: Mapping[str, Any] | None, depth: int = 0) -> PolygonsAndPoints:
    """The polygons and points of a GeoJSON geometry; none of a line or of null.

    Raises:
        ValueError: It is damaged.
    """
    if geometry is None:
        return PolygonsAndPoints()
    kind = geometry["type"]
    if kind == "GeometryCollection":
        if depth >= MAX_DEPTH:
            raise ValueError("collections within collections")
        return _joined([from_geojson(one, depth + 1) for one in geometry["geometries"]])
    coordinates = geometry.get("coordinates", [])
    if kind == "Point":
        return PolygonsAndPoints(points=_pairs([coordinates] if coordinates else []))
    if kind == "MultiPoint":
        return PolygonsAndPoints(points=_pairs(coordinates))
    if kind == "Polygon":
        return PolygonsAndPoints(_polygons([coordinates]))
    if kind == "MultiPolygon":
        return PolygonsAndPoints(_polygons(coordinates))
    return PolygonsAndPoints()


def _polygons(coordinates: Sequence[Any]) -> tuple[tuple[Coordinates, ...], ...]:
    found = [tuple(_pairs(ring) for ring in rings) for rings in coordinates]
    return tuple(rings for rings in found if rings and len(rings[0]) >= 3)


def _pairs(coordinates: Sequence[Any]) -> Coordinates:
    """X and y of positions, which may have heights besides."""
    return np.array([one[:2] for one in coordinates], np.float64).reshape(-1, 2)


def from_wkb(data: bytes | None) -> PolygonsAndPoints:
    """The polygons and points of a geometry in well-known binary; none of a line or of null.

    Raises:
        ValueError: It is damaged, or of a kind with curved edges.
    """
    if data is None:
        return PolygonsAndPoints()
    try:
        return _geometry(_Bytes(data), 0)
    except struct.error as error:
        raise ValueError("a geometry ends too early") from error


class _Bytes:
    """Reads numbers from the front of a geometry."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.order = data, 0, "<"

    def number(self, code: str) -> int:
        (value,) = struct.unpack_from(self.order + code, self.data, self.at)
        self.at += struct.calcsize(code)
        return int(value)

    def positions(self, count: int, axes: int) -> Coordinates:
        """(count, 2) x and y of positions of `axes` numbers."""
        if count * axes * 8 > len(self.data) - self.at:
            raise ValueError("a geometry ends too early")
        values = np.frombuffer(self.data, f"{self.order}f8", count * axes, self.at)
        self.at += count * axes * 8
        return values.reshape(count, axes)[:, :2].astype(np.float64)


def _geometry(data: _Bytes, depth: int) -> PolygonsAndPoints:
    data.order = "<"
    data.order = "<" if data.number("B") else ">"
    code = data.number("I")
    if code & _HAS_SRID:
        data.number("I")
    plain = code & 0xFFFF
    kind, dimensions = plain % 1000, plain // 1000
    axes = 2 + (dimensions in (1, 3)) + (dimensions in (2, 3))
    axes += bool(code & _HAS_Z) + bool(code & _HAS_M)
    if kind == _POINT:
        point = data.positions(1, axes)
        # An empty point is written with numbers that are none.
        return PolygonsAndPoints(points=point[~np.isnan(point).any(axis=1)])
    if kind == 2:
        data.positions(data.number("I"), axes)
        return PolygonsAndPoints()
    if kind == _POLYGON:
        rings = tuple(data.positions(data.number("I"), axes) for _ in range(data.number("I")))
        return PolygonsAndPoints((rings,) if rings and len(rings[0]) >= 3 else ())
    if kind in (_MULTI_POINT, 5, _MULTI_POLYGON, _COLLECTION):
        if depth >= MAX_DEPTH:
            raise ValueError("collections within collections")
        count = data.number("I")
        # A geometry takes five bytes or more.
        if count * 5 > len(data.data) - data.at:
            raise ValueError("a geometry ends too early")
        return _joined([_geometry(data, depth + 1) for _ in range(count)])
    raise ValueError(f"a geometry of kind {plain}, which is neither polygons nor points")
