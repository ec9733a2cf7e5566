"""DESIS L1B, L1C and L2A (GeoTIFF with METADATA.xml) of DLR and Teledyne Brown.

Layout: "DESIS Products and Processing" (DLR, DESIS-PAV-PRO) and public readers. Beside
...-SPECTRAL_IMAGE.tif lies ...-METADATA.xml with an element `band` for each of the 235 bands (fewer
where they are binned): bandNumber, wavelengthCenterOfBand and wavelengthWidthOfBand in nanometers,
gainOfBand and offsetOfBand (radiance, or reflectance of L2A, is gain x DN + offset). The quality
layers (QL_QUALITY) are not read.
"""

from __future__ import annotations

from pathlib import Path

from hsitf.scenes.products.band_tables import BandFields, open_with_table
from hsitf.scenes.products.base import GEOTIFF, OTHER, Product
from hsitf.scenes.readers.base import ArrayFile

_FIELDS = BandFields(
    element="band",
    number="bandNumber",
    center="wavelengthCenterOfBand",
    width="wavelengthWidthOfBand",
    gain="gainOfBand",
    offset="offsetOfBand",
)


def open_desis(path: Path, variable: str | None) -> ArrayFile | None:
    """Opens an image by itself or by its metadata."""
    return open_with_table(path, variable, "DESIS", _FIELDS)


PRODUCT = Product("DESIS", frozenset({GEOTIFF, OTHER}), open_desis)
