"""Convolutions of a volume, and the exact ways to write one as a 2-D convolution.

The volume has three axes, of which the 2-D operator slides over two: `down` (the spectrum of a
3-D network, the rows of an image) and `across` (the rows of a 3-D network, the columns of an
image). The third, `folded` (the columns of a 3-D network), lies beside the filters in the
channels: memory order (down, across, folded, filters). A kernel that spans the folded axis can
be written in three ways:

*Folded*: sliding along that axis is written into the kernel, which becomes block-Toeplitz,

    K2[d, a, (i, f), (o, g)] = K[i - o * stride + before, a, d, f, g]

or 0 where that tap does not exist. One operator, but it multiplies zeros.

*Unfolded*: the pixels under the kernel are laid side by side in the channels first, and the
kernel touches one position: no zeros, but the pixels are copied.

*Stacked*: what lies under the kernel down is laid side by side in the channels, each of those
positions is an image of its own, and the 2-D operator slides across and along the folded axis.
Copies less than unfolding where many pixels share what is under the kernel, as on a tile.

Each can be preceded by *grouping*: neighbors along `down` go into the channels, the kernel
becomes block-Toeplitz along `down`. Matrix units want wide channels and spectral networks have
narrow ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Axis(NamedTuple):
    """How a convolution slides along one axis.

    Attributes:
        stride: Step between outputs.
        dilation: Step between taps.
        before: Zeros before the first element.
        after: Zeros after the last element.
    """

    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    def length(self, size: int, taps: int) -> int:
        """Number of outputs along an axis of `size` elements for a kernel of `taps`."""
        reach = (taps - 1) * self.dilation + 1
        return (size + self.before + self.after - reach) // self.stride + 1


def same(size: int, taps: int, stride: int, dilation: int = 1) -> Axis:
    """The axis that "same" padding means in TensorFlow: the odd zero goes after."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + (taps - 1) * dilation + 1 - size, 0)
    return Axis(stride, dilation, total // 2, total - total // 2)


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution of a volume (folded, across, down, channels).

    Attributes:
        kernel: (folded, across, down, in, out) float32.
        bias: (out,) float32.
        axes: How it slides along folded, across and down.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    axes: tuple[Axis, Axis, Axis]

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
        """Whether it touches one pixel only, sliding along `down` alone."""
        return self.taps[:2] == (1, 1) and all(axis == Axis() for axis in self.axes[:2])

    def scaled(self, scale: NDArray[np.float32], shift: NDArray[np.float32]) -> Convolution:
        """The convolution whose outputs are `scale` times as large, and `shift` more, by filter."""
        return Convolution(self.kernel * scale, self.bias * scale + shift, self.axes)

    def output(self, size: tuple[int, int, int]) -> tuple[int, int, int]:
        """Size of the volume that leaves, for one of `size` that enters."""
        folded, across, down = (
            axis.length(n, taps) for axis, n, taps in zip(self.axes, size, self.taps, strict=True)
        )
        return folded, across, down


def folded_kernel(conv: Convolution, size: int) -> NDArray[np.float32]:
    """The block-Toeplitz kernel for a folded axis of `size` elements.

    Returns:
        (down, across, size * in, outputs * out) float32.
    """
    taps, across, down, inputs, filters = conv.kernel.shape
    axis = conv.axes[0]
    outputs = axis.length(size, taps)
    kernel = np.zeros((down, across, size, inputs, outputs, filters), np.float32)
    for output in range(outputs):
        for tap in range(taps):
            source = output * axis.stride + tap * axis.dilation - axis.before
            if 0 <= source < size:
                kernel[:, :, source, :, output, :] = conv.kernel[tap].transpose(1, 0, 2, 3)
    return kernel.reshape(down, across, size * inputs, outputs * filters)


def grouped(conv: Convolution, size: int, inputs: int, outputs: int) -> Convolution | None:
    """The same convolution with neighbors along `down` in the channels.

    Args:
        conv: Over a volume with `size` elements down.
        size: Elements down, a multiple of `inputs`.
        inputs: Neighbors that lie together in what enters: channels (inputs, in).
        outputs: Neighbors that shall lie together in what leaves: channels (outputs, out).

    Returns:
        A convolution over `size / inputs` elements down; None where the groups do not fit the
        sizes or the stride.
    """
    axis, taps = conv.axes[2], conv.taps[2]
    length = axis.length(size, taps)
    if size % inputs or length % outputs or outputs * axis.stride % inputs:
        return None
    first = -axis.before // inputs
    reach = (outputs - 1) * axis.stride + (taps - 1) * axis.dilation - axis.before
    count = reach // inputs - first + 1
    stride = outputs * axis.stride // inputs
    after = (length // outputs - 1) * stride + count + first - size // inputs
    slide = Axis(stride, 1, -first, max(after, 0))
    if slide.length(size // inputs, count) != length // outputs:
        return None
    folded, across, _, channels, filters = conv.kernel.shape
    kernel = np.zeros((folded, across, count, inputs, channels, outputs, filters), np.float32)
    for output in range(outputs):
        for tap in range(taps):
            source = output * axis.stride + tap * axis.dilation - axis.before - first * inputs
            kernel[:, :, source // inputs, source % inputs, :, output, :] = conv.kernel[:, :, tap]
    return Convolution(
        kernel.reshape(folded, across, count, inputs * channels, outputs * filters),
        np.tile(conv.bias, outputs),
        (conv.axes[0], conv.axes[1], slide),
    )


def unfolded(conv: Convolution) -> Convolution:
    """The same convolution over pixels laid side by side, channels (across, folded, in)."""
    folded, across, down, inputs, filters = conv.kernel.shape
    kernel = conv.kernel.transpose(2, 1, 0, 3, 4)
    kernel = kernel.reshape(1, 1, down, across * folded * inputs, filters)
    return Convolution(kernel, conv.bias, (Axis(), Axis(), conv.axes[2]))


# What copying costs in multiply-accumulates: per contiguous piece, and per element. Measured on
# x86-64 (AVX-512, float32) on the convolutions of he, where pieces of one to three elements made
# copying slower than multiplying the zeros it would have saved.
PIECE = 200
ELEMENT = 20


def stacked(conv: Convolution) -> Convolution:
    """The same convolution over neighbors down laid side by side, channels (down, in)."""
    folded, across, down, inputs, filters = conv.kernel.shape
    kernel = conv.kernel.reshape(folded, across, 1, down * inputs, filters)
    return Convolution(kernel, conv.bias, (*conv.axes[:2], Axis()))


def stacking_pays(conv: Convolution, size: tuple[int, int, int], contiguous: int) -> bool:
    """Whether laying neighbors down side by side copies less than the other two ways cost.

    Args:
        conv: The convolution.
        size: Of the volume that enters: folded, across, down.
        contiguous: Elements of a pixel that lie together in memory.
    """
    slides = conv.axes[:2]
    # Keras has no strides along one axis with dilation along another.
    if any(axis.stride > 1 for axis in slides) and any(axis.dilation > 1 for axis in slides):
        return False
    inputs = conv.kernel.shape[3]
    folded, across, down = conv.output(size)
    copied = size[0] * size[1] * down * conv.taps[2] * inputs
    exact = folded * across * down * conv.kernel.size
    zeros = exact // conv.taps[0] * (size[0] - conv.taps[0])
    unfolding = folded * conv.taps[0] * (size[1] + across * conv.taps[1]) * size[2] * inputs
    return _copying(copied, inputs) < min(zeros, _copying(unfolding, contiguous))


def _copying(elements: int, contiguous: int) -> int:
    """What copying costs in multiply-accumulates."""
    return ELEMENT * elements + PIECE * elements // contiguous


def unfolding_pays(conv: Convolution, size: tuple[int, int, int], contiguous: int) -> bool:
    """Whether copying the pixels under the kernel costs less than multiplying zeros.

    Args:
        conv: The convolution.
        size: Of the volume that enters: folded, across, down.
        contiguous: Elements of a pixel that lie together in memory.
    """
    folded, across, down = conv.output(size)
    per_position = int(np.prod(conv.taps)) * int(np.prod(conv.kernel.shape[3:]))
    exact = folded * across * down * per_position
    # The folded kernel has the whole folded axis instead of its taps.
    zeros = exact // conv.taps[0] * size[0]
    pixels = folded * conv.taps[0] * (size[1] + across * conv.taps[1])
    elements = pixels * size[2] * conv.kernel.shape[3]
    return bool(exact + _copying(elements, contiguous) < zeros)


def merged(parts: list[Convolution]) -> Convolution | None:
    """The one convolution equal to the sum of parallel ones over the same volume.

    Shorter kernels are embedded in the longest, tap on tap. None where strides or dilations
    differ, or where the embedded zeros would cost more than the sum saves.

    Args:
        parts: Convolutions whose outputs have the same size.
    """
    first = parts[0]
    steps = [[(axis.stride, axis.dilation) for axis in part.axes] for part in parts]
    if any(step != steps[0] for step in steps) or any(dilation > 1 for _, dilation in steps[0]):
        return None
    axes = []
    sizes = []
    for place, axis in enumerate(first.axes):
        before = max(part.axes[place].before for part in parts)
        # Of the taps counted from the output's own position, the one farthest on.
        last = max(part.taps[place] - 1 - part.axes[place].before for part in parts)
        after = axis.after + last - (first.taps[place] - 1 - axis.before)
        axes.append(axis._replace(before=before, after=after))
        sizes.append(before + last + 1)
    kernel = np.zeros((*sizes, *first.kernel.shape[3:]), np.float32)
    if kernel.size > sum(part.kernel.size for part in parts):
        return None
    for part in parts:
        window = tuple(
            slice(whole.before - own.before, whole.before - own.before + taps)
            for whole, own, taps in zip(axes, part.axes, part.taps, strict=True)
        )
        kernel[window] += part.kernel
    bias = np.stack([part.bias for part in parts]).sum(axis=0)
    return Convolution(kernel, bias, (axes[0], axes[1], axes[2]))
