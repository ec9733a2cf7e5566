"""Which channels to cut at one step: several proposals, and the one that disturbs least.

Criteria rank channels differently, and no ranking is the best for every network. A cut is cheap to
try without fine-tuning: the network is thinned by each proposal, and the proposal stays whose
outputs on unlabelled pixels are closest to those of the original network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.cost import Cost, cost
from hsitf.errors import InputError
from hsitf.prune.config import PruningConfig
from hsitf.prune.counts import PrunableGroups
from hsitf.prune.evidence import Samples
from hsitf.prune.plans import PruningPlan, plan_from_counts, prunable_groups
from hsitf.prune.ranking import Ranking, rank
from hsitf.prune.target import estimate_cost, search_ratio
from hsitf.prune.thinning import thin
from hsitf.scenes.patches import PatchSource
from hsitf.train.evaluation import predict_logits
from hsitf.train.gather import gather_model
from hsitf.train.pseudo_labels import softmax

CRITERIA = ("l2", "taylor")
ALLOCATIONS = ("local", "global", "per cost")
# Share of a group's channels that one step may remove: of two groups that seem unimportant, one may
# matter once the other is cut.
_LARGEST_CUT = 0.5


@dataclass(frozen=True, eq=False)
class Proposal:
    """A cut of a network, before fine-tuning.

    Attributes:
        criterion: Importance criterion of the channels.
        allocation: local (the same share of each group), global (the least important channels of
            all groups) or per cost (the least important ones per unit of the cost that is reduced).
        plan: The channels that are kept.
        network: The thinned network.
        divergence: Mean Kullback-Leibler divergence, in nats, of its class probabilities from those
            of the original network.
    """

    criterion: str
    allocation: str
    plan: PruningPlan
    network: keras.Model
    divergence: float


@dataclass(frozen=True, eq=False)
class CutContext:
    """What cuts are proposed and compared with.

    Attributes:
        measure: The cost that is reduced: parameters or macs.
        full_cost: Cost of the original network.
        samples: Class-balanced training patches, for criteria that need data.
        patches: The scene as the network takes it.
        pixels: Pixels on which outputs are compared, flat indices.
        probabilities: (pixels, classes) float32 of the original network.
        round_to: Channels of a group are kept in multiples of this.
    """

    measure: str
    full_cost: Cost
    samples: Samples
    patches: PatchSource
    pixels: NDArray[np.int64]
    probabilities: Float32Array
    round_to: int = 1


def best_cut(network: keras.Model, share: float, context: CutContext) -> Proposal:
    """The cut to a cost that changes the network's outputs least.

    Args:
        network: The network as earlier steps left it.
        share: Share of the original's cost that is to be left.
        context: What cuts are compared with.

    Raises:
        InputError: The network cannot be cut so far.
    """
    found = list(_proposals(network, share, context))
    if not found:
        raise InputError(
            "the network cannot be cut further",
            received=f"{share:.1%} of its {context.measure}",
            allowed="what leaves every layer a channel and halves none of them more than once a "
            "step",
        )
    return min(found, key=lambda one: one.divergence)


def _proposals(network: keras.Model, share: float, context: CutContext) -> Iterator[Proposal]:
    tried: list[dict[str, tuple[int, ...]]] = []
    for criterion in CRITERIA:
        ranking = rank(network, criterion, context.samples)
        for allocation in ALLOCATIONS:
            try:
                plan = _plan(ranking, allocation, share, cost(network), context)
            except InputError:
                # This allocation cannot reach the cost; another one may.
                continue
            if plan is None or plan.kept in tried:
                continue
            tried.append(plan.kept)
            smaller = thin(network, plan)
            yield Proposal(criterion, allocation, plan, smaller, divergence(smaller, context))


def _plan(
    ranking: Ranking, allocation: str, share: float, now: Cost, context: CutContext
) -> PruningPlan | None:
    """The plan of an allocation; None where it cuts nothing or more than a step may."""
    config = PruningConfig(global_pruning=allocation != "local", round_to=context.round_to)
    if allocation == "per cost":
        ranking = importance_per_cost(ranking, context.measure, now)
    plan = search_ratio(ranking, context.measure, share, context.full_cost, config)
    kept = {name: len(indices) for name, indices in plan.kept.items()}
    if not kept:
        return None
    too_much = any(count < _LARGEST_CUT * plan.widths[name] for name, count in kept.items())
    return None if too_much and allocation != "local" else plan


def importance_per_cost(ranking: Ranking, measure: str, now: Cost) -> Ranking:
    """A ranking whose importances are divided by what the network saves without the channel.

    Args:
        ranking: Ranking of the network's channels.
        measure: parameters or macs.
        now: What the network costs.
    """
    groups = prunable_groups(ranking, PruningConfig())
    saved = [_saved_by_one(ranking, groups, at, measure, now) for at in range(len(groups))]
    least = max(1.0, min((one for one in saved if one > 0), default=1.0))
    return replace(
        ranking,
        importance=[
            importance / max(one, least)
            for importance, one in zip(ranking.importance, saved, strict=True)
        ],
    )


def _saved_by_one(
    ranking: Ranking, groups: PrunableGroups, at: int, measure: str, now: Cost
) -> float:
    """What the network saves without the least important channel of one group."""
    if len(groups[at][0]) <= groups[at][0].min_channels:
        return 0.0
    counts = [int(number == at) for number in range(len(groups))]
    plan = plan_from_counts(ranking, PruningConfig(), groups, counts)
    return float(getattr(now, measure) - getattr(estimate_cost(ranking.trace, plan), measure))


def divergence(network: keras.Model, context: CutContext) -> float:
    """Mean Kullback-Leibler divergence of probabilities from the original's, in nats."""
    logits = predict_logits(gather_model(network, context.patches), context.pixels)
    found = np.log(np.maximum(softmax(logits), np.finfo(np.float32).tiny))
    expected = context.probabilities
    own = np.log(np.maximum(expected, np.finfo(np.float32).tiny))
    return float((expected * (own - found)).sum(1, dtype=np.float64).mean())
