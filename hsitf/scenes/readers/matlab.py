"""MATLAB files: version 7.3 is HDF5 with the axes reversed, the earlier are their own format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.scenes.readers.base import (
    ArrayFile,
    check_fits_memory,
    choose,
    in_memory,
    parser_errors_reported,
)
from hsitf.scenes.readers.hdf5 import numeric_datasets

# MATLAB classes that hold plain numbers, with the bytes of one; the names are those of
# scipy.io.whosmat. All others (cell, struct, char, sparse, object, ...) are no arrays here.
_MATLAB_BYTES = {
    **dict.fromkeys(("int8", "uint8", "logical"), 1),
    **dict.fromkeys(("int16", "uint16"), 2),
    **dict.fromkeys(("int32", "uint32", "single"), 4),
    **dict.fromkeys(("int64", "uint64", "double"), 8),
}


def open_mat(path: Path, variable: str | None) -> ArrayFile:
    """MATLAB: version 7.3 is HDF5 with the axes reversed, the earlier ones are their own format."""
    import h5py

    return (_open_mat73 if h5py.is_hdf5(path) else _open_mat5)(path, variable)


def _open_mat5(path: Path, variable: str | None) -> ArrayFile:
    import scipy.io

    with parser_errors_reported(path, "a MATLAB file"):
        listing = scipy.io.whosmat(path, appendmat=False)
    found = {name: (shape, kind) for name, shape, kind in listing if kind in _MATLAB_BYTES}
    shapes = {name: tuple(int(n) for n in shape) for name, (shape, _) in found.items()}
    name = choose(path, shapes, variable)
    check_fits_memory(path, shapes[name], _MATLAB_BYTES[found[name][1]])
    with parser_errors_reported(path, "a MATLAB file"):
        values = scipy.io.loadmat(path, appendmat=False, variable_names=[name])[name]
    return in_memory(values, path, "a MATLAB file")


def _open_mat73(path: Path, variable: str | None) -> ArrayFile:
    import h5py

    kind = "a MATLAB file (version 7.3)"
    with parser_errors_reported(path, kind), h5py.File(path, "r") as file:
        datasets = numeric_datasets(file)
        # MATLAB counts the first axis fastest, HDF5 the last: the same bytes, axes reversed.
        shapes = {name: item.shape[::-1] for name, item in datasets.items()}
        name = choose(path, shapes, variable)
        dtype = datasets[name].dtype

    def rows(start: int, stop: int) -> NDArray[Any]:
        with h5py.File(path, "r") as file:
            return np.asarray(file[name][..., start:stop].T)

    return ArrayFile(shapes[name], dtype, (path,), kind, rows)
