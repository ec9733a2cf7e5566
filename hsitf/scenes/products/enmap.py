"""EnMAP L1C and L2A (GeoTIFF with METADATA.XML) of DLR.

Layout: "EnMAP HSI Level 1/Level 2 Product Specification" (DLR, EN-PCV-ICD-2009) and public readers.
Beside ...-SPECTRAL_IMAGE.TIF lies ...-METADATA.XML with
specific/bandCharacterisation/bandID[@number] for each of the 224 bands: wavelengthCenterOfBand and
FWHMOfBand in nanometers, GainOfBand and OffsetOfBand (radiance of L1C, or reflectance of L2A, is
gain x DN + offset); specific/backgroundValue, or the GeoTIFF itself, names the value without data;
specific/vnirProductQuality/expectedChannelsList and for swir the bands that are delivered. The
detectors overlap from 900 to 1000 nm. Quality layers in files of their own are not read.

L1B (two images in the sensor's geometry, SPECTRAL_IMAGE_VNIR and _SWIR) is refused. Images whose
bands were given tags of wavelengths (as by GDAL or the EnMAP-Box) are read as GeoTIFF.
"""

from __future__ import annotations

from pathlib import Path

from hsitf.errors import DataError
from hsitf.scenes.products.band_tables import BandFields, open_with_table
from hsitf.scenes.products.base import GEOTIFF, OTHER, Product, beside
from hsitf.scenes.readers.base import ArrayFile

_FIELDS = BandFields(
    element="bandID",
    number="@number",
    center="wavelengthCenterOfBand",
    width="FWHMOfBand",
    gain="GainOfBand",
    offset="OffsetOfBand",
)


def open_enmap(path: Path, variable: str | None) -> ArrayFile | None:
    """Opens an image by itself or by its metadata."""
    for detector in ("SPECTRAL_IMAGE_VNIR", "SPECTRAL_IMAGE_SWIR"):
        if beside(path, detector, "METADATA", (".xml",)):
            raise DataError(
                f"{path} is EnMAP L1B: VNIR and SWIR in images of their own, not on one grid",
                allowed="L1C or L2A",
                remedy="order or compute L1C or L2A",
            )
    return open_with_table(path, variable, "EnMAP", _FIELDS)


PRODUCT = Product("EnMAP", frozenset({GEOTIFF, OTHER}), open_enmap)
