"""Kinds of channels, known by what a network does with them, not by the names of its layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from keras import layers

from hsitf.operators import Role, find
from hsitf.prune.channel_graph import FIXED, ChannelGraph, ChannelIds, TracedCall, squeeze_repeated


def kinds_of(graph: ChannelGraph, calls: Sequence[TracedCall]) -> dict[int, str]:
    """The kind of each channel of a traced network, by its root.

    Channels of several layers that are coupled have one kind: the first that one of them has in
    this order.

    - heads, keys, values: channels inside an attention layer, or those that a product of two
      tensors sums over, which are keys;
    - tokens: channels along which attention looks;
    - embedding: channels that attention reads;
    - mlp: units of a dense layer whose readers add what they make of them to what it has read;
    - filters, units: channels of a convolution, or of any other layer;
    - bands: channels of an input.
    """
    found: dict[int, str] = {}

    def name(kind: str, roots: set[int]) -> None:
        for root in roots - {FIXED}:
            found.setdefault(root, kind)

    for traced in calls:
        for what, ids in traced.inner.items():
            name(what, _roots(graph, ids))
        name("keys", _summed(graph, traced))
    for root in graph.tokens:
        name("tokens", {graph.root(root)})
    for traced in calls:
        if traced.inner:
            name("embedding", set().union(*(_roots(graph, ids) for ids in traced.inputs)))
    producers = {traced.name: traced for traced in calls}
    for layer, made in graph.producers.items():
        if layer in producers and _is_hidden(graph, producers[layer], made, calls):
            name("mlp", _roots(graph, made))
    for kind, names in _by_producer(graph, producers):
        for layer in names:
            name(kind, _roots(graph, graph.producers[layer]))
    return found


def _roots(graph: ChannelGraph, ids: ChannelIds) -> set[int]:
    return set(np.unique(graph.channels_of(squeeze_repeated(ids))).tolist())


def _summed(graph: ChannelGraph, traced: TracedCall) -> set[int]:
    """Channels of two tensors that their product sums over."""
    row = find(traced.call.operation)
    if len(traced.inputs) != 2 or traced.inner or row is None or row.role is not Role.MIXES:
        return set()
    one, other = (_roots(graph, ids) for ids in traced.inputs)
    return (one & other) - _roots(graph, traced.outputs[0])


def _is_dense(operation: Any) -> bool:
    return isinstance(operation, layers.Dense | layers.EinsumDense)


def _is_hidden(
    graph: ChannelGraph, producer: TracedCall, made: ChannelIds, calls: Sequence[TracedCall]
) -> bool:
    """Whether channels are made from a residual stream and read by what is added to it."""
    if not _is_dense(producer.call.operation):
        return False
    own, stream = _roots(graph, made), _roots(graph, producer.inputs[0]) - {FIXED}
    readers = [
        traced
        for traced in calls
        if _is_dense(traced.call.operation) and _roots(graph, traced.inputs[0]) & own
    ]
    return bool(readers) and all(_roots(graph, reader.outputs[0]) & stream for reader in readers)


def _by_producer(
    graph: ChannelGraph, producers: dict[str, TracedCall]
) -> Iterator[tuple[str, list[str]]]:
    """Layers of convolutions, all other layers, and inputs."""
    rows = {name: find(traced.call.operation) for name, traced in producers.items()}
    made = list(graph.producers)
    filters = [name for name in made if (row := rows.get(name)) and row.is_convolution]
    yield "filters", filters
    yield "units", [name for name in made if name in producers and name not in filters]
    yield "bands", [name for name in made if name not in producers]
