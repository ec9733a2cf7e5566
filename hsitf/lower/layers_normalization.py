"""Normalization: by statistics of training, and by neighboring channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import layers, ops

from hsitf.lower.convolution import Axis
from hsitf.lower.depthwise import affine
from hsitf.lower.layers_convolution import convolved
from hsitf.lower.layers_merging import combined
from hsitf.lower.place import Place
from hsitf.lower.value import Floats, Value, solid


def batch_normalization(place: Place, inputs: list[Value]) -> Value:
    """BatchNormalization: one factor and one term a channel."""
    layer, (value,) = place.layer, inputs
    scale = 1 / np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        scale = scale * np.asarray(layer.gamma)
    shift = -np.asarray(layer.moving_mean) * scale
    if layer.center:
        shift = shift + np.asarray(layer.beta)
    rank = len(value.shape) + 1
    asked = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    along = [-1 if axis == asked % rank else 1 for axis in range(1, rank)]
    return affine(value, scale.reshape(along), shift.reshape(along), place.name)


def response_normalization(place: Place, inputs: list[Value]) -> Value:
    """LocalResponseNormalization: the sum of squares is a convolution of single pixels.

    What is divided by, `sum ** beta`, becomes a factor of operators that LiteRT has integer
    kernels for; see `_inverse_power`.
    """
    layer, value = place.layer, solid(inputs[0])
    channels, spatial = value.shape[-1], len(value.shape) - 1
    squares = Value(value.tensor * value.tensor, value.index)
    kernel = _near(layer, channels).reshape(*[1] * spatial, channels, channels)
    bias = np.full(channels, layer.bias, np.float32)
    sums = convolved(squares, kernel, bias, [Axis()] * spatial, place.named("sum"))
    factor = _inverse_power(sums.tensor, layer.beta, place.target.roots)
    return combined(layers.Multiply(name=place.name), [value, Value(factor, sums.index)])


def _inverse_power(sums: Any, beta: float, roots: bool) -> Any:
    """`sums ** -beta`, sums above 0.

    Square roots make quarters of an exponent, such as the usual 3/4; others are left to
    `exp(-beta * log(sums))`, which only TensorFlow's converter makes integer.
    """
    if roots and beta in _QUARTERS:
        return _QUARTERS[beta](ops.rsqrt(sums))
    return ops.exp(ops.log(sums) * -beta)


# By exponent, out of the inverse square root.
_QUARTERS: dict[float, Callable[[Any], Any]] = {
    0.25: ops.sqrt,
    0.5: lambda root: root,
    0.75: lambda root: root * ops.sqrt(root),
    1.0: lambda root: root * root,
}


def _near(layer: Any, channels: int) -> Floats:
    """(in, out): the weight of each channel's square in the sum of another."""
    offset = np.subtract.outer(np.arange(channels), np.arange(channels))
    near = (offset >= -(layer.size // 2)) & (offset <= (layer.size - 1) // 2)
    return np.asarray(layer.alpha / layer.size * near, np.float32)
