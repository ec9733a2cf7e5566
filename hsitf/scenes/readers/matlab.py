"""MATLAB files: version 7.3 is HDF5 with the axes reversed, the earlier are their own format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
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
    _check_named(path, {name: kind for name, _, kind in listing}, variable)
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
        _check_named(path, _classes(file), variable)
        name = choose(path, shapes, variable)
        dtype = datasets[name].dtype

    def rows(start: int, stop: int) -> NDArray[Any]:
        with h5py.File(path, "r") as file:
            return np.asarray(file[name][..., start:stop].T)

    return ArrayFile(shapes[name], dtype, (path,), kind, rows)


def _classes(file: Any) -> dict[str, str]:
    """MATLAB's class of each variable of a file of version 7.3."""
    found = {}
    for name, item in file.items():
        if name.startswith("#"):
            continue
        kind = item.attrs.get("MATLAB_class", b"")
        kind = kind.decode() if isinstance(kind, bytes) else str(kind)
        found[name] = "sparse" if "MATLAB_sparse" in item.attrs else kind
    return found


def _check_named(path: Path, kinds: Mapping[str, str], variable: str | None) -> None:
    """Refuses a variable, or a file, of a class that is no array, by the name of the class.

    Raises:
        DataError: It is sparse, a struct, a cell or an object.
    """
    others = {name: kind for name, kind in kinds.items() if kind not in _MATLAB_BYTES and kind}
    # A field of a struct is asked for as data.gt.
    asked = "" if variable is None else variable.partition(".")[0]
    named = {asked: others[asked]} if asked in others else {}
    if not named and variable is None and len(others) == len(kinds):
        named = dict(others)
    if not named:
        return
    listed = ", ".join(f"{name} ({kind})" for name, kind in sorted(named.items()))
    numeric = sorted(set(kinds) - set(others))
    sparse = "sparse" in named.values()
    raise DataError(
        f"{path} holds no plain array there",
        received=listed,
        allowed=", ".join(numeric) if numeric else "numeric arrays",
        remedy="save it as a full array in MATLAB: "
        + ("x = full(x)" if sparse else "x = s.field")
        + "; save(..., 'x')",
    )
