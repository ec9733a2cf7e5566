"""EO-1 Hyperion L1Gst and L1T (a GeoTIFF a band), and stacks of its 242 bands.

Layout: "EO-1 Hyperion README" and "Hyperion L1Gst Data Format Control Book" (USGS, EO1-DFCB-0003).
The bands of a scene are EO1H..._B001_L1T.TIF and so on, int16, with ..._MTL_L1T.TXT beside them,
whose SCALING_FACTOR_VNIR and SCALING_FACTOR_SWIR (40 and 80) are what stored numbers are divided by
for radiance in W / (m2 sr um); bands 1 to 70 are of VNIR. Bands 8 to 57 and 77 to 224 are
calibrated, the others are zero. Pixels outside the image are zero in all bands.

Band centers are computed, 355.59 + 10.1752 (band - 1) nm for VNIR and 851.92 + 10.0887 (band - 71)
nm for SWIR, which is within 0.1 nm of the published list of spectral coverage.

A stack (ENVI or GeoTIFF) is one that has 242 bands and names the sensor in its header, or the scene
(EO1H and 14 digits) in the name of its file. L1R and L0 are HDF4 and refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.metadata import RasterMetadata
from hsitf.scenes.products.base import ENVI, GEOTIFF, OTHER, Product
from hsitf.scenes.products.envi_headers import envi_header, mentions
from hsitf.scenes.readers.base import ArrayFile
from hsitf.scenes.readers.envi import open_envi
from hsitf.scenes.readers.geotiff import open_geotiff

BANDS = 242
_VNIR = 70
_SCENE = re.compile(r"EO1H\d{14}", re.I)
_BAND = re.compile(r"(?P<scene>.*)_B(?P<band>\d{3})_(?P<level>L1T|L1GST)\.TIF", re.I)
_MTL = re.compile(r"(?P<scene>.*)_MTL_(?P<level>L1T|L1GST)\.TXT", re.I)
_HDF4 = b"\x0e\x03\x13\x01"
# Where the metadata does not state them.
_SCALING = {"VNIR": 40.0, "SWIR": 80.0}
MAX_TEXT_BYTES = 1 << 20


def open_hyperion(path: Path, variable: str | None) -> ArrayFile | None:
    """Opens the bands of a scene by one of them or by its metadata, or a stack of all bands.

    Raises:
        InputError: It is HDF4.
    """
    with path.open("rb") as stream:
        if stream.read(4) == _HDF4:
            raise InputError(
                f"{path} is HDF4, which is not read here",
                received="HDF4 (Hyperion L1R is delivered in it)",
                allowed="Hyperion L1T or L1Gst (GeoTIFF), ENVI",
                remedy="order L1T, or convert it: gdal_translate -of ENVI HDF4_SDS:... cube.img",
            )
    found = _BAND.fullmatch(path.name) or _MTL.fullmatch(path.name)
    if found is not None:
        return _scene(path, found["scene"], found["level"])
    return _stack(path, variable)


def _scene(path: Path, scene: str, level: str) -> ArrayFile | None:
    files = {
        int(found["band"]): one
        for one in path.parent.iterdir()
        if (found := _BAND.fullmatch(one.name))
        and (found["scene"].upper(), found["level"].upper()) == (scene.upper(), level.upper())
    }
    if len(files) < 2 or not set(files) <= set(range(1, BANDS + 1)):
        return None
    numbers = sorted(files)
    opened = [open_geotiff(files[number], None) for number in numbers]
    first = opened[0]
    if any(len(one.shape) != 2 or one.shape != first.shape for one in opened):
        raise DataError(
            f"the bands of {scene} are of different sizes",
            received=", ".join(sorted({str(one.shape) for one in opened})),
            allowed="one size",
            remedy="give the product as it was delivered",
        )

    def rows(start: int, stop: int) -> NDArray[Any]:
        joined = np.empty((stop - start, first.shape[1], len(opened)), dtype)
        for band, one in enumerate(opened):
            joined[:, :, band] = one.read(start, stop)
        return joined

    dtype = np.result_type(*(one.dtype for one in opened))
    metadata = replace(
        _facts(first.metadata, np.asarray(numbers), _scaling(path.parent, scene, level)),
        product=f"Hyperion {level.upper()}",
        notes=()
        if len(numbers) == BANDS
        else (f"The scene has {len(numbers)} of the {BANDS} bands of the sensor.",),
    )
    return ArrayFile(
        (*first.shape, len(numbers)),
        dtype,
        tuple(one.files[0] for one in opened),
        "GeoTIFF files of Hyperion",
        rows,
        metadata,
        block_rows=first.block_rows,
    )


def _stack(path: Path, variable: str | None) -> ArrayFile | None:
    is_tiff = path.suffix.lower() in (".tif", ".tiff")
    header = None if is_tiff else envi_header(path)
    named = bool(_SCENE.search(path.name)) or (
        header is not None and mentions(header, ("hyperion",))
    )
    if not named or not (is_tiff or header):
        return None
    file = open_geotiff(path, variable) if is_tiff else open_envi(path, variable)
    if len(file.shape) != 3 or file.shape[2] != BANDS:
        return None
    facts = _facts(file.metadata, np.arange(1, BANDS + 1), _SCALING)
    known = file.metadata
    # Corrected stacks are of other units, and their own header tells it.
    if file.dtype.kind not in "iu" or np.any(np.asarray(known.scale) != 1.0):
        facts = replace(facts, scale=known.scale)
    if known.wavelengths is not None:
        facts = replace(facts, wavelengths=known.wavelengths)
    if known.good_bands is not None:
        facts = replace(facts, good_bands=known.good_bands)
    return replace(file, metadata=replace(facts, product="Hyperion stack"))


def _facts(
    metadata: RasterMetadata, numbers: NDArray[np.int64], scaling: dict[str, float]
) -> RasterMetadata:
    """What is known of bands by their numbers from 1."""
    vnir = numbers <= _VNIR
    calibrated = ((numbers >= 8) & (numbers <= 57)) | ((numbers >= 77) & (numbers <= 224))
    return replace(
        metadata,
        wavelengths=band_centers(numbers),
        good_bands=calibrated,
        background=0.0,
        scale=np.where(vnir, 1.0 / scaling["VNIR"], 1.0 / scaling["SWIR"]),
    )


def band_centers(numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Band centers in nanometers by numbers from 1."""
    bands = np.asarray(numbers, np.float64)
    centers = np.where(
        bands <= _VNIR, 355.59 + 10.1752 * (bands - 1), 851.92 + 10.0887 * (bands - 71)
    )
    return np.asarray(np.round(centers, 2), np.float64)


def _scaling(folder: Path, scene: str, level: str) -> dict[str, float]:
    """What counts are divided by, from the metadata of the scene where it is there."""
    found = dict(_SCALING)
    wanted = f"{scene}_MTL_{level}.TXT".upper()
    for one in folder.iterdir():
        if one.name.upper() == wanted and one.stat().st_size <= MAX_TEXT_BYTES:
            text = one.read_text(encoding="latin-1")
            for detector in found:
                match = re.search(rf"SCALING_FACTOR_{detector}\s*=\s*([\d.]+)", text)
                if match and float(match.group(1)) > 0:
                    found[detector] = float(match.group(1))
    return found


PRODUCT = Product("Hyperion", frozenset({GEOTIFF, ENVI, OTHER}), open_hyperion)
