"""Which candidate is published, and which ones no other surpasses."""

from __future__ import annotations

from collections.abc import Sequence

from hsitf.compress.bounds import COSTS, CompressionBounds
from hsitf.compress.record import CompressionCandidate
from hsitf.errors import VerificationError


def choose(
    candidates: Sequence[CompressionCandidate], bounds: CompressionBounds
) -> CompressionCandidate:
    """The candidate that meets all bounds: the cheapest, or the most accurate without a drop's.

    Args:
        candidates: One or more.
        bounds: What has to be met.

    Raises:
        VerificationError: None does; the message names the nearest.
    """
    within = [one for one in candidates if meets(one, bounds)]
    if not within:
        raise _nothing_meets(candidates, bounds)
    if bounds.max_drop is None:
        return min(within, key=lambda one: (one.fidelity.expected_drop, _cost(one, bounds)))
    return min(within, key=lambda one: (_cost(one, bounds), one.fidelity.expected_drop))


def meets(one: CompressionCandidate, bounds: CompressionBounds) -> bool:
    """Whether a candidate meets all bounds, its loss as expected."""
    drop = bounds.max_drop
    return not bounds.excess(one.costs) and (drop is None or one.fidelity.expected_drop <= drop)


def pareto_front(candidates: Sequence[CompressionCandidate], minimized: str) -> tuple[str, ...]:
    """Keys of the candidates that no other one surpasses, the cheapest first.

    One surpasses another if it costs no more and is expected to lose no more, and one of both less.
    """
    ranked = sorted(
        (one for one in candidates if minimized in one.costs),
        key=lambda one: (one.costs[minimized], one.fidelity.expected_drop),
    )
    front: list[CompressionCandidate] = []
    for one in ranked:
        if not front or one.fidelity.expected_drop < front[-1].fidelity.expected_drop:
            front.append(one)
    return tuple(one.key for one in front)


def _cost(one: CompressionCandidate, bounds: CompressionBounds) -> float:
    return one.costs.get(bounds.minimized, float("inf"))


def _nothing_meets(
    candidates: Sequence[CompressionCandidate], bounds: CompressionBounds
) -> VerificationError:
    affordable = [one for one in candidates if not bounds.excess(one.costs)]
    if affordable:
        nearest = min(affordable, key=lambda one: one.fidelity.expected_drop)
    else:
        nearest = min(candidates, key=lambda one: max(bounds.excess(one.costs).values()))
    costs = ", ".join(
        f"{COSTS[name].title} {nearest.costs[name]:{COSTS[name].format}}"
        for name in dict.fromkeys((*bounds.costs, "bytes"))
        if name in nearest.costs
    )
    return VerificationError(
        "no network meets these bounds, so nothing was published",
        received=f"the nearest, {nearest.key}: {costs}, "
        f"{nearest.fidelity.expected_drop:.2f} points expected to be lost",
        allowed=bounds.text,
        remedy="allow more, give the search more --minutes or --epochs, or see the front in "
        "front.png and front.csv",
    )
