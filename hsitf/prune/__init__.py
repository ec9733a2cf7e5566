"""Structured pruning: a network becomes physically smaller, and provably the same function.

Which channels live together is answered once, by carrying an array of channel identities through
the network (`identities`, `rules`, `tracing`). Which matter least is answered by `criteria`, from
`evidence`. A `Plan` is data: which channels stay. `thin` builds the smaller network.

Importing the package loads no Keras; its names are looked up when they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsitf.prune.evidence import Samples
    from hsitf.prune.identify import get_apoz, high_apoz
    from hsitf.prune.plans import Cutting, Plan, choose, compose, named, plan
    from hsitf.prune.ranking import Ranking, rank
    from hsitf.prune.surgeon import (
        Surgeon,
        delete_channels,
        delete_layer,
        insert_layer,
        replace_layer,
    )
    from hsitf.prune.target import fitting, left, reach
    from hsitf.prune.thinning import masked, thin
    from hsitf.prune.tracing import Group, Trace, groups, trace

_HOMES = {
    "evidence": ("Samples",),
    "identify": ("get_apoz", "high_apoz"),
    "plans": ("Cutting", "Plan", "choose", "compose", "named", "plan"),
    "ranking": ("Ranking", "rank"),
    "surgeon": ("Surgeon", "delete_channels", "delete_layer", "insert_layer", "replace_layer"),
    "target": ("fitting", "left", "reach"),
    "thinning": ("masked", "thin"),
    "tracing": ("Group", "Trace", "groups", "trace"),
}

__all__ = [
    "Cutting",
    "Group",
    "Plan",
    "Ranking",
    "Samples",
    "Surgeon",
    "Trace",
    "choose",
    "compose",
    "delete_channels",
    "delete_layer",
    "fitting",
    "get_apoz",
    "groups",
    "high_apoz",
    "insert_layer",
    "left",
    "masked",
    "named",
    "plan",
    "rank",
    "reach",
    "replace_layer",
    "thin",
    "trace",
]


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
