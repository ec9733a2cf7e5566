"""Pools of an ONNX graph: over windows and over all positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from keras import KerasTensor, layers, ops

from hsitf.adopt.onnx.axes import AxisTensor
from hsitf.adopt.onnx.node import OnnxNode
from hsitf.adopt.onnx.windows import WindowAxis, sliding_window, zero_padded
from hsitf.arrays import Float32Array

_MAXIMA = (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D)
_MEANS = (layers.AveragePooling1D, layers.AveragePooling2D, layers.AveragePooling3D)


def max_pooling(node: OnnxNode) -> AxisTensor:
    """MaxPool; padding never is the maximum."""
    if len(node.outputs) > 1 and node.outputs[1]:
        raise node.error("gives the positions of maxima, which cannot be adopted")
    value = node.channels_last()
    window = _pool_window(node, value)
    tensor, padding = value.tensor, _padding(window)
    if not padding and value.nonnegative:
        tensor = zero_padded(node, tensor, window)
    elif not padding:
        tensor = _edge_padded(node, tensor, window)
    made = _pooled(node, _MAXIMA, tensor, window, padding)
    return value.changed(made, nonnegative=value.nonnegative)


def average_pooling(node: OnnxNode) -> AxisTensor:
    """AveragePool, whose mean counts padding or does not."""
    value = node.channels_last()
    declared = sliding_window(node, value, node.attributes["kernel_shape"])
    window = _pool_window(node, value)
    padded = any(axis.before or axis.after for axis in declared)
    counted = bool(node.attributes.get("count_include_pad", 0)) and padded
    if counted and window != declared:
        raise node.error(
            "counts padding in means of windows that end outside of it",
            received="count_include_pad=1 with ceil_mode=1",
            remedy="write the network with ceil_mode=False",
        )
    tensor, padding = value.tensor, "" if counted else _padding(window)
    if not padding:
        tensor = zero_padded(node, tensor, window)
    made = _pooled(node, _MEANS, tensor, window, padding)
    if not padding and not counted:
        scale = _inverse_shares(window).tolist()
        made = node.layer(layers.Rescaling, made, part="without_padding", scale=scale)
    return value.changed(made, nonnegative=value.nonnegative)


def _pool_window(node: OnnxNode, value: AxisTensor) -> list[WindowAxis]:
    """The window of a pool, where `ceil_mode` pads for a last window that ends outside."""
    window = sliding_window(node, value, node.attributes["kernel_shape"])
    if any(axis.dilation > 1 for axis in window):
        raise node.error(
            "is a pool with dilation, which Keras does not have",
            received=node.attributes["dilations"],
            allowed=1,
        )
    if not node.attributes.get("ceil_mode", 0):
        return window
    return [_ceiled(axis) for axis in window]


def _ceiled(axis: WindowAxis) -> WindowAxis:
    padded = axis.length + axis.before + axis.after
    count = -(-(padded - axis.extent) // axis.stride) + 1
    # A window that starts behind the last position is left out.
    if (count - 1) * axis.stride >= axis.length + axis.before:
        count -= 1
    more = (count - 1) * axis.stride + axis.extent - padded
    return replace(axis, after=axis.after + max(more, 0))


def _padding(window: list[WindowAxis]) -> str:
    """The padding of Keras that a window has; empty where it has another."""
    if not any(axis.before or axis.after for axis in window):
        return "valid"
    return "same" if all(axis.is_same for axis in window) else ""


def _pooled(
    node: OnnxNode,
    kinds: Sequence[Callable[..., Any]],
    tensor: KerasTensor,
    window: list[WindowAxis],
    padding: str,
) -> KerasTensor:
    return node.layer(
        kinds[len(window) - 1],
        tensor,
        pool_size=[axis.size for axis in window],
        strides=[axis.stride for axis in window],
        padding=padding or "valid",
    )


def _edge_padded(node: OnnxNode, tensor: KerasTensor, window: list[WindowAxis]) -> KerasTensor:
    """A tensor with its border repeated, which changes no maximum.

    Windows that read padding read the border, too: padding is shorter than they are.
    """
    for number, axis in enumerate(window, 1):
        positions = np.arange(-axis.before, axis.length + axis.after)
        if axis.before or axis.after:
            chosen = positions.clip(0, axis.length - 1).tolist()
            tensor = node.operation(ops.take, tensor, chosen, axis=number)
    return tensor


def _inverse_shares(window: list[WindowAxis]) -> Float32Array:
    """Size of each window over the number of its positions that are no padding.

    Returns:
        `(..., 1)`, one axis for each of positions and one for channels.
    """
    whole = np.ones(1)
    for axis in reversed(window):
        starts = np.arange(axis.count) * axis.stride - axis.before
        inside = np.minimum(starts + axis.size, axis.length) - np.maximum(starts, 0)
        whole = np.multiply.outer(axis.size / inside, whole)
    return np.asarray(whole, np.float32)


def global_pooling(one: Callable[..., Any], *more: Callable[..., Any]) -> Any:
    """The conversion of a pool over all positions, from the layers for one, two and three axes."""
    kinds = (one, *more)

    def convert(node: OnnxNode) -> AxisTensor:
        value = node.channels_last()
        count = value.rank - 2
        if count not in (1, 2, 3):
            raise node.error("pools over no positions", received=value.sizes)
        tensor = node.layer(kinds[count - 1], value.tensor, keepdims=True)
        return value.changed(tensor, nonnegative=value.nonnegative)

    return convert


global_average_pooling = global_pooling(
    layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D
)
global_max_pooling = global_pooling(
    layers.GlobalMaxPooling1D, layers.GlobalMaxPooling2D, layers.GlobalMaxPooling3D
)
