"""What checks of claims share: findings, limits, the registry, and how cells are picked.

A check answers one kind of claim. Its first argument is the study; the others are plain values that
a claim gives by name. It returns None where the study lacks the cells that it needs. `check`
registers a function in `CHECKS` under its own name.

Accuracies are overall accuracies in percent, and differences of accuracies are percentage points.
`bands` are techniques of band reduction, or shell patterns of them such as "forest-*".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple, TypeVar

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
    """The result of a check.

    Attributes:
        holds: Whether the claim holds.
        measured: The measured numbers as text.
        outside: What does not hold, each beginning with the name of its network; empty where a
            check does not tell.
    """

    holds: bool
    measured: str
    outside: tuple[str, ...] = ()


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


def format_points(pairs: Sequence[tuple[str, float]]) -> str:
    """Differences of accuracies with their names, such as "he +1.0, hu -0.3"."""
    return ", ".join(f"{name} {value:+.1f}" for name, value in pairs)


def all_inside(
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
        summary = format_points(pairs)
    return Finding(not outside, f"{summary}{unit}{exceptions}", tuple(outside))


def matches_any(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name fits one of several shell patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def reduced_means(
    study: StudyMeans, bands: Sequence[str], networks: Sequence[str] = (), **settings: object
) -> Iterator[CellMean]:
    """Means with reduced bands, network by network; of all networks where none is named."""
    for network in networks or (...,):
        for mean in study.select(network=network, bands=..., components=..., **settings):
            if matches_any(mean.settings.bands, bands):
                yield mean


def cell_name(mean: CellMean, networks: Sequence[str]) -> str:
    """The network, unless it is the only one, and the reduction of its bands."""
    own = mean.settings
    return own.reduction if len(networks) == 1 else f"{own.network} {own.reduction}"


def pearson_correlation(points: Sequence[tuple[float, float]]) -> float:
    """Pearson correlation of three or more points that are not all equal."""
    return float(np.corrcoef(np.array(points, np.float64).T)[0, 1])


def sizes_by_bands(study: StudyMeans, network: str) -> list[tuple[float, float]]:
    """Number of input bands and of weights, each number of bands once, ascending."""
    found = {
        mean.values["bands"].mean: mean.values["parameters"].mean
        for mean in study.select(network=network, bands=..., components=...)
    }
    return sorted(found.items())


class PrunedPoint(NamedTuple):
    """A pruned network on a curve of rising alpha.

    Attributes:
        removed: Share of the weights that are gone.
        accuracy: Accuracy in percent.
        gain: Points over the network with all bands and weights, on the same seeds.
    """

    removed: float
    accuracy: float
    gain: float

    @property
    def reference(self) -> float:
        """Accuracy of the network with all bands and weights, in percent."""
        return self.accuracy - self.gain


def pruned_points(study: StudyMeans, means: Sequence[CellMean]) -> list[PrunedPoint]:
    """Pruned networks whose network was measured, by the share of the weights that are gone."""
    gains = [(mean, study.gain(mean)) for mean in means]
    return sorted(
        PrunedPoint(mean.values["sparsity"].mean, oa(mean), gain)
        for mean, gain in gains
        if gain is not None
    )


def sparsity_curve(study: StudyMeans, network: str, bands: str = "") -> list[PrunedPoint]:
    """The networks of a rising alpha, with all bands or with reduced ones."""
    components: object = ... if bands else 0
    found = study.select(
        network=network, bands=bands, components=components, measure="alpha", target=...
    )
    return pruned_points(study, found)


def bits_change(study: StudyMeans, network: str, bits: str) -> float | None:
    """Points that simulated bits change on the same pixels; None where not measured."""
    found = study.one(network=network, bits=bits)
    if found is None or "oa_before" not in found.values:
        return None
    return oa(found) - 100 * found.values["oa_before"].mean


def bits_changes(study: StudyMeans, bits: str) -> list[tuple[str, float]]:
    """What simulated bits change in points on the same pixels, by network."""
    found = [(name, bits_change(study, name, bits)) for name in NETWORKS]
    return [(name, value) for name, value in found if value is not None]


def losslessly_removed(points: Sequence[PrunedPoint], tolerance: float) -> float | None:
    """The greatest share removed that loses no more than a tolerance in points.

    Returns:
        None where fewer than three shares were measured, or all of them lose more: the share is
        then not known.
    """
    enough = [point.removed for point in points if point.gain >= -tolerance]
    return max(enough) if len(points) > 2 and enough else None


def best_gain_finding(points: Sequence[PrunedPoint], above: float, verb: str) -> Finding:
    """Whether the most accurate pruned network is above its reference by so many points."""
    best = max(points, key=lambda point: point.gain)
    summary = f"{best.accuracy:.1f} % with {best.removed:.0%} {verb}, {best.reference:.1f} % before"
    return Finding(best.gain > above, summary)
