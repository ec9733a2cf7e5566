"""Attention layers: heads, and the width of the heads, are channels inside the layer.

A head can go with its queries, keys, values and its part of the output; a number of each head's
queries goes with the same number of its keys, a number of its values with that part of the output.
All of this is exact: what is removed is what zeros in the layer's own weights would take out.
Tokens stay, since a softmax over them would notice.

The scale of the scores follows from the width of the keys; where that changes, the queries' weights
make up for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.graph import Call, named_values
from hsitf.prune.channel_graph import (
    ChannelGraph,
    ChannelIds,
    Indices,
    TracedCall,
    broadcast_ids,
    ids_along,
)
from hsitf.prune.rules.base import Array, KeepMask, PruningRule, ThinningSpec
from hsitf.prune.rules.positions import keep_positions

# What the channels inside a layer are called, behind its name and a slash.
HEADS, KEYS, VALUES = "heads", "keys", "values"
# Numbers that queries, keys and values of a head have at least.
_MIN_WIDTH = 2


class Projection(NamedTuple):
    """One weight of an attention layer.

    Attributes:
        part: query, key, value, gate or output.
        axes: What counts along each of its axes: "in" and "out" for the channels that enter and
            leave the layer, or the name of channels inside it.
    """

    part: str
    axes: tuple[str, ...]


# By the part of the layer, the axes of its kernel; the last of them are those of its biases.
_KERNELS = {
    "query": ("in", HEADS, KEYS),
    "key": ("in", HEADS, KEYS),
    "value": ("in", HEADS, VALUES),
    "gate": ("in", HEADS, VALUES),
    "output": (HEADS, VALUES, "out"),
}
# In a layer whose heads share keys and values, and whose keys and values are equally wide.
_GROUPED = {
    "query": ("in", HEADS, KEYS),
    "key": ("in", HEADS, KEYS),
    "value": ("in", HEADS, KEYS),
    "gate": ("in", HEADS, KEYS),
    "output": (HEADS, KEYS, "out"),
}


def _projections(layer: Any) -> Iterator[Projection]:
    """The weights of a layer, in its own order."""
    kernels = _GROUPED if is_grouped(layer) else _KERNELS
    by_id = {}
    for part, axes in kernels.items():
        dense = getattr(layer, f"_{part}_dense", None)
        for weight in getattr(dense, "weights", []):
            by_id[id(weight)] = Projection(part, axes[-len(weight.shape) :])
    for weight in layer.weights:
        yield by_id[id(weight)]


def is_grouped(layer: Any) -> bool:
    """Whether heads of queries share keys and values."""
    return isinstance(layer, keras.layers.GroupQueryAttention)


def _widths(layer: Any) -> dict[str, int]:
    """Number of channels inside a layer, by what they are called."""
    if is_grouped(layer):
        return {HEADS: layer.num_key_value_heads, KEYS: layer.head_dim}
    return {HEADS: layer.num_heads, KEYS: layer.key_dim, VALUES: layer.value_dim}


def _inner_ids(traced: TracedCall) -> dict[str, ChannelIds]:
    """Ids of the channels inside a layer, by what they are called."""
    return {what: traced.inner[what] for what in _widths(traced.call.operation)}


def _trace(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer, name = call.operation, graph.name(call.operation)
    if len(call.node.outputs) > 1:
        raise InputError(
            f"layer {name!r} returns its scores, too",
            received="return_attention_scores=True",
            remedy="build the network without them",
        )
    if len(layer._output_dense.kernel.shape) != 3:
        raise InputError(
            f"layer {name!r} makes several axes of channels",
            received=f"output_shape={layer.get_config()['output_shape']}",
            allowed="one number, or none",
            remedy="make one axis, with Reshape behind it",
        )
    for ids in inputs:
        keep_positions(ids, graph)
    for what, count in _widths(layer).items():
        inside = graph.new_channels(f"{name}/{what}", count)
        if what != HEADS:
            # Heads of one number have biases that Keras adds along the tokens where there are as
            # many tokens as heads.
            graph.min_counts |= dict.fromkeys(inside.tolist(), min(count, _MIN_WIDTH))
    shape = tuple(call.node.outputs[0].shape[1:])
    made = graph.new_channels(name, shape[-1])
    if is_grouped(layer):
        # It makes as many channels as its queries have.
        query = ids_along(named_values(call, inputs)["query"], -1)
        graph.couple(made, query)
    return broadcast_ids(made, shape)


def _kept(traced: TracedCall, keep: KeepMask) -> dict[str, dict[str, Indices]]:
    """The kept indices along the axes of each part's kernel."""
    layer = traced.call.operation
    entering = named_values(traced.call, traced.inputs)
    entering.setdefault("key", entering["value"])
    entering |= {"gate": entering["query"], "output": entering["query"]}
    inside = {what: np.flatnonzero(keep[ids]) for what, ids in _inner_ids(traced).items()}
    leaving = np.flatnonzero(keep[ids_along(traced.outputs[0], -1)])
    found = {}
    for part, ids in entering.items():
        found[part] = {
            **inside,
            "in": np.flatnonzero(keep[ids_along(ids, -1)]),
            "out": leaving,
        }
        if is_grouped(layer) and part in ("query", "gate", "output"):
            found[part][HEADS] = _repeated(inside[HEADS], layer)
    return found


def _repeated(groups: Indices, layer: Any) -> Indices:
    """Heads of queries that belong to groups of heads."""
    repeats = layer.num_query_heads // layer.num_key_value_heads
    return np.asarray((groups[:, None] * repeats + np.arange(repeats)).ravel())


def _thin(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer, kept = traced.call.operation, _kept(traced, keep)
    inside = kept["key"]
    config: dict[str, Any]
    if is_grouped(layer):
        heads = kept["query"][HEADS]
        config = {
            "num_query_heads": len(heads),
            "num_key_value_heads": len(inside[HEADS]),
            "head_dim": len(inside[KEYS]),
        }
    else:
        config = {
            "num_heads": len(inside[HEADS]),
            "key_dim": len(inside[KEYS]),
            "value_dim": len(inside[VALUES]),
            "output_shape": (len(inside["out"]),),
        }
    # Unless it has one of its own, the scale of the scores is the width of the keys to the -1/2.
    own = getattr(layer, "scale", None) is not None
    factor = 1.0 if own else (len(inside[KEYS]) / _widths(layer)[KEYS]) ** 0.5
    parts = list(_projections(layer))
    return ThinningSpec(
        config,
        [tuple(kept[one.part][axis] for axis in one.axes) for one in parts],
        tuple(factor if one.part == "query" else 1.0 for one in parts),
    )


def _masked(traced: TracedCall, keep: KeepMask) -> Any:
    """A copy of the layer whose weights of removed heads and widths are zero."""
    layer, kept = traced.call.operation, _kept(traced, keep)
    copy = type(layer).from_config(layer.get_config())
    entering = named_values(traced.call, traced.inputs)
    entering.setdefault("key", entering["value"])
    copy.build(*((None, *entering[name].shape) for name in ("query", "value", "key")))
    weights = layer.get_weights()
    for values, one in zip(weights, _projections(layer), strict=True):
        for position, axis in enumerate(one.axes):
            if axis in (HEADS, KEYS, VALUES):
                lost = np.setdiff1d(np.arange(values.shape[position]), kept[one.part][axis])
                values[(slice(None),) * position + (lost,)] = 0
    copy.set_weights(weights)
    return copy


def _rows(layer: Any, weights: Sequence[Array]) -> Array:
    """The weights that make each channel which leaves: those of the output projection."""
    output = Projection("output", (_GROUPED if is_grouped(layer) else _KERNELS)["output"])
    kernel = weights[list(_projections(layer)).index(output)]
    return np.asarray(kernel.reshape(-1, kernel.shape[-1]).T)


def _inner_rows(layer: Any, weights: Sequence[Array]) -> dict[str, Array]:
    """All weights that belong to each channel inside the layer, by what they are called."""
    counts = _widths(layer)
    found: dict[str, list[Array]] = {what: [] for what in counts}
    for values, one in zip(weights, _projections(layer), strict=True):
        for position, axis in enumerate(one.axes):
            if axis in counts:
                along = np.moveaxis(values, position, 0)
                # Heads of queries that share keys and values belong to one group of them.
                found[axis].append(along.reshape(counts[axis], -1))
    return {what: np.concatenate(rows, axis=1) for what, rows in found.items()}


def _inner_gates(layer: Any, weights: Sequence[Array]) -> dict[str, Array]:
    """Weights that turn off each channel inside the layer, by what they are called.

    A head, or a width of the values, is off where the output projection does not read it; a width
    of the keys where there are no queries. The sum of these weights times their gradients is the
    derivative of the loss with respect to a factor on the channel, which is 1.
    """
    counts = _widths(layer)
    off: dict[str, tuple[str, ...]] = {HEADS: ("output",), VALUES: ("output",), KEYS: ("query",)}
    if is_grouped(layer):
        off[KEYS] = ("query", "output")
    found: dict[str, list[Array]] = {what: [] for what in counts}
    for values, one in zip(weights, _projections(layer), strict=True):
        for position, axis in enumerate(one.axes):
            if axis in counts and one.part in off[axis]:
                along = np.moveaxis(values, position, 0)
                found[axis].append(along.reshape(counts[axis], -1))
    return {what: np.concatenate(rows, axis=1) for what, rows in found.items()}


def _inner_living(layer: Any) -> dict[str, NDArray[np.bool_]]:
    """Which heads and widths have an effect.

    A width of the keys has one where its queries and its keys can be other than zero, one of the
    values where it is written and read. A head without queries or keys still takes the mean of its
    values.
    """
    counts = _widths(layer)
    spoken: dict[str, NDArray[np.bool_]] = {}
    for weight, one in zip(layer.get_weights(), _projections(layer), strict=True):
        if one.axes == ("out",):
            continue
        outer = tuple(at for at, axis in enumerate(one.axes) if axis in ("in", "out"))
        found = (weight != 0).any(axis=outer)
        # Heads of queries that share keys and values are one group of them.
        found = found.reshape(counts[HEADS], -1, found.shape[-1]).any(axis=1)
        spoken[one.part] = spoken.get(one.part, False) | found
    scores, flows = spoken["query"] & spoken["key"], spoken["value"] & spoken["output"]
    heads = np.asarray(flows.any(axis=1))
    keys = np.asarray((scores & heads[:, None]).any(axis=0))
    values = np.asarray(flows.any(axis=0))
    if is_grouped(layer):
        return {HEADS: heads, KEYS: keys | values}
    return {HEADS: heads, KEYS: keys, VALUES: values}


ATTENTION = PruningRule(
    _trace,
    _thin,
    consumes=True,
    channel_rows=_rows,
    masked=_masked,
    inner_rows=_inner_rows,
    inner_gates=_inner_gates,
    inner_living=_inner_living,
)
