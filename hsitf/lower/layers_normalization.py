"""Lowering of normalization: by training statistics, and by neighboring channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import layers, ops

from hsitf.arrays import Float32Array
from hsitf.lower.context import LoweringContext
from hsitf.lower.convolution import SlidingAxis
from hsitf.lower.depthwise import scale_and_shift
from hsitf.lower.layers_convolution import apply_convolution
from hsitf.lower.layers_merging import combined
from hsitf.lower.layout_tensor import LayoutTensor, compact


def batch_normalization(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """BatchNormalization: one factor and one term per channel."""
    layer, (value,) = context.layer, inputs
    scale = 1 / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale = scale * np.asarray(layer.gamma)
    shift = -np.asarray(layer.moving_mean) * scale
    if layer.center:
        shift = shift + np.asarray(layer.beta)
    rank = len(value.shape) + 1
    asked = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    along = [-1 if axis == asked % rank else 1 for axis in range(1, rank)]
    return scale_and_shift(value, scale.reshape(along), shift.reshape(along), context.name)


def response_normalization(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """LocalResponseNormalization: the sum of squares is a pointwise convolution.

    The divisor, `sum ** beta`, becomes a factor from operators with integer kernels; see
    `_inverse_power`.
    """
    layer, value = context.layer, compact(inputs[0])
    channels, spatial = value.shape[-1], len(value.shape) - 1
    squares = LayoutTensor(value.tensor * value.tensor, value.layout)
    kernel = _near(layer, channels).reshape(*[1] * spatial, channels, channels)
    bias = np.full(channels, layer.bias, np.float32)
    sums = apply_convolution(
        squares, kernel, bias, [SlidingAxis()] * spatial, context.for_part("sum")
    )
    factor = _inverse_power(sums.tensor, layer.beta, context.target.square_root_powers)
    return combined(layers.Multiply(name=context.name), [value, LayoutTensor(factor, sums.layout)])


def _inverse_power(sums: Any, beta: float, roots: bool) -> Any:
    """`sums ** -beta`, for sums above 0.

    Multiples of 1/4, such as the usual 3/4, are computed by square roots; others by
    `exp(-beta * log(sums))`, which only TensorFlow's converter can quantize.
    """
    if roots and beta in _QUARTERS:
        return _QUARTERS[beta](ops.rsqrt(sums))
    return ops.exp(ops.log(sums) * -beta)


# Functions of the inverse square root, by exponent.
_QUARTERS: dict[float, Callable[[Any], Any]] = {
    0.25: ops.sqrt,
    0.5: lambda root: root,
    0.75: lambda root: root * ops.sqrt(root),
    1.0: lambda root: root * root,
}


def _near(layer: Any, channels: int) -> Float32Array:
    """(in, out) float32: weight of each squared channel in the sum of another."""
    offset = np.subtract.outer(np.arange(channels), np.arange(channels))
    near = (offset >= -(layer.size // 2)) & (offset <= (layer.size - 1) // 2)
    return np.asarray(layer.alpha / layer.size * near, np.float32)
