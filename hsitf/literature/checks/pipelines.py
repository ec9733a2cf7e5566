"""Checks of pipelines: reduced bands, then fewer weights, then few bits."""

from __future__ import annotations

from collections.abc import Sequence

from hsitf.literature.checks.base import (
    Finding,
    Limits,
    all_inside,
    best_gain_finding,
    bits_change,
    check,
    losslessly_removed,
    reduced_means,
    sparsity_curve,
)
from hsitf.literature.means import StudyMeans
from hsitf.literature.means import overall_accuracy as oa


@check
def pipeline_gain(
    study: StudyMeans, network: str, bands: str, share: float, within: float, above: float
) -> Finding | None:
    """With reduced bands and about a share pruned, the best cell is above the reference.

    Args:
        study: Results of the study.
        network: Name of the network.
        bands: Technique of the band reduction.
        share: Share of the weights that is pruned.
        within: By how much the pruned share may be off.
        above: Points by which it has to be above the reference.
    """
    near = [
        point
        for point in sparsity_curve(study, network, bands)
        if abs(point.removed - share) <= within
    ]
    return best_gain_finding(near, above, "pruned") if near else None


@check
def pipeline_loss(study: StudyMeans, network: str, bands: str, points: float) -> Finding | None:
    """With reduced bands and pruned, even the best cell loses more than so many points."""
    found = sparsity_curve(study, network, bands)
    if not found:
        return None
    best = max(found, key=lambda point: point.gain)
    return Finding(
        best.gain < -points, f"best {best.accuracy:.1f} %, {best.reference:.1f} % before"
    )


@check
def more_prunable_with_bands(
    study: StudyMeans, network: str, bands: str, tolerance: float
) -> Finding | None:
    """With reduced bands more weights can go before accuracy falls under the reference."""
    curves = [sparsity_curve(study, network, technique) for technique in ("", bands)]
    alone, piped = (losslessly_removed(points, tolerance) for points in curves)
    if not all(curves) or (alone is None and piped is None):
        return None
    texts = [f"{share:.0%}" if share is not None else "nothing" for share in (alone, piped)]
    return Finding(
        (piped or 0) > (alone or 0), f"all bands {texts[0]}, with {bands.upper()} {texts[1]}"
    )


@check
def pipeline_bits_cost(study: StudyMeans, bands: str, limits: Limits) -> Finding | None:
    """What bits change after reduced bands and pruning, over what they change alone."""
    pairs = []
    for mean in reduced_means(study, [bands], measure="alpha", bits=...):
        own = mean.settings
        alone = bits_change(study, own.network, own.bits) if own.bits else None
        if alone is not None and "oa_before" in mean.values:
            here = oa(mean) - 100 * mean.values["oa_before"].mean
            pairs.append((f"{own.network} ({own.bits}) alpha {own.target:g}", here - alone))
    return all_inside(pairs, limits)


@check
def smaller_at_reference(
    study: StudyMeans, network: str, bands: str, percent: float, within: float, tolerance: float
) -> Finding | None:
    """At the accuracy of the reference, so many percent of the weights are gone.

    Args:
        study: Results of the study.
        network: Name of the network.
        bands: Technique of the band reduction.
        percent: The literature's figure, of weights that are not zero.
        within: Percentage points that may be missing.
        tolerance: Points that an accuracy may be under the reference.

    Returns:
        None also where fewer than three shares were tried or none of them reaches the reference.
    """
    before = study.one(network=network)
    piped = study.select(network=network, bands=bands, components=..., measure="alpha", target=...)
    gains = [(mean, study.gain(mean)) for mean in piped]
    enough = [mean for mean, gain in gains if gain is not None and gain >= -tolerance]
    if before is None or len(piped) < 3 or not enough:
        return None
    left = min(mean.values["nonzero"].mean for mean in enough)
    whole = before.values["parameters"].mean
    less = 100 * (1 - min(left, whole) / whole)
    return Finding(less >= percent - within, f"{less:.0f} % fewer weights that are not zero")


@check
def pipeline_accuracy(
    study: StudyMeans, network: str, bands: str, share: float, limits: Limits
) -> Finding | None:
    """The accuracy with reduced bands, of every cell with up to a share pruned."""
    found = study.select(network=network, bands=bands, components=..., measure="alpha", target=...)
    accuracies = [oa(mean) for mean in found if mean.values["sparsity"].mean <= share]
    if not accuracies:
        return None
    summary = f"{len(accuracies)} cells, {min(accuracies):.1f} to {max(accuracies):.1f} %"
    return Finding(all(map(limits.contain, accuracies)), summary)


@check
def pipeline_by_components(
    study: StudyMeans, network: str, bands: str, accuracies: dict[str, float], within: float
) -> Finding | None:
    """The mean accuracy over the pruned shares, by the number of components.

    Args:
        study: Results of the study.
        network: Name of the network.
        bands: Technique of the band reduction.
        accuracies: The literature's accuracies in percent, by the number of components.
        within: Points that an accuracy may be off.
    """
    pairs = []
    for count, expected in accuracies.items():
        cells = study.select(
            network=network, bands=bands, components=int(count), measure="alpha", target=...
        )
        if cells:
            ours = sum(map(oa, cells)) / len(cells)
            pairs.append((f"{bands}:{count}", ours, expected))
    if not pairs:
        return None
    summary = ", ".join(f"{name} {ours:.1f}" for name, ours, _ in pairs)
    right = all(abs(ours - expected) <= within for _, ours, expected in pairs)
    return Finding(right, f"{summary} %")


@check
def pipeline_best_gain(
    study: StudyMeans, networks: Sequence[str], bands: Sequence[str], limits: Limits
) -> Finding | None:
    """What the best cell with reduced bands and pruned weights gains, by network and technique."""
    best: dict[str, float] = {}
    for mean in reduced_means(study, bands, networks, measure="alpha", target=...):
        own, gain = mean.settings, study.gain(mean)
        if gain is not None:
            name = f"{own.network} {own.bands}"
            best[name] = max(gain, best.get(name, gain))
    return all_inside([*best.items()], limits)
