"""An array in a file as every reader returns it, and the checks that readers share."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, HsitfError, InputError, unknown
from hsitf.scenes.metadata import RasterMetadata

MAX_BYTES = 16 << 30
# How many bytes an image may unpack to whatever the size of its file, and how often that size
# beyond. Measured images are packed to a third at best, maps of few classes to a thousandth.
IMAGE_LIMITS = (32 << 20, 100)
MAP_LIMITS = (64 << 20, 2000)
# A block of rows that a file stores together is kept up to this size.
MAX_BLOCK_BYTES = 128 << 20


Shape = tuple[int, ...]

# A file that says nothing of its numbers.
PLAIN = RasterMetadata()


_NANOMETERS = {"nm", "nanometer", "nanometers", "nanometre", "nanometres"}


_MICROMETERS = {
    # Both signs for micro are in use.
    *("um", "µm", "μm", "micron", "microns"),
    *("micrometer", "micrometers", "micrometre", "micrometres"),
}


_UNSTATED = {"", "none", "unknown"}


@dataclass(frozen=True, eq=False)
class ArrayData:
    """An array as a file holds it.

    Attributes:
        values: (rows, cols, bands) or (rows, cols), or whatever rank the file has; boolean,
            integer or real.
        files: The files it was read from; ENVI has two.
        metadata: What the file says of them.
    """

    values: NDArray[Any]
    files: tuple[Path, ...]
    metadata: RasterMetadata = PLAIN

    @property
    def wavelengths(self) -> NDArray[np.float64] | None:
        """(bands,) float64 band centers in nanometers, None where the file has none."""
        return self.metadata.wavelengths


@dataclass(frozen=True, eq=False)
class ArrayFile:
    """An array in a file, from which rows can be read.

    Attributes:
        shape: (rows, cols, bands) or (rows, cols), or whatever rank the file has.
        dtype: Boolean, integer or real.
        files: The files it is read from; ENVI has two.
        kind: Name of the file format, for messages.
        slice: Reads some rows, from one number up to another.
        metadata: What the file says of its numbers.
        streams: Whether rows are read by themselves, rather than the whole file with the first.
        block_rows: Rows that the file stores, and compresses, together.
    """

    shape: Shape
    dtype: np.dtype[Any]
    files: tuple[Path, ...]
    kind: str
    slice: Callable[[int, int], NDArray[Any]] = field(repr=False)
    metadata: RasterMetadata = PLAIN
    streams: bool = True
    block_rows: int = 1

    @property
    def wavelengths(self) -> NDArray[np.float64] | None:
        """(bands,) float64 band centers in nanometers, None where the file has none."""
        return self.metadata.wavelengths

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` up to `stop`, in the type of the file.

        Raises:
            DataError: The file is damaged there.
        """
        with parser_errors_reported(self.files[-1], self.kind):
            return self.slice(start, stop)


def nanometers(values: Sequence[float], unit: str | None) -> NDArray[np.float64] | None:
    """Band centers in nanometers, or None where the unit is not a length.

    Without a stated unit, values that are all below 100 are assumed to be micrometers: no
    hyperspectral sensor measures wavelengths below 100 nm or above 100 um.

    Args:
        values: Band centers.
        unit: Their unit as a header names it.
    """
    centers = np.asarray(values, dtype=np.float64)
    factor = _nanometer_factor(centers, unit)
    return None if factor is None else centers * factor


def widths_in_nanometers(
    widths: NDArray[np.float64],
    width_unit: str | None,
    centers: NDArray[np.float64],
    center_unit: str | None,
) -> NDArray[np.float64] | None:
    """Widths of bands in nanometers, or None where their unit is not a length.

    Without a unit of their own they have that of the centers, whose magnitude determines it where
    it is not stated either.

    Args:
        widths: Widths of bands.
        width_unit: Their unit; None or empty where it is not stated.
        centers: Band centers as they are stored.
        center_unit: The unit of these, likewise.
    """
    stated = (width_unit or "").strip().lower() not in _UNSTATED
    factor = _nanometer_factor(widths, width_unit) if stated else None
    if not stated:
        factor = _nanometer_factor(centers, center_unit)
    return None if factor is None else widths * factor


def _nanometer_factor(centers: NDArray[np.float64], unit: str | None) -> float | None:
    name = (unit or "").strip().lower()
    if name in _UNSTATED:
        name = "um" if centers.max(initial=0.0) < 100 else "nm"
    if name in _MICROMETERS:
        return 1000.0
    return 1.0 if name in _NANOMETERS else None


class BlockRows:
    """Reads rows by the blocks in which a file stores them, and keeps the last block.

    Neighboring strips of a scene lie in the same block, which would otherwise be decompressed for
    each of them.

    Args:
        read: Reads some rows, from one number up to another.
        rows: Rows of the array.
        block_rows: Rows of a block.
    """

    def __init__(
        self, read: Callable[[int, int], NDArray[Any]], rows: int, block_rows: int
    ) -> None:
        self._read, self._rows, self._block_rows = read, rows, block_rows
        self._kept: tuple[int, NDArray[Any]] | None = None
        # Strips are read ahead in another thread.
        self._lock = threading.Lock()

    def __call__(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` up to `stop`."""
        step = self._block_rows
        parts = []
        with self._lock:
            for first in range(start // step * step, stop, step):
                block = self._block(first)
                parts.append(block[max(start - first, 0) : stop - first])
        return np.array(parts[0]) if len(parts) == 1 else np.concatenate(parts)

    def _block(self, first: int) -> NDArray[Any]:
        if self._kept is None or self._kept[0] != first:
            self._kept = None
            values = self._read(first, min(first + self._block_rows, self._rows))
            self._kept = (first, values)
        return self._kept[1]


def by_blocks(file: ArrayFile) -> ArrayFile:
    """The file, read by the blocks that it stores, where one of these fits into memory easily."""
    row_bytes = math.prod(file.shape[1:]) * file.dtype.itemsize
    if not 1 < file.block_rows <= MAX_BLOCK_BYTES // max(row_bytes, 1):
        return file
    return replace(file, slice=BlockRows(file.slice, file.shape[0], file.block_rows))


def in_memory(
    values: NDArray[Any], path: Path, kind: str, metadata: RasterMetadata = PLAIN
) -> ArrayFile:
    """An array of a format that is read at once or not at all."""

    def rows(start: int, stop: int) -> NDArray[Any]:
        return values if values.ndim == 0 else values[start:stop]

    return ArrayFile(values.shape, values.dtype, (path,), kind, rows, metadata, streams=False)


def choose(path: Path, shapes: Mapping[str, Shape], variable: str | None) -> str:
    """The name of the array to read: `variable`, or the only one with more than one long axis."""
    if variable is not None:
        if variable in shapes:
            return variable
        # The last part of a long name is enough where no other ends in it.
        ending = [name for name in shapes if name.endswith(f"/{variable}")]
        if len(ending) == 1:
            return ending[0]
        raise unknown(f"{path.name} variable", variable, shapes)
    candidates = [name for name, shape in shapes.items() if sum(n > 1 for n in shape) > 1]
    if len(candidates) == 1:
        return candidates[0]
    listed = ", ".join(f"{name} {shapes[name]}" for name in candidates or shapes) or "nothing"
    if candidates:
        raise InputError(
            f"{path} holds several arrays", allowed=listed, remedy="name one of these variables"
        )
    raise DataError(
        f"{path} holds neither a cube nor a map",
        received=listed,
        allowed="a numeric array with two or more axes",
        remedy="give another file",
    )


def check_single(path: Path, variable: str | None) -> None:
    """Raises where a variable is named in a file without variables."""
    if variable is not None:
        raise InputError(
            f"{path} holds a single array without a name",
            received=f"variable {variable!r}",
            remedy="leave the variable out",
        )


def check_fits_memory(path: Path, shape: Shape, item_bytes: int) -> None:
    """Raises where an array does not fit into memory."""
    needed = math.prod(shape) * item_bytes
    if needed > MAX_BYTES:
        raise DataError(
            f"{path} holds an array that is too large to be read at once",
            received=f"shape {shape}, {needed} bytes",
            allowed=f"{MAX_BYTES} bytes",
            remedy="cut it into smaller files",
        )


def check_packed(path: Path, shape: Shape, item_bytes: int, files: Sequence[Path]) -> None:
    """Raises where a small file says to hold what would fill the memory.

    Args:
        path: What it is called in messages.
        shape: Shape of the array.
        item_bytes: Bytes of one number.
        files: The files that hold it.

    Raises:
        DataError: They hold less than a measured image takes.
    """
    needed, held = math.prod(shape) * item_bytes, sum(one.stat().st_size for one in files)
    least, ratio = IMAGE_LIMITS if len(shape) > 2 else MAP_LIMITS
    if needed > max(least, ratio * held):
        raise DataError(
            f"{path} says to hold more than its size allows",
            received=f"shape {shape}, {needed:,} bytes of {held:,} in the file",
            allowed=f"{least:,} bytes, or {ratio:,} times the size of the file",
            remedy="write it uncompressed if it is an image whose numbers are nearly all the same",
        )


def check_file_size(path: Path, shape: Shape, item_bytes: int, available: int) -> None:
    """Raises where an array does not fit into the `available` bytes of its file."""
    needed = math.prod(shape) * item_bytes
    if needed > available:
        raise DataError(
            f"{path} is truncated, or its header is not its own",
            received=f"{available} bytes of values",
            allowed=f"{needed} bytes for shape {shape}",
            remedy="fetch it again",
        )


@contextmanager
def parser_errors_reported(path: Path, kind: str) -> Iterator[None]:
    """Turns whatever a parser raises on a damaged file into a `DataError`."""
    try:
        yield
    except HsitfError:
        raise
    except MemoryError as error:
        raise DataError(
            f"there is not enough memory to read {path}", remedy="cut it into smaller files"
        ) from error
    # Parsers meet damaged bytes with errors of any type.
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise DataError(
            f"{path} cannot be read as {kind}",
            received=reason,
            remedy="it may be truncated, damaged or of another format: fetch it again or correct "
            "its suffix",
        ) from error
