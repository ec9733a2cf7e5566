"""Arrays in files of safetensors, which hold nothing else; PyTorch is not needed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.errors import DataError, InputError

SUFFIX = ".safetensors"
# Bytes; the largest network of the zoo takes less than a tenth of it.
MAX_BYTES = 4 * 2**30
EXTRA = "pip install 'hsitf[safetensors]'"

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
_BRAIN_FLOAT = "BF16"


def read_safetensors(path: Path) -> dict[str, Float32Array]:
    """Reads all arrays of a file, which has them by name and not in the order of the network.

    Raises:
        InputError: The package safetensors is not installed, or the file is too large, or holds
            numbers of a kind that no network here has.
        DataError: The file is damaged: its header does not describe the bytes that follow.
    """
    try:
        from safetensors import SafetensorError, deserialize
    except ImportError as error:
        raise InputError(
            f"{path} cannot be read without the package safetensors", remedy=EXTRA
        ) from error
    check_size(path)
    try:
        found: Any = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise DataError(
            f"{path} is no file of safetensors, or is damaged",
            received=str(error),
            allowed="a header whose sizes are those of the arrays that follow it",
            remedy="save or copy the file again",
        ) from error
    return {name: _array(path, name, one) for name, one in found}


def check_size(path: Path) -> None:
    """Refuses a file that is larger than the weights of any network here.

    Raises:
        InputError: It is.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise InputError(
            f"{path} is too large for the weights of a network",
            received=f"{size:,} bytes",
            allowed=f"{MAX_BYTES:,} bytes at most",
            remedy="save the weights alone, without the state of the optimizer",
        )


def _array(path: Path, name: str, one: dict[str, Any]) -> Float32Array:
    kind, shape, data = one["dtype"], tuple(one["shape"]), one["data"]
    if kind == _BRAIN_FLOAT:
        # The upper half of the bits of a float32.
        wide = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).reshape(shape)
    if kind not in _TYPES:
        raise InputError(
            f"{path} holds numbers of a kind that no network here has",
            received=f"{kind} in {name}",
            allowed=", ".join([*_TYPES, _BRAIN_FLOAT]),
            remedy="save the weights as float32",
        )
    numbers = np.frombuffer(data, _TYPES[kind])
    if numbers.size != math.prod(shape):
        raise DataError(f"{path} is damaged", received=f"{numbers.size} numbers in {name}")
    return np.asarray(numbers.reshape(shape), np.float32)
