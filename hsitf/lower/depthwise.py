"""Depthwise convolutions of images, and channel-wise scaling and shifting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from keras import KerasTensor, layers

from hsitf.arrays import Float32Array
from hsitf.lower.convolution import SlidingAxis
from hsitf.lower.layout_tensor import LayoutTensor, compact, dense_layout
from hsitf.lower.strided_layout import Layout
from hsitf.lower.volume import padding_arguments

_POINTWISE = (SlidingAxis(), SlidingAxis())
# LiteRT's own kernels accumulate 8-bit outputs in a buffer of this size (32-bit: 4,832 values) and
# loop forever where a pixel has more channels.
MAX_CHANNELS = 2048


@dataclass(frozen=True, eq=False)
class DepthwiseProducer:
    """A depthwise convolution of an image as the producer of a tensor.

    Attributes:
        image: (batch, down, across, channels).
        kernel: (taps down, taps across, channels, multiplier).
        bias: (channels * multiplier,).
        slides: Stride, dilation and padding down and across.
    """

    image: KerasTensor
    kernel: Float32Array
    bias: Float32Array
    slides: tuple[SlidingAxis, SlidingAxis]

    def scaled(self, scale: Float32Array, shift: Float32Array, name: str) -> LayoutTensor | None:
        """Folds factors and terms into the weights where they are equal within each channel."""
        factors, terms = (array.reshape(-1, len(self.bias)) for array in (scale, shift))
        if (factors != factors[0]).any() or (terms != terms[0]).any():
            return None
        kernel = self.kernel * factors[0].reshape(self.kernel.shape[2:])
        return depthwise_convolution(
            self.image, kernel, self.bias * factors[0] + terms[0], self.slides, name
        )


def depthwise_convolution(
    image: KerasTensor,
    kernel: Float32Array,
    bias: Float32Array,
    slides: tuple[SlidingAxis, SlidingAxis],
    name: str,
) -> LayoutTensor:
    """A depthwise convolution of an image; see `DepthwiseProducer` for the arguments.

    Returns:
        (down, across, channels * multiplier) in this memory order; where kernels do not support
        that many channels, computed in blocks of channels that are concatenated.
    """
    if len(bias) > MAX_CHANNELS and kernel.shape[2] > 1:
        return _in_channel_blocks(image, kernel, bias, slides, name)
    around, options = padding_arguments(image, kernel.shape[:2], slides, name)
    layer = layers.DepthwiseConv2D(
        kernel.shape[:2], depth_multiplier=kernel.shape[3], name=name, **options
    )
    tensor = layer(around)
    layer.set_weights([kernel, bias])
    index = dense_layout(tuple(tensor.shape[1:]), (0, 1, 2))
    return LayoutTensor(tensor, index, DepthwiseProducer(image, kernel, bias, slides))


def _in_channel_blocks(
    image: KerasTensor,
    kernel: Float32Array,
    bias: Float32Array,
    slides: tuple[SlidingAxis, SlidingAxis],
    name: str,
) -> LayoutTensor:
    """The convolution in blocks of at most `MAX_CHANNELS` channels."""
    multiplier = kernel.shape[3]
    step = max(1, MAX_CHANNELS // multiplier)
    made = []
    for start in range(0, kernel.shape[2], step):
        part = slice(start, start + step)
        terms = bias[start * multiplier : (start + step) * multiplier]
        block = image[:, :, :, part]
        made.append(
            depthwise_convolution(
                block, kernel[:, :, part], terms, slides, f"{name}_{start}"
            ).tensor
        )
    tensor = layers.Concatenate(name=name)(made)
    return LayoutTensor(tensor, dense_layout(tuple(tensor.shape[1:]), (0, 1, 2)))


def scale_and_shift(value: LayoutTensor, scale: Any, shift: Any, name: str) -> LayoutTensor:
    """`scale * value + shift`.

    Folded into the weights of the convolution or dense layer that produced the value where
    possible; else a pointwise depthwise convolution, for which there are integer kernels.

    Args:
        value: Tensor of any shape.
        scale: Factors, broadcastable to `value`.
        shift: Terms, broadcastable to `value`.
        name: Name of the new layer.
    """
    value = compact(value)
    factors, terms = (by_memory_position(value.layout, array) for array in (scale, shift))
    if (factors == 1).all() and (terms == 0).all():
        return value
    if value.producer is not None:
        folded = value.producer.scaled(factors, terms, name)
        if folded is not None:
            return replace(folded, layout=value.layout)
    image, (factors, terms) = as_channel_image(value, factors, terms)
    result = depthwise_convolution(image, factors.reshape(1, 1, -1, 1), terms, _POINTWISE, name)
    return replace(result, layout=value.layout)


def by_memory_position(layout: Layout, array: Any) -> Float32Array:
    """An array of logical elements in memory order.

    Args:
        layout: Layout with each element in memory once.
        array: Array, broadcastable to the shape of the layout.
    """
    result = np.empty(layout.size, np.float32)
    result[layout] = np.broadcast_to(np.asarray(array, np.float32), layout.shape)
    return result


def as_channel_image(
    value: LayoutTensor, *arrays: Float32Array
) -> tuple[KerasTensor, list[Float32Array]]:
    """Views memory as an image with the fewest channels along which arrays vary.

    Args:
        value: Tensor with each element in memory once.
        arrays: Arrays in memory order.

    Returns:
        (batch, down, across, channels), and each array as (channels,).
    """
    # A single number has no axis.
    shape = tuple(value.tensor.shape[1:]) or (1,)
    suffixes = (prod(shape[position:]) for position in range(len(shape) - 1, -1, -1))
    channels = next(
        size
        for size in suffixes
        if all((array.reshape(-1, size) == array[:size]).all() for array in arrays)
    )
    kept = len(shape) == 3 and shape[-1] == channels
    image = value.reshaped(*(shape if kept else (1, value.memory_size // channels, channels)))
    return image, [array[:channels] for array in arrays]
