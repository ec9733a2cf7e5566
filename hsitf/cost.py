"""What a network costs before it is run: parameters and multiply-accumulates.

Multiply-accumulates are counted for convolutions, dense and recurrent layers, attention and
products of matrices, one for each weight of a kernel and each position it is applied to; biases,
normalization, pooling and activations count nothing, as in the literature. What counts how stands
in `hsitf.operators`; a layer that is not known there raises, rather than counting nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras

from hsitf.graph import Call, walk
from hsitf.operators import CallShapes, count

# Of a float32 weight.
BYTES = 4


class Cost(NamedTuple):
    """Weights, trainable or not, and multiply-accumulates of one inference of one sample."""

    parameters: int
    macs: int

    @property
    def bytes(self) -> int:
        """Of the weights in float32."""
        return BYTES * self.parameters


def cost(model: keras.Model) -> Cost:
    """Counts a functional model of fixed shape; a layer used twice multiplies twice.

    Lowered networks keep other axes in the batch for a part of their way: such layers count for as
    many samples as each sample of the model has there.

    Raises:
        InputError: A layer's type is not known, or cannot be counted.
    """
    batch, total = model.inputs[0].shape[0] or 0, 0

    def visit(call: Call, inputs: list[None]) -> list[None]:
        nonlocal total
        (here, *_) = call.shapes[0] or (None,)
        total += ((here or 1) if batch else 1) * macs(call.operation, CallShapes.of(call))
        return [None] * len(call.shapes)

    walk(model, [None] * len(model.inputs), visit)
    return Cost(model.count_params(), total // (batch or 1))


def macs(operation: Any, shapes: CallShapes) -> int:
    """Multiply-accumulates of one layer, or operation, at one place.

    Args:
        operation: A layer, or an operation of `keras.ops`.
        shapes: Of its weights, of what enters and of what leaves, for one sample.

    Raises:
        InputError: Its type is not known, or cannot be counted.
    """
    return count(operation, shapes)
