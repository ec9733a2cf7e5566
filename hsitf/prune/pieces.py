"""Parts of tensors of which something has to be left, such as the pieces of a split.

A layer that keeps a channel can still leave nothing of a tensor behind it: a split hands each half
of the channels to a layer of its own. Which channels are removed is decided by importance; where
that would empty a tensor, its most important channel stays and the next one of the group goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from hsitf.prune.counts import PrunableGroups
from hsitf.prune.tracing import DependencyGroup, Trace


def emptied_tensors(traced: Trace, removed: set[int]) -> list[set[int]]:
    """Of each tensor of which nothing would be left, the removed channels in it.

    Args:
        traced: Trace of the network.
        removed: The ids, of roots, that are removed.
    """
    graph, keep = traced.graph, traced.keep_mask(removed)
    return [
        {graph.root(i) for i in graph.channels_of(ids).tolist()} & removed
        | {graph.root(i) for i in graph.positions_of(ids).tolist()} & removed
        for ids in traced.removable_tensors
        if not keep[ids].any()
    ]


def removed_channels(
    traced: Trace, groups: PrunableGroups, counts: Sequence[int], round_to: int = 1
) -> list[list[int]]:
    """For each group the channels that it loses: the least important, but no tensor is emptied.

    Args:
        traced: Trace of the network.
        groups: Groups with the importance of their channels.
        counts: Channels that each group loses, at most.
        round_to: The number of kept channels stays a multiple of this where it was one.
    """
    roots = [channel_roots(traced, group) for group, _ in groups]
    owner = {
        root: (at, channel) for at, own in enumerate(roots) for channel, root in enumerate(own)
    }
    orders = [np.argsort(importance, kind="stable").tolist() for _, importance in groups]
    pinned: list[set[int]] = [set() for _ in groups]
    while True:
        chosen = [
            _first(order, pins, count, round_to)
            for order, pins, count in zip(orders, pinned, counts, strict=True)
        ]
        removed = {own[c] for own, lost in zip(roots, chosen, strict=True) for c in lost}
        before = sum(map(len, pinned))
        for candidates in emptied_tensors(traced, removed):
            where = [owner[root] for root in candidates if root in owner]
            # Another tensor may have brought one of them back already.
            if where and not any(channel in pinned[at] for at, channel in where):
                at, channel = max(where, key=lambda one: float(groups[one[0]][1][one[1]]))
                pinned[at].add(channel)
        if sum(map(len, pinned)) == before:
            return chosen


def channel_roots(traced: Trace, group: DependencyGroup) -> list[int]:
    """For each channel of a group the id that represents it."""
    name, graph = group.layers[0], traced.graph
    return [graph.root(int(graph.producers[name][channel[0][0]])) for channel in group.channels]


def _first(order: Iterable[int], pins: set[int], count: int, round_to: int) -> list[int]:
    free = [channel for channel in order if channel not in pins]
    fewer = count
    while fewer > len(free):
        # In steps, so that what is kept is still a multiple.
        fewer -= round_to
    return free[: max(0, fewer)]
