"""Products of two tensors, and tokens and positions that a network has learned."""

from __future__ import annotations

import numpy as np

from hsitf.errors import InputError
from hsitf.graph import Call
from hsitf.operators.products import ProductEquation
from hsitf.prune.channel_graph import (
    FIXED,
    ChannelGraph,
    ChannelIds,
    TracedCall,
    broadcast_ids,
    ids_along,
    squeeze_repeated,
    varying_axes,
)
from hsitf.prune.rules.base import (
    KeepMask,
    PruningRule,
    ThinningSpec,
    grid,
    thin_nothing,
    trace_same,
)
from hsitf.prune.rules.positions import keep_positions, pointwise_kernels, position_axis


def _channel_axis(ids: ChannelIds, axes: str, graph: ChannelGraph) -> str:
    """The axis along which the channels of a tensor differ; empty where none can go."""
    graph.protect(graph.positions_of(squeeze_repeated(ids)))
    differing = varying_axes(graph.channels_of(squeeze_repeated(ids)))
    if len(differing) > 1:
        graph.protect(ids)
    return axes[differing[0]] if len(differing) == 1 else ""


def _trace_product(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """A product of two tensors: what is summed over goes together, the rest passes through.

    Where channels of both tensors would leave, along two axes, those of the first one are kept.
    """
    if len(inputs) != 2:
        raise InputError(
            f"operation {graph.name(call.operation)!r} multiplies by an array of its own",
            received=type(call.operation).__name__,
            allowed="two tensors of the network",
            remedy="put the array into a Dense layer",
        )
    one, other = inputs
    equation = ProductEquation.of(call.operation, [one.shape, other.shape], InputError)
    terms = (equation.one, equation.other)
    axes = [_channel_axis(ids, term, graph) for ids, term in zip(inputs, terms, strict=True)]
    along = [
        ids_along(ids, term.index(axis)) if axis else np.array([FIXED])
        for ids, term, axis in zip(inputs, terms, axes, strict=True)
    ]
    if axes[0] == axes[1] and axes[0]:
        graph.couple(along[0], along[1])
    else:
        for number, axis in enumerate(axes):
            alone = axis in equation.leaving and axis not in terms[1 - number]
            # The other tensor has all of an axis that both have.
            if axis and not (alone and (number or axes[1] not in equation.leaving or not axes[1])):
                graph.protect(along[number])
                axes[number] = ""
    sizes = dict(zip(terms[0] + terms[1], one.shape + other.shape, strict=True))
    shape = [sizes[letter] for letter in equation.leaving]
    made = np.full(shape, FIXED, np.int64)
    for axis, ids in zip(axes, along, strict=True):
        if axis and axis in equation.leaving:
            around = [len(ids) if letter == axis else 1 for letter in equation.leaving]
            made = np.broadcast_to(ids.reshape(around), shape)
    leaving = tuple(int(size or 0) for size in call.shapes[0][1:])
    return made.reshape(leaving)


def _trace_attention(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Attention without projections: what queries and keys have goes together, values pass."""
    if len(call.node.outputs) > 1:
        raise InputError(
            f"layer {graph.name(call.operation)!r} returns its scores, too",
            received="return_attention_scores=True",
            remedy="build the network without them",
        )
    for ids in inputs:
        keep_positions(ids, graph)
    # The tensors come as a list: queries, values, and keys where they are not the values.
    query, value = inputs[0], inputs[1]
    key = inputs[2] if len(inputs) > 2 else value
    graph.couple(ids_along(query, -1), ids_along(key, -1))
    return broadcast_ids(ids_along(value, -1), (query.shape[0], value.shape[-1]))


def _thin_attention(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    return ThinningSpec({}, [()] * len(traced.call.operation.weights))


# --- learned tokens -------------------------------------------------------------------------


def _trace_tokens(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Tokens in front of others have the same channels."""
    keep_positions(inputs[0], graph)
    channels = ids_along(inputs[0], -1)
    tokens, width = inputs[0].shape
    return broadcast_ids(channels, (tokens + call.operation.count, width))


def _thin_tokens(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    channels = grid(traced, traced.inputs[0], keep)[-1]
    return ThinningSpec({}, [(np.arange(traced.call.operation.count), channels)])


def _trace_positions(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    ids = inputs[0]
    position_axis(graph.name(call.operation), ids, pointwise_kernels(ids.ndim - 1), graph)
    return ids


def _thin_positions(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    return ThinningSpec({}, [tuple(grid(traced, traced.inputs[0], keep))])


def _thin_factor(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    return ThinningSpec({}, [()])


DOT_ATTENTION = PruningRule(_trace_attention, _thin_attention, consumes=True)
PRODUCT = PruningRule(_trace_product, thin_nothing, consumes=True)
TOKENS = PruningRule(_trace_tokens, _thin_tokens)
POSITIONS = PruningRule(_trace_positions, _thin_positions)
FACTOR = PruningRule(trace_same, _thin_factor)
