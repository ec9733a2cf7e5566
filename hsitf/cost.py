"""What a network costs before it is run: parameters and multiply-accumulates.

Multiply-accumulates are counted for convolutions, dense and recurrent layers, one for each weight
of a kernel and each position it is applied to; biases, normalization and activations count
nothing, as in the literature.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from hsitf.graph import Call, walk

Shape = tuple[int, ...]


class Cost(NamedTuple):
    """Weights, trainable or not, and multiply-accumulates of one inference of one sample."""

    parameters: int
    macs: int


def cost(model: keras.Model) -> Cost:
    """Counts a functional model of fixed shape; a layer used twice multiplies twice."""
    total = 0

    def visit(call: Call, inputs: list[Shape]) -> Shape:
        nonlocal total
        layer = call.operation
        leaving = layer.compute_output_shape(
            (1, *inputs[0]) if len(inputs) == 1 else [(1, *shape) for shape in inputs]
        )
        shape: Shape = tuple(leaving[1:])
        count = _COUNTS.get(type(layer))
        total += count(layer, inputs[0], shape) if count else 0
        return shape

    walk(model, [tuple(tensor.shape[1:]) for tensor in model.inputs], visit)
    return Cost(model.count_params(), total)


def _size(*weights: Any) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


def _per_output(layer: Any, entering: Shape, leaving: Shape) -> int:
    return _size(layer.kernel) * int(np.prod(leaving[:-1]))


def _per_input(layer: Any, entering: Shape, leaving: Shape) -> int:
    return _size(layer.kernel) * int(np.prod(entering[:-1]))


def _separable(layer: Any, entering: Shape, leaving: Shape) -> int:
    return _size(layer.depthwise_kernel, layer.pointwise_kernel) * int(np.prod(leaving[:-1]))


def _recurrent(layer: Any, entering: Shape, leaving: Shape) -> int:
    return _size(layer.cell.kernel, layer.cell.recurrent_kernel) * entering[0]


_COUNTS: dict[type[Any], Callable[[Any, Shape, Shape], int]] = {
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
}
