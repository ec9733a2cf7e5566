"""Checks of claims: pure functions from the means of a study to a finding.

Each check answers one kind of claim. Its first argument is the study; the others are plain values
that a claim of `claims.toml` gives by name. It returns None where the study lacks the cells that it
needs. `check` registers a function in `CHECKS` under its own name.

Accuracies are overall accuracies in percent, and differences of accuracies are percentage points.
`bands` are techniques of band reduction, or shell patterns of them such as "forest-*".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TypeVar

import numpy as np

from hsitf.literature.means import StudyMeans
from hsitf.literature.means import overall_accuracy as oa
from hsitf.registry import Registry
from hsitf.sweep.record import CellMean

# The networks of the literature's study, in its order.
NETWORKS = ("he", "hu", "luo", "santara", "cao")
# As many cells are listed one by one; of more, only the range is given.
MAX_LISTED = 12


@dataclass(frozen=True)
class Finding:
    """The result of a check: whether the claim holds, and the measured numbers as text."""

    holds: bool
    measured: str


@dataclass(frozen=True)
class Limits:
    """An interval of numbers; a side that is not given is open to infinity.

    Attributes:
        at_least: Smallest number that is inside.
        at_most: Largest number that is inside.
        above: Largest number that is outside below the interval.
        below: Smallest number that is outside above the interval.
    """

    at_least: float = -np.inf
    at_most: float = np.inf
    above: float = -np.inf
    below: float = np.inf

    def contain(self, value: float) -> bool:
        """Whether a number is inside."""
        return self.at_least <= value <= self.at_most and self.above < value < self.below


CHECKS: Registry[Callable[..., Finding | None]] = Registry("check", {})
C = TypeVar("C", bound=Callable[..., Finding | None])


def check(function: C) -> C:
    """Registers a check under its own name; the decorator of every check."""
    CHECKS.register(function.__name__, function)
    return function


# --- What checks share --------------------------------------------------------------------------


def _points(pairs: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {value:+.1f}" for name, value in pairs)


def _all_inside(
    pairs: Sequence[tuple[str, float]], limits: Limits, unit: str = " points"
) -> Finding | None:
    """Whether all named differences are inside the limits; None without differences."""
    if not pairs:
        return None
    outside = sorted({name for name, value in pairs if not limits.contain(value)})
    exceptions = f"; not {', '.join(outside)}" if outside else ""
    if len(pairs) > MAX_LISTED:
        values = [value for _, value in pairs]
        summary = f"{len(pairs)} cells, {min(values):+.1f} to {max(values):+.1f}"
    else:
        summary = _points(pairs)
    return Finding(not outside, f"{summary}{unit}{exceptions}")


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _reduced(
    study: StudyMeans, bands: Sequence[str], networks: Sequence[str] = (), **settings: object
) -> Iterator[CellMean]:
    """Means with reduced bands, network by network; of all networks where none is named."""
    for network in networks or (...,):
        for mean in study.select(network=network, bands=..., components=..., **settings):
            if _matches(mean.settings.bands, bands):
                yield mean


def _named(mean: CellMean, networks: Sequence[str]) -> str:
    """The network, unless it is the only one, and the reduction of its bands."""
    own = mean.settings
    return own.reduction if len(networks) == 1 else f"{own.network} {own.reduction}"


def _correlation(points: Sequence[tuple[float, float]]) -> float:
    """Pearson correlation of three or more points that are not all equal."""
    return float(np.corrcoef(np.array(points, np.float64).T)[0, 1])


def _sizes(study: StudyMeans, network: str) -> list[tuple[float, float]]:
    """Number of input bands and of weights, each number of bands once, ascending."""
    found = {
        mean.values["bands"].mean: mean.values["parameters"].mean
        for mean in study.select(network=network, bands=..., components=...)
    }
    return sorted(found.items())


def _sparse(study: StudyMeans, network: str, bands: str = "") -> list[tuple[float, float]]:
    """Share of the weights that a rising alpha removed, and accuracy; ascending."""
    components: object = ... if bands else 0
    found = study.select(network=network, bands=bands, components=components, measure="alpha")
    return sorted((mean.values["sparsity"].mean, oa(mean)) for mean in found)


def _bits_gain(study: StudyMeans, network: str, bits: str) -> float | None:
    """Points that simulated bits gain on the same pixels; None where not measured."""
    found = study.one(network=network, bits=bits)
    if found is None or "oa_before" not in found.values:
        return None
    return oa(found) - 100 * found.values["oa_before"].mean


def _bits_gains(study: StudyMeans, bits: str) -> list[tuple[str, float]]:
    found = [(name, _bits_gain(study, name, bits)) for name in NETWORKS]
    return [(name, value) for name, value in found if value is not None]


def _best_gain(
    points: Sequence[tuple[float, float]], reference: float, above: float, verb: str
) -> Finding:
    """Whether the most accurate of (share removed, accuracy) is above the reference by so much."""
    removed, best = max(points, key=lambda point: point[1])
    summary = f"{best:.1f} % with {removed:.0%} {verb}, {reference:.1f} % before"
    return Finding(best > reference + above, summary)


# --- Networks as they are -----------------------------------------------------------------------


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


# --- Fewer bands --------------------------------------------------------------------------------


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
        exceptions: Shell patterns of "network technique" that do not count.
    """
    pairs = []
    for mean in _reduced(study, bands, networks):
        own, reference = mean.settings, study.reference(mean.settings.network)
        counts = own.components in (components or (own.components,))
        excluded = _matches(f"{own.network} {own.bands}", exceptions)
        if reference is not None and counts and own.components >= min_components and not excluded:
            pairs.append((_named(mean, networks), oa(mean) - reference))
    return _all_inside(pairs, limits)


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
    for mean in _reduced(study, bands, networks):
        network, reference = mean.settings.network, study.reference(mean.settings.network)
        if reference is not None and mean.settings.components >= min_components:
            best[network] = max(oa(mean) - reference, best.get(network, -np.inf))
    return _all_inside([*best.items()], limits)


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
    study: StudyMeans, bands: Sequence[str], other: str, limits: Limits
) -> Finding | None:
    """The difference between techniques and another one with as many components."""
    pairs = []
    for mean in _reduced(study, bands):
        own = mean.settings
        beside = study.one(network=own.network, bands=other, components=own.components)
        if beside is not None:
            pairs.append((f"{own.network} {own.reduction}", oa(mean) - oa(beside)))
    return _all_inside(pairs, limits)


@check
def bands_kappa(
    study: StudyMeans, bands: Sequence[str], networks: Sequence[str], limits: Limits
) -> Finding | None:
    """Cohen's kappa with every reduction of the bands."""
    pairs = [
        (f"{mean.settings.network} {mean.settings.reduction}", mean.values["kappa"].mean)
        for mean in _reduced(study, bands)
        if mean.settings.network in networks
    ]
    if not pairs:
        return None
    summary = ", ".join(f"{name} {kappa:.2f}" for name, kappa in pairs[:MAX_LISTED])
    return Finding(all(limits.contain(kappa) for _, kappa in pairs), f"kappa of {summary}")


@check
def components_limited(study: StudyMeans, bands: str) -> Finding | None:
    """A technique was refused with every number of components above those that were made."""
    refused = [one.settings.components for one in study.left_out if one.settings.bands == bands]
    made = [mean.settings.components for mean in _reduced(study, [bands])]
    if not made or not refused:
        return None
    summary = f"up to {max(made)} made, {min(refused)} refused"
    return Finding(max(made) < min(refused), summary)


@check
def best_bands_accuracy(study: StudyMeans, bands: Sequence[str], limits: Limits) -> Finding | None:
    """The accuracy of the best cell with these techniques, of any network."""
    accuracies = [oa(mean) for mean in _reduced(study, bands)]
    if not accuracies:
        return None
    return Finding(limits.contain(max(accuracies)), f"best {max(accuracies):.1f} %")


@check
def accuracy_linear_in_bands(
    study: StudyMeans, bands: Sequence[str], correlation: float
) -> Finding | None:
    """Accuracy correlates with the number of bands, by network and technique."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for mean in _reduced(study, bands):
        own = mean.settings
        lines.setdefault(f"{own.network} {own.bands}", []).append((own.components, oa(mean)))
    pairs = [
        (name, _correlation(points))
        for name, points in lines.items()
        if len(points) > 2 and len({accuracy for _, accuracy in points}) > 1
    ]
    if not pairs:
        return None
    summary = ", ".join(f"{name} {value:.2f}" for name, value in pairs)
    return Finding(all(r >= correlation for _, r in pairs), f"correlation of {summary}")


@check
def size_linear_in_bands(
    study: StudyMeans, networks: Sequence[str], determination: float
) -> Finding | None:
    """R² of the number of weights over the number of bands reaches a value, by network."""
    sizes = {network: _sizes(study, network) for network in networks}
    pairs = [(name, _correlation(p) ** 2) for name, p in sizes.items() if len(p) > 2]
    if not pairs:
        return None
    summary = ", ".join(f"{name} {value:.4f}" for name, value in pairs)
    return Finding(all(value >= determination for _, value in pairs), f"R² of {summary}")


@check
def size_falls_somewhere(study: StudyMeans, network: str) -> Finding | None:
    """Somewhere more bands take fewer weights."""
    points = _sizes(study, network)
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


# --- Fewer weights ------------------------------------------------------------------------------


@check
def lossless_sparsity(
    study: StudyMeans, network: str, share: float, tolerance: float
) -> Finding | None:
    """No alpha that removes up to a share of the weights loses more than a tolerance in points."""
    reference = study.reference(network)
    # An alpha does not meet a share exactly.
    points = [point for point in _sparse(study, network) if point[0] <= share + 0.05]
    if reference is None or not points or points[-1][0] < 0.7 * share:
        return None
    summary = ", ".join(f"{removed:.0%} gone {a - reference:+.1f}" for removed, a in points)
    return Finding(all(a >= reference - tolerance for _, a in points), f"{summary} points")


@check
def sparsity_gain(study: StudyMeans, network: str, above: float) -> Finding | None:
    """The best alpha is above the reference by more than so many points."""
    reference, points = study.reference(network), _sparse(study, network)
    if reference is None or not points:
        return None
    return _best_gain(points, reference, above, "gone")


@check
def sparsity_collapse(study: StudyMeans, share: float, limits: Limits) -> Finding | None:
    """The change of accuracy for every alpha that removes a share of the weights or more."""
    pairs = []
    for network in NETWORKS:
        reference = study.reference(network)
        for removed, accuracy in _sparse(study, network):
            if removed >= share and reference:
                pairs.append((f"{network} at {removed:.0%}", accuracy - reference))
    return _all_inside(pairs, limits)


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
    reference = study.reference(network)
    pairs = [
        (f"{mean.settings.target:.0%} of the channels", oa(mean) - (reference or 0))
        for mean in study.select(network=network, measure="ratio", criterion=importance)
        if mean.settings.target <= ratio
    ]
    if reference is None:
        return None
    if measured and not any(name.startswith(f"{ratio:.0%}") for name, _ in pairs):
        return None
    return _all_inside(pairs, Limits(at_least=-tolerance))


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


# --- Few bits -----------------------------------------------------------------------------------


@check
def bits_best(study: StudyMeans, bits: str, within: float) -> Finding | None:
    """A triple of bits is within so many points of the best triple, for every network."""
    pairs = []
    for network in NETWORKS:
        known = study.select(network=network, bits=...)
        accuracies = {m.settings.bits: oa(m) for m in known if m.settings.bits}
        if bits in accuracies and len(accuracies) > 1:
            pairs.append((network, accuracies[bits] - max(accuracies.values())))
    return _all_inside(pairs, Limits(at_least=-within), " points from the best")


@check
def bits_often_above(study: StudyMeans, bits: str) -> Finding | None:
    """A triple of bits is above the reference for more than half of the networks."""
    pairs = _bits_gains(study, bits)
    if not pairs:
        return None
    above = [value > 0 for _, value in pairs]
    return Finding(2 * sum(above) > len(above), f"{_points(pairs)} points")


@check
def bits_gain(study: StudyMeans, bits: str, limits: Limits) -> Finding | None:
    """What a triple of bits gains over the reference, for every network."""
    return _all_inside(_bits_gains(study, bits), limits)


@check
def bits_surviving(
    study: StudyMeans, survivors: Sequence[str], others: Sequence[str], above: float
) -> Finding | None:
    """The median gain of the networks is above a limit for the survivors, not for the others."""
    summary, right = [], []
    for bits in (*survivors, *others):
        if gains := _bits_gains(study, bits):
            middle = float(np.median([value for _, value in gains]))
            summary.append(f"({bits}) {middle:+.0f}")
            right.append((middle > above) == (bits in survivors))
    return Finding(all(right), f"median {', '.join(summary)} points") if len(right) > 2 else None


@check
def bits_accuracy(study: StudyMeans, bits: Sequence[str], limits: Limits) -> Finding | None:
    """The accuracy with each of several triples of bits, for every network."""
    found = [
        (f"{name} {triple}", oa(mean))
        for triple in bits
        for name in NETWORKS
        for mean in study.select(network=name, bits=triple)
    ]
    if not found:
        return None
    accuracies = [value for _, value in found]
    summary = f"{len(found)} cells, {min(accuracies):.1f} to {max(accuracies):.1f} %"
    outside = [name for name, value in found if not limits.contain(value)]
    exceptions = f"; not {', '.join(outside[:6])}" if outside else ""
    return Finding(not outside, summary + exceptions)


# --- Files --------------------------------------------------------------------------------------


@check
def file_percent(
    study: StudyMeans, variant: str, other: str, percent: dict[str, float], within: float
) -> Finding | None:
    """A file takes so many percent of another one.

    Args:
        study: Results of the study.
        variant: Variant of the file.
        other: Variant of the file that is 100 %.
        percent: The literature's figures, by network.
        within: Percentage points that they may be off.
    """
    pairs = []
    for network in percent:
        small = study.value("file_bytes", network=network, variant=variant)
        whole = study.value("file_bytes", network=network, variant=other)
        if small is not None and whole is not None:
            pairs.append((network, 100 * small / whole))
    if not pairs:
        return None
    summary = ", ".join(f"{name} {value:.1f}" for name, value in pairs)
    return Finding(all(abs(v - percent[n]) <= within for n, v in pairs), f"{summary} %")


@check
def file_slower(study: StudyMeans, variant: str, other: str, limits: Limits) -> Finding | None:
    """By how many percent a file is slower than another one, for every network."""
    pairs = []
    for network in NETWORKS:
        time, usual = (study.value("ms", network=network, variant=v) for v in (variant, other))
        if time is not None and usual is not None:
            pairs.append((network, 100 * (time / usual - 1)))
    return _all_inside(pairs, limits, " % of the time")


@check
def single_patch_slower(study: StudyMeans, variant: str, times: float) -> Finding | None:
    """A patch in a file of its own call takes so many times its time in a Keras batch, or more."""
    pairs = []
    for network in NETWORKS:
        single = study.value("ms", network=network, variant=variant)
        batched = study.value("predict_us", network=network)
        if single and batched:
            pairs.append((network, 1000 * single / batched))
    if not pairs:
        return None
    summary = ", ".join(f"{name} {value:.1f}" for name, value in pairs)
    return Finding(all(value >= times for _, value in pairs), f"{summary} times")


@check
def not_convertible(study: StudyMeans, variant: str) -> Finding | None:
    """No network can be converted; it fails where a study has such files."""
    made = study.select(network=..., variant=variant)
    if not made:
        return None
    summary = ", ".join(
        f"{mean.settings.network} {mean.values['integer_share'].mean:.2f} integer"
        for mean in made[:5]
    )
    return Finding(False, f"converted and run: {summary}")


@check
def file_times_smaller(
    study: StudyMeans, network: str, variant: str, other: str, times: float
) -> Finding | None:
    """A file is so many times smaller than another one, or more."""
    whole = study.value("file_bytes", network=network, variant=other)
    small = study.value("file_bytes", network=network, variant=variant)
    if whole is None or small is None:
        return None
    return Finding(small <= whole / times, f"{whole / 1e6:.2f} -> {small / 1e6:.2f} MB")


@check
def file_without_channels(
    study: StudyMeans, network: str, variant: str, importance: str, ratio: float, share: float
) -> Finding | None:
    """Without a ratio of the channels or more, a file takes at most a share of its bytes."""
    before = study.one(network=network, variant=variant)
    after = [
        mean
        for mean in study.select(
            network=network, variant=variant, measure="ratio", criterion=importance
        )
        if mean.settings.target >= ratio
    ]
    if before is None or not after:
        return None
    sizes = [mean.values["file_bytes"].mean / 1e6 for mean in (before, after[-1])]
    summary = f"{sizes[0]:.2f} -> {sizes[1]:.2f} MB without {after[-1].settings.target:.0%}"
    return Finding(sizes[1] <= share * sizes[0], summary)


@check
def bands_file_saving(
    study: StudyMeans, network: str, bands: Sequence[str], variant: str, limits: Limits
) -> Finding | None:
    """The megabytes by which a file with reduced bands is smaller."""
    whole = study.value("file_bytes", network=network, variant=variant)
    summary, right = [], []
    for mean in _reduced(study, bands, [network], variant=variant):
        if whole:
            saved = (whole - mean.values["file_bytes"].mean) / 1e6
            summary.append(f"{mean.settings.reduction} {saved:.2f} MB")
            right.append(limits.contain(saved))
    return Finding(all(right), ", ".join(summary)) if summary else None


@check
def bands_time_change(
    study: StudyMeans, network: str, bands: Sequence[str], limits: Limits
) -> Finding | None:
    """The change in percent of the inference time in Keras with reduced bands."""
    whole = study.value("predict_us", network=network)
    pairs = [
        (mean.settings.reduction, 100 * (mean.values["predict_us"].mean / whole - 1))
        for mean in _reduced(study, bands, [network])
        if whole and "predict_us" in mean.values
    ]
    return _all_inside(pairs, limits, " % of the time")


# --- Fewer bands, fewer weights and few bits together -------------------------------------------


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
    reference = study.reference(network)
    near = [p for p in _sparse(study, network, bands) if abs(p[0] - share) <= within]
    if reference is None or not near:
        return None
    return _best_gain(near, reference, above, "pruned")


@check
def pipeline_loss(study: StudyMeans, network: str, bands: str, points: float) -> Finding | None:
    """With reduced bands and pruned, even the best cell loses more than so many points."""
    reference, found = study.reference(network), _sparse(study, network, bands)
    if reference is None or not found:
        return None
    best = max(accuracy for _, accuracy in found)
    return Finding(best < reference - points, f"best {best:.1f} %, {reference:.1f} % before")


@check
def more_prunable_with_bands(
    study: StudyMeans, network: str, bands: str, tolerance: float
) -> Finding | None:
    """With reduced bands more weights can go before accuracy falls under the reference."""
    reference = study.reference(network)
    alone, piped = _sparse(study, network), _sparse(study, network, bands)
    if reference is None or not alone or not piped:
        return None
    last = [
        max((removed for removed, a in points if a >= reference - tolerance), default=0.0)
        for points in (alone, piped)
    ]
    return Finding(
        last[1] > last[0], f"all bands {last[0]:.0%}, with {bands.upper()} {last[1]:.0%}"
    )


@check
def pipeline_bits_cost(study: StudyMeans, bands: str, limits: Limits) -> Finding | None:
    """What bits change after reduced bands and pruning, over what they change alone."""
    pairs = []
    for mean in _reduced(study, [bands], measure="alpha", bits=...):
        own = mean.settings
        alone = _bits_gain(study, own.network, own.bits) if own.bits else None
        if alone is not None and "oa_before" in mean.values:
            here = oa(mean) - 100 * mean.values["oa_before"].mean
            pairs.append((f"{own.network} ({own.bits}) alpha {own.target:g}", here - alone))
    return _all_inside(pairs, limits)


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
    """
    before, reference = study.one(network=network), study.reference(network)
    piped = study.select(network=network, bands=bands, components=..., measure="alpha")
    if before is None or reference is None or not piped:
        return None
    enough = [mean for mean in piped if oa(mean) >= reference - tolerance]
    left = min((mean.values["nonzero"].mean for mean in enough), default=np.inf)
    whole = before.values["parameters"].mean
    less = 100 * (1 - min(left, whole) / whole)
    return Finding(less >= percent - within, f"{less:.0f} % fewer weights that are not zero")
