"""Preprocessing as a file: numbers as JSON or .npz, and nothing that could run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf.adopt.preprocessing import (
    Preprocessing,
    projection,
    selection,
    standardized_projection,
)
from hsitf.array_files import DAMAGE, read_arrays
from hsitf.arrays import Float32Array, Float64Array
from hsitf.errors import DataError, HsitfError, InputError
from hsitf.scenes.normalize import Normalizer

# Preprocessing of a few hundred bands takes kilobytes; a matrix of 10,000 bands to 1,000
# components as JSON takes 200 MB.
MAX_BYTES = 256 * 2**20

KEYS = {
    "bands": "indices of the scene's bands from 0, in the order of the network",
    "mean": "number, or one a band: subtracted first",
    "scale": "positive number, or one a band: what remains is divided by it",
    "components": "(components, bands) matrix, such as components_ of scikit-learn's PCA",
    "component_mean": "number, or one a band: subtracted before the matrix is applied",
    "component_scale": "number, or one a component: the result is divided by it",
}


_CONTENT = "preprocessing"
_REMEDY = "give a JSON object or .npz archive of numbers: " + ", ".join(KEYS)


def from_file(path: Path, sample: Float32Array) -> Preprocessing:
    """Reads preprocessing from a JSON object or an .npz archive with the keys of `KEYS`.

    A pixel's bands are selected and ordered (`bands`), normalized (`mean`, `scale`), and projected
    (`components`, `component_mean`, `component_scale`), each only where given.

    Args:
        path: The file.
        sample: (n, bands) float32, pixels of the scene that it is for.

    Raises:
        InputError: Its numbers do not fit the scene's bands or each other.
        DataError: It cannot be read, or holds something else.
    """
    if path.stat().st_size > MAX_BYTES:
        raise DataError(
            f"{path} is too large for preprocessing",
            received=f"{path.stat().st_size:,} bytes",
            allowed=f"{MAX_BYTES:,} bytes",
        )
    try:
        content = _READERS[path.suffix.lower()](path)
    except HsitfError:
        raise
    except DAMAGE as error:
        raise DataError(
            f"{path} does not hold preprocessing",
            received=str(error).splitlines()[0] if str(error) else type(error).__name__,
            allowed="a JSON object or .npz archive of numbers: " + ", ".join(KEYS),
        ) from error
    if not content:
        raise DataError(
            f"{path} holds no preprocessing",
            allowed=", ".join(KEYS),
            remedy="give --normalize none where bands enter as they are",
        )
    if odd := sorted(set(content) - set(KEYS)):
        raise DataError(
            f"{path} holds what is no part of preprocessing",
            received=", ".join(odd),
            allowed="; ".join(f"{key}: {meaning}" for key, meaning in KEYS.items()),
        )
    bands = sample.shape[1]
    order = _order(path, content.get("bands"), bands)
    mean = _numbers(path, content, "mean", len(order), 0.0)
    scale = _numbers(path, content, "scale", len(order), 1.0, positive=True)
    offsets, scales = np.zeros(bands), np.ones(bands)
    offsets[order], scales[order] = mean, scale
    normalizer = Normalizer(tuple(offsets.tolist()), tuple(scales.tolist()))
    ordered = "bands" in content
    if "components" not in content:
        if extra := sorted({"component_mean", "component_scale"} & set(content)):
            raise DataError(
                f"{path} lacks components", received=", ".join(extra), allowed=KEYS["components"]
            )
        reducer = selection(order, bands, f"file:{path.name}") if ordered else None
        return Preprocessing(normalizer, reducer, f"file {path.name}")
    components = content["components"]
    if components.ndim != 2 or components.shape[1] != len(order) or not len(components):
        raise InputError(
            f"components of {path} do not fit the bands",
            received=f"shape {components.shape}",
            allowed=f"(components, {len(order)})",
        )
    center = _numbers(path, content, "component_mean", len(order), 0.0)
    divisor = _numbers(path, content, "component_scale", len(components), 1.0, positive=True)
    matrix = np.zeros((bands, len(components)))
    matrix[order] = components.T / divisor
    offset = -(center @ components.T) / divisor
    if not np.isfinite(matrix).all():
        raise DataError(f"components of {path} are not all finite")
    # Bands that were not normalized are, so that the matrix is conditioned as networks need it.
    if "mean" not in content and "scale" not in content:
        named = f"file:{path.name}"
        return standardized_projection(matrix, offset, sample, f"file {path.name}", named)
    return Preprocessing(
        normalizer,
        projection(matrix.astype(np.float32), offset, f"file:{path.name}"),
        f"file {path.name}",
    )


def _order(path: Path, given: NDArray[Any] | None, bands: int) -> NDArray[np.int64]:
    if given is None:
        return np.arange(bands)
    order = np.asarray(given)
    whole = order.ndim == 1 and len(order) and np.array_equal(order, order.astype(np.int64))
    if (
        not whole
        or order.min() < 0
        or order.max() >= bands
        or len(set(order.tolist())) < len(order)
    ):
        raise InputError(
            f"bands of {path} are no selection of the scene's",
            received=f"{order.tolist() if order.size < 10 else f'shape {order.shape}'}",
            allowed=f"different whole numbers from 0 to {bands - 1}",
        )
    return order.astype(np.int64)


def _numbers(
    path: Path,
    content: Mapping[str, NDArray[Any]],
    key: str,
    count: int,
    default: float,
    positive: bool = False,
) -> Float64Array:
    """One finite number for each of `count` places."""
    values = np.asarray(content.get(key, default), np.float64)
    if values.shape not in ((), (count,)):
        raise InputError(
            f"{key} of {path} does not fit", received=f"shape {values.shape}", allowed=f"({count},)"
        )
    if not np.isfinite(values).all() or (positive and not (values > 0).all()):
        raise InputError(
            f"{key} of {path} is out of range",
            received=f"{values.min():g} to {values.max():g}",
            allowed="finite positive numbers" if positive else "finite numbers",
        )
    return np.broadcast_to(values, (count,)).astype(np.float64)


def _json(path: Path) -> dict[str, NDArray[Any]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise TypeError("no JSON object")
    return {name: np.asarray(value, np.float64) for name, value in content.items()}


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    with read_arrays(path, _CONTENT, _REMEDY, MAX_BYTES) as arrays:
        return {name: np.asarray(values, np.float64) for name, values in arrays.items()}


_READERS: dict[str, Callable[[Path], dict[str, NDArray[Any]]]] = {".json": _json, ".npz": _npz}


SUFFIXES = tuple(_READERS)
