"""HDF5 files, looked through before anything of them is read.

The format lets a file name others, whose content would be taken for its own: links to other files,
datasets stored in other files, and datasets put together of those of other files. They are refused.
So is what the library does not come to an end with.
"""

from __future__ import annotations

import io
import mmap
import stat
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from hsitf.errors import DataError
from hsitf.hdf5_trial import check_attributes, has_variable_lengths

MAX_DEPTH = 100
"""Groups within groups; the library follows them by recursion."""

MAX_OBJECTS = 200_000
"""Groups and datasets of a file."""

MAX_WEIGHTS = 4 << 30
"""Bytes of the weights in an archive of Keras."""

# Attributes that Keras reads of the weights in an archive; of others it looks at names at most.
_READ_BY_KERAS = ("dtype",)
_REMEDY = "copy what it refers to into one file, for example with h5repack, and give that"
# How a file begins, and a collection of a global heap: its signature and version.
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01"
_SMALLEST_HEAP = 4096
# The head of an object in it, and that of the heap itself.
_SMALLEST_OBJECT = 16
# What is looked through at once, so that a file is not held in memory whole; of pages.
_BLOCK = 1 << 24


@contextmanager
def hdf5_file(path: Path) -> Iterator[Any]:
    """Yields an `h5py.File` open for reading, which refers to no other file.

    Raises:
        DataError: It refers to other files, or is damaged.
        OSError: It is no HDF5 file.
    """
    import h5py

    check_hdf5(path)
    with h5py.File(path, "r") as file:
        yield file


def check_hdf5(path: Path) -> None:
    """Refuses an HDF5 file that refers to others, or that the library would not end with.

    Raises:
        DataError: It does, or is damaged.
        OSError: It is no HDF5 file.
    """
    facts = path.stat()
    _check_file(str(path.resolve()), facts.st_mtime_ns, facts.st_size)


def check_weights(path: Path) -> None:
    """Refuses a `.keras` archive whose weights, which are HDF5 files, refer to others.

    Raises:
        DataError: They do, or the archive leads out of its folder.
        Exception: One of `array_files.DAMAGE`, where the archive is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for one in members:
            _check_member(path, one)
        weights = [one for one in members if one.filename.endswith(".h5")]
        if sum(one.file_size for one in weights) > MAX_WEIGHTS:
            raise ValueError(f"weights of more than {MAX_WEIGHTS:,} bytes")
        for one in weights:
            _check(path, archive.read(one), _READ_BY_KERAS)


def _check_member(path: Path, one: zipfile.ZipInfo) -> None:
    """Refuses a member that would be written or read elsewhere where it is unpacked."""
    name = PurePosixPath(one.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or ":" in one.filename:
        reason = "leads out of the archive"
    elif stat.S_ISLNK(one.external_attr >> 16):
        reason = "is a link"
    else:
        return
    raise DataError(
        f"{path} is an archive that nobody packed by chance",
        received=f"{one.filename!r}, which {reason}",
        allowed="members within the archive",
        remedy="save the network again",
    )


# A scene is opened several times, by products and by rows.
@lru_cache(maxsize=256)
def _check_file(path: str, changed: int, size: int) -> None:
    if not size:
        raise OSError("an empty file")
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        _check(Path(path), mapped)


def _check(
    path: Path, content: bytes | mmap.mmap, attributes: Collection[str] | None = None
) -> None:
    """Refuses what an HDF5 file must not hold.

    Args:
        path: The file, or the archive that it is a part of.
        content: Its bytes.
        attributes: Names of the attributes that are read of it; None for any.
    """
    import h5py

    heaps = _check_heaps(path, content)
    member = content if isinstance(content, bytes) else None
    with h5py.File(path if member is None else io.BytesIO(member), "r") as file:
        trial = has_variable_lengths(file, attributes)
        for name, one in _objects(path, file):
            if isinstance(one, h5py.Dataset):
                _check_dataset(path, name, one)
            trial = trial or has_variable_lengths(one, attributes)
    if trial:
        check_attributes(path, member, len(content), heaps)


def _objects(path: Path, file: Any) -> Iterator[tuple[str, Any]]:
    """Names and objects of a file, each once, though groups may contain each other."""
    import h5py

    seen = {h5py.h5o.get_info(file.id).addr}
    waiting = [("", file, 0)]
    while waiting:
        place, group, depth = waiting.pop()
        for key in group:
            name = f"{place}/{key}"
            link = group.get(key, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise _foreign(path, f"{name}, which is a link to {link.filename!r}")
            if isinstance(link, h5py.SoftLink):
                continue
            one = group[key]
            address = h5py.h5o.get_info(one.id).addr
            if address in seen:
                continue
            seen.add(address)
            if depth >= MAX_DEPTH or len(seen) > MAX_OBJECTS:
                raise DataError(
                    f"{path} is nested too deeply, or holds too much",
                    received=f"{len(seen):,} groups and datasets, {depth + 1} within each other",
                    allowed=f"{MAX_OBJECTS:,}, {MAX_DEPTH} within each other",
                )
            yield name, one
            if isinstance(one, h5py.Group):
                waiting.append((name, one, depth + 1))


def _check_dataset(path: Path, name: str, one: Any) -> None:
    if one.external:
        raise _foreign(path, f"{name}, which is stored in {one.external[0][0]!r}")
    if one.is_virtual:
        others = [part.file_name for part in one.virtual_sources() if part.file_name != "."]
        if others:
            raise _foreign(path, f"{name}, which is put together of {others[0]!r}")


def _check_heaps(path: Path, content: bytes | mmap.mmap) -> int:
    """Refuses a global heap, where texts are kept, that its reader would go through for ever.

    Returns:
        Bytes of all, no more than the file has.
    """
    width = _length_width(content)
    # Heaps lie side by side, so that all of them have no more objects than fit into the file.
    steps = len(content) // _SMALLEST_OBJECT
    whole = 0
    for at in _heap_places(content):
        size = int.from_bytes(content[at + 8 : at + 8 + width], "little")
        # Others are refused by the library itself, or are the numbers of a dataset.
        if not _SMALLEST_HEAP <= size <= len(content) - at:
            continue
        whole += size
        steps = _steps_left(content, at, at + size, width, steps)
        if steps < 0:
            raise DataError(
                f"{path} is damaged",
                received="a heap of texts that has no end",
                remedy="fetch it again",
            )
    # Heaps within each other, of a file that was made so, count once.
    return min(whole, len(content))


def _heap_places(content: bytes | mmap.mmap) -> Iterator[int]:
    """Where the signatures of heaps stand, block by block."""
    for start in range(0, len(content), _BLOCK):
        end = min(start + _BLOCK, len(content))
        at = content.find(_HEAP, start, end + len(_HEAP) - 1)
        while at >= 0:
            yield at
            at = content.find(_HEAP, at + 1, end + len(_HEAP) - 1)
        if isinstance(content, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            # Pages that were read count as memory of the process until they are given back.
            content.madvise(mmap.MADV_DONTNEED, start, end - start)


def _length_width(content: bytes | mmap.mmap) -> int:
    """Bytes of a length in a file, as its superblock says."""
    start = max(content.find(_SIGNATURE), 0) + len(_SIGNATURE)
    # Older superblocks have versions of other parts first.
    at = start + (6 if content[start : start + 1] in (b"\0", b"\1") else 2)
    return int.from_bytes(content[at : at + 1], "little")


def _steps_left(content: bytes | mmap.mmap, start: int, end: int, width: int, steps: int) -> int:
    """What is left of a number of steps behind the way from object to object through a heap.

    Below zero where that way does not lead to the end of the heap, or takes more steps.
    """
    at = start + _SMALLEST_OBJECT
    while at + _SMALLEST_OBJECT <= end and steps >= 0:
        number = int.from_bytes(content[at : at + 2], "little")
        length = int.from_bytes(content[at + 8 : at + 8 + width], "little")
        # Number 0 is the free space, whose length includes its own head.
        step = _SMALLEST_OBJECT + -(-length // 8) * 8 if number else length
        if not step or step > end - at:
            return -1
        at, steps = at + step, steps - 1
    return steps


def _foreign(path: Path, what: str) -> DataError:
    return DataError(
        f"{path} takes content from other files, which is never followed",
        received=what,
        allowed="a file that holds all of its content itself",
        remedy=_REMEDY,
    )
