"""Checks of reduced bands: accuracy, size, limits of techniques and networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hsitf.literature.checks.base import (
    MAX_LISTED,
    Finding,
    Limits,
    all_inside,
    cell_name,
    check,
    matches_any,
    pearson_correlation,
    reduced_means,
    sizes_by_bands,
)
from hsitf.literature.means import StudyMeans
from hsitf.literature.means import overall_accuracy as oa


@check
def bands_gain(
    study: StudyMeans,
    bands: Sequence[str],
    limits: Limits,
    networks: Sequence[str] = (),
    components: Sequence[int] = (),
    min_components: int = 0,
    exceptions: Sequence[str] = (),
) -> Finding | None:
    """What every reduction of the bands gains over all bands.

    Args:
        study: Results of the study.
        bands: Techniques that count.
        limits: Of the gain in points.
        networks: Networks that count; all where empty.
        components: Numbers of components that count; all where empty.
        min_components: Smallest number of components that counts.
        exceptions: Shell patterns of "network technique:components" that do not count.
    """
    pairs = []
    for mean in reduced_means(study, bands, networks):
        own, gain = mean.settings, study.gain(mean)
        counts = own.components in (components or (own.components,))
        excluded = matches_any(f"{own.network} {own.reduction}", exceptions)
        if gain is not None and counts and own.components >= min_components and not excluded:
            pairs.append((cell_name(mean, networks), gain))
    return all_inside(pairs, limits)


@check
def best_bands_gain(
    study: StudyMeans,
    bands: Sequence[str],
    networks: Sequence[str],
    limits: Limits,
    min_components: int,
) -> Finding | None:
    """What the best number of components gains over all bands, network by network."""
    best: dict[str, float] = {}
    for mean in reduced_means(study, bands, networks):
        network, gain = mean.settings.network, study.gain(mean)
        if gain is not None and mean.settings.components >= min_components:
            best[network] = max(gain, best.get(network, -np.inf))
    return all_inside([*best.items()], limits)


@check
def components_needed(
    study: StudyMeans, network: str, bands: str, too_few: int, enough: int, gap: float
) -> Finding | None:
    """A number of components is better than all bands, and by a gap better than another number."""
    small, large = (
        study.one(network=network, bands=bands, components=count) for count in (too_few, enough)
    )
    reference = study.reference(network)
    if small is None or large is None or reference is None:
        return None
    words = {1: "one", 2: "two"}
    summary = ", ".join(
        f"{words.get(count, count)} {oa(mean):.1f} %"
        for count, mean in ((too_few, small), (enough, large))
    )
    return Finding(
        oa(large) > reference and oa(large) - oa(small) >= gap,
        f"{summary}, all bands {reference:.1f} %",
    )


@check
def bands_difference(
    study: StudyMeans,
    bands: Sequence[str],
    other: str,
    limits: Limits,
    networks: Sequence[str] = (),
) -> Finding | None:
    """The difference between techniques and another one with as many components."""
    pairs = []
    for mean in reduced_means(study, bands, networks):
        own = mean.settings
        beside = study.one(network=own.network, bands=other, components=own.components)
        if beside is not None:
            pairs.append((f"{own.network} {own.reduction}", oa(mean) - oa(beside)))
    return all_inside(pairs, limits)


@check
def bands_kappa(
    study: StudyMeans, bands: Sequence[str], networks: Sequence[str], limits: Limits
) -> Finding | None:
    """Cohen's kappa with every reduction of the bands."""
    pairs = [
        (f"{mean.settings.network} {mean.settings.reduction}", mean.values["kappa"].mean)
        for mean in reduced_means(study, bands)
        if mean.settings.network in networks
    ]
    if not pairs:
        return None
    summary = ", ".join(f"{name} {kappa:.2f}" for name, kappa in pairs[:MAX_LISTED])
    return Finding(all(limits.contain(kappa) for _, kappa in pairs), f"kappa of {summary}")


@check
def components_limited(study: StudyMeans, bands: str, most: int = 0) -> Finding | None:
    """A technique was refused with every number of components above those that were made.

    Args:
        study: Results of the study.
        bands: Technique of the band reduction.
        most: The literature's greatest number of components; where given, greater ones must not
            have been made, refused or not.
    """
    refused = [one.settings.components for one in study.left_out if one.settings.bands == bands]
    made = [mean.settings.components for mean in reduced_means(study, [bands])]
    if not made or not (refused or (most and max(made) > most)):
        return None
    summary = f"up to {max(made)} made" + (f", {min(refused)} refused" if refused else "")
    limited = not refused or max(made) < min(refused)
    return Finding(limited and (not most or max(made) <= most), summary)


@check
def best_bands_accuracy(study: StudyMeans, bands: Sequence[str], limits: Limits) -> Finding | None:
    """The accuracy of the best cell with these techniques, of any network."""
    accuracies = [oa(mean) for mean in reduced_means(study, bands)]
    if not accuracies:
        return None
    return Finding(limits.contain(max(accuracies)), f"best {max(accuracies):.1f} %")


@check
def accuracy_linear_in_bands(
    study: StudyMeans, bands: Sequence[str], correlation: float
) -> Finding | None:
    """Accuracy correlates with the number of bands, rising or falling, by network and technique."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for mean in reduced_means(study, bands):
        own = mean.settings
        lines.setdefault(f"{own.network} {own.bands}", []).append((own.components, oa(mean)))
    pairs = [
        (name, pearson_correlation(points))
        for name, points in lines.items()
        if len(points) > 2 and len({accuracy for _, accuracy in points}) > 1
    ]
    if not pairs:
        return None
    summary = ", ".join(f"{name} {value:.2f}" for name, value in pairs)
    return Finding(all(abs(r) >= correlation for _, r in pairs), f"correlation of {summary}")


@check
def size_linear_in_bands(
    study: StudyMeans, networks: Sequence[str], determination: float
) -> Finding | None:
    """R² of the number of weights over the number of bands reaches a value, by network."""
    sizes = {network: sizes_by_bands(study, network) for network in networks}
    pairs = [(name, pearson_correlation(p) ** 2) for name, p in sizes.items() if len(p) > 2]
    if not pairs:
        return None
    summary = ", ".join(f"{name} {value:.4f}" for name, value in pairs)
    return Finding(all(value >= determination for _, value in pairs), f"R² of {summary}")


@check
def size_falls_somewhere(study: StudyMeans, network: str) -> Finding | None:
    """Somewhere more bands take fewer weights."""
    points = sizes_by_bands(study, network)
    if len(points) < 3:
        return None
    summary = ", ".join(f"{int(bands)} bands {int(size):,}" for bands, size in points[:6])
    falls = bool(np.any(np.diff([size for _, size in points]) < 0))
    return Finding(falls, f"weights at {summary}")


@check
def bands_needed(study: StudyMeans, too_few: dict[str, int]) -> Finding | None:
    """Networks were refused with so many bands, and not with more.

    Args:
        study: Results of the study.
        too_few: The greatest number of bands that is refused, by network.
    """
    summary, right = [], []
    for network, most in too_few.items():
        refused = [
            one.settings.components
            for one in study.left_out
            if one.settings.network == network and "so few bands" in one.reason
        ]
        made = [
            mean.settings.components
            for mean in study.select(network=network, bands=..., components=...)
            if mean.settings.components
        ]
        if not refused or not made:
            return None
        summary.append(f"{network} not with {max(refused)}, with {min(made)}")
        right.append(most in refused and min(made) > most)
    return Finding(all(right), ", ".join(summary))


@check
def accuracy_dent(
    study: StudyMeans, bands: str, networks: Sequence[str], dent: Sequence[int], points: float
) -> Finding | None:
    """Between two numbers of components, accuracy is lower than on both sides.

    Args:
        study: Results of the study.
        bands: Technique of the band reduction.
        networks: Networks that count.
        dent: The least and the greatest number of components of the dent.
        points: By which its lowest accuracy is below the best ones on both sides, at least.
    """
    low, high = dent
    pairs = []
    for network in networks:
        curve = {
            mean.settings.components: oa(mean) for mean in reduced_means(study, [bands], [network])
        }
        inside = [value for count, value in curve.items() if low <= count <= high]
        sides = (
            [value for count, value in curve.items() if count < low],
            [value for count, value in curve.items() if count > high],
        )
        if inside and all(sides):
            pairs.append((network, min(inside) - min(map(max, sides))))
    return all_inside(pairs, Limits(at_most=-points))
