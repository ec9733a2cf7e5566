"""Depthwise convolutions of images, and values multiplied and added to channel by channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from keras import KerasTensor, layers

from hsitf.lower.convolution import Axis
from hsitf.lower.lines import Index
from hsitf.lower.value import Floats, Value, positions, solid
from hsitf.lower.volume import sliding

_STILL = (Axis(), Axis())
# LiteRT's own kernels collect outputs of 8 bits in a buffer of so many (of 32 bits: 4,832), and
# where one pixel has more channels they turn for ever without filling it.
LARGEST = 2048


@dataclass(frozen=True, eq=False)
class Filtered:
    """A tensor that is a depthwise convolution of an image.

    Attributes:
        image: (batch, down, across, channels).
        kernel: (taps down, taps across, channels, multiplier).
        bias: (channels * multiplier,).
        slides: How it slides down and across.
    """

    image: KerasTensor
    kernel: Floats
    bias: Floats
    slides: tuple[Axis, Axis]

    def scaled(self, scale: Floats, shift: Floats, name: str) -> Value | None:
        """With other weights, where all elements of a channel are treated alike."""
        factors, terms = (array.reshape(-1, len(self.bias)) for array in (scale, shift))
        if (factors != factors[0]).any() or (terms != terms[0]).any():
            return None
        kernel = self.kernel * factors[0].reshape(self.kernel.shape[2:])
        return filtered(self.image, kernel, self.bias * factors[0] + terms[0], self.slides, name)


def filtered(
    image: KerasTensor, kernel: Floats, bias: Floats, slides: tuple[Axis, Axis], name: str
) -> Value:
    """A depthwise convolution of an image: the arguments are those of `Filtered`.

    Returns:
        (down, across, channels * multiplier), in memory as it is; of more channels than kernels
        take, in pieces laid side by side.
    """
    if len(bias) > LARGEST and kernel.shape[2] > 1:
        return _pieces(image, kernel, bias, slides, name)
    around, options = sliding(image, kernel.shape[:2], slides, name)
    layer = layers.DepthwiseConv2D(
        kernel.shape[:2], depth_multiplier=kernel.shape[3], name=name, **options
    )
    tensor = layer(around)
    layer.set_weights([kernel, bias])
    index = positions(tuple(tensor.shape[1:]), (0, 1, 2))
    return Value(tensor, index, Filtered(image, kernel, bias, slides))


def _pieces(
    image: KerasTensor, kernel: Floats, bias: Floats, slides: tuple[Axis, Axis], name: str
) -> Value:
    """The same, so many channels at a time."""
    multiplier = kernel.shape[3]
    step = max(1, LARGEST // multiplier)
    made = []
    for start in range(0, kernel.shape[2], step):
        part = slice(start, start + step)
        terms = bias[start * multiplier : (start + step) * multiplier]
        seen = image[:, :, :, part]
        made.append(filtered(seen, kernel[:, :, part], terms, slides, f"{name}_{start}").tensor)
    tensor = layers.Concatenate(name=name)(made)
    return Value(tensor, positions(tuple(tensor.shape[1:]), (0, 1, 2)))


def affine(value: Value, scale: Any, shift: Any, name: str) -> Value:
    """`scale * value + shift`.

    Goes into the weights of the convolution or dense layer that made the value; else it becomes
    a depthwise convolution of single pixels, for which there are integer kernels.

    Args:
        value: Of any shape.
        scale: Broadcastable to it.
        shift: Likewise.
        name: Of the layer made for it.
    """
    value = solid(value)
    factors, terms = (by_position(value.index, array) for array in (scale, shift))
    if (factors == 1).all() and (terms == 0).all():
        return value
    if value.linear is not None:
        folded = value.linear.scaled(factors, terms, name)
        if folded is not None:
            return replace(folded, index=value.index)
    image, (factors, terms) = channelwise(value, factors, terms)
    result = filtered(image, factors.reshape(1, 1, -1, 1), terms, _STILL, name)
    return replace(result, index=value.index)


def by_position(index: Index, array: Any) -> Floats:
    """An array of logical elements in the order of their memory.

    Args:
        index: Of a value that has each element in memory once.
        array: Broadcastable to the value.
    """
    result = np.empty(index.size, np.float32)
    result[index] = np.broadcast_to(np.asarray(array, np.float32), index.shape)
    return result


def channelwise(value: Value, *arrays: Floats) -> tuple[KerasTensor, list[Floats]]:
    """The memory of a value as an image with the fewest channels, and arrays by channel.

    Args:
        value: With each element in memory once.
        arrays: By position in memory.

    Returns:
        (batch, down, across, channels), and each array as (channels,).
    """
    shape = tuple(value.tensor.shape[1:])
    suffixes = (prod(shape[place:]) for place in range(len(shape) - 1, -1, -1))
    channels = next(
        size
        for size in suffixes
        if all((array.reshape(-1, size) == array[:size]).all() for array in arrays)
    )
    kept = len(shape) == 3 and shape[-1] == channels
    image = value.viewed(*(shape if kept else (1, value.memory // channels, channels)))
    return image, [array[:channels] for array in arrays]
