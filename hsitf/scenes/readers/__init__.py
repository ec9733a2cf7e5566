"""Reading a cube or a label map from the formats in which they are passed on.

Every reader returns the numbers as they are stored: scale factors, offsets and no-data values that
a header mentions are not applied, so that a network sees the same raw units on a device. Sizes are
checked against the header and the file before anything large is allocated, and nothing is ever
unpickled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from hsitf.errors import DataError, InputError, MissingInputError
from hsitf.scenes.readers.base import (
    ArrayData,
    ArrayFile,
    check_fits_memory,
    nanometers,
)
from hsitf.scenes.readers.envi import open_envi
from hsitf.scenes.readers.geotiff import open_geotiff
from hsitf.scenes.readers.hdf5 import open_hdf5
from hsitf.scenes.readers.matlab import open_mat
from hsitf.scenes.readers.numpy_file import open_npy, open_npz

__all__ = [
    "READERS",
    "ArrayData",
    "ArrayFile",
    "check_fits_memory",
    "nanometers",
    "open_array",
    "read_array",
]


READERS: Mapping[str, Callable[[Path, str | None], ArrayFile]] = {
    ".mat": open_mat,
    ".hdr": open_envi,
    ".img": open_envi,
    ".raw": open_envi,
    ".dat": open_envi,
    ".bil": open_envi,
    ".bip": open_envi,
    ".bsq": open_envi,
    ".tif": open_geotiff,
    ".tiff": open_geotiff,
    ".nc": open_hdf5,
    ".nc4": open_hdf5,
    ".h5": open_hdf5,
    ".he5": open_hdf5,
    ".hdf5": open_hdf5,
    ".npy": open_npy,
    ".npz": open_npz,
}


def open_array(path: Path, variable: str | None = None) -> ArrayFile:
    """Opens one array of a file; the suffix determines the format (see `READERS`).

    Args:
        path: The file; of an ENVI pair either the header or the data.
        variable: Name of the array in a file that can hold several. May be left out where only
            one of them has two or more axes longer than 1.

    Raises:
        InputError: No such file or variable, an unknown suffix, or an ambiguous variable.
        DataError: The file is truncated, damaged or of another format, or what it holds are not
            numbers.
    """
    if not path.is_file():
        raise MissingInputError(
            f"there is no file {path}",
            received="a folder" if path.is_dir() else None,
            remedy="correct the path",
        )
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path} has a suffix that no reader is known for",
            received=path.suffix or "no suffix",
            allowed=", ".join(READERS),
            remedy="convert it to one of these, or rename it if it is one of them",
        )
    stored = reader(path, variable)
    if stored.dtype.kind not in "biuf":
        raise DataError(
            f"{path} does not hold real numbers",
            received=f"type {stored.dtype}",
            allowed="boolean, integer or real numbers",
            remedy="convert it before",
        )
    if math.prod(stored.shape) == 0:
        raise DataError(
            f"{path} holds an empty array",
            received=f"shape {stored.shape}",
            remedy="give another file or variable",
        )
    return stored


def read_array(path: Path, variable: str | None = None) -> ArrayData:
    """Reads one array from a file, whole; else as `open_array`.

    Raises:
        DataError: It is too large to be read at once.
    """
    stored = open_array(path, variable)
    check_fits_memory(stored.files[-1], stored.shape, stored.dtype.itemsize)
    return ArrayData(stored.read(0, stored.shape[0]), stored.files, stored.metadata)
