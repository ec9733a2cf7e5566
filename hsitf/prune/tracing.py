"""Tracing a network: which channels live together, and where each of them is found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from hsitf.errors import InputError, unknown
from hsitf.graph import Call, functional, input_names, walk
from hsitf.prune.identities import Ids, Ledger, Seen, line
from hsitf.prune.rules import Stays, mixes, rule


@dataclass(frozen=True, eq=False)
class Trace:
    """The identities of a network's channels, everywhere in it.

    Attributes:
        ledger: Of all identities.
        seen: Its operations in the order of the forward pass, once for each place.
        inputs: Identities of the inputs.
    """

    ledger: Ledger
    seen: list[Seen]
    inputs: list[Ids]

    @property
    def widths(self) -> dict[str, int]:
        """How many channels each layer makes, inputs counted among the layers."""
        return {name: len(made) for name, made in self.ledger.makers.items()}

    def stays(self, gone: set[int]) -> Stays:
        """By identity, whether it is kept when the channels `gone` are removed."""
        return self.ledger.stays(gone)


@dataclass(frozen=True)
class Group:
    """Layers whose channels live together, place by place.

    Attributes:
        layers: Names of the layers that make them.
        channels: For each channel of the group, the places it has in each of the layers.
        protected: Whether they always stay (inputs, outputs, and what is tied to them).
        approximate: Why removing them is not exact; None where it is.
        least: How many of them the network needs to work at all.
    """

    layers: tuple[str, ...]
    channels: tuple[tuple[tuple[int, ...], ...], ...]
    protected: bool
    approximate: str | None
    least: int = 1

    def __len__(self) -> int:
        return len(self.channels)

    def __str__(self) -> str:
        notes = ["protected"] if self.protected else []
        notes += [f"approximate: {self.approximate}"] if self.approximate else []
        note = f" ({'; '.join(notes)})" if notes else ""
        return f"{len(self)} channels: {' + '.join(self.layers)}{note}"


def trace(model: keras.Model, free: Sequence[str] = ()) -> Trace:
    """Carries channel identities through a network.

    Args:
        model: A functional model, channels last.
        free: Names of inputs and of layers at the outputs that may lose channels all the same:
            bands that no longer are fed, classes that no longer are told.

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
    ledger, seen = Ledger(), []
    used: dict[int, list[Ids]] = {}
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
        bands = ledger.make(name, shape[-1])
        if name not in free:
            ledger.protect(bands)
        inputs.append(np.broadcast_to(bands, shape))

    def visit(call: Call, entering: list[Ids]) -> list[Ids]:
        if getattr(call.operation, "data_format", None) == "channels_first":
            raise InputError(
                f"layer {call.operation.name!r} has its channels first",
                allowed="channels_last",
                remedy="build the network with channels last",
            )
        if id(call.operation) in used and getattr(call.operation, "weights", []):
            # Weights that read at several places read the same channels at each.
            _join_last(ledger, entering, used[id(call.operation)])
        used.setdefault(id(call.operation), entering)
        leaving = rule(call.operation).trace(call, entering, ledger)
        several = leaving if isinstance(leaving, list) else [leaving]
        if mixes(call.operation):
            # What sums to one cannot lose a part and stay what it was.
            for ids in several:
                ledger.protect(ids)
        seen.append(Seen(ledger.name(call.operation), call, tuple(entering), tuple(several)))
        return several

    outputs = walk(model, inputs, visit)
    ends = [name for name, made in ledger.makers.items() if _ends(ledger, made, outputs)]
    for name in free:
        if name not in [*names, *ends]:
            raise unknown("input or output", name, [*names, *ends])
    for output in outputs:
        if not any(_ends(ledger, ledger.makers[name], [output]) for name in free):
            ledger.protect(output)
    return Trace(ledger, seen, inputs)


def _join_last(ledger: Ledger, now: Sequence[Ids], before: Sequence[Ids]) -> None:
    for here, there in zip(now, before, strict=True):
        if here.shape == there.shape:
            ledger.join(here, there)
        else:
            # Other positions, the same channels: each of them stays one over all positions.
            for ids in (here, there):
                ledger.join(ids, line(ids, -1))
            ledger.join(line(here, -1), line(there, -1))


def _ends(ledger: Ledger, made: Ids, outputs: Sequence[Ids]) -> bool:
    """Whether channels reach an output as they are."""
    own = ledger.channels_of(made)
    return any(np.isin(ledger.channels_of(output), own).any() for output in outputs)


def groups(model: keras.Model, free: Sequence[str] = ()) -> list[Group]:
    """Which channels of a network live together, in the order of the forward pass.

    Args:
        model: A functional model.
        free: As in `trace`.
    """
    return grouped(trace(model, free).ledger)


def grouped(ledger: Ledger) -> list[Group]:
    """The groups of a traced network, in the order of the forward pass."""
    places: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for name, made in ledger.makers.items():
        for place, identity in enumerate(made.tolist()):
            places[ledger.root(identity)][name].append(place)
    protected = {ledger.root(identity) for identity in ledger.protected}
    reasons = {ledger.root(i): reason for i, reason in ledger.approximate.items()}
    least: dict[int, int] = defaultdict(lambda: 1)
    for identity, count in ledger.least.items():
        least[ledger.root(identity)] = max(count, least[ledger.root(identity)])
    found: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for root, where in places.items():
        key = (tuple(where), root in protected, reasons.get(root), least[root])
        found[key].append(tuple(tuple(where[name]) for name in where))
    return [
        Group(names, tuple(channels), fixed, why, need)
        for (names, fixed, why, need), channels in found.items()
    ]
