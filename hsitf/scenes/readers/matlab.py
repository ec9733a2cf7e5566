"""MATLAB files: version 7.3 is HDF5 with the axes reversed, the earlier are their own format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.hdf5_files import hdf5_file
from hsitf.scenes.readers import matlab5
from hsitf.scenes.readers.base import (
    ArrayFile,
    check_fits_memory,
    check_packed,
    choose,
    in_memory,
    parser_errors_reported,
)
from hsitf.scenes.readers.hdf5 import numeric_datasets

# MATLAB classes that hold plain numbers, with the bytes of one. All others (cell, struct, char,
# sparse, object, ...) are no arrays here.
_MATLAB_BYTES = {
    **dict.fromkeys(("int8", "uint8", "logical"), 1),
    **dict.fromkeys(("int16", "uint16"), 2),
    **dict.fromkeys(("int32", "uint32", "single"), 4),
    **dict.fromkeys(("int64", "uint64", "double"), 8),
}


def open_mat(path: Path, variable: str | None) -> ArrayFile:
    """Opens a MATLAB file of any version."""
    import h5py

    if h5py.is_hdf5(path):
        return _open_mat73(path, variable)
    return (_open_mat5 if matlab5.is_version5(path) else _open_mat4)(path, variable)


def _open_mat5(path: Path, variable: str | None) -> ArrayFile:
    kind = "a MATLAB file"
    with parser_errors_reported(path, kind):
        found = matlab5.variables(path)
    # What MATLAB keeps for itself has no name; of two variables of one name the first counts.
    named: dict[str, matlab5.MatlabVariable] = {}
    for one in found:
        if one.name:
            named.setdefault(one.name, one)
    _check_named(path, {name: one.kind for name, one in named.items()}, variable)
    numeric = {name: one for name, one in named.items() if one.kind in _MATLAB_BYTES}
    name = choose(path, {name: one.shape for name, one in numeric.items()}, variable)
    _check_size(path, numeric[name].shape, numeric[name].kind)
    with parser_errors_reported(path, kind):
        values = matlab5.read_variable(path, numeric[name])
    return in_memory(values, path, kind)


def _open_mat4(path: Path, variable: str | None) -> ArrayFile:
    import scipy.io

    kind = "a MATLAB file (version 4)"
    with parser_errors_reported(path, kind):
        listing = scipy.io.whosmat(path, appendmat=False)
    found = {name: (shape, form) for name, shape, form in listing if form in _MATLAB_BYTES}
    shapes = {name: tuple(int(n) for n in shape) for name, (shape, _) in found.items()}
    _check_named(path, {name: form for name, _, form in listing}, variable)
    name = choose(path, shapes, variable)
    _check_size(path, shapes[name], found[name][1])
    with parser_errors_reported(path, kind):
        values = scipy.io.loadmat(path, appendmat=False, variable_names=[name])[name]
    return in_memory(values, path, kind)


def _check_size(path: Path, shape: tuple[int, ...], kind: str) -> None:
    """Refuses what does not fit into memory, or a small file that would fill it."""
    check_fits_memory(path, shape, _MATLAB_BYTES[kind])
    check_packed(path, shape, _MATLAB_BYTES[kind], [path])


def _open_mat73(path: Path, variable: str | None) -> ArrayFile:
    kind = "a MATLAB file (version 7.3)"
    with parser_errors_reported(path, kind), hdf5_file(path) as file:
        datasets = numeric_datasets(file)
        # MATLAB counts the first axis fastest, HDF5 the last: the same bytes, axes reversed.
        shapes = {name: item.shape[::-1] for name, item in datasets.items()}
        _check_named(path, _classes(file), variable)
        name = choose(path, shapes, variable)
        dtype = datasets[name].dtype

    def rows(start: int, stop: int) -> NDArray[Any]:
        with hdf5_file(path) as file:
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
