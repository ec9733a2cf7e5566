"""Recurrent layers, in one direction or both, and layers applied at each time step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from keras import layers

from hsitf.errors import InputError
from hsitf.graph import Call, InnerCall
from hsitf.operators import Capability, row_of
from hsitf.prune.channel_graph import (
    ChannelGraph,
    ChannelIds,
    Indices,
    TracedCall,
    all_indices,
    broadcast_ids,
)
from hsitf.prune.rules.base import (
    Array,
    KeepMask,
    PruningRule,
    ThinningSpec,
    grid,
    kept_inputs_outputs,
    output_shape,
    serialized,
)
from hsitf.prune.rules.positions import (
    keep_positions,
)


def _check_recurrent(layer: Any, inputs: list[ChannelIds]) -> None:
    if len(inputs) > 1 or getattr(layer, "return_state", False):
        raise InputError(
            f"layer {layer.name!r} hands states in or out, which pruning cannot follow",
            received="an initial state" if len(inputs) > 1 else "return_state=True",
            remedy="build the network without",
        )


def _trace_recurrent(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer = call.operation
    _check_recurrent(layer, inputs)
    keep_positions(inputs[0], graph)
    return broadcast_ids(
        graph.new_channels(graph.name(layer), layer.units), output_shape(layer, inputs)
    )


def _thin_recurrent(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, units = kept_inputs_outputs(traced, keep)
    return ThinningSpec({"units": len(units)}, _recurrent_places(layer, rows, units))


def _recurrent_places(layer: Any, rows: Indices, units: Indices) -> list[tuple[Indices, ...]]:
    steps = np.arange(row_of(layer, Capability.PRUNE).gates)[:, None] * layer.units
    columns = (steps + units).ravel()
    _, _, *bias = layer.get_weights()
    # A GRU that resets after the product has two rows of biases.
    return [
        (rows, columns),
        (units, columns),
        *((*all_indices(values.shape[:-1]), columns) for values in bias),
    ]


def _masked_recurrent(traced: TracedCall, keep: KeepMask) -> Any:
    """A copy of a recurrent layer, uni- or bidirectional, that reads its kept units only."""
    layer = traced.call.operation
    copy = type(layer).from_config(layer.get_config())
    copy.build((None, *traced.inputs[0].shape))
    weights = layer.get_weights()
    directions = 2 if isinstance(layer, layers.Bidirectional) else 1
    step = len(weights) // directions
    for recurrent in range(1, len(weights), step):
        units = len(weights[recurrent])
        kept = grid(traced, traced.outputs[0], keep)[-1]
        weights[recurrent][np.setdiff1d(np.arange(units), kept)] = 0
    copy.set_weights(weights)
    return copy


def _rows_recurrent(layer: Any, weights: Sequence[Array]) -> Array:
    # One column a gate and unit, gate by gate.
    gates = weights[0].reshape(weights[0].shape[0], -1, layer.units)
    return np.asarray(gates.transpose(2, 0, 1).reshape(layer.units, -1))


def _trace_bidirectional(
    call: Call, inputs: list[ChannelIds], graph: ChannelGraph
) -> ChannelIds | list[ChannelIds]:
    layer = call.operation
    _check_recurrent(layer, inputs)
    keep_positions(inputs[0], graph)
    # Both directions lose the same units, since Keras takes them to be of one size.
    units = graph.new_channels(graph.name(layer), layer.forward_layer.units)
    one = output_shape(layer.forward_layer, inputs)
    if layer.merge_mode is None:
        return [broadcast_ids(units, one), broadcast_ids(units, one)]
    both = np.concatenate([units, units]) if layer.merge_mode == "concat" else units
    return broadcast_ids(both, (*one[:-1], len(both)))


def _thin_bidirectional(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, units = kept_inputs_outputs(traced, keep)
    units = units[units < layer.forward_layer.units]
    directions = (layer.forward_layer, layer.backward_layer)
    config = {
        key: serialized(direction, {"units": len(units)})
        for key, direction in zip(("layer", "backward_layer"), directions, strict=True)
    }
    return ThinningSpec(config, [p for d in directions for p in _recurrent_places(d, rows, units)])


def _rows_bidirectional(layer: Any, weights: Sequence[Array]) -> Array:
    half = len(weights) // 2
    return np.concatenate(
        [_rows_recurrent(layer.forward_layer, part) for part in (weights[:half], weights[half:])],
        axis=1,
    )


RECURRENT = PruningRule(
    _trace_recurrent,
    _thin_recurrent,
    consumes=True,
    channel_rows=_rows_recurrent,
    masked=_masked_recurrent,
)
BIDIRECTIONAL = PruningRule(
    _trace_bidirectional,
    _thin_bidirectional,
    consumes=True,
    channel_rows=_rows_bidirectional,
    masked=_masked_recurrent,
)


def time_distributed(rule: Callable[[Any], PruningRule]) -> PruningRule:
    """The rule of TimeDistributed: that of the layer inside, at each step.

    Args:
        rule: Finds the rule of the layer inside.
    """

    def trace(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
        layer = call.operation
        inner = InnerCall(layer.layer, call.node)
        graph.names[id(layer.layer)] = graph.name(layer)
        times = [rule(layer.layer).trace(inner, [step], graph) for step in inputs[0]]
        return np.stack([np.asarray(step) for step in times])

    def thinned(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
        inner = traced.call.operation.layer
        step = TracedCall(
            traced.name,
            InnerCall(inner, traced.call.node),
            tuple(ids[0] for ids in traced.inputs),
            tuple(ids[0] for ids in traced.outputs),
        )
        spec = rule(inner).thin(step, keep)
        return replace(spec, config={"layer": serialized(inner, spec.config)})

    def rows(layer: Any, weights: Sequence[Array]) -> Array:
        return rule(layer.layer).channel_rows(layer.layer, weights)

    return PruningRule(trace, thinned, consumes=True, channel_rows=rows)
