"""Files of NumPy: .npy and .npz, without pickles."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.scenes.readers.base import (
    ArrayFile,
    Shape,
    check_file_size,
    check_fits_memory,
    check_single,
    choose,
    in_memory,
    parser_errors_reported,
)


def open_npy(path: Path, variable: str | None) -> ArrayFile:
    """Opens a .npy file, whose rows are read as they are needed."""
    check_single(path, variable)
    kind = "a .npy file"
    with parser_errors_reported(path, kind), path.open("rb") as stream:
        shape, dtype = npy_header(path, stream)
        check_file_size(path, shape, dtype.itemsize, path.stat().st_size - stream.tell())

    def rows(start: int, stop: int) -> NDArray[Any]:
        # Mapped anew each time: what stays mapped counts as memory in use.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False)[start:stop])

    if not shape:
        with parser_errors_reported(path, kind):
            return in_memory(np.load(path, allow_pickle=False), path, kind)
    return ArrayFile(shape, dtype, (path,), kind, rows)


def open_npz(path: Path, variable: str | None) -> ArrayFile:
    """Opens an .npz archive, whose arrays are read at once."""
    kind = "an .npz file"
    with parser_errors_reported(path, kind), zipfile.ZipFile(path) as archive:
        headers, room = {}, {}
        for member in archive.infolist():
            if not member.filename.endswith(".npy"):
                continue
            name = member.filename.removesuffix(".npy")
            with archive.open(member) as stream:
                headers[name] = npy_header(path, stream)
                room[name] = member.file_size - stream.tell()
        name = choose(path, {key: shape for key, (shape, _) in headers.items()}, variable)
        shape, dtype = headers[name]
        check_fits_memory(path, shape, dtype.itemsize)
        check_file_size(path, shape, dtype.itemsize, room[name])
        with np.load(path, allow_pickle=False) as arrays:
            return in_memory(arrays[name], path, kind)


def npy_header(path: Path, stream: BinaryIO | Any) -> tuple[Shape, np.dtype[Any]]:
    """Shape and type from the head of a .npy stream, which is left at the first value."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        # Version 3 differs only in that names of record fields may be Unicode.
        raise DataError(f"{path} holds records, not an array", remedy="save plain numbers")
    if dtype.hasobject:
        raise DataError(
            f"{path} holds pickled objects, which are never loaded",
            received=f"type {dtype}",
            allowed="boolean, integer or real numbers",
            remedy="save it anew as an array of numbers",
        )
    return shape, dtype
