"""Convolutions of a volume, and the exact ways to compute one as a 2-D convolution.

The volume has three axes, of which the 2-D operator slides over two: `down` (the spectrum of a
3-D network, the rows of an image) and `across` (the rows of a 3-D network, the columns of an
image). The third, `folded` (the columns of a 3-D network), is part of the channels: memory order
(down, across, folded, filters). There are three ways to compute a kernel that spans the folded
axis:

*Block-Toeplitz* kernel along the folded axis: sliding along that axis is written into the kernel,

    K2[d, a, (i, f), (o, g)] = K[i - o * stride + before, a, d, f, g]

or 0 where that tap does not exist. One operator, but it multiplies zeros.

*im2col* along the folded axis and across: the pixels under the kernel are concatenated in the
channels first, and the kernel covers one position: no zeros, but the pixels are copied.

*Spectral im2col*, along `down`: the bands under the kernel are concatenated in the channels, each
position down becomes an image of the batch, and the 2-D operator slides across and along the
folded axis. It copies less than im2col where many pixels share the bands under the kernel, as on a
tile.

Each can be preceded by *grouping*: neighbors along `down` move into the channels, and the kernel
becomes block-Toeplitz along `down`. Matrix units are efficient on many channels, and spectral
networks have few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class SlidingAxis(NamedTuple):
    """Stride, dilation and padding of a convolution along one axis.

    Attributes:
        stride: Step between outputs.
        dilation: Step between taps.
        pad_before: Zeros before the first element.
        pad_after: Zeros after the last element.
    """

    stride: int = 1
    dilation: int = 1
    pad_before: int = 0
    pad_after: int = 0

    def output_length(self, size: int, taps: int) -> int:
        """Number of outputs along an axis of `size` elements for a kernel of `taps`."""
        extent = (taps - 1) * self.dilation + 1
        return (size + self.pad_before + self.pad_after - extent) // self.stride + 1


def same_padding(size: int, taps: int, stride: int, dilation: int = 1) -> SlidingAxis:
    """The axis of "same" padding as in TensorFlow: an odd zero is added after."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + (taps - 1) * dilation + 1 - size, 0)
    return SlidingAxis(stride, dilation, total // 2, total - total // 2)


@dataclass(frozen=True, eq=False)
class VolumeConvolution:
    """A convolution of a volume (folded, across, down, channels).

    Attributes:
        kernel: (folded, across, down, in, out) float32.
        bias: (out,) float32.
        axes: Stride, dilation and padding along folded, across and down.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    axes: tuple[SlidingAxis, SlidingAxis, SlidingAxis]

    @property
    def taps(self) -> tuple[int, int, int]:
        """Kernel size along folded, across and down."""
        folded, across, down = self.kernel.shape[:3]
        return folded, across, down

    @property
    def filters(self) -> int:
        """Output channels."""
        return int(self.kernel.shape[4])

    @property
    def pointwise(self) -> bool:
        """Whether the kernel covers a single pixel, sliding along `down` alone."""
        return self.taps[:2] == (1, 1) and all(axis == SlidingAxis() for axis in self.axes[:2])

    def scaled(self, scale: NDArray[np.float32], shift: NDArray[np.float32]) -> VolumeConvolution:
        """The convolution with outputs multiplied by `scale` and shifted by `shift`, per filter."""
        return VolumeConvolution(self.kernel * scale, self.bias * scale + shift, self.axes)

    def output_size(self, size: tuple[int, int, int]) -> tuple[int, int, int]:
        """Size of the output volume for an input volume of `size`."""
        folded, across, down = (
            axis.output_length(n, taps)
            for axis, n, taps in zip(self.axes, size, self.taps, strict=True)
        )
        return folded, across, down


def block_toeplitz_kernel(conv: VolumeConvolution, size: int) -> NDArray[np.float32]:
    """The block-Toeplitz kernel for a folded axis of `size` elements.

    Returns:
        (down, across, size * in, outputs * out) float32.
    """
    taps, across, down, inputs, filters = conv.kernel.shape
    axis = conv.axes[0]
    outputs = axis.output_length(size, taps)
    kernel = np.zeros((down, across, size, inputs, outputs, filters), np.float32)
    for output in range(outputs):
        for tap in range(taps):
            source = output * axis.stride + tap * axis.dilation - axis.pad_before
            if 0 <= source < size:
                kernel[:, :, source, :, output, :] = conv.kernel[tap].transpose(1, 0, 2, 3)
    return kernel.reshape(down, across, size * inputs, outputs * filters)


def group_bands(
    conv: VolumeConvolution, size: int, inputs: int, outputs: int
) -> VolumeConvolution | None:
    """The same convolution with neighbors along `down` in the channels.

    Args:
        conv: Over a volume with `size` elements down.
        size: Elements down, a multiple of `inputs`.
        inputs: Neighbors per group in the input: channels (inputs, in).
        outputs: Neighbors per group in the output: channels (outputs, out).

    Returns:
        A convolution over `size / inputs` elements down; None where the groups do not fit the
        sizes or the stride.
    """
    axis, taps = conv.axes[2], conv.taps[2]
    length = axis.output_length(size, taps)
    if size % inputs or length % outputs or outputs * axis.stride % inputs:
        return None
    first = -axis.pad_before // inputs
    reach = (outputs - 1) * axis.stride + (taps - 1) * axis.dilation - axis.pad_before
    count = reach // inputs - first + 1
    stride = outputs * axis.stride // inputs
    after = (length // outputs - 1) * stride + count + first - size // inputs
    slide = SlidingAxis(stride, 1, -first, max(after, 0))
    if slide.output_length(size // inputs, count) != length // outputs:
        return None
    folded, across, _, channels, filters = conv.kernel.shape
    kernel = np.zeros((folded, across, count, inputs, channels, outputs, filters), np.float32)
    for output in range(outputs):
        for tap in range(taps):
            source = output * axis.stride + tap * axis.dilation - axis.pad_before - first * inputs
            kernel[:, :, source // inputs, source % inputs, :, output, :] = conv.kernel[:, :, tap]
    return VolumeConvolution(
        kernel.reshape(folded, across, count, inputs * channels, outputs * filters),
        np.tile(conv.bias, outputs),
        (conv.axes[0], conv.axes[1], slide),
    )


def im2col(conv: VolumeConvolution) -> VolumeConvolution:
    """The convolution of pixels concatenated in the channels: (across, folded, in)."""
    folded, across, down, inputs, filters = conv.kernel.shape
    kernel = conv.kernel.transpose(2, 1, 0, 3, 4)
    kernel = kernel.reshape(1, 1, down, across * folded * inputs, filters)
    return VolumeConvolution(kernel, conv.bias, (SlidingAxis(), SlidingAxis(), conv.axes[2]))


# Cost of copying in multiply-accumulates: per contiguous piece, and per element. Measured on
# x86-64 (AVX-512, float32) on the convolutions of he, where pieces of one to three elements made
# copying slower than multiplying the zeros it would have saved.
COPY_COST_PER_PIECE = 200
COPY_COST_PER_ELEMENT = 20


def spectral_im2col(conv: VolumeConvolution) -> VolumeConvolution:
    """The convolution of bands concatenated in the channels: (down, in)."""
    folded, across, down, inputs, filters = conv.kernel.shape
    kernel = conv.kernel.reshape(folded, across, 1, down * inputs, filters)
    return VolumeConvolution(kernel, conv.bias, (*conv.axes[:2], SlidingAxis()))


def spectral_im2col_is_possible(conv: VolumeConvolution) -> bool:
    """Whether Keras has the 2-D convolution that spectral im2col needs.

    It has no strides along one axis with dilation along another.
    """
    slides = conv.axes[:2]
    return all(axis.stride == 1 for axis in slides) or all(axis.dilation == 1 for axis in slides)


def spectral_im2col_is_cheaper(
    conv: VolumeConvolution, size: tuple[int, int, int], contiguous: int
) -> bool:
    """Whether spectral im2col costs less than the other two ways.

    Args:
        conv: The convolution.
        size: Size of the input volume: folded, across, down.
        contiguous: Elements of a pixel that are contiguous in memory.
    """
    if not spectral_im2col_is_possible(conv):
        return False
    inputs = conv.kernel.shape[3]
    folded, across, down = conv.output_size(size)
    copied = size[0] * size[1] * down * conv.taps[2] * inputs
    exact = folded * across * down * conv.kernel.size
    zeros = exact // conv.taps[0] * (size[0] - conv.taps[0])
    unfolding = folded * conv.taps[0] * (size[1] + across * conv.taps[1]) * size[2] * inputs
    return _copy_cost(copied, inputs) < min(zeros, _copy_cost(unfolding, contiguous))


def _copy_cost(elements: int, contiguous: int) -> int:
    """Cost of copying in multiply-accumulates."""
    return COPY_COST_PER_ELEMENT * elements + COPY_COST_PER_PIECE * elements // contiguous


def im2col_is_cheaper(conv: VolumeConvolution, size: tuple[int, int, int], contiguous: int) -> bool:
    """Whether im2col costs less than the zeros of a block-Toeplitz kernel.

    Args:
        conv: The convolution.
        size: Size of the input volume: folded, across, down.
        contiguous: Elements of a pixel that are contiguous in memory.
    """
    folded, across, down = conv.output_size(size)
    per_position = int(np.prod(conv.taps)) * int(np.prod(conv.kernel.shape[3:]))
    exact = folded * across * down * per_position
    # The block-Toeplitz kernel spans the whole folded axis instead of its taps.
    zeros = exact // conv.taps[0] * size[0]
    pixels = folded * conv.taps[0] * (size[1] + across * conv.taps[1])
    elements = pixels * size[2] * conv.kernel.shape[3]
    return bool(exact + _copy_cost(elements, contiguous) < zeros)


def merge_parallel(parts: list[VolumeConvolution]) -> VolumeConvolution | None:
    """Merges parallel convolutions of the same volume whose outputs are added into one.

    Shorter kernels are padded to the longest, tap on tap. None where strides or dilations differ,
    or where the added zeros would cost more than the merging saves.

    Args:
        parts: Convolutions whose outputs have the same size.
    """
    first = parts[0]
    steps = [[(axis.stride, axis.dilation) for axis in part.axes] for part in parts]
    if any(step != steps[0] for step in steps) or any(dilation > 1 for _, dilation in steps[0]):
        return None
    axes = []
    sizes = []
    for position, axis in enumerate(first.axes):
        before = max(part.axes[position].pad_before for part in parts)
        # Of the taps counted from the output's own position, the one farthest on.
        last = max(part.taps[position] - 1 - part.axes[position].pad_before for part in parts)
        after = axis.pad_after + last - (first.taps[position] - 1 - axis.pad_before)
        axes.append(axis._replace(pad_before=before, pad_after=after))
        sizes.append(before + last + 1)
    kernel = np.zeros((*sizes, *first.kernel.shape[3:]), np.float32)
    if kernel.size > sum(part.kernel.size for part in parts):
        return None
    for part in parts:
        window = tuple(
            slice(whole.pad_before - own.pad_before, whole.pad_before - own.pad_before + taps)
            for whole, own, taps in zip(axes, part.axes, part.taps, strict=True)
        )
        kernel[window] += part.kernel
    bias = np.stack([part.bias for part in parts]).sum(axis=0)
    return VolumeConvolution(kernel, bias, (axes[0], axes[1], axes[2]))
