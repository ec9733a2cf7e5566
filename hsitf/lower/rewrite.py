"""Lowers networks and measures the difference of the result."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from hsitf.arithmetic import FLOAT, Arithmetic
from hsitf.errors import LoweringError
from hsitf.graph import Call, inputs_like, outputs_like, walk
from hsitf.lower.context import LoweringContext
from hsitf.lower.data_movement import MAX_RANK, reshape
from hsitf.lower.layout_tensor import LayoutTensor, logical_order, rearrange
from hsitf.lower.rules import rule


def lower(model: keras.Model, batch: int = 1, arithmetic: Arithmetic = FLOAT) -> keras.Model:
    """Rewrites a trained network with 2-D operators, static shapes and at most four axes.

    The rewrite is exact up to the rounding of float32 sums; `difference` measures it. The
    original is left untouched.

    Args:
        model: A functional model `(batch, ...)` -> `(batch, classes)`.
        batch: Patches per inference.
        arithmetic: Arithmetic to lower for.

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
                f"input {tensor._keras_history.operation.name!r} cannot be lowered",
                received=f"shape {shape}",
                allowed=f"at most {MAX_RANK - 1} axes of fixed size",
                remedy="build the network with a fixed patch"
                if None in shape
                else "take (rows, cols, bands) as the input and reshape it inside the network",
            )
        inputs.append(keras.Input(batch_shape=(batch, *shape), name=tensor.name))
    outputs = rewrite(model, inputs, arithmetic, set())
    return keras.Model(inputs_like(model, inputs), outputs_like(model, outputs), name=model.name)


def rewrite(
    model: keras.Model, inputs: Sequence[KerasTensor], arithmetic: Arithmetic, names: set[str]
) -> list[KerasTensor]:
    """Applies a lowered network to tensors: 2-D operators, static shapes, at most four axes.

    Args:
        model: A functional model.
        inputs: `(batch, ...)`, one per input of the model, with a static batch.
        arithmetic: Arithmetic to lower for.
        names: Names in use; names of new layers are added.

    Returns:
        `(batch, ...)`, one per output of the model.

    Raises:
        LoweringError: A layer has no rule, or cannot be rewritten exactly.
    """
    values = [
        LayoutTensor(tensor, np.arange(np.prod(tensor.shape[1:])).reshape(tensor.shape[1:]))
        for tensor in inputs
    ]
    return [
        reshape(rearrange(value, logical_order(value)).tensor, (value.batch, *value.shape))
        for value in walk(model, values, partial(_lowered, arithmetic, names))
    ]


def _lowered(
    arithmetic: Arithmetic, names: set[str], call: Call, inputs: list[LayoutTensor]
) -> LayoutTensor | list[LayoutTensor]:
    context = LoweringContext(call, unique_name(call.operation, names), arithmetic)
    return rule(call.operation)(context, inputs)


def unique_name(operation: Any, names: set[str]) -> str:
    """Returns an unused name for a lowered operation and adds it to the names in use."""
    name = str(operation.name)
    stem = re.sub(r"_\d+$", "", name).replace("_", "")
    if stem == type(operation).__name__.lower():
        # Keras generated it, and may generate it again for operations that move data.
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
        model: The original network.
        lowered: The result of `lower`.
        patches: (n, patch, patch, bands) float32.

    Returns:
        The largest absolute difference, and the largest absolute logit of the original.
    """
    batch = int(lowered.inputs[0].shape[0])
    if missing := -len(patches) % batch:
        patches = np.concatenate([patches, np.repeat(patches[-1:], missing, axis=0)])
    expected = [np.asarray(each) for each in keras.tree.flatten(model.predict(patches, verbose=0))]
    batches = [
        [
            ops.convert_to_numpy(each)
            for each in keras.tree.flatten(lowered(patches[at : at + batch]))
        ]
        for at in range(0, len(patches), batch)
    ]
    received = [np.concatenate(parts) for parts in zip(*batches, strict=True)]
    return (
        max(float(np.abs(a - b).max()) for a, b in zip(expected, received, strict=True)),
        max(float(np.abs(each).max()) for each in expected),
    )
