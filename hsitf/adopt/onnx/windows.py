"""Windows that slide over the positions of an ONNX graph's tensors, and their padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from keras import KerasTensor, layers

from hsitf.adopt.onnx.axes import AxisTensor
from hsitf.adopt.onnx.node import OnnxNode

_ZEROS = (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)


@dataclass(frozen=True)
class WindowAxis:
    """What slides along one axis of positions.

    Attributes:
        length: Positions of the axis.
        size: Positions that the window reads.
        stride: Positions from one window to the next.
        dilation: Positions from one that it reads to the next.
        before: Positions of padding in front.
        after: Positions of padding behind.
    """

    length: int
    size: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def extent(self) -> int:
        """Positions from the first that the window reads to the last, both included."""
        return (self.size - 1) * self.dilation + 1

    @property
    def count(self) -> int:
        """Windows that fit."""
        return (self.length + self.before + self.after - self.extent) // self.stride + 1

    @property
    def is_same(self) -> bool:
        """Whether the padding is that of Keras' "same"."""
        total = same_padding(self.length, self.extent, self.stride)
        return (self.before, self.after) == (total // 2, total - total // 2)


def same_padding(length: int, extent: int, stride: int) -> int:
    """Positions of padding with which there is a window for each stride of the axis."""
    count = -(-length // stride)
    return max((count - 1) * stride + extent - length, 0)


def sliding_window(node: OnnxNode, value: AxisTensor, size: Sequence[int]) -> list[WindowAxis]:
    """The window of a node along each axis of positions, in their order in the tensor.

    Args:
        node: The node.
        value: What it slides over, channels last.
        size: Size of the window in the order of the graph.

    Raises:
        InputError: There are not one to three such axes, padding is negative, or no window fits.
    """
    lengths, count = value.sizes[1:], value.rank - 2
    if count not in (1, 2, 3) or len(size) != count:
        raise node.error(
            "slides over another number of axes than can be adopted",
            received=f"a window of {list(size)} over {list(lengths)}",
            allowed="one to three",
        )
    ones = [1] * count
    strides = node.attributes.get("strides", ones)
    dilations = node.attributes.get("dilations", ones)
    pads = node.attributes.get("pads", [0] * 2 * count)
    rule = node.attributes.get("auto_pad", "NOTSET")
    found = []
    for axis in range(count):
        one = WindowAxis(lengths[axis], size[axis], strides[axis], dilations[axis], 0, 0)
        if rule in ("SAME_UPPER", "SAME_LOWER"):
            total = same_padding(one.length, one.extent, one.stride)
            shorter, longer = total // 2, total - total // 2
            upper = rule == "SAME_UPPER"
            one = replace(
                one, before=shorter if upper else longer, after=longer if upper else shorter
            )
        elif rule == "NOTSET":
            one = replace(one, before=pads[axis], after=pads[count + axis])
        if min(one.before, one.after) < 0 or min(one.stride, one.dilation, one.count) < 1:
            raise node.error("has a window that does not fit", received=one)
        found.append(one)
    return [found[axis - 2] for axis in value.order[1:-1]]


def zero_padded(node: OnnxNode, tensor: KerasTensor, window: list[WindowAxis]) -> KerasTensor:
    """A tensor with zeros around it."""
    pads = [(axis.before, axis.after) for axis in window]
    layer = _ZEROS[len(window) - 1]
    return node.layer(layer, tensor, part="pad", padding=pads[0] if len(pads) == 1 else pads)


def every_stride(
    node: OnnxNode, tensor: KerasTensor, starts: list[int], axes: list[WindowAxis]
) -> Any:
    """Takes what strides would have left of positions computed one by one."""
    key = [
        slice(start, start + (axis.count - 1) * axis.stride + 1, axis.stride)
        for start, axis in zip(starts, axes, strict=True)
    ]
    everything = (slice(None), *key)
    return node.operation(lambda whole: whole[everything], tensor)
