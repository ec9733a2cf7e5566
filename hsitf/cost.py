"""What a network costs before it is run: parameters and multiply-accumulates.

Multiply-accumulates are counted for convolutions, dense and recurrent layers, one for each weight
of a kernel and each position it is applied to; biases, normalization and activations count
nothing, as in the literature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import keras
from keras import layers

from hsitf.graph import Call, walk

Shape = tuple[int, ...]

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
    """Counts a functional model of fixed shape; a layer used twice multiplies twice."""
    total = 0

    def visit(call: Call, inputs: list[Shape]) -> list[Shape]:
        nonlocal total
        leaving = [tuple(int(size or 0) for size in shape[1:]) for shape in call.shapes]
        weights = [tuple(weight.shape) for weight in getattr(call.operation, "weights", [])]
        total += macs(call.operation, weights, inputs[0], leaving[0])
        return leaving

    walk(model, [tuple(tensor.shape[1:]) for tensor in model.inputs], visit)
    return Cost(model.count_params(), total)


def macs(operation: Any, weights: Sequence[Shape], entering: Shape, leaving: Shape) -> int:
    """Multiply-accumulates of one layer at one place.

    Args:
        operation: A layer; an operation without weights counts nothing.
        weights: Shapes of its weights, in its own order.
        entering: Shape of what enters, without batch.
        leaving: Shape of what leaves.
    """
    count = _COUNTS.get(type(operation))
    return count(operation, weights, entering, leaving) if count else 0


Count = Callable[[Any, Sequence[Shape], Shape, Shape], int]


def _per_output(layer: Any, weights: Sequence[Shape], entering: Shape, leaving: Shape) -> int:
    return prod(weights[0]) * prod(leaving[:-1])


def _per_input(layer: Any, weights: Sequence[Shape], entering: Shape, leaving: Shape) -> int:
    return prod(weights[0]) * prod(entering[:-1])


def _separable(layer: Any, weights: Sequence[Shape], entering: Shape, leaving: Shape) -> int:
    return (prod(weights[0]) + prod(weights[1])) * prod(leaving[:-1])


def _recurrent(layer: Any, weights: Sequence[Shape], entering: Shape, leaving: Shape) -> int:
    return (prod(weights[0]) + prod(weights[1])) * entering[0]


def _bidirectional(layer: Any, weights: Sequence[Shape], entering: Shape, leaving: Shape) -> int:
    half = len(weights) // 2
    return sum(
        _recurrent(layer, part, entering, leaving) for part in (weights[:half], weights[half:])
    )


def _distributed(layer: Any, weights: Sequence[Shape], entering: Shape, leaving: Shape) -> int:
    return entering[0] * macs(layer.layer, weights, entering[1:], leaving[1:])


_COUNTS: dict[type[Any], Count] = {
    layers.Dense: _per_output,
    layers.Conv1D: _per_output,
    layers.Conv2D: _per_output,
    layers.Conv3D: _per_output,
    layers.DepthwiseConv1D: _per_output,
    layers.DepthwiseConv2D: _per_output,
    layers.Conv1DTranspose: _per_input,
    layers.Conv2DTranspose: _per_input,
    layers.Conv3DTranspose: _per_input,
    layers.SeparableConv1D: _separable,
    layers.SeparableConv2D: _separable,
    layers.SimpleRNN: _recurrent,
    layers.GRU: _recurrent,
    layers.LSTM: _recurrent,
    layers.Bidirectional: _bidirectional,
    layers.TimeDistributed: _distributed,
}
