"""Pruning plans: which channels are kept."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from hsitf import records
from hsitf.compat import formerly
from hsitf.errors import InputError, unknown
from hsitf.prune.config import PruningConfig
from hsitf.prune.counts import GroupSizes, PrunableGroups, removal_counts
from hsitf.prune.named import check_named
from hsitf.prune.pieces import removed_channels
from hsitf.prune.ranking import Ranking, Samples, rank
from hsitf.prune.tracing import Trace, groups_of


@formerly(prune_io="free")
@dataclass(frozen=True)
class PruningPlan:
    """Which channels of a network are kept.

    Attributes:
        widths: Number of channels that each layer of the network produces; identifies the network.
        kept: Indices of the kept channels of each layer; layers that lose none are left out.
        approximate: Reasons why the thinned network is not exactly the masked one; empty where
            it is.
        prune_io: Inputs and output layers that may lose channels too.
        criterion: Importance criterion that selected the channels; empty where they were named.
    """

    widths: dict[str, int]
    kept: dict[str, tuple[int, ...]]
    approximate: tuple[str, ...] = ()
    prune_io: tuple[str, ...] = ()
    criterion: str = ""
    schema: int = records.SCHEMA

    def __post_init__(self) -> None:
        for name, indices in self.kept.items():
            if list(indices) != sorted(set(indices)):
                raise InputError(
                    f"the plan does not keep the channels of {name!r} in order",
                    received=", ".join(map(str, indices[:8])),
                    allowed="ascending indices, each once",
                )

    def save(self, path: Path) -> None:
        """Writes the plan as JSON.

        Raises:
            OutputError: The file cannot be written.
        """
        records.write(self, path)

    @staticmethod
    def load(path: Path) -> PruningPlan:
        """Reads a plan from JSON.

        Raises:
            DataError: The file is missing or is no plan.
        """
        return records.read(PruningPlan, path)


def plan(
    model: keras.Model,
    criterion: str = "l2",
    config: PruningConfig | None = None,
    samples: Samples | None = None,
) -> PruningPlan:
    """Selects the channels that are kept.

    Warns where the criterion gives all channels of a layer the same score and so selects nothing.

    Args:
        model: A functional model.
        criterion: One of `criteria.CRITERIA`.
        config: How much to remove, and where.
        samples: Calibration patches with their classes, for criteria that need data.

    Raises:
        InputError: Unknown criterion or layer, a criterion without the data it needs, or
            ratios that contradict each other.
    """
    config = config or PruningConfig()
    ranking = rank(model, criterion, samples, config.prune_io)
    for message in ranking.tie_messages:
        warnings.warn(message, stacklevel=2)
    return select(ranking, config)


def select(
    ranking: Ranking, config: PruningConfig, original_sizes: GroupSizes | None = None
) -> PruningPlan:
    """Removes the least important channels.

    Args:
        ranking: Ranking of the network's channels.
        config: How much to remove, and where.
        original_sizes: By the layers of a group, its number of channels when ratios were first
            applied; where some are removed by now, ratios refer to these. The current number where
            None.

    Raises:
        InputError: A layer does not exist, or ratios contradict each other.
    """
    groups = prunable_groups(ranking, config)
    return plan_from_counts(
        ranking, config, groups, removal_counts(groups, config, original_sizes or {})
    )


def prunable_groups(ranking: Ranking, config: PruningConfig) -> PrunableGroups:
    """The groups that may lose channels, with the importance of each of their channels.

    Raises:
        InputError: A layer that is named does not exist, or a layer or kind with a ratio has no
            channels that may go.
    """
    for name in [*config.ratios, *config.ignored]:
        if name not in ranking.trace.widths:
            raise unknown("layer with channels", name, list(ranking.trace.widths))
    found = [
        (group, importance)
        for group, importance in zip(ranking.groups, ranking.importance, strict=True)
        if not set(group.layers) & set(config.ignored) and not (config.exact and group.approximate)
    ]
    check_named(ranking, config, [group for group, _ in found])
    return found


def plan_from_counts(
    ranking: Ranking, config: PruningConfig, groups: PrunableGroups, counts: Sequence[int]
) -> PruningPlan:
    """The plan in which each group loses a given number of its least important channels.

    Where that would leave nothing of a tensor, such as a piece of a split, its most important
    channel stays and the next one of its group goes.
    """
    removed: dict[str, set[int]] = defaultdict(set)
    approximate = []
    lost_channels = removed_channels(ranking.trace, groups, counts, config.round_to)
    for (group, _), channels in zip(groups, lost_channels, strict=True):
        for channel in channels:
            for name, at in zip(group.layers, group.channels[channel], strict=True):
                removed[name].update(at)
        if channels and group.approximate:
            approximate.append(group.approximate)
    widths = ranking.trace.widths
    kept = {
        name: tuple(index for index in range(widths[name]) if index not in lost)
        for name, lost in removed.items()
    }
    return PruningPlan(
        widths, kept, tuple(dict.fromkeys(approximate)), tuple(config.prune_io), ranking.criterion
    )


def group_sizes(trace: Trace) -> GroupSizes:
    """Number of channels of each group, by the layers of the group."""
    return {group.layers: len(group) for group in groups_of(trace)}


def plan_from_channels(
    trace: Trace, removed_channels: Mapping[str, Sequence[int]], prune_io: Sequence[str] = ()
) -> PruningPlan:
    """The plan that removes the given channels and all channels coupled with them.

    Args:
        trace: Trace of the network.
        removed_channels: Indices of the channels to remove, by layer.
        prune_io: As in `trace`.

    Raises:
        InputError: There is no such layer or channel.
    """
    graph = trace.graph
    roots = set()
    for name, indices in removed_channels.items():
        if name not in graph.producers:
            raise unknown("layer with channels", name, list(graph.producers))
        width = len(graph.producers[name])
        if bad := [index for index in indices if not -width <= index < width]:
            raise InputError(
                f"layer {name!r} has no such channels",
                received=bad[:5],
                allowed=f"0 to {width - 1}",
            )
        roots |= {graph.root(int(graph.producers[name][index])) for index in indices}
    kept = {}
    for name, made in graph.producers.items():
        kept_channels = tuple(p for p, i in enumerate(made.tolist()) if graph.root(i) not in roots)
        if len(kept_channels) < len(made):
            kept[name] = kept_channels
    reasons = {graph.root(i): reason for i, reason in graph.approximate.items()}
    approximate = dict.fromkeys(reasons[root] for root in roots if root in reasons)
    chosen = PruningPlan(trace.widths, kept, tuple(approximate), tuple(prune_io))
    removed_ids(trace, chosen)
    return chosen


def compose(first: PruningPlan, second: PruningPlan) -> PruningPlan:
    """Combines a plan for a network and a plan for the result into one plan."""
    kept = dict(first.kept)
    for name, indices in second.kept.items():
        before = first.kept.get(name, tuple(range(first.widths[name])))
        kept[name] = tuple(before[index] for index in indices)
    return PruningPlan(
        first.widths,
        kept,
        tuple(dict.fromkeys([*first.approximate, *second.approximate])),
        tuple(dict.fromkeys([*first.prune_io, *second.prune_io])),
        second.criterion,
    )


def removed_ids(trace: Trace, chosen: PruningPlan) -> set[int]:
    """The ids that a plan removes.

    Raises:
        InputError: The plan belongs to another network, keeps a part of coupled channels, removes
            protected ones, or would empty a layer.
    """
    graph, widths = trace.graph, trace.widths
    if widths != chosen.widths or not set(chosen.kept) <= set(widths):
        odd = sorted(set(widths.items()) ^ set(chosen.widths.items()))[:3]
        raise InputError(
            "the plan belongs to another network",
            received=f"other layers or widths, such as {', '.join(f'{n} ({w})' for n, w in odd)}",
            remedy="make a plan for this network",
        )
    removed = set()
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
        removed |= {graph.root(identity) for identity in graph.producers[name][lost].tolist()}
    reasons = {graph.root(i): reason for i, reason in graph.approximate.items()}
    unstated = {reasons[root] for root in removed if root in reasons} - set(chosen.approximate)
    if unstated:
        raise InputError(
            "the plan is approximate but not marked as such",
            received=", ".join(sorted(unstated)),
            remedy="make the plan with hsitf.prune, which states its reasons",
        )
    if removed & {graph.root(identity) for identity in graph.protected}:
        raise InputError(
            "the plan removes inputs, outputs or channels coupled with them",
            remedy="name the input or the output layer in prune_io, if that is intended",
        )
    for name, made in graph.producers.items():
        coupled = {p for p, i in enumerate(made.tolist()) if graph.root(i) in removed}
        inconsistent = coupled & set(chosen.kept.get(name, range(widths[name])))
        if inconsistent:
            raise InputError(
                f"the plan keeps channels of {name!r} but removes channels coupled with them",
                received=sorted(inconsistent)[:5],
                remedy="remove coupled channels in all their layers",
            )
    keep = trace.keep_mask(removed)
    for window in graph.windows:
        if not keep[window.outputs].any():
            raise InputError(
                "the plan leaves fewer positions than a kernel spans",
                received=f"{int(keep[window.inputs].sum())} of {len(window.inputs)}",
                allowed=f"{window.kernel.required_length(1)} or more",
                remedy="remove fewer",
            )
    return removed
