"""Checks of importance criteria: what a cut of channels takes and costs."""

from __future__ import annotations

from collections.abc import Sequence

from hsitf.literature.checks.base import Finding, Limits, check
from hsitf.literature.means import StudyMeans
from hsitf.literature.means import overall_accuracy as oa
from hsitf.sweep.record import CellMean


def _cut(
    study: StudyMeans, network: str, importance: str, layers: dict[str, float]
) -> CellMean | None:
    """The mean of a network without these shares of the channels of its layers."""
    text = ";".join(f"{name}={ratio:g}" for name, ratio in layers.items())
    return study.one(
        network=network, measure="ratio", target=..., criterion=importance, layers=text
    )


@check
def cost_reductions(
    study: StudyMeans,
    network: str,
    importance: str,
    layers: dict[str, float],
    percent: dict[str, float],
    within: float,
) -> Finding | None:
    """By how many percent a cut lowers the cost of a network.

    Args:
        study: Results of the study.
        network: Name of the network.
        importance: Importance criterion of the channels.
        layers: Share of the channels that is removed, by layer or pattern.
        percent: The literature's reductions, by the name of the value: parameters, macs.
        within: Percentage points that a reduction may be off.
    """
    before, after = study.one(network=network), _cut(study, network, importance, layers)
    if before is None or after is None:
        return None
    ours = {
        name: 100 * (1 - after.values[name].mean / before.values[name].mean) for name in percent
    }
    summary = ", ".join(f"{name} -{value:.1f} %" for name, value in ours.items())
    return Finding(all(abs(ours[name] - percent[name]) <= within for name in percent), summary)


@check
def cut_change(
    study: StudyMeans, network: str, importance: str, layers: dict[str, float], limits: Limits
) -> Finding | None:
    """The change of the accuracy by a cut and fine-tuning, in points."""
    after = _cut(study, network, importance, layers)
    change = None if after is None else study.gain(after)
    if after is None or change is None:
        return None
    accuracies = f"{oa(after) - change:.2f} -> {oa(after):.2f} %"
    return Finding(limits.contain(change), f"{accuracies} ({change:+.2f})")


@check
def criterion_leads(
    study: StudyMeans, importance: str, others: Sequence[str], measures: Sequence[str]
) -> Finding | None:
    """A criterion is at least as accurate as each of some others, for every network and cut.

    Args:
        study: Results of the study.
        importance: Importance criterion that leads.
        others: Criteria that it is compared with.
        measures: Measures of pruning that count, such as "macs" and "ratio".
    """
    cuts: dict[tuple[str, str, float, str], dict[str, float]] = {}
    for measure in measures:
        for mean in study.select(
            network=..., measure=measure, target=..., layers=..., criterion=...
        ):
            own = mean.settings
            key = (own.network, own.measure, own.target, own.layers)
            cuts.setdefault(key, {})[own.criterion] = oa(mean)
    summary, right = [], []
    for (network, measure, target, _), by_criterion in cuts.items():
        beside = {name: by_criterion[name] for name in others if name in by_criterion}
        if importance in by_criterion and beside:
            ours, best = by_criterion[importance], max(beside, key=lambda name: beside[name])
            rank = 1 + sum(value > ours for value in beside.values())
            summary.append(
                f"{network} {measure} {target:g}: {ours:.1f} %, place {rank} of "
                f"{1 + len(beside)}" + (f" (first {best} {beside[best]:.1f} %)" if rank > 1 else "")
            )
            right.append(rank == 1)
    return Finding(all(right), "; ".join(summary)) if right else None
