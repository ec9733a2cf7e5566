"""Lowering of normalization: by training statistics, the sample's own, and neighboring channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from keras import layers, ops

from hsitf.arrays import Float32Array
from hsitf.lower.context import LoweringContext
from hsitf.lower.convolution import SlidingAxis
from hsitf.lower.depthwise import scale_and_shift
from hsitf.lower.layers_convolution import apply_convolution
from hsitf.lower.layers_merging import combined
from hsitf.lower.layers_pooling import mean_along
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


# --- by the sample's own statistics ---------------------------------------------------------


def layer_normalization(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """LayerNormalization: `d * rsqrt(mean(d ** 2) + epsilon) * gamma + beta`, d = x - mean(x).

    Keras writes it with NEG, for which LiteRT has no integer kernel; SUB and MUL have one.
    """
    layer, (value,) = context.layer, inputs
    axes = _own_axes(layer.axis, value)
    gamma = _along_axes(layer.gamma, axes, value, 1.0)
    centered = _centered(value, axes, context)
    factor = _inverse_deviation(centered, axes, layer.epsilon, context)
    # With rms_scaling Keras divides by the deviation without centering.
    scaled = value if layer.rms_scaling else centered
    beta = 0.0 if layer.rms_scaling else _along_axes(layer.beta, axes, value, 0.0)
    return _scaled_by(scaled, factor, gamma, beta, context)


def rms_normalization(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """RMSNormalization: `x * rsqrt(mean(x ** 2) + epsilon) * scale`."""
    layer, (value,) = context.layer, inputs
    axes = _own_axes(layer.axis, value)
    factor = _inverse_deviation(value, axes, layer.epsilon, context)
    return _scaled_by(value, factor, _along_axes(layer.scale, axes, value, 1.0), 0.0, context)


def group_normalization(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """GroupNormalization: layer normalization of each group of channels, over all positions.

    The axis of the groups becomes two, groups and channels of a group; no data moves.
    """
    layer, (value,) = context.layer, inputs
    (axis,) = _own_axes(layer.axis, value)
    before, size, after = value.shape[:axis], value.shape[axis], value.shape[axis + 1 :]
    split = (*before, layer.groups, size // layer.groups, *after)
    grouped = replace(value, layout=value.layout.reshape(split))
    axes = tuple(number for number in range(len(split)) if number != axis)
    centered = _centered(grouped, axes, context)
    factor = _inverse_deviation(centered, axes, layer.epsilon, context)
    scaled = combined(layers.Multiply(name=context.for_part("scaled").name), [centered, factor])
    scaled = replace(scaled, layout=scaled.layout.reshape(value.shape))
    gamma = _along_axes(layer.gamma, (axis,), value, 1.0)
    beta = _along_axes(layer.beta, (axis,), value, 0.0)
    return scale_and_shift(scaled, gamma, beta, context.name)


def _own_axes(asked: Any, value: LayoutTensor) -> tuple[int, ...]:
    """Axes of a layer's statistics, without batch."""
    rank = len(value.shape) + 1
    return tuple(sorted(axis % rank - 1 for axis in ([asked] if isinstance(asked, int) else asked)))


def _along_axes(weights: Any, axes: tuple[int, ...], value: LayoutTensor, absent: float) -> Any:
    """Weights broadcastable to a tensor; a number where the layer has none."""
    if weights is None:
        return absent
    return np.asarray(weights).reshape(
        [size if axis in axes else 1 for axis, size in enumerate(value.shape)]
    )


def _centered(value: LayoutTensor, axes: tuple[int, ...], context: LoweringContext) -> LayoutTensor:
    subtract = layers.Subtract(name=context.for_part("centered").name)
    return combined(subtract, [value, mean_along(value, axes)])


def _inverse_deviation(
    centered: LayoutTensor, axes: tuple[int, ...], epsilon: float, context: LoweringContext
) -> LayoutTensor:
    """`(mean(x ** 2) + epsilon) ** -0.5` along axes, which stay with length 1.

    As a root in any arithmetic: there are few of these numbers, so that the speed of logarithms
    does not count, and a root loses less in 8 bits.
    """
    name = context.for_part("squared").name
    squares = combined(layers.Multiply(name=name), [centered, centered])
    variance = mean_along(squares, axes)
    return LayoutTensor(ops.rsqrt(variance.tensor + epsilon), variance.layout)


def _scaled_by(
    value: LayoutTensor, factor: LayoutTensor, gamma: Any, beta: Any, context: LoweringContext
) -> LayoutTensor:
    multiply = layers.Multiply(name=context.for_part("scaled").name)
    return scale_and_shift(combined(multiply, [value, factor]), gamma, beta, context.name)


# --- by neighboring channels ----------------------------------------------------------------


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
    factor = _inverse_power(sums.tensor, layer.beta, context.arithmetic.square_root_powers)
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
