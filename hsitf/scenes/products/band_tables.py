"""GeoTIFF products whose bands are described in an XML file beside the image."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, MissingInputError
from hsitf.scenes.products.base import beside, check_bands, read_xml, with_facts
from hsitf.scenes.readers.base import ArrayFile
from hsitf.scenes.readers.geotiff import open_geotiff

_IMAGE, _METADATA = "SPECTRAL_IMAGE", "METADATA"
_TIFF_SUFFIXES = (".tif", ".tiff", ".geotiff", "_COG.tif", "_COG.tiff")


@dataclass(frozen=True)
class BandFields:
    """Names in the metadata of a product.

    Attributes:
        element: Element of a band.
        number: Its number from 1: a child, or an attribute after @.
        center: Child with the wavelength in nanometers.
        width: Child with the full width at half maximum in nanometers.
        gain: Child with the factor to physical units.
        offset: Child with what is added after it.
    """

    element: str
    number: str
    center: str
    width: str
    gain: str
    offset: str


def open_with_table(
    path: Path, variable: str | None, sensor: str, fields: BandFields
) -> ArrayFile | None:
    """Opens a product by its image or its metadata; None where the XML is not of this form.

    Raises:
        DataError: Image and metadata do not belong together.
        MissingInputError: There is no image beside the metadata.
    """
    is_metadata = path.suffix.lower() == ".xml"
    metadata = path if is_metadata else beside(path, _IMAGE, _METADATA, (".xml",))
    if metadata is None:
        return None
    root = read_xml(metadata)
    bands = [one for one in root.iter(fields.element) if one.find(fields.center) is not None]
    if not bands:
        return None
    image = beside(path, _METADATA, _IMAGE, _TIFF_SUFFIXES) if is_metadata else path
    if image is None:
        raise MissingInputError(
            f"there is no {_IMAGE}.TIF beside {path}", remedy="give the product as delivered"
        )
    file = open_geotiff(image, variable)
    if len(file.shape) != 3:
        return None
    return _described(
        file, image, metadata, root, _in_order(metadata, bands, fields), sensor, fields
    )


def _in_order(
    path: Path, bands: list[ElementTree.Element], fields: BandFields
) -> list[ElementTree.Element]:
    """The bands by their numbers, which have to be 1, 2, 3 and so on."""

    def number(band: ElementTree.Element) -> int:
        name = fields.number
        text = band.get(name[1:]) if name.startswith("@") else band.findtext(name)
        return int(text or 0)

    ordered = sorted(bands, key=number)
    numbers = [number(band) for band in ordered]
    if numbers != list(range(1, len(numbers) + 1)):
        raise DataError(
            f"{path} does not describe bands 1 to {len(numbers)}",
            received=f"bands {', '.join(map(str, numbers[:8]))} ...",
        )
    return ordered


def _described(
    file: ArrayFile,
    image: Path,
    path: Path,
    root: ElementTree.Element,
    bands: list[ElementTree.Element],
    sensor: str,
    fields: BandFields,
) -> ArrayFile:
    check_bands(image, len(bands), file.shape[2], path.name)

    def each(name: str, default: float) -> NDArray[np.float64]:
        return np.array([float(band.findtext(name) or default) for band in bands])

    nodata = file.metadata.nodata
    declared = root.findtext(".//backgroundValue")
    if not nodata and declared and re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", declared):
        nodata = (float(declared),)
    widths = each(fields.width, 0.0)
    described = with_facts(
        file,
        wavelengths=each(fields.center, 0.0),
        fwhm=widths if (widths > 0).all() else None,
        good_bands=_expected(root, len(bands)),
        nodata=nodata,
        scale=each(fields.gain, 1.0),
        offset=each(fields.offset, 0.0),
        product=f"{sensor} {_level(path)}".strip(),
    )
    return replace(described, files=(path, *file.files))


def _expected(root: ElementTree.Element, bands: int) -> NDArray[np.bool_] | None:
    """The bands that the product lists as delivered; None where it lists none, or all."""
    listed = [one.text or "" for one in root.iter("expectedChannelsList")]
    numbers = [int(part) for text in listed for part in text.split(",") if part.strip().isdecimal()]
    if not numbers or max(numbers) > bands or len(set(numbers)) == bands:
        return None
    good = np.zeros(bands, bool)
    good[np.asarray(numbers) - 1] = True
    return good


def _level(path: Path) -> str:
    """The level of processing that the product's name has."""
    found = re.search(r"L(1A|1B|1C|2A)", path.name.upper())
    return found.group(0) if found else ""
