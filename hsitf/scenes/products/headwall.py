"""Headwall cameras (Hyperspec, Nano-Hyperspec, Co-Aligned) as ENVI pairs.

Layout: headers that Headwall's software writes, as public readers describe them: `description` has
the words "HEADWALL Hyperspec"; the data file often has no suffix (`raw_0` with `raw_0.hdr`, or
`raw_0_rd` of radiance, `raw_0_rd_rf` of reflectance); `darkReference` and `whiteReference` may lie
beside a capture. Counts are read as such, and the references are not applied.
"""

from __future__ import annotations

from pathlib import Path

from hsitf.scenes.products.base import ENVI, Product, as_product
from hsitf.scenes.products.envi_headers import envi_header, mentions, reference_note
from hsitf.scenes.readers.base import ArrayFile
from hsitf.scenes.readers.envi import open_envi

_REFERENCES = ("darkreference", "whitereference")


def open_headwall(path: Path, variable: str | None) -> ArrayFile | None:
    """Opens a capture of a Headwall camera."""
    header = envi_header(path)
    if header is None or not mentions(header, ("headwall", "hyperspec")):
        return None
    file = open_envi(path, variable)
    if len(file.shape) != 3:
        return None
    notes = reference_note(path, _REFERENCES) if file.dtype.kind in "iu" else ()
    return as_product(file, "Headwall camera (ENVI)", *notes)


PRODUCT = Product("Headwall", frozenset({ENVI}), open_headwall)
