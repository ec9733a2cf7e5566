"""Structured pruning: a network becomes physically smaller, and provably the same function.

Which channels live together is answered once, by carrying an array of channel identities through
the network (`identities`, `rules`). Which matter least is answered by `criteria`. A `Plan` is
data: which channels stay. `thin` builds the smaller network.
"""

from hsitf.prune.plan import Cutting, Group, Plan, groups, plan
from hsitf.prune.target import reach
from hsitf.prune.thin import masked, thin

__all__ = ["Cutting", "Group", "Plan", "groups", "masked", "plan", "reach", "thin"]
