"""Reducers as .npz files: arrays and nothing that could run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hsitf.array_files import read_arrays
from hsitf.bands.encoders import BoulchEncoder
from hsitf.bands.manifold import MANIFOLDS
from hsitf.bands.reducer import (
    AffineProjection,
    Arrays,
    BandSelection,
    BandTransform,
    DenseEncoder,
    Reducer,
    RefittedTransform,
    TrainingEmbedding,
)

# Raised when the meaning of an array changes. Files without a number are from when all components
# had unit deviation, which the specifications of schema 3, that of the records, call whitened.
SCHEMA = 3


def save(reducer: Reducer, stream: BinaryIO) -> None:
    """Writes a reducer."""
    arrays: Arrays = {
        "kind": np.array(KINDS[type(reducer.transform)]),
        "schema": np.array(SCHEMA),
        "text": np.array(reducer.spec),
        "bands": np.array(reducer.bands),
        "scale": reducer.scale,
        "shift": reducer.shift,
        "remark": np.array(reducer.remark),
    }
    arrays |= {f"map_{name}": array for name, array in reducer.transform.arrays().items()}
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]


def read(path: Path) -> tuple[Reducer, int]:
    """Reads what `save` wrote: the reducer, and the schema of its file.

    Raises:
        DataError: It is not a reducer's file, or one of a later version.
    """
    with read_arrays(path, "a reduction of bands", "train the network again") as arrays:
        schema = int(arrays.get("schema", np.array(0)))
        own = {name[4:]: array for name, array in arrays.items() if name.startswith("map_")}
        scale, shift = (np.asarray(arrays[name], np.float32) for name in ("scale", "shift"))
        reducer = Reducer(
            str(arrays["text"]),
            int(arrays["bands"]),
            len(scale),
            TRANSFORMS[str(arrays["kind"])](own),
            scale,
            shift,
            str(arrays["remark"]),
        )
        _check(reducer)
        if schema not in (0, SCHEMA):
            raise ValueError(f"schema {schema}")
    return reducer, schema


def _check(reducer: Reducer) -> None:
    """Tries a reducer on one spectrum.

    Raises:
        ValueError: It does not return finite components in the stated number.
    """
    scale, shift = reducer.scale, reducer.shift
    if (
        scale.shape != shift.shape
        or scale.ndim != 1
        or not (np.isfinite(scale) & (scale > 0)).all()
    ):
        raise ValueError("its scale is not valid")
    # These know certain spectra alone, or take long to be fitted again.
    if not isinstance(reducer.transform, TrainingEmbedding | RefittedTransform):
        tried = reducer.apply(np.zeros((1, reducer.bands), np.float32))
        if tried.shape != (1, reducer.components) or not np.isfinite(tried).all():
            raise ValueError("its components differ from its header")


def _stack(own: Arrays) -> BandTransform:
    numbers = range(len(own) // 2)
    return DenseEncoder(
        tuple(np.asarray(own[f"kernel{n}"], np.float32) for n in numbers),
        tuple(np.asarray(own[f"bias{n}"], np.float32) for n in numbers),
    )


def _refitted(own: Arrays) -> BandTransform:
    name = str(own["technique"])
    refit = MANIFOLDS[name].refit
    if refit is None:
        raise ValueError(name)
    spectra, answers = (np.asarray(own[key], np.float32) for key in ("spectra", "answers"))
    return RefittedTransform(
        name, int(own["components"]), int(own["seed"]), spectra, answers, refit
    )


def _code(own: Arrays) -> BandTransform:
    weights = tuple(np.asarray(own[f"weight{n}"], np.float32) for n in range(len(own) - 1))
    return BoulchEncoder(int(own["bands"]), weights)


# How each kind of transform is called in a file. Files outlive the names of classes.
KINDS: dict[type, str] = {
    AffineProjection: "Affine",
    BandSelection: "Chosen",
    BoulchEncoder: "Code",
    TrainingEmbedding: "Embedded",
    RefittedTransform: "Refitted",
    DenseEncoder: "Stack",
}
# How each kind is read from its arrays.
TRANSFORMS: dict[str, Callable[[Arrays], BandTransform]] = {
    "Affine": lambda own: AffineProjection(
        np.asarray(own["matrix"], np.float32), np.asarray(own["offset"], np.float32)
    ),
    "Chosen": lambda own: BandSelection(np.asarray(own["bands"], np.int64)),
    "Code": _code,
    "Embedded": lambda own: TrainingEmbedding(np.asarray(own["components"], np.float32)),
    "Refitted": _refitted,
    "Stack": _stack,
}
