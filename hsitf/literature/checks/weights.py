"""Checks of pruning: single weights and channels."""

from __future__ import annotations

from collections.abc import Sequence

from hsitf.literature.checks.base import (
    NETWORKS,
    Finding,
    Limits,
    all_inside,
    best_gain_finding,
    check,
    losslessly_removed,
    pruned_points,
    sparsity_curve,
)
from hsitf.literature.means import StudyMeans
from hsitf.literature.means import overall_accuracy as oa


@check
def lossless_sparsity(
    study: StudyMeans, network: str, share: float, tolerance: float
) -> Finding | None:
    """No alpha that removes up to a share of the weights loses more than a tolerance in points."""
    # An alpha does not meet a share exactly.
    points = [point for point in sparsity_curve(study, network) if point.removed <= share + 0.05]
    if not points or points[-1].removed < 0.7 * share:
        return None
    summary = ", ".join(f"{point.removed:.0%} gone {point.gain:+.1f}" for point in points)
    return Finding(all(point.gain >= -tolerance for point in points), f"{summary} points")


@check
def sparsity_gain(study: StudyMeans, network: str, above: float) -> Finding | None:
    """The best alpha is above the reference by more than so many points."""
    points = sparsity_curve(study, network)
    return best_gain_finding(points, above, "gone") if points else None


@check
def sparsity_collapse(
    study: StudyMeans, share: float, limits: Limits, networks: Sequence[str] = NETWORKS
) -> Finding | None:
    """The change of accuracy for every alpha that removes a share of the weights or more."""
    pairs = [
        (f"{network} at {point.removed:.0%}", point.gain)
        for network in networks
        for point in sparsity_curve(study, network)
        if point.removed >= share
    ]
    return all_inside(pairs, limits)


@check
def lossless_ratio(
    study: StudyMeans,
    network: str,
    importance: str,
    ratio: float,
    tolerance: float,
    measured: bool = False,
) -> Finding | None:
    """No ratio of removed channels up to a greatest one loses more than a tolerance in points.

    Args:
        study: Results of the study.
        network: Name of the network.
        importance: Importance criterion of the channels.
        ratio: The greatest ratio.
        tolerance: Points that may be lost.
        measured: Whether the greatest ratio itself has to be in the study.
    """
    found = study.select(network=network, measure="ratio", target=..., criterion=importance)
    gains = [(mean.settings.target, study.gain(mean)) for mean in found]
    pairs = [
        (f"{target:.0%} of the channels", gain)
        for target, gain in gains
        if gain is not None and target <= ratio
    ]
    if measured and not any(name.startswith(f"{ratio:.0%}") for name, _ in pairs):
        return None
    return all_inside(pairs, Limits(at_least=-tolerance))


@check
def size_without_channels(
    study: StudyMeans,
    network: str,
    importance: str,
    ratio: float,
    megabytes: Sequence[float],
    tolerance: float,
) -> Finding | None:
    """The weights shrink as those of the literature, from one size to another, within a share."""
    before = study.one(network=network)
    after = study.one(network=network, measure="ratio", criterion=importance, target=ratio)
    if before is None or after is None:
        return None
    sizes = [mean.values["weight_bytes"].mean / 1e6 for mean in (before, after)]
    summary = f"{sizes[0]:.0f} -> {sizes[1]:.0f} MB"
    return Finding(abs(sizes[1] / sizes[0] - megabytes[1] / megabytes[0]) <= tolerance, summary)


@check
def channels_not_removable(
    study: StudyMeans, networks: Sequence[str], importance: str
) -> Finding | None:
    """Networks cannot lose channels; it fails where a study has networks without them."""
    summary = []
    for network in networks:
        before = study.one(network=network)
        after = study.select(network=network, measure="ratio", criterion=importance)
        if before is None or not after:
            return None
        last = after[-1]
        left = last.values["parameters"].mean / before.values["parameters"].mean
        summary.append(
            f"{network} without {last.settings.target:.0%} of its channels: {left:.0%} of the "
            f"weights, {oa(last):.1f} %"
        )
    return Finding(False, "; ".join(summary))


@check
def weights_before_channels(
    study: StudyMeans, networks: Sequence[str], importance: str, tolerance: float
) -> Finding | None:
    """Without loss, more weights can go one by one than with whole channels.

    Args:
        study: Results of the study.
        networks: Networks that count.
        importance: Importance criterion of the channels.
        tolerance: Points that may be lost.
    """
    summary, right = [], []
    for network in networks:
        cut = study.select(network=network, measure="ratio", target=..., criterion=importance)
        fine, coarse = sparsity_curve(study, network), pruned_points(study, cut)
        if min(len(fine), len(coarse)) < 3:
            continue
        single, channels = (losslessly_removed(one, tolerance) or 0.0 for one in (fine, coarse))
        summary.append(f"{network} {single:.0%} one by one, {channels:.0%} with channels")
        right.append(single > channels)
    return Finding(all(right), "; ".join(summary)) if right else None
