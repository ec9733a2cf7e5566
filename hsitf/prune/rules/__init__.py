"""Pruning rules: how channel ids pass each layer type, and how it is thinned; one row per type.

To add a layer type, give it a row in `hsitf/operators`, write a `trace` (call, input ids, graph)
-> output ids, and a `thin` (traced call, keep mask) -> `ThinningSpec` in the module of its family,
and give the type a rule in `RULES` in `hsitf/prune/rules/table.py`. Operations of `keras.ops` have
theirs in `OPERATIONS`, by name. A rule for a layer of your own is given from outside with
`TABLE.register`.
"""

from hsitf.prune.rules.base import Array, KeepMask, PruningRule, ThinningSpec
from hsitf.prune.rules.table import OPERATIONS, RULES, TABLE, mixes_channels, rule

__all__ = [
    "OPERATIONS",
    "RULES",
    "TABLE",
    "Array",
    "KeepMask",
    "PruningRule",
    "ThinningSpec",
    "mixes_channels",
    "rule",
]
