"""Lowering of dense layers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from keras import layers

from hsitf.arrays import Float32Array
from hsitf.lower.context import LoweringContext
from hsitf.lower.convolution import SlidingAxis
from hsitf.lower.layers_convolution import apply_convolution, bias_of
from hsitf.lower.layers_elementwise import apply_activation
from hsitf.lower.layout_tensor import LayoutTensor, rearrange


def dense(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Dense: with rows reordered to memory for a flat input, else a 1 x 1 convolution."""
    layer, (value,) = context.layer, inputs
    kernel, bias = np.asarray(layer.kernel), bias_of(layer, layer.units)
    if len(value.shape) == 1:
        result = _flat(value, kernel, bias, context.name)
    else:
        result = _by_pixel(value, kernel, bias, context)
    return apply_activation(result, layer.activation, context.for_part("activation"))


def _by_pixel(
    value: LayoutTensor, kernel: Float32Array, bias: Float32Array, context: LoweringContext
) -> LayoutTensor:
    *leading, channels = value.shape
    if len(leading) > 3:
        value = replace(value, layout=value.layout.reshape(-1, channels))
    spatial = len(value.shape) - 1
    pixel = kernel.reshape(*[1] * spatial, *kernel.shape)
    result = apply_convolution(value, pixel, bias, [SlidingAxis()] * spatial, context)
    return replace(result, layout=result.layout.reshape(*leading, -1))


@dataclass(frozen=True, eq=False)
class DenseProducer:
    """A dense layer of all the memory of a tensor as the producer of another.

    Attributes:
        source: Input tensor.
        kernel: (elements, units), by position in memory.
        bias: (units,).
    """

    source: LayoutTensor
    kernel: Float32Array
    bias: Float32Array

    def scaled(self, scale: Float32Array, shift: Float32Array, name: str) -> LayoutTensor:
        """Folds factors and terms into the weights."""
        return _dense_of_memory(self.source, self.kernel * scale, self.bias * scale + shift, name)


def _flat(value: LayoutTensor, kernel: Float32Array, bias: Float32Array, name: str) -> LayoutTensor:
    present = value.layout >= 0
    index, kernel = value.layout[present], kernel[present]
    value = LayoutTensor(value.tensor, index)
    if len(np.unique(index)) < value.memory_size:
        value = rearrange(value, (0,))
    rows = np.zeros((value.memory_size, kernel.shape[1]), np.float32)
    # An element that occurs twice counts twice.
    np.add.at(rows, value.layout, kernel)
    return _dense_of_memory(value, rows, bias, name)


def _dense_of_memory(
    source: LayoutTensor, kernel: Float32Array, bias: Float32Array, name: str
) -> LayoutTensor:
    layer = layers.Dense(kernel.shape[1], name=name)
    tensor = layer(source.reshaped(source.memory_size))
    layer.set_weights([kernel, bias])
    return LayoutTensor(tensor, np.arange(kernel.shape[1]), DenseProducer(source, kernel, bias))
