"""Dense layers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from keras import layers

from hsitf.lower.convolution import Axis
from hsitf.lower.layers_convolution import bias_of, convolved
from hsitf.lower.layers_elementwise import activated
from hsitf.lower.place import Place
from hsitf.lower.value import Floats, Value, arranged


def dense(place: Place, inputs: list[Value]) -> Value:
    """Dense on a flat value: rows of the kernel follow the memory. Else: a 1 x 1 convolution."""
    layer, (value,) = place.layer, inputs
    kernel, bias = np.asarray(layer.kernel), bias_of(layer, layer.units)
    if len(value.shape) == 1:
        result = _flat(value, kernel, bias, place.name)
    else:
        result = _by_pixel(value, kernel, bias, place)
    return activated(result, layer.activation, place.named("activation"))


def _by_pixel(value: Value, kernel: Floats, bias: Floats, place: Place) -> Value:
    *leading, channels = value.shape
    if len(leading) > 3:
        value = replace(value, index=value.index.reshape(-1, channels))
    spatial = len(value.shape) - 1
    pixel = kernel.reshape(*[1] * spatial, *kernel.shape)
    result = convolved(value, pixel, bias, [Axis()] * spatial, place)
    return replace(result, index=result.index.reshape(*leading, -1))


@dataclass(frozen=True, eq=False)
class Projected:
    """A tensor that is a dense layer of all the memory of another.

    Attributes:
        source: What enters.
        kernel: (elements, units), by position in memory.
        bias: (units,).
    """

    source: Value
    kernel: Floats
    bias: Floats

    def scaled(self, scale: Floats, shift: Floats, name: str) -> Value:
        """With other weights."""
        return _projected(self.source, self.kernel * scale, self.bias * scale + shift, name)


def _flat(value: Value, kernel: Floats, bias: Floats, name: str) -> Value:
    present = value.index >= 0
    index, kernel = value.index[present], kernel[present]
    value = Value(value.tensor, index)
    if len(np.unique(index)) < value.memory:
        value = arranged(value, (0,))
    rows = np.zeros((value.memory, kernel.shape[1]), np.float32)
    # An element that is met twice counts twice.
    np.add.at(rows, value.index, kernel)
    return _projected(value, rows, bias, name)


def _projected(source: Value, kernel: Floats, bias: Floats, name: str) -> Value:
    layer = layers.Dense(kernel.shape[1], name=name)
    tensor = layer(source.viewed(source.memory))
    layer.set_weights([kernel, bias])
    return Value(tensor, np.arange(kernel.shape[1]), Projected(source, kernel, bias))
