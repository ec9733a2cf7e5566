"""Fine-grained pruning as a user orders it: which weights go, and when."""

from __future__ import annotations

from functools import partial

import keras

from hsitf.prune.order import Order
from hsitf.prune.sparse import Schedule, iterative
from hsitf.prune.thresholds import Thresholds
from hsitf.prune.weights import Masks, limits, reaching, to_share, zeros


def final_masks(model: keras.Model, order: Order) -> Masks:
    """Which weights of a trained network stay if all that was ordered goes at once."""
    if order.measure == "alpha":
        return reaching(model, limits(model, Thresholds(order.target)))
    return to_share(model, order.target)


def schedule_of(model: keras.Model, order: Order) -> Schedule:
    """When a network loses weights.

    Args:
        model: As it was trained.
        order: With alpha or a share of zeros as its measure.

    Returns:
        Alpha in equal steps where it was asked for; else, and where the steps are gradual,
        shares of zeros that end with those asked for, or with those that alpha makes.
    """
    if order.measure == "alpha" and order.schedule != "gradual":
        return iterative(model, Thresholds(order.target), order.steps, order.recipe.epochs)
    final = zeros(final_masks(model, order).values())
    starts = [
        sum(order.epochs(before) for before in range(1, step)) for step in range(1, order.steps + 1)
    ]
    return Schedule(
        {
            start: partial(to_share, share=final * order.progress(step))
            for step, start in enumerate(starts, start=1)
        }
    )
