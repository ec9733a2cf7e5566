"""Operations of `keras.ops`."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import keras
import numpy as np
from keras import ops

from hsitf.errors import InputError
from hsitf.graph import Call
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
    kept_inputs_outputs,
    thin_nothing,
)
from hsitf.prune.rules.moving import trace_elementwise
from hsitf.prune.rules.positions import (
    keep_positions,
)


def _trace_binary(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    given = keras.tree.flatten((call.node.arguments.args, call.node.arguments.kwargs))
    constants = [value for value in given if not isinstance(value, keras.KerasTensor)]
    if any(np.size(value) > 1 for value in constants):
        raise InputError(
            f"operation {graph.name(call.operation)!r} combines channels with an array of its own",
            received=type(call.operation).__name__,
            allowed="tensors of the network, or one number",
            remedy="put the array into a layer",
        )
    return trace_elementwise(call, inputs, graph)


# --- statistics along axes ------------------------------------------------------------------


def _reduced_axes(operation: Any, ids: ChannelIds) -> tuple[int, ...]:
    """Axes that a statistic is computed along, without batch.

    Raises:
        InputError: Samples are among them.
    """
    rank, asked = ids.ndim + 1, operation.axis
    axes = range(rank) if asked is None else [asked] if isinstance(asked, int) else asked
    found = tuple(axis % rank - 1 for axis in axes)
    if -1 in found:
        raise InputError(
            f"operation {operation.name!r} takes samples together",
            received=f"axis {asked}",
            allowed="the axes of one sample",
        )
    return found


def _trace_statistic(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """A statistic along axes: of positions, channel by channel, or of channels.

    Where it is computed of some of the axes along which channels differ, those that share a
    result go together. Where it is computed of all of them, each channel may go, and counts as
    zero.
    """
    operation, (ids,) = call.operation, inputs
    axes = _reduced_axes(operation, ids)
    graph.protect(graph.positions_of(squeeze_repeated(ids)))
    differing = varying_axes(graph.channels_of(squeeze_repeated(ids)))
    first = ids[tuple(slice(0, 1) if axis in axes else slice(None) for axis in range(ids.ndim))]
    if set(differing) <= set(axes) and differing:
        first = np.full(first.shape, FIXED)
    elif set(differing) & set(axes):
        graph.couple(ids, first)
    return first if operation.keepdims else np.squeeze(first, axes)


def _thin_statistic(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    operation, (ids,) = traced.call.operation, traced.inputs
    indices = grid(traced, ids, keep)
    axes = _reduced_axes(operation, ids)
    left = prod(len(indices[axis]) for axis in axes)
    share = left / prod(ids.shape[axis] for axis in axes)
    together = traced.outputs[0]
    if share == 1 or (together != FIXED).any():
        return ThinningSpec()
    adjust = _WITH_ZEROS[type(operation).__name__]
    return ThinningSpec(
        apply=lambda values: adjust(traced.call.call_with(operation, values), share)
    )


# The statistic with the removed channels as zeros, from that of a share of the numbers.
_WITH_ZEROS: dict[str, Callable[[Any, float], Any]] = {
    "Mean": lambda value, share: value * share,
    "Sum": lambda value, share: value,
    "Max": lambda value, share: ops.maximum(value, 0.0),
    "Min": lambda value, share: ops.minimum(value, 0.0),
}


def _trace_pad(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Padding with zeros: of positions, or of channels, which get new ids.

    A padded channel has its own id, so that the channels before it can be removed without those
    that it is added to later.
    """
    around, (ids,) = call.operation.pad_width[1:], inputs
    given = [*call.node.arguments.args[2:], call.node.arguments.kwargs.get("constant_values")]
    if call.operation.mode != "constant" or any(value for value in given):
        raise InputError(
            f"padding at {graph.name(call.operation)!r} cannot be pruned through",
            received=f"mode {call.operation.mode}, values {given}",
            allowed="zeros",
        )
    keep_positions(ids, graph)
    widened = sum(around[-1])
    channels = graph.new_ids(ids.shape[-1] + widened) if widened else ids_along(ids, -1)
    sizes = zip(ids.shape, around, strict=True)
    return broadcast_ids(channels, tuple(length + sum(pair) for length, pair in sizes))


def _thin_pad(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    around = [tuple(pair) for pair in traced.call.operation.pad_width[1:]]
    entering, leaving = kept_inputs_outputs(traced, keep)
    front, length = around[-1][0], traced.inputs[0].shape[-1]
    # For each channel that leaves the one that it copies, or a zero behind them all.
    wanted = [
        int(np.searchsorted(entering, out - front))
        if 0 <= out - front < length and out - front in entering
        else len(entering)
        for out in leaving.tolist()
    ]
    copied = [index for index in wanted if index < len(entering)]
    before = wanted.index(0) if 0 in wanted else 0
    whole = [len(entering)] * before + copied
    whole += [len(entering)] * (len(wanted) - len(whole))
    if wanted == whole and copied == list(range(len(entering))):
        last = (before, len(wanted) - before - len(copied))
        return ThinningSpec(apply=lambda values: ops.pad(values[0], [(0, 0), *around[:-1], last]))

    def apply(values: list[Any]) -> Any:
        padded = ops.pad(values[0], [(0, 0), *around[:-1], (0, 1)])
        return ops.take(padded, wanted, axis=-1)

    return ThinningSpec(apply=apply)


BINARY = PruningRule(_trace_binary, thin_nothing)
STATISTIC = PruningRule(_trace_statistic, _thin_statistic, consumes=True)
PAD = PruningRule(_trace_pad, _thin_pad, consumes=True)
