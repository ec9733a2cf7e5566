"""Plans that reach a cost instead of a ratio."""

from __future__ import annotations

from dataclasses import replace

import keras

from hsitf.cost import Cost, cost
from hsitf.errors import InputError
from hsitf.prune.plan import Cutting, Plan, plan
from hsitf.prune.thin import thin

# Halvings of the ratio's range: finer than one channel of a thousand.
HALVINGS = 11


def reach(
    model: keras.Model,
    measure: str,
    share: float,
    criterion: str = "l2",
    cutting: Cutting | None = None,
) -> Plan:
    """The plan with the smallest ratio whose network costs at most a share of the original.

    Args:
        model: A functional model of fixed shape.
        measure: What to count: a field of `cost.Cost`, "parameters" or "macs".
        share: Of the original's count that may be left, above 0 to 1.
        criterion: One of `criteria.CRITERIA`.
        cutting: Where not to cut; its ratio is what is searched for.

    Raises:
        InputError: The share is out of range, or out of reach; says what can be reached.
    """
    if measure not in Cost._fields:
        raise InputError(
            "unknown measure of cost", received=measure, allowed=", ".join(Cost._fields)
        )
    if not 0 < share <= 1:
        raise InputError("the share to keep is out of range", received=share, allowed="0 to 1")
    cutting = cutting or Cutting()
    whole = getattr(cost(model), measure)

    def left(chosen: Plan) -> float:
        return float(getattr(cost(thin(model, chosen)), measure) / whole)

    low, high = 0.0, 1 - 2.0**-HALVINGS
    found = plan(model, criterion, replace(cutting, ratio=high))
    if (least := left(found)) > share:
        raise InputError(
            f"so small a share of the {measure} cannot be reached",
            received=share,
            allowed=f"{least:.4f} to 1",
            remedy="ask for a larger share, ignore fewer layers or keep fewer channels",
        )
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        chosen = plan(model, criterion, replace(cutting, ratio=middle))
        if left(chosen) <= share:
            high, found = middle, chosen
        else:
            low = middle
    return found
