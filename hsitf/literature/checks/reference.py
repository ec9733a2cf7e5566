"""Checks of networks as they are: accuracies and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hsitf.literature.checks.base import (
    NETWORKS,
    Finding,
    Limits,
    check,
)
from hsitf.literature.means import StudyMeans


@check
def accuracy_order(
    study: StudyMeans, groups: Sequence[Sequence[str]], optional: Sequence[str] = ()
) -> Finding | None:
    """Every network of a group is more accurate than those of the next group.

    Args:
        study: Results of the study.
        groups: Names of networks, the most accurate group first.
        optional: Networks that may be missing from the study.
    """
    references = {name: study.reference(name) for name in NETWORKS}
    found = {name: value for name, value in references.items() if value is not None}
    if not {name for group in groups for name in group} - set(optional) <= set(found):
        return None
    known = [[found[name] for name in group if name in found] for group in groups]
    ordered = all(min(better) > max(worse) for better, worse in pairwise(known))
    return Finding(
        ordered, ", ".join(f"{name} {value:.1f}" for name, value in found.items()) + " %"
    )


@check
def weights_size(
    study: StudyMeans, network: str, bands: int, megabytes: float, tolerance: float
) -> Finding | None:
    """The float32 weights of a network take so many MB, within a share, on so many bands."""
    found = study.one(network=network)
    # Sizes follow from the number of bands.
    if found is None or found.values["bands"].mean != bands:
        return None
    ours = found.values["weight_bytes"].mean / 1e6
    return Finding(abs(ours / megabytes - 1) <= tolerance, f"{ours:.2f} MB")


@check
def above_baselines(
    study: StudyMeans, networks: Sequence[str], baselines: Sequence[str]
) -> Finding | None:
    """Networks are more accurate than every baseline that the study has, of those named."""
    best = [(name, study.reference(name)) for name in networks]
    others = [(name, study.reference(name)) for name in baselines]
    measured = [(name, value) for name, value in others if value is not None]
    if not measured or any(value is None for _, value in best):
        return None
    known = [(name, value) for name, value in best if value is not None]
    summary = ", ".join(f"{name} {value:.1f}" for name, value in [*known, *measured])
    least, most = min(value for _, value in known), max(value for _, value in measured)
    return Finding(least > most, f"{summary} %")


@check
def values_correlate(study: StudyMeans, first: str, second: str, limits: Limits) -> Finding | None:
    """Spearman's rank correlation of two values over the networks, five or more.

    Args:
        study: Results of the study.
        first: Name of a value, such as "train_seconds".
        second: Name of another one, such as "predict_us".
        limits: Of the rank correlation; outside them it may not be.
    """
    from scipy.stats import spearmanr

    found = {
        name: (mean.values[first].mean, mean.values[second].mean)
        for name, mean in study.references.items()
        if first in mean.values and second in mean.values and mean.values["parameters"].mean
    }
    if len(found) < 5:
        return None
    rank = float(spearmanr(*zip(*found.values(), strict=True)).statistic)
    return Finding(limits.contain(rank), f"rank correlation {rank:.2f} over {len(found)} networks")
