"""Normalization, and scaling of each channel by a number of its own."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from hsitf.errors import InputError
from hsitf.graph import Call
from hsitf.prune.channel_graph import (
    FIXED,
    ChannelGraph,
    ChannelIds,
    Indices,
    TracedCall,
    all_indices,
    ids_along,
    varying_axes,
)
from hsitf.prune.rules.base import (
    KeepMask,
    PruningRule,
    ThinningSpec,
    grid,
    output_shape,
    thin_nothing,
)
from hsitf.prune.rules.positions import keep_positions, pointwise_kernels, position_axis


def _normalized_axes(layer: Any) -> list[int]:
    """Axes along which a layer has weights, without batch."""
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    return [axis - 1 if axis > 0 else axis for axis in axes]


def _trace_normalization(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    for axis in _normalized_axes(call.operation):
        ids = np.moveaxis(inputs[0], axis, -1)
        position_axis(graph.name(call.operation), ids, pointwise_kernels(ids.ndim - 1), graph)
    return inputs[0]


def _thin_normalization(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    kept = _kept_axes(traced, keep)
    return ThinningSpec({}, [kept] * len(layer.weights))


def _kept_axes(traced: TracedCall, keep: KeepMask) -> tuple[Indices, ...]:
    indices = grid(traced, traced.inputs[0], keep)
    return tuple(indices[axis] for axis in _normalized_axes(traced.call.operation))


# --- by the sample's own statistics ---------------------------------------------------------


def _trace_neighbors(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Local response normalization: each channel is scaled by its neighbors."""
    graph.mark_approximate(
        inputs[0], f"{graph.name(call.operation)} measures each channel by others"
    )
    return inputs[0]


def _trace_layer_normalization(
    call: Call, inputs: list[ChannelIds], graph: ChannelGraph
) -> ChannelIds:
    """Layer normalization: mean and variance change with every channel that is removed.

    Along other axes than that of the channels, each channel has statistics of its own.
    """
    ids, axes = inputs[0], _normalized_axes(call.operation)
    if {axis % ids.ndim for axis in axes} & set(varying_axes(ids)):
        _trace_neighbors(call, inputs, graph)
    return _trace_normalization(call, inputs, graph)


def _trace_group_normalization(
    call: Call, inputs: list[ChannelIds], graph: ChannelGraph
) -> ChannelIds:
    """Group normalization: the statistics of a group are its own, so groups go as a whole."""
    layer, (ids,) = call.operation, inputs
    if layer.axis % (ids.ndim + 1) != ids.ndim:
        raise InputError(
            f"layer {graph.name(layer)!r} has its groups along another axis than the channels",
            received=f"axis {layer.axis}",
            allowed="the last axis",
            remedy="permute the axes before it",
        )
    keep_positions(ids, graph)
    groups = ids_along(ids, -1).reshape(layer.groups, -1)
    graph.couple(groups, groups[:, :1])
    return ids


def _thin_group_normalization(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    channels = grid(traced, traced.inputs[0], keep)[-1]
    left = len(channels) * layer.groups // traced.inputs[0].shape[-1]
    return ThinningSpec({"groups": left}, [(channels,)] * len(layer.weights))


def _trace_mean_square(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    keep_positions(inputs[0], graph)
    return inputs[0]


def _thin_mean_square(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    """RMSNormalization, in whose mean the channels that are removed count as zeros.

    With k of C channels left, the mean of the squares S / C is computed as S / k. To be the same,

        x rsqrt(S / C + e) s = x rsqrt(S / k + e C / k) (s sqrt(C / k))
    """
    layer = traced.call.operation
    kept = _kept_axes(traced, keep)
    shape = traced.inputs[0].shape
    share = prod(map(len, kept)) / prod(shape[axis] for axis in _normalized_axes(layer))
    return ThinningSpec({"epsilon": layer.epsilon / share}, [kept], factors=(share**-0.5,))


def _trace_spectra(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Whole spectra, normalized or weighed by wavelength: nothing can go before it or behind it."""
    graph.protect(inputs[0])
    return np.full(output_shape(call.operation, inputs), FIXED, np.int64)


def _thin_filters(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    """All filters stay: a few, of which each is a function of wavelength for any sensor."""
    weights = traced.call.operation.get_weights()
    return ThinningSpec(kept_indices=[tuple(all_indices(each.shape)) for each in weights])


# --- by numbers of a layer ------------------------------------------------------------------


def _trace_rescaling(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """What is kept has to be a block where factors or terms are."""
    layer, ids = call.operation, inputs[0]
    if max(np.size(layer.scale), np.size(layer.offset)) > 1:
        position_axis(graph.name(layer), ids, pointwise_kernels(ids.ndim - 1), graph)
    return ids


def _thin_rescaling(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    if max(np.size(layer.scale), np.size(layer.offset)) == 1:
        return ThinningSpec()
    indices = grid(traced, traced.inputs[0], keep)

    def left(value: Any) -> Any:
        array = np.asarray(value)
        for axis in range(-array.ndim, 0):
            if array.shape[axis] > 1:
                array = np.take(array, indices[axis], axis=axis)
        return array.tolist()

    return ThinningSpec({"scale": left(layer.scale), "offset": left(layer.offset)})


def _thin_standardization(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    """Normalization: its means and variances are weights, or constants that it was given."""
    layer = traced.call.operation
    # Its axes may be in any order, those of its weights are sorted.
    axes = sorted(axis % traced.inputs[0].ndim for axis in _normalized_axes(layer))
    indices = grid(traced, traced.inputs[0], keep)
    kept = tuple(indices[axis] for axis in axes)
    if layer.weights:
        # The third weight counts the samples that it has seen.
        return ThinningSpec({}, [kept, kept, ()])
    along = tuple(axis + 1 for axis in axes)

    def left(value: Any) -> Any:
        array = np.asarray(value)
        array = array.reshape([array.shape[axis] for axis in along])
        return array[np.ix_(*kept)].tolist()

    return ThinningSpec({"mean": left(layer.mean), "variance": left(layer.variance)})


def _trace_layer_scale(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    ids = inputs[0]
    position_axis(graph.name(call.operation), ids, pointwise_kernels(ids.ndim - 1), graph)
    return ids


def _thin_layer_scale(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    channels = grid(traced, traced.inputs[0], keep)[-1]
    return ThinningSpec({"projection_dim": len(channels)}, [(channels,)])


BATCH_NORMALIZATION = PruningRule(_trace_normalization, _thin_normalization)
LAYER_NORMALIZATION = PruningRule(_trace_layer_normalization, _thin_normalization)
GROUP_NORMALIZATION = PruningRule(_trace_group_normalization, _thin_group_normalization)
RMS_NORMALIZATION = PruningRule(_trace_mean_square, _thin_mean_square, consumes=True)
RESPONSE_NORMALIZATION = PruningRule(_trace_neighbors, thin_nothing)
PIXEL_NORMALIZATION = PruningRule(_trace_spectra, thin_nothing)
WAVELENGTH_FILTERS = PruningRule(_trace_spectra, _thin_filters)
RESCALING = PruningRule(_trace_rescaling, _thin_rescaling)
STANDARDIZATION = PruningRule(_trace_normalization, _thin_standardization)
LAYER_SCALE = PruningRule(_trace_layer_scale, _thin_layer_scale)
