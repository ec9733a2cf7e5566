"""ENVI files: a text header and a raw file, interleaved by line, pixel or band.

The header is read here: it is short, and what it leaves open (byte order, letters' case, the
encoding of names) is decided as ENVI and GDAL do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError, MissingInputError
from hsitf.scenes.metadata import Color, RasterMetadata
from hsitf.scenes.readers.base import (
    ArrayFile,
    check_file_size,
    check_single,
    nanometers,
    parser_errors_reported,
)
from hsitf.scenes.readers.envi_place import place_of

# ENVI's data types that are real numbers; 6 and 9 are complex.
_TYPES = {
    1: "u1",
    2: "i2",
    3: "i4",
    4: "f4",
    5: "f8",
    12: "u2",
    13: "u4",
    14: "i8",
    15: "u8",
}
# Axes of the raw file by interleave, slowest first, as places in (rows, cols, bands).
_AXES = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}
_DATA_SUFFIXES = ("", ".img", ".raw", ".dat", ".bil", ".bip", ".bsq")
# A header of a thousand bands with names takes some tens of kilobytes.
MAX_HEADER_BYTES = 16 * 2**20

Header = Mapping[str, str]


def open_envi(path: Path, variable: str | None) -> ArrayFile:
    """Opens an ENVI pair, named by its header or its data."""
    check_single(path, variable)
    header_path, kind = _header_of(path), "an ENVI header with its data"
    with parser_errors_reported(header_path, kind):
        header = read_header(header_path)
        _check_kind(header_path, header)
        data = path if path != header_path else _data_of(header_path)
        shape, dtype, interleave, offset = _layout(header_path, header)
        check_file_size(data, shape, dtype.itemsize, data.stat().st_size - offset)
        metadata = _metadata(header_path, header, shape)
    axes = _AXES[interleave]
    stored = tuple(shape[axis] for axis in axes)
    single, native = shape[2] == 1, dtype.newbyteorder("=")

    def rows(start: int, stop: int) -> NDArray[Any]:
        # Mapped anew each time: what stays mapped counts as memory in use.
        mapped = np.memmap(data, dtype, "r", offset, stored)
        values = np.array(mapped.transpose(np.argsort(axes))[start:stop], native)
        return values[:, :, 0] if single else values

    return ArrayFile(
        shape[:2] if single else shape,
        native,
        (header_path, data),
        kind,
        rows,
        metadata,
    )


def read_header(path: Path) -> dict[str, str]:
    """The fields of an ENVI header by their names in small letters.

    Raises:
        DataError: It is no ENVI header.
    """
    if path.stat().st_size > MAX_HEADER_BYTES:
        raise DataError(f"{path} is too large for an ENVI header", allowed=MAX_HEADER_BYTES)
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Older acquisition software writes degree signs and umlauts in Latin-1.
        text = raw.decode("latin-1")
    if not text.lstrip().startswith("ENVI"):
        raise DataError(f"{path} is no ENVI header", allowed="a text file that begins with ENVI")
    found: dict[str, str] = {}
    for match in re.finditer(r"^[ \t]*([^={}\n;]+?)[ \t]*=[ \t]*(\{[^}]*\}|[^\n]*)", text, re.M):
        name = " ".join(match.group(1).split()).lower()
        if name in found and found[name] != match.group(2).strip():
            raise DataError(
                f"{path} says two things of {name!r}",
                received=f"{found[name]} and {match.group(2)}",
            )
        found[name] = match.group(2).strip()
    return found


def _check_kind(path: Path, header: Header) -> None:
    kind = header.get("file type", "").lower()
    if "spectral library" in kind:
        raise DataError(
            f"{path} is an ENVI spectral library: a list of spectra, no image",
            remedy="give the header of an image",
        )
    if header.get("file compression", "0").strip() not in ("0", ""):
        raise DataError(
            f"the data of {path} is compressed",
            received=f"file compression = {header['file compression']}",
            allowed="0",
            remedy="unpack it with gzip -d, and set file compression = 0 in the header",
        )


def _layout(path: Path, header: Header) -> tuple[tuple[int, int, int], np.dtype[Any], str, int]:
    """(rows, cols, bands), type, interleave and offset of the raw numbers."""
    sizes = [_whole(path, header, name) for name in ("lines", "samples", "bands")]
    code = _whole(path, header, "data type")
    if code not in _TYPES:
        raise DataError(
            f"{path} holds no real numbers",
            received=f"data type = {code}" + (" (complex)" if code in (6, 9) else ""),
            allowed=", ".join(map(str, _TYPES)),
            remedy="convert it to real numbers before",
        )
    dtype = np.dtype(_TYPES[code])
    # ENVI and GDAL take a header that does not say for little endian.
    order = header.get("byte order", "0").strip()
    if order not in ("0", "1"):
        raise DataError(f"{path} has an unknown byte order", received=order, allowed="0 or 1")
    dtype = dtype.newbyteorder("<" if order == "0" else ">")
    interleave = header.get("interleave", "").strip().lower()
    if interleave not in _AXES:
        raise DataError(
            f"{path} has an unknown interleave",
            received=interleave or "none",
            allowed=", ".join(_AXES),
            remedy="say in the header how the numbers lie in the file",
        )
    offset = int(header.get("header offset", "0") or 0)
    return (sizes[0], sizes[1], sizes[2]), dtype, interleave, offset


def _whole(path: Path, header: Header, name: str) -> int:
    text = header.get(name, "").strip()
    if not text.isdecimal():
        raise DataError(
            f"{path} does not say its {name}",
            received=text or "nothing",
            allowed="a whole number",
            remedy=f"add a line {name} = N to the header",
        )
    return int(text)


def _metadata(path: Path, header: Header, shape: tuple[int, int, int]) -> RasterMetadata:
    bands, single = shape[2], shape[2] == 1
    ignored = header.get("data ignore value")
    factor = header.get("reflectance scale factor")
    centers = None if single else _per_band(path, header, "wavelength", bands)
    unit = header.get("wavelength units", "").strip().strip("{}")
    widths = None if single else _per_band(path, header, "fwhm", bands)
    bad = None if single else _per_band(path, header, "bbl", bands)
    wavelengths = None if centers is None else nanometers(centers.tolist(), unit)
    if widths is not None and centers is not None and wavelengths is not None:
        # Widths have the unit of the centers.
        widths = widths * (wavelengths[0] / centers[0] if centers[0] else 1.0)
    place, notes = place_of(header)
    return RasterMetadata(
        wavelengths=wavelengths,
        fwhm=widths if wavelengths is not None else None,
        good_bands=None if bad is None else bad > 0,
        nodata=() if ignored is None else (float(ignored.strip("{} ")),),
        scale=_gains(path, header, bands, "data gain values", 1.0)
        if factor is None
        else 1.0 / float(factor.strip("{} ")),
        offset=_gains(path, header, bands, "data offset values", 0.0),
        georeference=place,
        class_names=_class_names(header),
        class_colors=_class_colors(header),
        notes=notes,
    )


def _gains(
    path: Path, header: Header, bands: int, name: str, default: float
) -> float | NDArray[np.float64]:
    values = _per_band(path, header, name, bands)
    return default if values is None else values


def _items(text: str) -> list[str]:
    inside = text.strip().removeprefix("{").removesuffix("}")
    return [part.strip() for part in inside.split(",")] if inside.strip() else []


def _per_band(path: Path, header: Header, name: str, bands: int) -> NDArray[np.float64] | None:
    """One number a band.

    Raises:
        DataError: There is another number of them.
    """
    if name not in header:
        return None
    values = [float(part) for part in _items(header[name]) if part]
    if not values:
        return None
    if len(values) != bands:
        raise DataError(
            f"{path} lists another number of values for {name!r} than it has bands",
            received=f"{len(values)} values, {bands} bands",
            allowed="one a band",
            remedy="correct the header, or remove that line; --wavelengths FILE gives band centers",
        )
    return np.asarray(values)


def _class_names(header: Header) -> dict[int, str]:
    return dict(enumerate(_items(header.get("class names", ""))))


def _class_colors(header: Header) -> dict[int, Color]:
    levels = [int(float(part)) for part in _items(header.get("class lookup", "")) if part]
    triples = zip(levels[::3], levels[1::3], levels[2::3], strict=False)
    return {number: (red, green, blue) for number, (red, green, blue) in enumerate(triples)}


def header_beside(path: Path) -> Path | None:
    """The ENVI header of a data file, whatever the suffix of that; None where there is none."""
    # NAME.img.hdr is of NAME.img alone; NAME.hdr may be a neighbor's.
    for candidate in _header_names(path):
        if candidate.is_file():
            return candidate
    return None


def _header_names(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + ".hdr"), path.with_suffix(".hdr")


def _header_of(path: Path) -> Path:
    if path.suffix.lower() == ".hdr":
        return path
    found = header_beside(path)
    if found is not None:
        return found
    candidates = _header_names(path)
    raise MissingInputError(
        f"there is no ENVI header for {path}",
        allowed=" or ".join(one.name for one in candidates) + " beside it",
        remedy="put the header there",
    )


def _data_of(header: Path) -> Path:
    """The data file beside a header: NAME.img for NAME.img.hdr, else NAME with a known suffix."""
    stem = header.with_suffix("")
    if stem.is_file():
        return stem
    names = {one.name.lower(): one for one in header.parent.iterdir() if one.is_file()}
    found = [
        names[(header.stem + suffix).lower()]
        for suffix in _DATA_SUFFIXES
        if (header.stem + suffix).lower() in names
    ]
    # A file with a header of its own belongs to that one.
    own = [one for one in found if not one.with_name(one.name + ".hdr").is_file()]
    if len(own) > 1:
        raise InputError(
            f"several data files could belong to {header}",
            received=", ".join(one.name for one in own),
            remedy="name the data file instead of the header",
        )
    if own:
        return own[0]
    raise MissingInputError(
        f"there is no data file for the ENVI header {header}",
        allowed=f"{header.stem}, {header.stem}.img, .raw, .dat, .bil, .bip or .bsq",
        remedy="put it beside the header, or name the data file instead of the header",
    )
