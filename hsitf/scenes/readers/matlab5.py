"""MATLAB files of version 5 to 7: what is in them, and their plain numeric arrays.

They are read here rather than by a library, whose reader of this format is compiled and ends the
process at some damaged tags. Sizes are compared with what a file holds before memory is taken.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError

_HEADER = 128
_COMPRESSED, _MATRIX, _INT32, _UINT32, _INT8 = 15, 14, 5, 6, 1
# Types of numbers in elements, by their code.
_NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
# MATLAB's classes of arrays, by their code.
_CLASSES = {
    1: "cell",
    2: "struct",
    3: "object",
    4: "char",
    5: "sparse",
    6: "double",
    7: "single",
    8: "int8",
    9: "uint8",
    10: "int16",
    11: "uint16",
    12: "int32",
    13: "uint32",
    14: "int64",
    15: "uint64",
    16: "function",
    17: "opaque",
}
# These have no axes in their heads.
_WITHOUT_AXES = ("function", "opaque")
_LOGICAL, _COMPLEX = 1 << 9, 1 << 11
# Flags, axes and name of an array; more is none.
_MAX_HEAD = 1 << 16
_CHUNK = 1 << 20


@dataclass(frozen=True)
class MatlabVariable:
    """A variable of a file.

    Attributes:
        name: Its name; empty for what MATLAB keeps for itself.
        shape: Its axes.
        kind: Its class in MATLAB, "logical" where it is of truth values.
        offset: Where its element begins in the file.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    offset: int


def is_version5(path: Path) -> bool:
    """Whether a file is of version 5 to 7; older ones have a zero among their first four bytes."""
    with path.open("rb") as stream:
        head = stream.read(_HEADER)
    return len(head) == _HEADER and 0 not in head[:4]


def variables(path: Path) -> list[MatlabVariable]:
    """All variables, in the order of the file.

    Raises:
        DataError: The file is damaged.
    """
    order = _byte_order(path)
    found = []
    for offset, packed, content in _elements(path, order):
        head = _Elements(_unpacked(path, content, _MAX_HEAD) if packed else content, order, path)
        if packed:
            head.enter_matrix()
        flags = head.flags()
        kind = _CLASSES.get(flags & 0xFF, "unknown")
        shape = () if kind in _WITHOUT_AXES else head.axes()
        name = head.name()
        kind = "logical" if flags & _LOGICAL else kind
        found.append(MatlabVariable(name, shape, kind, offset))
    return found


def read_variable(path: Path, variable: MatlabVariable) -> NDArray[Any]:
    """The values of a numeric variable, in the type in which they are stored.

    Raises:
        DataError: The file is damaged.
    """
    order = _byte_order(path)
    ((_, packed, content),) = _elements(path, order, variable.offset)
    count = math.prod(variable.shape)
    # Of each number at most eight bytes, twice for complex ones.
    whole = _unpacked(path, content, _MAX_HEAD + 16 * count) if packed else content
    elements = _Elements(whole, order, path)
    if packed:
        elements.enter_matrix()
    flags = elements.flags()
    elements.axes()
    elements.name()
    values = elements.numbers(count)
    if flags & _COMPLEX:
        values = values + 1j * elements.numbers(count)
    return values.reshape(variable.shape, order="F")


def _byte_order(path: Path) -> str:
    with path.open("rb") as stream:
        mark = stream.read(_HEADER)[-2:]
    if mark not in (b"IM", b"MI"):
        raise _damaged(path, "a header without its byte order")
    return "<" if mark == b"IM" else ">"


def _elements(path: Path, order: str, first: int = 0) -> Iterator[tuple[int, bool, Any]]:
    """Offset, whether it is compressed, and content of elements: all, or the one at `first`."""
    size = path.stat().st_size
    mapped: Any = np.memmap(path, np.uint8, "r")
    offset = first or _HEADER
    while offset + 8 <= size:
        kind, length = struct.unpack_from(order + "II", mapped, offset)
        if kind not in (_MATRIX, _COMPRESSED):
            raise _damaged(path, f"an element of type {kind} where a variable is expected")
        end = offset + 8 + length
        if end > size:
            raise _damaged(path, f"a variable of {length} bytes, {size - offset - 8} are left")
        yield offset, kind == _COMPRESSED, mapped[offset + 8 : end]
        if first:
            return
        offset = end


def _unpacked(path: Path, content: Any, limit: int) -> bytes:
    """The beginning of compressed content, as many bytes as asked for at most."""
    machine = zlib.decompressobj()
    found, waiting = bytearray(), bytes(content)
    try:
        while waiting and len(found) < limit and not machine.eof:
            found += machine.decompress(waiting, min(_CHUNK, limit - len(found)))
            waiting = machine.unconsumed_tail
    except zlib.error as error:
        raise _damaged(path, f"compressed content that is none ({error})") from error
    return bytes(found)


class _Elements:
    """Reads one element after the other.

    Args:
        content: The content of a variable.
        order: "<" or ">".
        path: The file, for messages.
    """

    def __init__(self, content: Any, order: str, path: Path):
        self._content, self._order, self._path, self._at = content, order, path, 0

    def enter_matrix(self) -> None:
        """Passes over the tag of a variable within compressed content."""
        kind, _ = self._tag()
        if kind != _MATRIX:
            raise _damaged(self._path, f"compressed content of type {kind}")

    def flags(self) -> int:
        """Class and properties of an array."""
        kind, content = self._next()
        if kind != _UINT32 or len(content) != 8:
            raise _damaged(self._path, "a variable without its class")
        return int(struct.unpack_from(self._order + "I", content)[0])

    def axes(self) -> tuple[int, ...]:
        """Sizes of the axes of an array."""
        kind, content = self._next()
        sizes = np.frombuffer(bytes(content), self._order + "i4").tolist() if kind == _INT32 else []
        if len(sizes) < 2 or min(sizes) < 0:
            raise _damaged(self._path, f"a variable with axes {sizes[:8]}")
        return tuple(sizes)

    def name(self) -> str:
        """Name of a variable."""
        kind, content = self._next()
        if kind != _INT8:
            raise _damaged(self._path, "a variable without its name")
        return bytes(content).decode("latin-1")

    def numbers(self, count: int) -> NDArray[Any]:
        """Numbers of any type."""
        kind, content = self._next()
        if kind not in _NUMBERS:
            raise _damaged(self._path, f"numbers of type {kind}")
        stored = np.dtype(self._order + _NUMBERS[kind])
        if len(content) != count * stored.itemsize:
            raise _damaged(
                self._path,
                f"{len(content)} bytes of values where {count * stored.itemsize} are due",
            )
        values = np.frombuffer(content, stored)
        return values.astype(stored.newbyteorder("="))

    def _next(self) -> tuple[int, Any]:
        """Type and content of the next element, which begins at a multiple of eight bytes."""
        kind, length = self._tag()
        start = self._at
        if kind >> 16:
            # Up to four bytes stand within the tag itself.
            kind, length, start = kind & 0xFFFF, kind >> 16, self._at - 4
            if length > 4:
                raise _damaged(self._path, f"a small element of {length} bytes")
            end = self._at
        else:
            end = start + -(-length // 8) * 8
        content = self._content[start : start + length]
        if len(content) != length:
            raise _damaged(self._path, f"an element of {length} bytes, {len(content)} are left")
        self._at = end
        return kind, content

    def _tag(self) -> tuple[int, int]:
        if self._at + 8 > len(self._content):
            raise _damaged(self._path, "a variable that ends too early")
        kind, length = struct.unpack_from(self._order + "II", self._content, self._at)
        self._at += 8
        return int(kind), int(length)


def _damaged(path: Path, received: str) -> DataError:
    return DataError(
        f"{path} cannot be read as a MATLAB file",
        received=received,
        remedy="it may be truncated, damaged or of another format: fetch it again or correct its "
        "suffix",
    )
