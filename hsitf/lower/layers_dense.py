"""Lowering of dense layers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from keras import layers

from hsitf.arrays import Float32Array
from hsitf.lower.context import LoweringContext
from hsitf.lower.convolution import SlidingAxis
from hsitf.lower.depthwise import scale_and_shift
from hsitf.lower.layers_convolution import apply_convolution, bias_of
from hsitf.lower.layers_elementwise import apply_activation
from hsitf.lower.layout_tensor import LayoutTensor, rearrange
from hsitf.operators.equations import EinsumEquation


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


def einsum(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """EinsumDense, where its equation is one product with a matrix: as Dense."""
    layer, (value,) = context.layer, inputs
    equation = EinsumEquation.of(layer, len(value.shape) + 1)
    if not equation.is_product:
        raise context.error(
            "has an equation that is no product with one matrix",
            received=layer.equation,
            allowed="an equation in which each axis of the kernel is summed over or is new",
            remedy="use Dense, with Permute and Reshape around it",
        )
    kept, summed, made = equation.kept[1:], equation.summed, equation.made
    sizes = dict(zip(equation.entering[1:], value.shape, strict=True))
    sizes |= dict(zip(equation.kernel, layer.kernel.shape, strict=True))
    order = [equation.entering.index(letter) - 1 for letter in (*kept, *summed)]
    rows = prod(sizes[letter] for letter in summed)
    layout = value.layout.transpose(order).reshape(*(sizes[letter] for letter in kept), rows)
    kernel = np.asarray(layer.kernel)
    kernel = kernel.transpose([equation.kernel.index(letter) for letter in (*summed, *made)])
    result = multiplied(replace(value, layout=layout), kernel.reshape(rows, -1), context)
    whole = result.layout.reshape([sizes[letter] for letter in (*kept, *made)])
    turned = whole.transpose([(*kept, *made).index(letter) for letter in equation.leaving[1:]])
    result = replace(result, layout=turned)
    check_biases(context, layer, result.shape)
    if layer.bias is not None:
        part = context.for_part("biased").name
        result = scale_and_shift(result, 1.0, np.asarray(layer.bias), part)
    return apply_activation(result, layer.activation, context.for_part("activation"))


def check_biases(context: LoweringContext, layer: Any, shape: tuple[int, ...]) -> None:
    """Refuses biases that Keras on TensorFlow does not add where the layer says.

    An array with a single axis of more than one number is added along the second axis where that is
    as long and the last one is not: biases of heads of one number go along the tokens where there
    are as many tokens as heads.

    Args:
        context: Names the layer in the message.
        layer: EinsumDense.
        shape: What leaves it, without batch.

    Raises:
        LoweringError: It has such biases.
    """
    sizes = () if layer.bias is None else tuple(layer.bias.shape)
    long = [size for size in sizes if size > 1]
    own = len(sizes) == len(shape) and sizes[0] > 1
    if len(long) == 1 and long[0] == shape[0] and long[0] != shape[-1] and not own:
        raise context.error(
            "adds its biases along another axis than its own, by a fault of Keras",
            received=f"biases {sizes} to outputs {shape}",
            remedy="build it with use_bias=False, or with heads of two numbers or more",
        )


def wavelength_filters(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """WavelengthFilters: the matrix of its bands, as a dense layer without biases."""
    return multiplied(inputs[0], context.layer.kernel, context)


def multiplied(value: LayoutTensor, kernel: Float32Array, context: LoweringContext) -> LayoutTensor:
    """The product of the last axis of a tensor with a matrix, without biases."""
    none = np.zeros(kernel.shape[1], np.float32)
    if len(value.shape) == 1:
        return _flat(value, kernel, none, context.name)
    return _by_pixel(value, kernel, none, context)


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
