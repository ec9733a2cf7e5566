"""What the files of products share: recognition, XML beside an image, place by coordinates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.scenes.metadata import Georeference
from hsitf.scenes.readers.base import ArrayFile

HDF5 = "HDF5"
GEOTIFF = "GeoTIFF"
ENVI = "ENVI"
# Anything else that a product comes with: XML, text, formats that no reader knows.
OTHER = "other"

# The metadata of a product takes some megabytes at most.
MAX_XML_BYTES = 64 * 2**20
# Ground control points along each side that stand for the coordinates of every pixel.
POINTS_PER_SIDE = 12

ProductOpener = Callable[[Path, str | None], ArrayFile | None]


@dataclass(frozen=True)
class Product:
    """The products of a sensor.

    Attributes:
        name: Name of the sensor.
        formats: Formats that they come in.
        open: Opens a file by its path and the variable that the user names, or returns None where
            it is of another product, or the variable is none of the product's cubes.
    """

    name: str
    formats: frozenset[str]
    open: ProductOpener


def with_facts(file: ArrayFile, **facts: Any) -> ArrayFile:
    """The file with some of its metadata replaced."""
    return replace(file, metadata=replace(file.metadata, **facts))


def read_xml(path: Path) -> ElementTree.Element:
    """The root of an XML file that comes with a product.

    Raises:
        DataError: It is too large, no XML, or defines entities.
    """
    size = path.stat().st_size
    if size > MAX_XML_BYTES:
        raise DataError(f"{path} is too large for metadata", received=size, allowed=MAX_XML_BYTES)
    raw = path.read_bytes()
    # Entities are the one construct of XML that grows, or points at other files.
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise DataError(f"{path} defines entities", allowed="XML without a document type")
    try:
        return ElementTree.fromstring(raw)
    except ElementTree.ParseError as error:
        raise DataError(f"{path} is no XML", received=str(error)) from error


def beside(path: Path, part: str, other: str, suffixes: Sequence[str]) -> Path | None:
    """The file of a product that is named like `path` but for a part of the name.

    Args:
        path: A file of the product.
        part: The part of its name, such as SPECTRAL_IMAGE.
        other: What stands there in the name of the other file, such as METADATA.
        suffixes: Suffixes of the other file.
    """
    head, found, _ = path.name.upper().rpartition(part)
    if not found:
        return None
    wanted = {head + other + suffix.upper() for suffix in suffixes}
    for one in sorted(path.parent.iterdir()):
        if one.name.upper() in wanted and one.is_file():
            return one
    return None


def check_bands(path: Path, listed: int, bands: int, where: str) -> None:
    """Raises where a product's metadata describes another number of bands than its cube has.

    Raises:
        DataError: It does.
    """
    if listed != bands:
        raise DataError(
            f"{path} and its metadata do not belong together",
            received=f"{bands} bands, {listed} of them in {where}",
            allowed="one entry a band",
            remedy="give the product as it was delivered",
        )


def control_points(latitude: Any, longitude: Any, shape: tuple[int, int]) -> Georeference:
    """A place by the coordinates of pixels: ground control points spread over the scene.

    Args:
        latitude: (rows, cols) dataset in degrees; what lies outside of -90 to 90 is no data.
        longitude: (rows, cols) dataset in degrees, likewise.
        shape: (rows, cols) of the cube; where it differs, there is no place.
    """
    from rasterio.crs import CRS

    if tuple(latitude.shape) != shape or tuple(longitude.shape) != shape:
        return Georeference()
    chosen_rows, chosen_cols = (
        np.unique(np.linspace(0, size - 1, min(size, POINTS_PER_SIDE)).round().astype(int))
        for size in shape
    )
    points = []
    for row in chosen_rows.tolist():
        lat, lon = np.asarray(latitude[row]), np.asarray(longitude[row])
        for col in chosen_cols.tolist():
            y, x = float(lat[col]), float(lon[col])
            if abs(y) <= 90 and abs(x) <= 360:
                # Of the center of the pixel.
                points.append((row + 0.5, col + 0.5, x, y, 0.0))
    if len(points) < 3:
        return Georeference()
    return Georeference(crs=CRS.from_epsg(4326).to_wkt(), gcps=tuple(points))


def text_of(value: Any) -> str:
    """Text of an attribute or dataset of HDF5, whatever its type."""
    if isinstance(value, np.ndarray):
        value = value.ravel()[0] if value.size else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def numbers_of(value: Any) -> NDArray[np.float64]:
    """(n,) numbers of an attribute of HDF5: an array, one number, or text with spaces."""
    if isinstance(value, str | bytes):
        return np.asarray(text_of(value).replace(",", " ").split(), np.float64)
    return np.asarray(value, np.float64).ravel()


def as_product(file: ArrayFile, product: str, *notes: str) -> ArrayFile:
    """The file under the name of a product, with more notes."""
    return with_facts(file, product=product, notes=(*file.metadata.notes, *notes))
