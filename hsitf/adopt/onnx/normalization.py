"""Normalization and statistics in an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import layers, ops

from hsitf.adopt.onnx.axes import AxisTensor, graph_order, without
from hsitf.adopt.onnx.node import OnnxNode
from hsitf.adopt.onnx.pooling import global_average_pooling, global_max_pooling
from hsitf.layers import LocalResponseNormalization

# From this opset on, group normalization has a scale for each channel; before, for each group.
_SCALE_PER_CHANNEL = 21


def batch_normalization(node: OnnxNode) -> AxisTensor:
    """BatchNormalization in inference, by the statistics of training."""
    if node.attributes.get("training_mode", 0) or not node.attributes.get("spatial", 1):
        raise node.error(
            "is in training mode, or has statistics for each position",
            remedy="call model.eval() before the export",
        )
    value = node.channels_last()
    made = node.layer(
        layers.BatchNormalization,
        value.tensor,
        [node.weights(index) for index in (1, 2, 3, 4)],
        epsilon=float(node.attributes.get("epsilon", 1e-5)),
    )
    return value.changed(made)


def instance_normalization(node: OnnxNode) -> AxisTensor:
    """InstanceNormalization: each channel is a group."""
    value = node.channels_last()
    return _grouped(node, value, value.sizes[0], node.weights(1), node.weights(2))


def group_normalization(node: OnnxNode) -> AxisTensor:
    """GroupNormalization."""
    value = node.channels_last()
    groups = int(node.attributes["num_groups"])
    scale, bias = node.weights(1), node.weights(2)
    if node.opset < _SCALE_PER_CHANNEL:
        scale, bias = (np.repeat(one, value.sizes[0] // groups) for one in (scale, bias))
    return _grouped(node, value, groups, scale, bias)


def _grouped(node: OnnxNode, value: AxisTensor, groups: int, scale: Any, bias: Any) -> AxisTensor:
    made = node.layer(
        layers.GroupNormalization,
        value.tensor,
        [scale, bias],
        groups=groups,
        epsilon=float(node.attributes.get("epsilon", 1e-5)),
    )
    return value.changed(made)


def layer_normalization(node: OnnxNode) -> AxisTensor:
    """LayerNormalization along the last axes of the graph."""
    if any(node.outputs[1:]):
        raise node.error("gives its statistics, which cannot be adopted")
    value = node.any_tensor()
    first = value.axis(int(node.attributes.get("axis", -1)))
    if value.order[first:] != graph_order(value.rank)[first:]:
        value = node.permuted(value, graph_order(value.rank))
    axes = list(range(first, value.rank))
    shape = value.sizes[first - 1 :]
    weights = [np.broadcast_to(node.weights(1), shape)]
    if node.has(2):
        weights.append(np.broadcast_to(node.weights(2), shape))
    made = node.layer(
        layers.LayerNormalization,
        value.tensor,
        weights,
        axis=axes if len(axes) > 1 else -1,
        center=node.has(2),
        epsilon=float(node.attributes.get("epsilon", 1e-5)),
    )
    return value.changed(made)


def response_normalization(node: OnnxNode) -> AxisTensor:
    """LRN over an odd number of neighboring channels."""
    size = int(node.attributes["size"])
    if size % 2 == 0:
        raise node.error("is over an even number of channels", received=size, allowed="odd numbers")
    value = node.channels_last()
    made = node.layer(
        LocalResponseNormalization,
        value.tensor,
        size=size,
        alpha=float(node.attributes.get("alpha", 1e-4)),
        beta=float(node.attributes.get("beta", 0.75)),
        bias=float(node.attributes.get("bias", 1.0)),
    )
    return value.changed(made)


def statistic(
    function: Callable[..., Any], pooling: Callable[[OnnxNode], AxisTensor] | None = None
) -> Callable[[OnnxNode], AxisTensor]:
    """The conversion of a statistic along axes; of all positions, it is a global pool."""

    def convert(node: OnnxNode) -> AxisTensor:
        value = node.any_tensor()
        axes = _reduced_axes(node, value)
        keep = bool(node.attributes.get("keepdims", 1))
        if not axes:
            return value
        positions = set(range(2, value.rank))
        pools = axes == positions and value.rank in (3, 4, 5) and not value.sampleless
        if pooling is not None and pools:
            pooled = pooling(node)
            return pooled if keep else node.reshaped(pooled, value.sizes[:1])
        where = sorted(value.position(axis) for axis in axes)
        made = node.operation(function, value.tensor, axis=where, keepdims=keep)
        order = value.order if keep else without(value.order, axes)
        return AxisTensor(made, order, sampleless=value.sampleless)

    return convert


def _reduced_axes(node: OnnxNode, value: AxisTensor) -> set[int]:
    asked, every = node.setting("axes", 1, None), range(value.graph_rank)
    if asked is None or not len(np.atleast_1d(asked)):
        asked = [] if node.attributes.get("noop_with_empty_axes", 0) else every
    axes = {value.axis(int(axis)) for axis in np.atleast_1d(asked)}
    if 0 in axes:
        raise node.error(
            "takes samples together",
            received=f"axes {sorted(axes)}",
            allowed="the axes of one sample",
            remedy="write the network with the axes named, without the first",
        )
    return axes


mean = statistic(ops.mean, global_average_pooling)
maximum = statistic(ops.max, global_max_pooling)
minimum = statistic(ops.min)
total = statistic(ops.sum)
