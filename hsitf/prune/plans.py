"""Plans: which channels stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf import records
from hsitf.errors import InputError, unknown
from hsitf.prune.ranking import Ranking, Samples, rank
from hsitf.prune.tracing import Group, Trace, grouped

Free = Sequence[tuple[Group, NDArray[np.float64]]]
Sizes = Mapping[tuple[str, ...], int]

# Digits to which a width is computed before it is rounded down: 0.7 * 10 is 6.999... in binary.
_DIGITS = 9


@dataclass(frozen=True)
class Plan:
    """Which channels of a network stay.

    Attributes:
        widths: Channels that each layer of the network makes, to know it by.
        kept: By layer, the places of the channels that stay; layers that lose none are left out.
        approximate: Reasons why the thinned network is not exactly the masked one; empty where
            it is.
        free: Inputs and output layers that may lose channels too.
        criterion: What chose them; empty where they were named.
    """

    widths: dict[str, int]
    kept: dict[str, tuple[int, ...]]
    approximate: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    criterion: str = ""
    schema: int = records.SCHEMA

    def __post_init__(self) -> None:
        for name, places in self.kept.items():
            if list(places) != sorted(set(places)):
                raise InputError(
                    f"the plan does not keep the channels of {name!r} in order",
                    received=", ".join(map(str, places[:8])),
                    allowed="rising places, each once",
                )

    def save(self, path: Path) -> None:
        """Writes the plan as JSON.

        Raises:
            OutputError: The file cannot be written.
        """
        records.write(self, path)

    @staticmethod
    def load(path: Path) -> Plan:
        """Reads a plan from JSON.

        Raises:
            DataError: The file is missing or is no plan.
        """
        return records.read(Plan, path)


@dataclass(frozen=True)
class Cutting:
    """How much to remove, and where not to.

    Attributes:
        ratio: Share of the channels to remove, 0 to below 1. Of a group of w channels the
            integer part of w * (1 - ratio) stays.
        ratios: The same by layer, in place of `ratio` where a layer is named.
        everywhere: Whether the least important channels of the whole network go (global), or
            the same share of each group (local).
        round_to: What is left of each group is a multiple of this, rounded up.
        least: Channels that every group keeps at least.
        ignored: Layers that lose nothing.
        exact: Whether to leave alone what cannot be removed exactly.
        free: Inputs and output layers that may lose channels too, which else none does.

    Raises:
        InputError: A value is out of range.
    """

    ratio: float = 0.0
    ratios: Mapping[str, float] = field(default_factory=dict)
    everywhere: bool = False
    round_to: int = 1
    least: int = 1
    ignored: tuple[str, ...] = ()
    exact: bool = False
    free: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in {"ratio": self.ratio, **self.ratios}.items():
            if not 0 <= value < 1:
                raise InputError(
                    f"the pruning ratio of {name} is out of range"
                    if name != "ratio"
                    else "the pruning ratio is out of range",
                    received=value,
                    allowed="0 to below 1, the share of channels to remove",
                )
        if min(self.round_to, self.least) < 1:
            raise InputError(
                "a group keeps at least one channel",
                received=f"round_to {self.round_to}, least {self.least}",
                allowed="1 or more",
            )


def plan(
    model: keras.Model,
    criterion: str = "l2",
    cutting: Cutting | None = None,
    samples: Samples | None = None,
) -> Plan:
    """Chooses the channels that stay.

    Args:
        model: A functional model.
        criterion: One of `criteria.CRITERIA`.
        cutting: How much to remove.
        samples: Calibration patches with their classes, for criteria that look at data.

    Raises:
        InputError: Unknown criterion or layer, a criterion without the data it needs, or
            ratios that contradict each other.
    """
    cutting = cutting or Cutting()
    return choose(rank(model, criterion, samples, cutting.free), cutting)


def choose(ranking: Ranking, cutting: Cutting, whole: Sizes | None = None) -> Plan:
    """Removes the least important channels.

    Args:
        ranking: Of a network.
        cutting: How much to remove, and where not to.
        whole: By the layers of a group, how many channels it had when ratios were first applied;
            where some are gone by now, ratios are of these. As it is now where None.

    Raises:
        InputError: A layer does not exist, or ratios contradict each other.
    """
    free = prunable(ranking, cutting)
    return losing(ranking, cutting, free, counts(free, cutting, whole or {}))


def prunable(ranking: Ranking, cutting: Cutting) -> Free:
    """The groups that may lose channels, with the worth of each of their channels.

    Raises:
        InputError: A layer that is named does not exist.
    """
    for name in [*cutting.ratios, *cutting.ignored]:
        if name not in ranking.trace.widths:
            raise unknown("layer with channels", name, list(ranking.trace.widths))
    return [
        (group, worth)
        for group, worth in zip(ranking.groups, ranking.worth, strict=True)
        if not set(group.layers) & set(cutting.ignored)
        and not (cutting.exact and group.approximate)
    ]


def losing(ranking: Ranking, cutting: Cutting, free: Free, gone_of: Sequence[int]) -> Plan:
    """The plan by which each of these groups loses so many channels, the least important."""
    gone: dict[str, set[int]] = defaultdict(set)
    approximate = []
    for (group, worth), count in zip(free, gone_of, strict=True):
        for channel in np.argsort(worth, kind="stable")[:count].tolist():
            for name, at in zip(group.layers, group.channels[channel], strict=True):
                gone[name].update(at)
        if count and group.approximate:
            approximate.append(group.approximate)
    widths = ranking.trace.widths
    kept = {
        name: tuple(place for place in range(widths[name]) if place not in lost)
        for name, lost in gone.items()
    }
    return Plan(
        widths, kept, tuple(dict.fromkeys(approximate)), tuple(cutting.free), ranking.criterion
    )


def sizes(trace: Trace) -> Sizes:
    """By the layers of a group, how many channels it has."""
    return {group.layers: len(group) for group in grouped(trace.ledger)}


def counts(free: Free, cutting: Cutting, whole: Sizes) -> list[int]:
    """How many channels each group loses; `whole` as of `choose`."""
    left = [_left(whole.get(g.layers, len(g)), _ratio(g, cutting)) for g, _ in free]
    if cutting.everywhere:
        ranked = [at for at, (g, _) in enumerate(free) if not set(g.layers) & set(cutting.ratios)]
        total = sum(whole.get(free[at][0].layers, len(free[at][0])) for at in ranked)
        order = sorted((value, at) for at in ranked for value in free[at][1].tolist())
        gone = max(0, len(order) - _left(total, cutting.ratio))
        for at in ranked:
            left[at] = len(free[at][0]) - sum(place == at for _, place in order[:gone])
    return [
        _rounded(group, min(count, len(group)), cutting)
        for (group, _), count in zip(free, left, strict=True)
    ]


def _left(count: int, ratio: float) -> int:
    return int(round(count * (1 - ratio), _DIGITS))


def _ratio(group: Group, cutting: Cutting) -> float:
    named = {cutting.ratios[name] for name in group.layers if name in cutting.ratios}
    if len(named) > 1:
        raise InputError(
            f"layers {', '.join(group.layers)} live together and cannot lose different shares",
            received=sorted(named),
            remedy="give one ratio to all of them",
        )
    return named.pop() if named else cutting.ratio


def _rounded(group: Group, left: int, cutting: Cutting) -> int:
    left = max(left, min(max(cutting.least, group.least), len(group)))
    left = min(len(group), -(-left // cutting.round_to) * cutting.round_to)
    return len(group) - left


def named(trace: Trace, gone: Mapping[str, Sequence[int]], free: Sequence[str] = ()) -> Plan:
    """The plan that removes these channels, and whatever lives with them.

    Args:
        trace: Of the network.
        gone: By layer, places of channels.
        free: As in `trace`.

    Raises:
        InputError: There is no such layer or channel.
    """
    ledger = trace.ledger
    roots = set()
    for name, places in gone.items():
        if name not in ledger.makers:
            raise unknown("layer with channels", name, list(ledger.makers))
        width = len(ledger.makers[name])
        if bad := [place for place in places if not -width <= place < width]:
            raise InputError(
                f"layer {name!r} has no such channels",
                received=bad[:5],
                allowed=f"0 to {width - 1}",
            )
        roots |= {ledger.root(int(ledger.makers[name][place])) for place in places}
    kept = {}
    for name, made in ledger.makers.items():
        left = tuple(p for p, i in enumerate(made.tolist()) if ledger.root(i) not in roots)
        if len(left) < len(made):
            kept[name] = left
    reasons = {ledger.root(i): reason for i, reason in ledger.approximate.items()}
    approximate = dict.fromkeys(reasons[root] for root in roots if root in reasons)
    chosen = Plan(trace.widths, kept, tuple(approximate), tuple(free))
    removed(trace, chosen)
    return chosen


def compose(first: Plan, second: Plan) -> Plan:
    """The plan that does at once what one plan does to a network and another to the result."""
    kept = dict(first.kept)
    for name, places in second.kept.items():
        before = first.kept.get(name, tuple(range(first.widths[name])))
        kept[name] = tuple(before[place] for place in places)
    return Plan(
        first.widths,
        kept,
        tuple(dict.fromkeys([*first.approximate, *second.approximate])),
        tuple(dict.fromkeys([*first.free, *second.free])),
        second.criterion,
    )


def removed(trace: Trace, chosen: Plan) -> set[int]:
    """The identities that a plan removes.

    Raises:
        InputError: The plan is another network's, tears channels apart that live together,
            removes protected ones, or would empty a layer.
    """
    ledger, widths = trace.ledger, trace.widths
    if widths != chosen.widths or not set(chosen.kept) <= set(widths):
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
        if not set(kept) <= set(range(widths[name])):
            raise InputError(
                f"the plan keeps channels that layer {name!r} does not have",
                received=sorted(set(kept) - set(range(widths[name])))[:5],
                allowed=f"0 to {widths[name] - 1}",
            )
        lost = np.setdiff1d(np.arange(widths[name]), kept)
        gone |= {ledger.root(identity) for identity in ledger.makers[name][lost].tolist()}
    reasons = {ledger.root(i): reason for i, reason in ledger.approximate.items()}
    untold = {reasons[root] for root in gone if root in reasons} - set(chosen.approximate)
    if untold:
        raise InputError(
            "the plan is approximate and does not say so",
            received=", ".join(sorted(untold)),
            remedy="make the plan with hsitf.prune, which states its reasons",
        )
    if gone & {ledger.root(identity) for identity in ledger.protected}:
        raise InputError(
            "the plan removes inputs, outputs or what is tied to them",
            remedy="name the input or the layer at the output as free, if that is what you want",
        )
    for name, made in ledger.makers.items():
        tied = {p for p, i in enumerate(made.tolist()) if ledger.root(i) in gone}
        torn = tied & set(chosen.kept.get(name, range(widths[name])))
        if torn:
            raise InputError(
                f"the plan keeps channels of {name!r} whose partners it removes",
                received=sorted(torn)[:5],
                remedy="remove channels that live together in all their layers",
            )
    stays = trace.stays(gone)
    for window in ledger.windows:
        if not stays[window.made].any():
            raise InputError(
                "the plan leaves fewer positions than a kernel spans",
                received=f"{int(stays[window.line].sum())} of {len(window.line)}",
                allowed=f"{window.slide.least(1)} or more",
                remedy="remove fewer",
            )
    return gone
