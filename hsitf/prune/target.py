"""Plans that reach a cost instead of a ratio."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from math import prod

import keras
import numpy as np

from hsitf.cost import Cost, cost, macs
from hsitf.errors import InputError
from hsitf.graph import named_values
from hsitf.operators import CallShapes
from hsitf.prune.channel_graph import ChannelIds, kept_grid
from hsitf.prune.config import PruningConfig
from hsitf.prune.counts import GroupSizes, own_ratio, removal_counts
from hsitf.prune.plans import (
    PruningPlan,
    plan_from_counts,
    prunable_groups,
    removed_ids,
    select,
)
from hsitf.prune.ranking import Ranking, Samples, rank
from hsitf.prune.rules import KeepMask, rule
from hsitf.prune.tracing import Trace

# Halvings of the ratio's range: finer than one channel of a thousand.
BISECTIONS = 11
MEASURES = ("parameters", "macs", "bytes")


def estimate_cost(trace: Trace, plan: PruningPlan) -> Cost:
    """What the thinned network will cost, counted without building it.

    Args:
        trace: Trace of the network.
        plan: A plan for this network.
    """
    keep = trace.keep_mask(removed_ids(trace, plan))
    parameters, total = 0, 0
    counted = set()
    for traced_call in trace.calls:
        operation = traced_call.call.operation
        weights = [
            tuple(len(axis) for axis in indices)
            for indices in rule(operation).thin(traced_call, keep).kept_indices
        ]
        if traced_call.name not in counted:
            counted.add(traced_call.name)
            parameters += sum(prod(shape) for shape in weights)
        entering = [_shape(ids, keep) for ids in traced_call.inputs]
        several = isinstance(operation, keras.Layer) and len(entering) > 1
        named = named_values(traced_call.call, entering) if several else {}
        leaving = _shape(traced_call.outputs[0], keep)
        total += macs(operation, CallShapes(weights, entering, leaving, named))
    return Cost(parameters, total)


def _shape(ids: ChannelIds, keep: KeepMask) -> tuple[int, ...]:
    """Shape of what is kept of a tensor, one sample."""
    return (1, *(len(axis) for axis in kept_grid(ids, keep) or ()))


def prune_to_cost(
    model: keras.Model,
    measure: str,
    target: float,
    criterion: str = "l2",
    config: PruningConfig | None = None,
    samples: Samples | None = None,
) -> PruningPlan:
    """The plan with the smallest ratio whose network costs at most so much.

    Warns as `plan` does.

    Args:
        model: A functional model of fixed shape.
        measure: Measure of the cost: parameters, macs or bytes (of the weights in float32).
        target: Cost to keep: up to 1 a share of the original's, above 1 an absolute cost.
        criterion: One of `criteria.CRITERIA`.
        config: Which layers are excluded; its ratio is searched for.
        samples: Calibration data, for criteria that need data.

    Raises:
        InputError: The target is out of range, or cannot be reached; the message gives the range.
    """
    config = config or PruningConfig()
    ranking = rank(model, criterion, samples, config.prune_io)
    for message in ranking.tie_messages:
        warnings.warn(message, stacklevel=2)
    return search_ratio(ranking, measure, target, cost(model), config)


def search_ratio(
    ranking: Ranking,
    measure: str,
    target: float,
    full_cost: Cost,
    config: PruningConfig,
    original_sizes: GroupSizes | None = None,
) -> PruningPlan:
    """As `reach`, from a ranking and what the network costs now.

    Args:
        ranking: Ranking of the network's channels.
        measure: Measure of the cost.
        target: Cost to keep.
        full_cost: The cost that shares refer to.
        config: Which layers are excluded.
        original_sizes: As in `select`.
    """
    if measure not in MEASURES:
        raise InputError("unknown measure of cost", received=measure, allowed=", ".join(MEASURES))
    if not target > 0:
        raise InputError(
            f"the target of {measure} is out of range",
            received=target,
            allowed="above 0 to 1, the share that is left, or a count above 1",
        )
    full = getattr(full_cost, measure)
    limit = target * full if target <= 1 else target

    def needs(plan: PruningPlan) -> float:
        return float(getattr(estimate_cost(ranking.trace, plan), measure))

    low, high = 0.0, 1 - 2.0**-BISECTIONS
    found = select(ranking, replace(config, ratio=high), original_sizes)
    if (least := needs(found)) > limit:
        raise InputError(
            f"so few {measure} cannot be reached",
            received=target,
            allowed=f"{least / full:.4f} to 1, or {least:,.0f} to {full:,}",
            remedy="ask for more, ignore fewer layers or keep fewer channels",
        )
    untouched = select(ranking, replace(config, ratio=0.0), original_sizes)
    if needs(untouched) <= limit:
        return untouched
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        chosen = select(ranking, replace(config, ratio=middle), original_sizes)
        if needs(chosen) <= limit:
            high, found = middle, chosen
        else:
            low = middle
    if config.round_to == 1:
        return found
    return _restored_blocks(
        ranking, replace(config, ratio=high), original_sizes, lambda p: needs(p) <= limit
    )


def _restored_blocks(
    ranking: Ranking,
    config: PruningConfig,
    original_sizes: GroupSizes | None,
    fits: Callable[[PruningPlan], bool],
) -> PruningPlan:
    """Gives blocks of `round_to` channels back as long as the plan still fits.

    Groups of one width are rounded at one ratio, so that the cost of a network of four equal groups
    falls from the whole to a quarter at once. The most important blocks are restored first.
    """
    groups = prunable_groups(ranking, config)
    removed = removal_counts(groups, config, original_sizes or {})
    waiting = [at for at, (group, _) in enumerate(groups) if own_ratio(group, config) is None]

    def importance_at(at: int) -> float:
        back = np.sort(groups[at][1])[max(0, removed[at] - config.round_to) : removed[at]]
        return float(back.mean()) if len(back) else 0.0

    while waiting := [at for at in waiting if removed[at]]:
        at = max(waiting, key=importance_at)
        fewer = [max(0, n - config.round_to) if i == at else n for i, n in enumerate(removed)]
        if fits(plan_from_counts(ranking, config, groups, fewer)):
            removed = fewer
        else:
            waiting.remove(at)
    return plan_from_counts(ranking, config, groups, removed)
