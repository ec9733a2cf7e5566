"""Layers that make channels: convolutions and products with a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hsitf.errors import InputError
from hsitf.graph import Call
from hsitf.operators.equations import EinsumEquation
from hsitf.prune.channel_graph import (
    ChannelGraph,
    ChannelIds,
    Indices,
    TracedCall,
    all_indices,
    broadcast_ids,
    ids_along,
)
from hsitf.prune.rules.base import (
    Array,
    KeepMask,
    PruningRule,
    ThinningSpec,
    biased,
    grid,
    kept_inputs_outputs,
    output_shape,
)
from hsitf.prune.rules.positions import (
    keep_positions,
    output_ids,
    passed_ids,
    pointwise_kernels,
    position_axis,
    sliding_kernels,
)


def _is_depthwise(layer: Any, channels: int) -> bool:
    """Whether each group of a convolution is one channel, as in a depthwise convolution."""
    return bool(layer.groups > 1 and layer.groups == channels)


def _trace_convolution(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer, (ids,) = call.operation, inputs
    name = graph.name(layer)
    found = position_axis(name, ids, sliding_kernels(layer, layer.kernel_size), graph)
    if _is_depthwise(layer, ids.shape[-1]):
        passed = np.repeat(passed_ids(ids, found, graph), layer.filters // layer.groups)
        return output_ids(output_shape(layer, inputs), passed, found, graph)
    made = graph.new_channels(name, layer.filters)
    if layer.groups > 1:
        # Each group loses the same indices; else the groups would differ in size.
        for channel in (ids_along(ids, -1), made):
            indices = channel.reshape(layer.groups, -1)
            graph.couple(indices, indices[:1])
    return output_ids(output_shape(layer, inputs), made, found, graph)


def _thin_convolution(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, columns = kept_inputs_outputs(traced, keep)
    *extents, depth, _ = layer.kernel.shape
    kernel = (*all_indices(extents), rows[rows < depth], columns)
    config = {"filters": len(columns)}
    if _is_depthwise(layer, traced.inputs[0].shape[-1]):
        config["groups"] = len(rows)
        kernel = (*all_indices(extents), np.arange(depth), columns)
    return ThinningSpec(config, biased(layer, kernel, columns))


def _trace_transposed(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer = call.operation
    keep_positions(inputs[0], graph)
    return broadcast_ids(
        graph.new_channels(graph.name(layer), layer.filters), output_shape(layer, inputs)
    )


def _thin_transposed(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, columns = kept_inputs_outputs(traced, keep)
    kernel = (*all_indices(layer.kernel.shape[:-2]), columns, rows)
    return ThinningSpec({"filters": len(columns)}, biased(layer, kernel, columns))


def _rows_transposed(layer: Any, weights: Sequence[Array]) -> Array:
    return np.moveaxis(weights[0], -2, 0).reshape(layer.filters, -1)


def _trace_dense(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer, (ids,) = call.operation, inputs
    name = graph.name(layer)
    found = position_axis(name, ids, pointwise_kernels(ids.ndim - 1), graph)
    return output_ids(
        output_shape(layer, inputs), graph.new_channels(name, layer.units), found, graph
    )


def _thin_dense(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    rows, columns = kept_inputs_outputs(traced, keep)
    indices = biased(traced.call.operation, (rows, columns), columns)
    return ThinningSpec({"units": len(columns)}, indices)


def _trace_separable(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer, (ids,) = call.operation, inputs
    name = graph.name(layer)
    found = position_axis(name, ids, sliding_kernels(layer, layer.kernel_size), graph)
    return output_ids(
        output_shape(layer, inputs), graph.new_channels(name, layer.filters), found, graph
    )


def _thin_separable(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, columns = kept_inputs_outputs(traced, keep)
    times = layer.depth_multiplier
    extents = all_indices(layer.depthwise_kernel.shape[:-2])
    pointwise = (*all_indices([1] * len(extents)), _repeated(rows, times), columns)
    bias: list[tuple[Indices, ...]] = [(columns,)] if layer.use_bias else []
    depthwise = (*extents, rows, np.arange(times))
    return ThinningSpec({"filters": len(columns)}, [depthwise, pointwise, *bias])


def _rows_separable(layer: Any, weights: Sequence[Array]) -> Array:
    return np.asarray(weights[1].reshape(-1, layer.filters).T)


def _repeated(rows: Indices, times: int) -> Indices:
    """Indices of channels each of which was repeated."""
    return (rows[:, None] * times + np.arange(times)).ravel()


# --- products by an equation ----------------------------------------------------------------


def _trace_einsum(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer, (ids,) = call.operation, inputs
    name = graph.name(layer)
    if not EinsumEquation.of(layer, ids.ndim + 1).is_dense:
        raise InputError(
            f"the equation of layer {name!r} cannot be pruned through",
            received=layer.equation,
            allowed="one that sums over the last axis and makes a new last axis, such as "
            "...x,xy->...y",
            remedy="use Dense, with Permute and Reshape around it",
        )
    found = position_axis(name, ids, pointwise_kernels(ids.ndim - 1), graph)
    shape = output_shape(layer, inputs)
    return output_ids(shape, graph.new_channels(name, shape[-1]), found, graph)


def _thin_einsum(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, columns = kept_inputs_outputs(traced, keep)
    equation = EinsumEquation.of(layer, traced.inputs[0].ndim + 1)
    kernel = (rows, columns) if equation.reads_first else (columns, rows)
    indices: list[tuple[Indices, ...]] = [kernel]
    if layer.bias is not None:
        *around, last = layer.bias.shape
        indices.append((*all_indices(around), columns if last > 1 else np.arange(1)))
    left = [len(index) for index in grid(traced, traced.outputs[0], keep)]
    if "..." in layer.equation:
        # The configuration tells the sizes of the axes that have a name.
        left = left[-len(layer.equation.rpartition("...")[2]) :]
    return ThinningSpec({"output_shape": tuple(left)}, indices)


def _rows_einsum(layer: Any, weights: Sequence[Array]) -> Array:
    kernel = weights[0]
    reads_first = EinsumEquation.of(layer).reads_first
    return np.asarray(kernel.T if reads_first else kernel)


CONVOLUTION = PruningRule(_trace_convolution, _thin_convolution, consumes=True)
TRANSPOSED_CONVOLUTION = PruningRule(
    _trace_transposed, _thin_transposed, consumes=True, channel_rows=_rows_transposed
)
SEPARABLE_CONVOLUTION = PruningRule(
    _trace_separable, _thin_separable, consumes=True, channel_rows=_rows_separable
)
DENSE = PruningRule(_trace_dense, _thin_dense, consumes=True)
EINSUM = PruningRule(_trace_einsum, _thin_einsum, consumes=True, channel_rows=_rows_einsum)
