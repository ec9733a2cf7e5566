"""Cubert snapshot cameras (FireflEYE, Ultris) as ENVI pairs.

Cubert's software exports ENVI; `sensor type` or `description` then names Cubert or the camera. Its
own sessions (.cu3, .cu3s, .cue) have no published layout and are refused; GeoTIFF exports are read
as such, `--wavelengths FILE` gives the band centers where they have none.
"""

from __future__ import annotations

from pathlib import Path

from hsitf.errors import InputError
from hsitf.scenes.products.base import ENVI, OTHER, Product, as_product
from hsitf.scenes.products.envi_headers import envi_header, mentions
from hsitf.scenes.readers.base import ArrayFile
from hsitf.scenes.readers.envi import open_envi

_SESSIONS = {".cu3", ".cu3s", ".cue"}


def open_cubert(path: Path, variable: str | None) -> ArrayFile | None:
    """Opens an ENVI export of a Cubert camera.

    Raises:
        InputError: It is a session of Cubert's own format.
    """
    if path.suffix.lower() in _SESSIONS:
        raise InputError(
            f"{path} is a session of Cubert's own format, whose layout is not published",
            allowed="ENVI or GeoTIFF",
            remedy="export the measurement as ENVI with Cubert's software",
        )
    header = envi_header(path)
    if header is None or not mentions(header, ("cubert", "fireflye", "firefleye", "ultris")):
        return None
    file = open_envi(path, variable)
    return as_product(file, "Cubert camera (ENVI)") if len(file.shape) == 3 else None


PRODUCT = Product("Cubert", frozenset({ENVI, OTHER}), open_cubert)
