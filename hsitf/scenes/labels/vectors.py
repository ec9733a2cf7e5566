"""Vector layers of labels: GeoJSON, GeoPackage and Shapefile."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hsitf.errors import DataError, InputError, MissingInputError, unknown
from hsitf.scenes.labels.base import (
    DEGREES,
    LabelMap,
    LabelOptions,
    RasterGrid,
    first_outside_degrees,
)
from hsitf.scenes.labels.features import LabelledFeatures, label_features
from hsitf.scenes.labels.shapes import PolygonsAndPoints, from_geojson, from_wkb
from hsitf.scenes.readers.base import check_single, parser_errors_reported

# Text takes some ten times its size in memory.
MAX_GEOJSON_BYTES = 128 * 2**20
MAX_BYTES = 2**30
MAX_FEATURES = 2_000_000
# GeoJSON that says nothing is in longitude and latitude (RFC 7946).
_LONGITUDE_LATITUDE = "EPSG:4326"
# How a file begins, and the one driver that may read it: GDAL would go by the content alone.
_FORMATS = {
    ".gpkg": (b"SQLite format 3\x00", "GPKG"),
    ".shp": (b"\x00\x00\x27\x0a", "ESRI Shapefile"),
}
# A shapefile is several files, of which these are needed.
_SHAPEFILE_PARTS = (".shx", ".dbf")
_SHAPEFILE_EXTRAS = (".prj", ".cpg")


def read_geojson(path: Path, options: LabelOptions, grid: RasterGrid) -> LabelMap:
    """Reads a GeoJSON file of labels; see `features.label_features`.

    Raises:
        InputError: See `features.label_features`.
        DataError: It is no GeoJSON, too large or damaged, or see there.
    """
    check_single(path, options.variable)
    _check_size(path, MAX_GEOJSON_BYTES, "convert it to a GeoPackage")
    with parser_errors_reported(path, "GeoJSON"):
        document = _parsed(path)
        kind = document.get("type")
        if kind not in ("FeatureCollection", "Feature"):
            raise DataError(
                f"{path} holds no features",
                received=f"GeoJSON of type {kind}",
                allowed="a FeatureCollection, whose features have a class among their properties",
            )
        features = document["features"] if kind == "FeatureCollection" else [document]
        properties = _properties(path, features)
        names = list(dict.fromkeys(name for one in properties for name in one))
        shapes = [from_geojson(one.get("geometry")) for one in features]
        crs = _geojson_crs(document)
        if not document.get("crs"):
            _check_degrees(path, shapes)
    columns = {name: [one.get(name) for one in properties] for name in names}
    return label_features(LabelledFeatures((path,), shapes, columns, crs), options, grid)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("it is no object")
    return document


def _properties(path: Path, features: object) -> list[dict[str, Any]]:
    """The properties of each feature.

    Raises:
        DataError: The features, or one of them, are of another type.
    """
    if not isinstance(features, list):
        raise DataError(
            f"the features of {path} are no list", received=repr(features)[:80], allowed="a list"
        )
    found = []
    for at, one in enumerate(features):
        if not isinstance(one, dict):
            raise DataError(
                f"feature {at} of {path} is no object",
                received=repr(one)[:80],
                allowed="objects of type Feature; the first is feature 0",
                remedy="write the file again with the program that it is from",
            )
        properties = one.get("properties") or {}
        if not isinstance(properties, dict):
            raise DataError(
                f"the properties of feature {at} of {path} are no object",
                received=repr(properties)[:80],
                allowed="an object, or null; the first is feature 0",
            )
        found.append(properties)
    return found


def _check_degrees(path: Path, shapes: Sequence[PolygonsAndPoints]) -> None:
    """Refuses GeoJSON that does not name the coordinate system that it must be in."""
    for part in (part for shape in shapes for part in shape.parts):
        if strange := first_outside_degrees(part):
            raise DataError(
                f"{path} without a `crs` member is in longitude and latitude of WGS 84",
                received=strange,
                allowed=f"degrees: {DEGREES}, the longitude first",
                remedy="write it with its `crs` member or as a GeoPackage, or reproject it to "
                "EPSG:4326",
            )


def _geojson_crs(document: Mapping[str, Any]) -> str:
    """The coordinate system that older GeoJSON names."""
    member = document.get("crs")
    return _LONGITUDE_LATITUDE if not member else str(member["properties"]["name"])


def read_layer(path: Path, options: LabelOptions, grid: RasterGrid) -> LabelMap:
    """Reads a GeoPackage or Shapefile of labels; see `features.label_features`.

    Raises:
        InputError: pyogrio is not installed, there is no such layer, a part of a shapefile is
            missing, or see `features.label_features`.
        DataError: It is of another format, too large or damaged, or see there.
    """
    pyogrio = _pyogrio()
    magic, driver = _FORMATS[path.suffix.lower()]
    files = _parts(path)
    _check_size(path, MAX_BYTES, "cut out the part where the cube lies")
    with path.open("rb") as stream:
        begins = stream.read(len(magic))
    if begins != magic:
        raise DataError(
            f"{path} is not what its suffix says",
            allowed=f"a file of {driver}",
            remedy="fetch it again, or correct its suffix",
        )
    with parser_errors_reported(path, driver), warnings.catch_warnings():
        # What is wrong with a file is said when it cannot be read.
        warnings.simplefilter("ignore", RuntimeWarning)
        place = str(path.resolve())
        layer = _layer(path, pyogrio.list_layers(place).tolist(), options.variable)
        info = pyogrio.read_info(place, layer=layer, force_feature_count=True)
        if info["driver"] != driver:
            raise DataError(f"{path} is not what its suffix says", received=info["driver"])
        if info["features"] > MAX_FEATURES:
            raise DataError(
                f"{path} holds too many features",
                received=f"{info['features']:,}",
                allowed=f"{MAX_FEATURES:,}",
                remedy="cut out the part where the cube lies",
            )
        meta, _, geometry, values = pyogrio.raw.read(
            place, layer=layer, force_2d=True, datetime_as_string=True
        )
        shapes = [from_wkb(data) for data in geometry]
    columns = {name: value.tolist() for name, value in zip(meta["fields"], values, strict=True)}
    found = LabelledFeatures(files, shapes, columns, meta["crs"] or "")
    return label_features(found, options, grid)


def _pyogrio() -> Any:
    try:
        import pyogrio
        import pyogrio.raw
    except ImportError as error:
        raise InputError(
            "vector layers are read by pyogrio, which is not installed",
            remedy="install it: pip install 'hsitf[vector]', or convert the layer to GeoJSON",
        ) from error
    return pyogrio


def _parts(path: Path) -> tuple[Path, ...]:
    """The files of a layer, the one that the user named last."""
    if path.suffix.lower() != ".shp":
        return (path,)
    beside = {one.suffix.lower(): one for one in path.parent.glob(f"{_escaped(path.stem)}.*")}
    if missing := [suffix for suffix in _SHAPEFILE_PARTS if suffix not in beside]:
        raise MissingInputError(
            f"{path} lacks a part of the shapefile",
            received=f"no {' and no '.join(missing)} beside it",
            remedy="put all files of the shapefile into one folder",
        )
    parts = [beside[one] for one in (*_SHAPEFILE_PARTS, *_SHAPEFILE_EXTRAS) if one in beside]
    for part in parts:
        _check_size(part, MAX_BYTES, "cut out the part where the cube lies")
    return (*parts, path)


def _escaped(stem: str) -> str:
    from glob import escape

    return escape(stem)


def _layer(path: Path, layers: list[list[str | None]], chosen: str | None) -> str:
    """The layer to read: the user's, or the only one with geometries."""
    names = [str(name) for name, geometry in layers if geometry is not None]
    if chosen is not None:
        if chosen not in names:
            raise unknown(f"{path.name} layer", chosen, names)
        return chosen
    if len(names) == 1:
        return names[0]
    if not names:
        raise DataError(f"{path} holds no layer of features")
    raise InputError(
        f"{path} holds several layers",
        allowed=", ".join(names),
        remedy="name one of these with --labels-variable",
    )


def _check_size(path: Path, limit: int, remedy: str) -> None:
    if path.stat().st_size > limit:
        raise DataError(
            f"{path} is too large to be read at once",
            received=f"{path.stat().st_size:,} bytes",
            allowed=f"{limit:,} bytes",
            remedy=remedy,
        )
