"""Checks of explanations: what networks look at, before and after pruning."""

from __future__ import annotations

import numpy as np

from hsitf.literature.checks.base import Finding, Limits, check
from hsitf.literature.means import StudyExplanation, StudyMeans


def _of(study: StudyMeans, network: str, method: str) -> list[StudyExplanation]:
    """Explanations of a network by a method."""
    return [
        one
        for one in study.explanations
        if (one.record.network, one.record.method) == (network, method)
    ]


def _subjects(one: StudyExplanation) -> list[tuple[str, int]]:
    """What is explained: names and numbers of the outputs."""
    return [(output.name, output.output) for output in one.record.outputs]


def _similarities(one: StudyExplanation) -> list[float]:
    """Structural similarity of the maps of the pruned networks to those of the first network."""
    return [
        alike.ssim
        for source in one.record.sources[1:]
        for alike in source.similarity
        if alike.ssim is not None
    ]


@check
def methods_agree(
    study: StudyMeans, network: str, method: str, other: str, limits: Limits
) -> Finding | None:
    """Pearson correlation of the maps of two methods, of the same network and outputs."""
    summary, right = [], []
    for one in _of(study, network, method):
        for beside in _of(study, network, other):
            first, second = one.record.sources[0], beside.record.sources[0]
            same = first.sha256 == second.sha256 and _subjects(one) == _subjects(beside)
            if not same or one.magnitude().shape != beside.magnitude().shape:
                continue
            pair = one.magnitude().ravel(), beside.magnitude().ravel()
            if all(np.ptp(values) > 0 for values in pair):
                value = float(np.corrcoef(*pair)[0, 1])
                summary.append(f"{first.reduction or 'all bands'} {value:.2f}")
                right.append(limits.contain(value))
    return Finding(all(right), f"correlation of {', '.join(summary)}") if right else None


@check
def maps_kept(study: StudyMeans, network: str, method: str, limits: Limits) -> Finding | None:
    """The least structural similarity of the maps of pruned networks to those of the whole one."""
    found = [
        (one.record.sources[0].reduction or "all bands", min(alike))
        for one in _of(study, network, method)
        if (alike := _similarities(one))
    ]
    if not found:
        return None
    summary = ", ".join(f"{name} {value:.2f}" for name, value in found)
    return Finding(all(limits.contain(value) for _, value in found), f"least {summary}")


@check
def maps_steadier(
    study: StudyMeans, network: str, method: str, bands: str, than: str
) -> Finding | None:
    """Pruning changes the maps less with one reduction of the bands than with another.

    Args:
        study: Results of the study.
        network: Name of the network.
        method: Method of the explanations.
        bands: Technique with which they change less.
        than: Technique with which they change more.
    """
    means = {}
    for one in _of(study, network, method):
        technique = one.record.sources[0].reduction.partition(":")[0]
        if alike := _similarities(one):
            means[technique] = float(np.mean(alike))
    if bands not in means or than not in means:
        return None
    summary = f"mean similarity {bands} {means[bands]:.2f}, {than} {means[than]:.2f}"
    return Finding(means[bands] > means[than], summary)


@check
def maps_empty(study: StudyMeans, network: str, method: str) -> Finding | None:
    """Without a reduction of the bands the maps are zero everywhere."""
    found = [one for one in _of(study, network, method) if not one.record.sources[0].reduction]
    if not found:
        return None
    shares = [float((one.magnitude() > 0).mean()) for one in found]
    return Finding(not any(shares), f"{max(shares):.0%} of the values are not zero")
