"""One reader for archives of arrays (.npz), whatever is inside: sizes are bounded before memory.

Nothing of an archive is believed. It may be encrypted or compressed in an unknown way, its headers
may be nonsense or state sizes that are not there, and a small one may unpack to gigabytes.
"""

from __future__ import annotations

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, HsitfError, MissingDataError

MAX_UNPACKED = 256 << 20
"""Bytes that an archive may unpack to where it is smaller itself."""

MAX_ARRAYS = 100_000

# What libraries raise on content that is not what it should be; none of it is a fault of ours.
DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)

_CHUNK = 1 << 20
_KINDS = "biufcSU"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


@contextmanager
def read_arrays(
    path: Path,
    content: str,
    remedy: str,
    limit: int = MAX_UNPACKED,
    names: Sequence[str] | None = None,
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yields the arrays of an .npz archive by name.

    What the block itself finds wrong with them, such as a missing name, is reported likewise.

    Args:
        path: The archive.
        content: What it is to hold, for messages: "the pixels of a split".
        remedy: What to do where it does not.
        limit: Bytes that it may unpack to, if it is smaller itself.
        names: The arrays to read where they are there; None for all.

    Raises:
        DataError: It is missing, damaged, or unpacks to more.
    """
    if not path.is_file():
        raise MissingDataError(
            f"{path} does not hold {content}", received="no such file", remedy=remedy
        )
    with damage_reported(path, content, remedy):
        yield _read(path, max(limit, path.stat().st_size), names)


@contextmanager
def damage_reported(path: Path, content: str, remedy: str) -> Iterator[None]:
    """Turns what libraries raise on a file that is not what it should be into a `DataError`.

    Args:
        path: The file.
        content: What it is to hold, for messages: "a .tflite model".
        remedy: What to do where it does not.

    Raises:
        DataError: The block failed in one of the ways of `DAMAGE`.
    """
    try:
        yield
    except HsitfError:
        raise
    except DAMAGE as error:
        # A library's own words may quote the file: the first line alone, and no more than that.
        words = (str(error).strip().splitlines() or [""])[0][:200]
        raise DataError(
            f"{path} does not hold {content}",
            received=f"{type(error).__name__}: {words}" if words else type(error).__name__,
            remedy=remedy,
        ) from error


def npy_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """Shape, type and whether columns come first, from the head of a .npy stream.

    The stream is left at the first value.

    Raises:
        ValueError: It holds objects or records, or something else than an array.
    """
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        # Version 3 differs only in that names of record fields may be Unicode.
        raise ValueError("records, not an array")
    if dtype.hasobject:
        raise ValueError("pickled objects, which are never loaded")
    if dtype.kind not in _KINDS:
        raise ValueError(f"values of type {dtype}")
    if any(size < 0 for size in shape):
        raise ValueError(f"an array of shape {shape}")
    return shape, dtype, fortran


def _read(path: Path, limit: int, names: Sequence[str] | None) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MAX_ARRAYS:
            raise ValueError(f"{len(members)} arrays")
        if names is not None:
            members = [one for one in members if one.filename.removesuffix(".npy") in names]
        for member in members:
            if not member.filename.endswith(".npy"):
                raise ValueError(f"{member.filename[:80]!r}, which is no array")
            if member.flag_bits & _ENCRYPTED:
                raise ValueError("encrypted arrays")
            if member.compress_type not in _METHODS:
                raise ValueError(f"compression method {member.compress_type}")
        unpacked = sum(member.file_size for member in members)
        if unpacked > limit:
            raise ValueError(f"{unpacked:,} bytes unpacked; {limit:,} at most")
        return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as stream:
        shape, dtype, fortran = npy_header(stream)
        needed, held = math.prod(shape) * dtype.itemsize, member.file_size - stream.tell()
        if needed != held or not dtype.itemsize:
            raise ValueError(f"{held} bytes for an array of {needed}")
        values = np.empty(needed, np.uint8)
        for start in range(0, needed, _CHUNK):
            piece = stream.read(min(_CHUNK, needed - start))
            values[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
        # Reading on to the end has the checksum compared.
        if stream.read(1):
            raise ValueError("an array that is longer than it says")
    found = values.view(dtype) if needed else np.empty(math.prod(shape), dtype)
    return found.reshape(shape, order="F" if fortran else "C")
