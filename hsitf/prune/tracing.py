"""Tracing of a network: its dependency groups, and where each channel occurs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError, unknown
from hsitf.graph import Call, functional, input_names, walk
from hsitf.operators import find
from hsitf.prune.channel_graph import (
    ChannelGraph,
    ChannelIds,
    TracedCall,
    ids_along,
    squeeze_repeated,
)
from hsitf.prune.kinds import kinds_of
from hsitf.prune.rules import KeepMask, mixes_channels, rule


@dataclass(frozen=True, eq=False)
class Trace:
    """The identities of a network's channels, everywhere in it.

    Attributes:
        graph: The channel graph of all ids.
        calls: The calls of its operations in the order of the forward pass.
        inputs: Ids of the inputs.
    """

    graph: ChannelGraph
    calls: list[TracedCall]
    inputs: list[ChannelIds]

    @property
    def widths(self) -> dict[str, int]:
        """Number of channels that each layer produces, inputs included."""
        return {name: len(made) for name, made in self.graph.producers.items()}

    @cached_property
    def removable_tensors(self) -> list[NDArray[np.int64]]:
        """The ids, each once, of every tensor that holds none that always stay."""
        fixed = {self.graph.root(identity) for identity in self.graph.protected}
        found: dict[bytes, NDArray[np.int64]] = {}
        for call in self.calls:
            for tensor in (*call.inputs, *call.outputs):
                ids = np.unique(squeeze_repeated(tensor))
                channels, positions = self.graph.channels_of(ids), self.graph.positions_of(ids)
                staying = np.isin(channels, list(fixed)) & np.isin(positions, list(fixed))
                if not staying.any():
                    found.setdefault(ids.tobytes(), ids)
        return list(found.values())

    def keep_mask(self, removed: set[int]) -> KeepMask:
        """By identity, whether it is kept when the channels `removed` are removed."""
        return self.graph.keep_mask(removed)


@dataclass(frozen=True)
class DependencyGroup:
    """Layers whose channels are coupled and can only be removed together.

    Attributes:
        layers: Names of the layers that produce them.
        channels: For each channel of the group, its indices in each of the layers.
        protected: Whether they are never removed (inputs, outputs, and what is coupled with them).
        approximate: Why removing them is not exact; None where it is exact.
        min_channels: Number of channels that the network needs at least.
        kind: One of `kind_names.KINDS`.
        reason: Why they are never removed, where it is not that they are inputs or outputs.
    """

    layers: tuple[str, ...]
    channels: tuple[tuple[tuple[int, ...], ...], ...]
    protected: bool
    approximate: str | None
    min_channels: int = 1
    kind: str = ""
    reason: str = ""

    def __len__(self) -> int:
        return len(self.channels)

    def __str__(self) -> str:
        protected = f"protected: {self.reason}" if self.reason else "protected"
        notes = [self.kind] if self.kind and not self.protected else []
        notes += [protected] if self.protected else []
        notes += [f"approximate: {self.approximate}"] if self.approximate else []
        note = f" ({'; '.join(notes)})" if notes else ""
        return f"{len(self)} channels: {' + '.join(self.layers)}{note}"


def trace(model: keras.Model, prune_io: Sequence[str] = ()) -> Trace:
    """Carries channel identities through a network.

    Args:
        model: A functional model, channels last.
        prune_io: Names of inputs and of layers at the outputs that may lose channels nevertheless:
            bands that are no longer fed, classes that are no longer predicted.

    Raises:
        InputError: A layer has no rule, an input has no fixed size, or there is no such input
            or output.
    """
    if not hasattr(functional(model), "_nodes_by_depth"):
        raise InputError(
            "only functional and sequential models can be traced",
            received=f"{type(model).__name__}{'' if model.built else ', not built'}",
            remedy="build the network from layers with keras.Input in front",
        )
    graph, calls = ChannelGraph(), []
    used: dict[int, list[ChannelIds]] = {}
    inputs = []
    names = input_names(model)
    for name, tensor in zip(names, model.inputs, strict=True):
        shape = tuple(tensor.shape[1:])
        if None in shape:
            raise InputError(
                f"input {name!r} has no fixed size",
                received=shape,
                remedy="build the network with a fixed shape",
            )
        bands = graph.new_channels(name, shape[-1])
        if name not in prune_io:
            graph.protect(bands)
        inputs.append(np.broadcast_to(bands, shape))

    def visit(call: Call, entering: list[ChannelIds]) -> list[ChannelIds]:
        if getattr(call.operation, "data_format", None) == "channels_first":
            raise InputError(
                f"layer {call.operation.name!r} has its channels first",
                allowed="channels_last",
                remedy="build the network with channels last",
            )
        if id(call.operation) in used and getattr(call.operation, "weights", []):
            # A layer that is called several times reads the same channels at each call.
            _couple_shared(graph, entering, used[id(call.operation)])
        used.setdefault(id(call.operation), entering)
        if not _rearranges(call.operation):
            entering = [graph.settled(ids) for ids in entering]
        leaving = rule(call.operation).trace(call, entering, graph)
        several = leaving if isinstance(leaving, list) else [leaving]
        if mixes_channels(call.operation):
            # What sums to one cannot lose a part and stay what it was.
            for ids in several:
                graph.protect(ids)
        name = graph.name(call.operation)
        inner = graph.inner(name)
        calls.append(TracedCall(name, call, tuple(entering), tuple(several), inner))
        return several

    outputs = walk(model, inputs, visit)
    ends = [name for name, made in graph.producers.items() if _reaches_output(graph, made, outputs)]
    for name in prune_io:
        if name not in [*names, *ends]:
            raise unknown("input or output", name, [*names, *ends])
    for output in outputs:
        if not any(_reaches_output(graph, graph.producers[name], [output]) for name in prune_io):
            graph.protect(output)
    return Trace(graph, calls, inputs)


def _rearranges(operation: Any) -> bool:
    row = find(operation)
    return row is not None and row.rearranges


def _couple_shared(
    graph: ChannelGraph, now: Sequence[ChannelIds], before: Sequence[ChannelIds]
) -> None:
    for here, there in zip(now, before, strict=True):
        if here.shape == there.shape:
            graph.couple(here, there)
        else:
            # Other positions, the same channels: each of them stays one over all positions.
            for ids in (here, there):
                graph.couple(ids, ids_along(ids, -1))
            graph.couple(ids_along(here, -1), ids_along(there, -1))


def _reaches_output(graph: ChannelGraph, made: ChannelIds, outputs: Sequence[ChannelIds]) -> bool:
    """Whether channels reach an output as they are."""
    own = graph.channels_of(made)
    return any(np.isin(graph.channels_of(output), own).any() for output in outputs)


def dependency_groups(model: keras.Model, prune_io: Sequence[str] = ()) -> list[DependencyGroup]:
    """The dependency groups of a network, in the order of the forward pass.

    Args:
        model: A functional model.
        prune_io: As in `trace`.
    """
    return groups_of(trace(model, prune_io))


def groups_of(traced: Trace) -> list[DependencyGroup]:
    """The dependency groups of a traced network, in the order of the forward pass."""
    graph, kinds = traced.graph, kinds_of(traced.graph, traced.calls)
    kept_for = {graph.root(i): reason for i, reason in graph.reasons.items()}
    positions: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for name, made in graph.producers.items():
        for index, identity in enumerate(made.tolist()):
            positions[graph.root(identity)][name].append(index)
    protected = {graph.root(identity) for identity in graph.protected}
    reasons = {graph.root(i): reason for i, reason in graph.approximate.items()}
    least: dict[int, int] = defaultdict(lambda: 1)
    for identity, count in graph.min_counts.items():
        least[graph.root(identity)] = max(count, least[graph.root(identity)])
    found: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for root, where in positions.items():
        fixed = root in protected
        why = kept_for.get(root, "") if fixed else ""
        key = (tuple(where), fixed, reasons.get(root), least[root], kinds.get(root, ""), why)
        found[key].append(tuple(tuple(where[name]) for name in where))
    return [
        DependencyGroup(names, tuple(channels), *facts)
        for (names, *facts), channels in found.items()
    ]
