"""Files of NumPy: .npy and .npz, without pickles."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.array_files import npy_header, read_arrays
from hsitf.scenes.readers.base import (
    MAX_BYTES,
    ArrayFile,
    check_file_size,
    check_fits_memory,
    check_packed,
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
        shape, dtype, _ = npy_header(stream)
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
                headers[name] = npy_header(stream)[:2]
                room[name] = member.file_size - stream.tell()
        name = choose(path, {key: shape for key, (shape, _) in headers.items()}, variable)
        shape, dtype = headers[name]
        check_fits_memory(path, shape, dtype.itemsize)
        check_packed(path, shape, dtype.itemsize, [path])
        check_file_size(path, shape, dtype.itemsize, room[name])
        remedy = "save it anew with numpy.savez"
        with read_arrays(path, "plain arrays", remedy, MAX_BYTES, [name]) as arrays:
            return in_memory(arrays[name], path, kind)
