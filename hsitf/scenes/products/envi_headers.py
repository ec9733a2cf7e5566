"""Headers of ENVI products, and the calibration files of cameras beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hsitf.errors import DataError
from hsitf.scenes.readers.envi import header_beside, read_header


def envi_header(path: Path) -> dict[str, str] | None:
    """The fields of a header, or of that of a data file; None where there is none to read."""
    header = path if path.suffix.lower() == ".hdr" else header_beside(path)
    if header is None or not header.is_file():
        return None
    try:
        return read_header(header)
    except DataError:
        # What is wrong with it is said by the reader of the format.
        return None


def mentions(header: dict[str, str], words: Sequence[str]) -> bool:
    """Whether the description or the sensor of a header has one of the words."""
    text = f"{header.get('description', '')} {header.get('sensor type', '')}".lower()
    return any(word in text for word in words)


def reference_note(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    """A note where calibration files lie beside a capture.

    Args:
        path: The capture.
        names: Words that mark the names of calibration files, in small letters.
    """
    if any(word in path.name.lower() for word in names):
        return ()
    found = sorted(
        one.name
        for one in path.parent.iterdir()
        if one.suffix.lower() == ".hdr" and any(word in one.name.lower() for word in names)
    )
    if not found:
        return ()
    return (
        f"The numbers are counts of the camera: {', '.join(found[:4])} beside were not applied.",
    )
