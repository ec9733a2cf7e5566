"""Reading a cube or a label map from the formats in which they are passed on.

Every reader returns the numbers as they are stored: scale factors, offsets and no-data values that
a header mentions are not applied, so that a network sees the same raw units on a device. Sizes are
checked against the header and the file before anything large is allocated, and nothing is ever
unpickled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from hsitf.errors import DataError, InputError, MissingInputError
from hsitf.scenes.metadata import AXES
from hsitf.scenes.products import open_product
from hsitf.scenes.products.base import ENVI, GEOTIFF, HDF5, OTHER
from hsitf.scenes.readers.base import (
    ArrayData,
    ArrayFile,
    check_fits_memory,
    check_packed,
    in_memory,
    nanometers,
)
from hsitf.scenes.readers.envi import open_envi
from hsitf.scenes.readers.geotiff import open_geotiff
from hsitf.scenes.readers.hdf5 import open_hdf5
from hsitf.scenes.readers.matlab import open_mat
from hsitf.scenes.readers.netcdf3 import is_netcdf3, open_netcdf3
from hsitf.scenes.readers.numpy_file import open_npy, open_npz

__all__ = [
    "READERS",
    "ArrayData",
    "ArrayFile",
    "check_fits_memory",
    "check_packed",
    "nanometers",
    "open_array",
    "read_array",
]


Reader = Callable[[Path, str | None], ArrayFile]

READERS: Mapping[str, Reader] = {
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


def open_array(
    path: Path, variable: str | None = None, axes: Sequence[str] | None = None
) -> ArrayFile:
    """Opens one array of a file; the suffix determines the format (see `READERS`).

    Args:
        path: The file; of an ENVI pair either the header or the data.
        variable: Name of the array in a file that can hold several. May be left out where only
            one of them has two or more axes longer than 1. The last part of a full name is
            enough where no other ends in it.
        axes: Order of the cube's axes in the file (rows, cols and bands), where it is another.

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
    stored = _opened(path, variable, _reader(path), axes)
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


def _reader(path: Path) -> Reader | None:
    """The reader of a file by its suffix; ENVI data may have any, with the header NAME.hdr."""
    reader = READERS.get(path.suffix.lower())
    if reader is None and path.with_name(path.name + ".hdr").is_file():
        return open_envi
    return reader


def _format(path: Path, reader: Reader | None) -> str | None:
    """The format of a file that may be a product; None for those that products are not in."""
    if reader is open_hdf5:
        return None if is_netcdf3(path) else HDF5
    if reader is open_envi:
        return ENVI
    if reader is open_geotiff:
        return GEOTIFF
    return OTHER if reader is None else None


def _opened(
    path: Path, variable: str | None, reader: Reader | None, axes: Sequence[str] | None
) -> ArrayFile:
    """The array with its axes in the order of rows, cols and bands."""
    file_format = _format(path, reader)
    # Who names the axes reads a dataset as it is, not the product.
    if file_format is not None and (axes is None or file_format == OTHER):
        product = open_product(path, file_format, variable)
        if product is not None:
            return product
    if reader is None:
        raise InputError(
            f"{path} has a suffix that no reader is known for",
            received=path.suffix or "no suffix",
            allowed=", ".join(READERS) + ", or a file with an ENVI header beside it",
            remedy="convert it to one of these, or rename it if it is one of them",
        )
    if reader is open_hdf5:
        if is_netcdf3(path):
            return open_netcdf3(path, variable, axes)
        return open_hdf5(path, variable, axes)
    stored = reader(path, variable)
    if axes is None or list(axes) == list(AXES):
        return stored
    if len(stored.shape) != 3 or stored.metadata.wavelengths is not None:
        raise InputError(
            f"the axes of {path} cannot be named otherwise",
            received=f"shape {stored.shape}, axes {', '.join(axes)}",
            allowed="a cube whose file does not say itself which axis counts bands",
            remedy="leave --axes out",
        )
    check_fits_memory(path, stored.shape, stored.dtype.itemsize)
    check_packed(path, stored.shape, stored.dtype.itemsize, stored.files)
    values = stored.read(0, stored.shape[0] if stored.shape else 0)
    order = [list(axes).index(name) for name in AXES]
    return in_memory(np.ascontiguousarray(values.transpose(order)), path, stored.kind)


def read_array(path: Path, variable: str | None = None) -> ArrayData:
    """Reads one array from a file, whole; else as `open_array`.

    Raises:
        DataError: It is too large to be read at once.
    """
    stored = open_array(path, variable)
    check_fits_memory(stored.files[-1], stored.shape, stored.dtype.itemsize)
    check_packed(stored.files[-1], stored.shape, stored.dtype.itemsize, stored.files)
    return ArrayData(
        stored.read(0, stored.shape[0] if stored.shape else 0), stored.files, stored.metadata
    )
