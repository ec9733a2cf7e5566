"""Lowering a network, and how far the result is from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from hsitf.errors import LoweringError
from hsitf.graph import Call, alone, walk
from hsitf.lower.moves import MAX_RANK, view
from hsitf.lower.place import Place
from hsitf.lower.rules import rule
from hsitf.lower.value import Value, arranged, natural
from hsitf.targets import FLOAT, Target


def lower(model: keras.Model, batch: int = 1, target: Target = FLOAT) -> keras.Model:
    """Rewrites a trained network with 2-D operators, static shapes and at most four axes.

    The rewrite is exact up to the rounding of float32 sums; `difference` measures it. The
    original is left untouched.

    Args:
        model: A functional model `(batch, ...)` -> `(batch, classes)`.
        batch: Patches an inference takes.
        target: What it is to run on.

    Returns:
        A functional model with the same inputs and outputs, `batch` fixed.

    Raises:
        LoweringError: A layer has no rule, or cannot be rewritten exactly.
    """
    inputs = []
    for tensor in model.inputs:
        shape = tuple(tensor.shape[1:])
        if None in shape or len(shape) >= MAX_RANK:
            raise LoweringError(
                f"input {tensor.name!r} cannot be lowered",
                received=f"shape {shape}",
                allowed=f"at most {MAX_RANK - 1} axes of fixed size",
                remedy="build the network with a fixed patch",
            )
        inputs.append(keras.Input(batch_shape=(batch, *shape), name=tensor.name))
    outputs = rewritten(model, inputs, target, set())
    return keras.Model(alone(inputs), alone(outputs), name=model.name)


def rewritten(
    model: keras.Model, inputs: Sequence[KerasTensor], target: Target, names: set[str]
) -> list[KerasTensor]:
    """What a network makes of tensors, with 2-D operators, static shapes and at most four axes.

    Args:
        model: A functional model.
        inputs: `(batch, ...)`, one for each of the model's, batch fixed.
        target: What it is to run on.
        names: Of layers made before; those made now are added.

    Returns:
        `(batch, ...)`, one for each of the model's outputs.

    Raises:
        LoweringError: A layer has no rule, or cannot be rewritten exactly.
    """
    values = [
        Value(tensor, np.arange(np.prod(tensor.shape[1:])).reshape(tensor.shape[1:]))
        for tensor in inputs
    ]
    return [
        view(arranged(value, natural(value)).tensor, (value.batch, *value.shape))
        for value in walk(model, values, partial(_lowered, target, names))
    ]


def _lowered(
    target: Target, names: set[str], call: Call, inputs: list[Value]
) -> Value | list[Value]:
    place = Place(call, named(call.operation, names), target)
    return rule(call.operation)(place, inputs)


def named(operation: Any, names: set[str]) -> str:
    """A name for what is made of an operation, and notes it: a model has each name once."""
    name = str(operation.name)
    stem = re.sub(r"_\d+$", "", name).replace("_", "")
    if stem == type(operation).__name__.lower():
        # Keras made it up, and may make it up again for what moves memory.
        name = f"{name}_lowered"
    first, number = name, 2
    while name in names:
        name, number = f"{first}_{number}", number + 1
    names.add(name)
    return name


def difference(
    model: keras.Model, lowered: keras.Model, patches: NDArray[np.float32]
) -> tuple[float, float]:
    """Largest difference of a logit between a network and its lowered form.

    Args:
        model: The original.
        lowered: What `lower` made of it.
        patches: (n, patch, patch, bands) float32.

    Returns:
        The largest absolute difference, and the largest absolute logit of the original.
    """
    batch = int(lowered.inputs[0].shape[0])
    if missing := -len(patches) % batch:
        patches = np.concatenate([patches, np.repeat(patches[-1:], missing, axis=0)])
    expected = np.asarray(model.predict(patches, verbose=0))
    received = np.concatenate(
        [
            ops.convert_to_numpy(lowered(patches[start : start + batch]))
            for start in range(0, len(patches), batch)
        ]
    )
    return float(np.abs(expected - received).max()), float(np.abs(expected).max())
