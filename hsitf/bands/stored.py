"""Reducers as .npz files: arrays and nothing that could run."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile

import numpy as np

from hsitf.bands.encoders import Code
from hsitf.bands.manifold import MANIFOLDS
from hsitf.bands.reducer import Affine, Arrays, Chosen, Embedded, Map, Reducer, Refitted, Stack
from hsitf.errors import DataError


def save(reducer: Reducer, stream: BinaryIO) -> None:
    """Writes a reducer."""
    arrays: Arrays = {
        "kind": np.array(type(reducer.map).__name__),
        "text": np.array(reducer.text),
        "bands": np.array(reducer.bands),
        "scale": reducer.scale,
        "shift": reducer.shift,
        "remark": np.array(reducer.remark),
    }
    arrays |= {f"map_{name}": array for name, array in reducer.map.arrays().items()}
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def read(path: Path) -> Reducer:
    """Reads what `save` wrote.

    Raises:
        DataError: It is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        own = {name[4:]: array for name, array in arrays.items() if name.startswith("map_")}
        scale, shift = (np.asarray(arrays[name], np.float32) for name in ("scale", "shift"))
        reducer = Reducer(
            str(arrays["text"]),
            int(arrays["bands"]),
            len(scale),
            MAPS[str(arrays["kind"])](own),
            scale,
            shift,
            str(arrays["remark"]),
        )
        _check(reducer)
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        EOFError,
        BadZipFile,
        zlib.error,
    ) as error:
        raise DataError(
            f"{path} does not hold a reduction of bands",
            received=type(error).__name__,
            remedy="train the network again",
        ) from error
    return reducer


def _check(reducer: Reducer) -> None:
    """Tries a reducer on one spectrum.

    Raises:
        ValueError: It does not give finite components, as many as it says.
    """
    scale, shift = reducer.scale, reducer.shift
    if (
        scale.shape != shift.shape
        or scale.ndim != 1
        or not (np.isfinite(scale) & (scale > 0)).all()
    ):
        raise ValueError("its scale is none")
    # These know certain spectra alone, or take long to be fitted again.
    if not isinstance(reducer.map, Embedded | Refitted):
        tried = reducer.apply(np.zeros((1, reducer.bands), np.float32))
        if tried.shape != (1, reducer.components) or not np.isfinite(tried).all():
            raise ValueError("it gives other components than it says")


def _stack(own: Arrays) -> Map:
    numbers = range(len(own) // 2)
    return Stack(
        tuple(np.asarray(own[f"kernel{n}"], np.float32) for n in numbers),
        tuple(np.asarray(own[f"bias{n}"], np.float32) for n in numbers),
    )


def _refitted(own: Arrays) -> Map:
    name = str(own["technique"])
    refit = MANIFOLDS[name].refit
    if refit is None:
        raise ValueError(name)
    spectra, answers = (np.asarray(own[key], np.float32) for key in ("spectra", "answers"))
    return Refitted(name, int(own["components"]), int(own["seed"]), spectra, answers, refit)


def _code(own: Arrays) -> Map:
    weights = tuple(np.asarray(own[f"weight{n}"], np.float32) for n in range(len(own) - 1))
    return Code(int(own["bands"]), weights)


# By the name of the class.
MAPS: dict[str, Callable[[Arrays], Map]] = {
    "Affine": lambda own: Affine(
        np.asarray(own["matrix"], np.float32), np.asarray(own["offset"], np.float32)
    ),
    "Chosen": lambda own: Chosen(np.asarray(own["bands"], np.int64)),
    "Code": _code,
    "Embedded": lambda own: Embedded(np.asarray(own["components"], np.float32)),
    "Refitted": _refitted,
    "Stack": _stack,
}
