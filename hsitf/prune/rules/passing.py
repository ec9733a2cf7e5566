"""Layers that pass channels on: depthwise convolutions, pooling, padding, slopes."""

from __future__ import annotations

import numpy as np

from hsitf.graph import Call
from hsitf.prune.channel_graph import (
    ChannelGraph,
    ChannelIds,
    TracedCall,
    all_indices,
    broadcast_ids,
    ids_along,
)
from hsitf.prune.rules.base import (
    KeepMask,
    PruningRule,
    ThinningSpec,
    biased,
    grid,
    kept_inputs_outputs,
    output_shape,
    thin_nothing,
)
from hsitf.prune.rules.positions import (
    keep_positions,
    output_ids,
    passed_ids,
    pointwise_kernels,
    position_axis,
    sliding_kernels,
)


def _trace_depthwise(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer, (ids,) = call.operation, inputs
    found = position_axis(graph.name(layer), ids, sliding_kernels(layer, layer.kernel_size), graph)
    channels = np.repeat(passed_ids(ids, found, graph), layer.depth_multiplier)
    return output_ids(output_shape(layer, inputs), channels, found, graph)


def _thin_depthwise(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, columns = kept_inputs_outputs(traced, keep)
    kernel = (*all_indices(layer.kernel.shape[:-2]), rows, np.arange(layer.depth_multiplier))
    return ThinningSpec({}, biased(layer, kernel, columns))


def _trace_pooling(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer, (ids,) = call.operation, inputs
    found = position_axis(graph.name(layer), ids, sliding_kernels(layer, layer.pool_size), graph)
    return output_ids(output_shape(layer, inputs), passed_ids(ids, found, graph), found, graph)


def _trace_window(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Global pooling, padding, cropping and repetition of positions: channels are unchanged."""
    keep_positions(inputs[0], graph)
    return broadcast_ids(ids_along(inputs[0], -1), output_shape(call.operation, inputs))


def _trace_block(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """What is kept has to be a block of the axes, for slopes and layers that take no other rank."""
    ids = inputs[0]
    position_axis(graph.name(call.operation), ids, pointwise_kernels(ids.ndim - 1), graph)
    return ids


def _thin_prelu(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    indices = grid(traced, traced.inputs[0], keep)
    lengths = traced.call.operation.alpha.shape
    shared = [
        np.arange(1) if length == 1 else index
        for length, index in zip(lengths, indices, strict=True)
    ]
    return ThinningSpec({}, [tuple(shared)])


DEPTHWISE = PruningRule(_trace_depthwise, _thin_depthwise)
POOLING = PruningRule(_trace_pooling, thin_nothing)
WINDOW = PruningRule(_trace_window, thin_nothing)
SLOPES = PruningRule(_trace_block, _thin_prelu)
BLOCK = PruningRule(_trace_block, thin_nothing)
