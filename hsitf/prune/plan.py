"""Plans: which channels stay."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError, unknown
from hsitf.graph import Call, walk
from hsitf.prune.criteria import CRITERIA, rows
from hsitf.prune.identities import Ids, Ledger, Seen
from hsitf.prune.rules import rule


@dataclass(frozen=True, eq=False)
class Trace:
    """The identities of a network's channels, everywhere in it.

    Attributes:
        ledger: Of all identities.
        seen: Its layers in the order of the forward pass, once for each place.
        inputs: Identities of the inputs.
    """

    ledger: Ledger
    seen: list[Seen]
    inputs: list[Ids]


@dataclass(frozen=True)
class Group:
    """Layers whose channels live together, place by place.

    Attributes:
        layers: Names of the layers that make them.
        channels: For each channel of the group, the places it has in each of the layers.
        protected: Whether they always stay (inputs, outputs, and what is tied to them).
        approximate: Why removing them is not exact; None where it is.
    """

    layers: tuple[str, ...]
    channels: tuple[tuple[tuple[int, ...], ...], ...]
    protected: bool
    approximate: str | None

    def __len__(self) -> int:
        return len(self.channels)


@dataclass(frozen=True)
class Plan:
    """Which channels of a network stay.

    Attributes:
        widths: Channels that each layer of the network makes, to know it by.
        kept: By layer, the places of the channels that stay; layers that lose none are left out.
        approximate: Reasons why the thinned network is not exactly the masked one; empty where
            it is.
    """

    widths: dict[str, int]
    kept: dict[str, tuple[int, ...]]
    approximate: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cutting:
    """How much to remove, and where not to.

    Attributes:
        ratio: Share of the channels to remove, 0 to below 1.
        ratios: The same by layer, in place of `ratio` where a layer is named.
        everywhere: Whether the least important channels of the whole network go (global), or
            the same share of each group (local).
        round_to: What is left of each group is a multiple of this, rounded up.
        least: Channels that every group keeps at least.
        ignored: Layers that lose nothing.

    Raises:
        InputError: A value is out of range.
    """

    ratio: float = 0.0
    ratios: Mapping[str, float] = field(default_factory=dict)
    everywhere: bool = False
    round_to: int = 1
    least: int = 1
    ignored: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, value in {"ratio": self.ratio, **self.ratios}.items():
            if not 0 <= value < 1:
                raise InputError(
                    f"the pruning ratio of {name} is out of range" if name != "ratio" else
                    "the pruning ratio is out of range",
                    received=value,
                    allowed="0 to below 1, the share of channels to remove",
                )  # fmt: skip
        if min(self.round_to, self.least) < 1:
            raise InputError(
                "a group keeps at least one channel",
                received=f"round_to {self.round_to}, least {self.least}",
                allowed="1 or more",
            )


def trace(model: keras.Model) -> Trace:
    """Carries channel identities through a network.

    Raises:
        InputError: A layer has no rule, or an input has no fixed size.
    """
    ledger, seen = Ledger(), []
    inputs = []
    for tensor in model.inputs:
        shape = tuple(tensor.shape[1:])
        if None in shape:
            raise InputError(
                f"input {tensor.name!r} has no fixed size", received=shape,
                remedy="build the network with a fixed shape",
            )  # fmt: skip
        bands = ledger.make(tensor.name, shape[-1])
        ledger.protect(bands)
        inputs.append(np.broadcast_to(bands, shape))

    def visit(call: Call, entering: list[Ids]) -> Ids:
        layer = call.operation
        leaving = rule(layer).trace(layer, entering, ledger)
        seen.append(Seen(layer, tuple(entering), leaving))
        return leaving

    for output in walk(model, inputs, visit):
        ledger.protect(output)
    return Trace(ledger, seen, inputs)


def groups(model: keras.Model) -> list[Group]:
    """Which channels of a network live together, in the order of the forward pass."""
    return _groups(trace(model).ledger)


def _groups(ledger: Ledger) -> list[Group]:
    places: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for name, made in ledger.makers.items():
        for place, identity in enumerate(made.tolist()):
            places[ledger.root(identity)][name].append(place)
    protected = {ledger.root(identity) for identity in ledger.protected}
    reasons = {ledger.root(i): reason for i, reason in ledger.approximate.items()}
    found: dict[tuple[tuple[str, ...], bool, str | None], list[Any]] = defaultdict(list)
    for root, where in places.items():
        key = (tuple(where), root in protected, reasons.get(root))
        found[key].append(tuple(tuple(where[name]) for name in where))
    return [Group(names, tuple(chs), fixed, why) for (names, fixed, why), chs in found.items()]


def plan(model: keras.Model, criterion: str = "l2", cutting: Cutting | None = None) -> Plan:
    """Chooses the channels that stay.

    A channel's importance is the mean over the layers it lives in of the criterion's score,
    divided by that layer's mean score, so that layers of any size can be compared.

    Args:
        model: A functional model.
        criterion: One of `criteria.CRITERIA`.
        cutting: How much to remove.

    Raises:
        InputError: Unknown criterion or layer, or nothing would be left of a layer.
    """
    cutting = cutting or Cutting()
    if criterion not in CRITERIA:
        raise unknown("criterion", criterion, CRITERIA)
    traced = trace(model)
    ledger = traced.ledger
    _check_names(ledger, [*cutting.ratios, *cutting.ignored])
    free = [
        group
        for group in _groups(ledger)
        if not group.protected and not set(group.layers) & set(cutting.ignored)
    ]
    scores = _scores(traced, CRITERIA[criterion])
    importance = [
        np.array([_importance(scores, group, channel) for channel in group.channels])
        for group in free
    ]
    gone: dict[str, set[int]] = defaultdict(set)
    approximate = []
    for group, worth, count in zip(
        free, importance, _counts(free, importance, cutting), strict=True
    ):
        for channel in np.argsort(worth, kind="stable")[:count].tolist():
            for name, at in zip(group.layers, group.channels[channel], strict=True):
                gone[name].update(at)
        if count and group.approximate:
            approximate.append(group.approximate)
    widths = {name: len(made) for name, made in ledger.makers.items()}
    kept = {
        name: tuple(place for place in range(widths[name]) if place not in lost)
        for name, lost in gone.items()
    }
    return Plan(widths, kept, tuple(approximate))


def _check_names(ledger: Ledger, names: Sequence[str]) -> None:
    for name in names:
        if name not in ledger.makers:
            near = difflib.get_close_matches(name, list(ledger.makers), n=3)
            raise InputError(
                f"no layer {name!r} makes channels",
                allowed=", ".join(ledger.makers),
                remedy=f"did you mean {' or '.join(near)}" if near else "name one of these",
            )


def _scores(
    traced: Trace, score: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """The criterion's score of each channel of each layer, over the layer's mean."""
    found = {}
    for seen in traced.seen:
        if seen.layer.name in traced.ledger.makers and seen.layer.name not in found:
            values = score(rows(seen.layer))
            found[seen.layer.name] = values / (values.mean() or 1.0)
    return found


def _importance(
    scores: Mapping[str, NDArray[np.float64]], group: Group, channel: tuple[tuple[int, ...], ...]
) -> float:
    means = [scores[name][list(at)].mean() for name, at in zip(group.layers, channel, strict=True)]
    return float(np.mean(means))


def _counts(
    free: Sequence[Group], importance: Sequence[NDArray[np.float64]], cutting: Cutting
) -> list[int]:
    """How many channels each group loses."""
    asked = [_ratio(group, cutting) for group in free]
    if cutting.everywhere and importance:
        everything = np.sort(np.concatenate(importance))
        threshold = everything[: int(len(everything) * cutting.ratio)]
        limit = threshold[-1] if len(threshold) else -np.inf
        wanted = [int((worth <= limit).sum()) for worth in importance]
    else:
        wanted = [int(len(g) * ratio) for g, ratio in zip(free, asked, strict=True)]
    return [_rounded(len(g), count, cutting) for g, count in zip(free, wanted, strict=True)]


def _ratio(group: Group, cutting: Cutting) -> float:
    named = {cutting.ratios[name] for name in group.layers if name in cutting.ratios}
    if len(named) > 1:
        raise InputError(
            f"layers {', '.join(group.layers)} live together and cannot lose different shares",
            received=sorted(named),
            remedy="give one ratio to all of them",
        )
    return named.pop() if named else cutting.ratio


def _rounded(size: int, count: int, cutting: Cutting) -> int:
    left = max(size - count, min(cutting.least, size))
    left = min(size, -(-left // cutting.round_to) * cutting.round_to)
    return size - left


def removed(traced: Trace, chosen: Plan) -> set[int]:
    """The identities that a plan removes.

    Raises:
        InputError: The plan is another network's, tears channels apart that live together,
            removes protected ones, or would empty a layer.
    """
    ledger = traced.ledger
    widths = {name: len(made) for name, made in ledger.makers.items()}
    if widths != chosen.widths:
        odd = sorted(set(widths.items()) ^ set(chosen.widths.items()))[:3]
        raise InputError(
            "the plan belongs to another network",
            received=f"other layers or widths, such as {', '.join(f'{n} ({w})' for n, w in odd)}",
            remedy="make a plan for this network",
        )
    gone = set()
    for name, kept in chosen.kept.items():
        if not kept:
            raise InputError(f"the plan would leave nothing of layer {name!r}", allowed="1 or more")
        lost = np.setdiff1d(np.arange(widths[name]), kept)
        gone |= {ledger.root(identity) for identity in ledger.makers[name][lost].tolist()}
    if gone & {ledger.root(identity) for identity in ledger.protected}:
        raise InputError("the plan removes inputs, outputs or what is tied to them")
    for name, made in ledger.makers.items():
        tied = {p for p, i in enumerate(made.tolist()) if ledger.root(i) in gone}
        torn = tied & set(chosen.kept.get(name, range(widths[name])))
        if torn:
            raise InputError(
                f"the plan keeps channels of {name!r} whose partners it removes",
                received=sorted(torn)[:5],
                remedy="remove channels that live together in all their layers",
            )
    return gone
