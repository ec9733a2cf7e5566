"""Specim cameras (IQ, FX, AISA) as ENVI pairs.

Layout: headers that Specim's recorder writes, as public readers describe them: `sensor type` or
`description` names Specim, or the header has the recorder's fields `fps` with `tint` or `himg`.
Wavelengths are in nanometers, often without units. A capture lies beside WHITEREF_NAME and
DARKREF_NAME (.hdr and .raw). Its numbers are counts; reflectance is not computed from the
references here: which of them to use, and where the white target lies, is the user's to say.
"""

from __future__ import annotations

from pathlib import Path

from hsitf.scenes.products.base import ENVI, Product, as_product
from hsitf.scenes.products.envi_headers import envi_header, mentions, reference_note
from hsitf.scenes.readers.base import ArrayFile
from hsitf.scenes.readers.envi import open_envi

_REFERENCES = ("whiteref", "darkref", "whitedarkref")


def open_specim(path: Path, variable: str | None) -> ArrayFile | None:
    """Opens a capture of a Specim camera."""
    header = envi_header(path)
    if header is None:
        return None
    recorder = "fps" in header and ("tint" in header or "himg" in header)
    if not recorder and not mentions(header, ("specim", "aisa")):
        return None
    file = open_envi(path, variable)
    if len(file.shape) != 3:
        return None
    notes = reference_note(path, _REFERENCES) if file.dtype.kind in "iu" else ()
    return as_product(file, "Specim camera (ENVI)", *notes)


PRODUCT = Product("Specim", frozenset({ENVI}), open_specim)
