"""Structured pruning: a network becomes physically smaller, and provably the same function.

Coupled channels (dependency groups) are found by carrying an array of channel ids through the
network (`channel_graph`, `rules`, `tracing`). `criteria` score their importance from `evidence`. A
`PruningPlan` is data: the channels that are kept. `thin` builds the smaller network.

Importing the package loads no Keras; its names are looked up when they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hsitf.prune.config import PruningConfig
    from hsitf.prune.evidence import Samples
    from hsitf.prune.identify import get_apoz, high_apoz
    from hsitf.prune.plans import (
        PruningPlan,
        compose,
        plan,
        plan_from_channels,
        select,
    )
    from hsitf.prune.ranking import Ranking, rank
    from hsitf.prune.surgeon import (
        Surgeon,
        delete_channels,
        delete_layer,
        insert_layer,
        replace_layer,
    )
    from hsitf.prune.target import estimate_cost, prune_to_cost, search_ratio
    from hsitf.prune.thinning import masked, thin
    from hsitf.prune.tracing import DependencyGroup, Trace, dependency_groups, trace

_HOMES = {
    "evidence": ("Samples",),
    "identify": ("get_apoz", "high_apoz"),
    "config": ("PruningConfig",),
    "plans": ("PruningPlan", "compose", "plan", "plan_from_channels", "select"),
    "ranking": ("Ranking", "rank"),
    "surgeon": ("Surgeon", "delete_channels", "delete_layer", "insert_layer", "replace_layer"),
    "target": ("estimate_cost", "prune_to_cost", "search_ratio"),
    "thinning": ("masked", "thin"),
    "tracing": ("DependencyGroup", "Trace", "dependency_groups", "trace"),
}

__all__ = [
    "DependencyGroup",
    "PruningConfig",
    "PruningPlan",
    "Ranking",
    "Samples",
    "Surgeon",
    "Trace",
    "compose",
    "delete_channels",
    "delete_layer",
    "dependency_groups",
    "estimate_cost",
    "get_apoz",
    "high_apoz",
    "insert_layer",
    "masked",
    "plan",
    "plan_from_channels",
    "prune_to_cost",
    "rank",
    "replace_layer",
    "search_ratio",
    "select",
    "thin",
    "trace",
]


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
