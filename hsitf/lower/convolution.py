"""Convolutions of a volume, and how each becomes one 2-D convolution.

The volume has three axes, of which the 2-D operator slides over two: `down` (the spectrum of a
3-D network, the rows of an image) and `across` (columns). The third, `folded` (the rows of a
3-D network), lies beside the filters in the channels: memory order (down, across, folded,
filters). Sliding along the folded axis is written into the kernel, which becomes block-Toeplitz:

    K2[d, a, (i, f), (o, g)] = K[i - o * stride + before, a, d, f, g]

or 0 where that tap does not exist. Patches are small (3 to 27 pixels), so the zeros cost less
than an operator per row would. A kernel that touches one pixel only needs no folding: the
memory is then read as (down, across * folded, filters), the same bytes.
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
