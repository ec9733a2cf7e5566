"""Plans that reach a cost instead of a ratio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import keras
import numpy as np

from hsitf.cost import Cost, cost, macs
from hsitf.errors import InputError
from hsitf.prune.identities import grid
from hsitf.prune.plans import Cutting, Plan, Sizes, choose, counts, losing, prunable, removed
from hsitf.prune.ranking import Ranking, Samples, rank
from hsitf.prune.rules import rule
from hsitf.prune.tracing import Trace

# Halvings of the ratio's range: finer than one channel of a thousand.
HALVINGS = 11
MEASURES = ("parameters", "macs", "bytes")


def left(trace: Trace, plan: Plan) -> Cost:
    """What the thinned network will cost, counted without building it.

    Args:
        trace: Of the network.
        plan: Made for it.
    """
    stays = trace.stays(removed(trace, plan))
    parameters, total = 0, 0
    counted = set()
    for seen in trace.seen:
        operation = seen.call.operation
        weights = [
            tuple(len(axis) for axis in places)
            for places in rule(operation).cut(seen, stays).places
        ]
        if seen.name not in counted:
            counted.add(seen.name)
            parameters += sum(prod(shape) for shape in weights)
        shapes = [
            tuple(len(axis) for axis in grid(ids, stays) or ())
            for ids in (seen.inputs[0], seen.outputs[0])
        ]
        total += macs(operation, weights, shapes[0], shapes[1])
    return Cost(parameters, total)


def reach(
    model: keras.Model,
    measure: str,
    target: float,
    criterion: str = "l2",
    cutting: Cutting | None = None,
    samples: Samples | None = None,
) -> Plan:
    """The plan with the smallest ratio whose network costs at most so much.

    Args:
        model: A functional model of fixed shape.
        measure: What to count: parameters, macs or bytes (of the weights in float32).
        target: What may be left: a share of the original's up to 1, above 1 a count.
        criterion: One of `criteria.CRITERIA`.
        cutting: Where not to cut; its ratio is what is searched for.
        samples: Calibration data, for criteria that look at data.

    Raises:
        InputError: The target is out of range, or out of reach; says what can be reached.
    """
    cutting = cutting or Cutting()
    return fitting(
        rank(model, criterion, samples, cutting.free), measure, target, cost(model), cutting
    )


def fitting(
    ranking: Ranking,
    measure: str,
    target: float,
    whole: Cost,
    cutting: Cutting,
    before: Sizes | None = None,
) -> Plan:
    """As `reach`, from a ranking and what the network costs now.

    Args:
        ranking: Of the network.
        measure: What to count.
        target: What may be left.
        whole: What shares are of.
        cutting: Where not to cut.
        before: As `whole` of `choose`.
    """
    if measure not in MEASURES:
        raise InputError("unknown measure of cost", received=measure, allowed=", ".join(MEASURES))
    if not target > 0:
        raise InputError(
            f"the target of {measure} is out of range",
            received=target,
            allowed="above 0 to 1, the share that is left, or a count above 1",
        )
    full = getattr(whole, measure)
    limit = target * full if target <= 1 else target

    def needs(plan: Plan) -> float:
        return float(getattr(left(ranking.trace, plan), measure))

    low, high = 0.0, 1 - 2.0**-HALVINGS
    found = choose(ranking, replace(cutting, ratio=high), before)
    if (least := needs(found)) > limit:
        raise InputError(
            f"so few {measure} cannot be reached",
            received=target,
            allowed=f"{least / full:.4f} to 1, or {least:,.0f} to {full:,}",
            remedy="ask for more, ignore fewer layers or keep fewer channels",
        )
    untouched = choose(ranking, replace(cutting, ratio=0.0), before)
    if needs(untouched) <= limit:
        return untouched
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        chosen = choose(ranking, replace(cutting, ratio=middle), before)
        if needs(chosen) <= limit:
            high, found = middle, chosen
        else:
            low = middle
    if cutting.round_to == 1:
        return found
    return _filled(ranking, replace(cutting, ratio=high), before, lambda p: needs(p) <= limit)


def _filled(
    ranking: Ranking, cutting: Cutting, before: Sizes | None, fits: Callable[[Plan], bool]
) -> Plan:
    """Gives blocks of `round_to` channels back as long as the plan still fits.

    Groups of one width are rounded at one ratio, so that a network of four equal ones falls
    from all its cost to a quarter at once. What comes back first is worth most.
    """
    free = prunable(ranking, cutting)
    gone = counts(free, cutting, before or {})
    own = {name for group, _ in free for name in group.layers} & set(cutting.ratios)
    waiting = [at for at, (group, _) in enumerate(free) if not own & set(group.layers)]

    def worth(at: int) -> float:
        back = np.sort(free[at][1])[max(0, gone[at] - cutting.round_to) : gone[at]]
        return float(back.mean()) if len(back) else 0.0

    while waiting := [at for at in waiting if gone[at]]:
        at = max(waiting, key=worth)
        fewer = [max(0, n - cutting.round_to) if i == at else n for i, n in enumerate(gone)]
        if fits(losing(ranking, cutting, free, fewer)):
            gone = fewer
        else:
            waiting.remove(at)
    return losing(ranking, cutting, free, gone)
