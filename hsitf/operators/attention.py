"""Attention: counted and drawn; how its heads are pruned and lowered is not known yet."""

from __future__ import annotations

from hsitf.operators import counting
from hsitf.operators.refusals import Refusals, refuse
from hsitf.operators.row import Capability, OperatorType, Role, Rows

NO_ATTENTION: Refusals = {
    **refuse(
        "attention couples the channels of queries and keys, which no pruning rule follows yet",
        "prune a network without attention",
        Capability.PRUNE,
    ),
    **refuse(
        "attention has no form for edge delegates here yet",
        "export a network without attention",
        Capability.LOWER,
    ),
}

LAYERS: Rows = {
    "MultiHeadAttention": OperatorType(
        Role.MIXES, macs=counting.multi_head_attention, refusals=NO_ATTENTION
    ),
    "GroupedQueryAttention": OperatorType(
        Role.MIXES, macs=counting.grouped_query_attention, refusals=NO_ATTENTION
    ),
    "Attention": OperatorType(Role.MIXES, macs=counting.dot_attention, refusals=NO_ATTENTION),
    "AdditiveAttention": OperatorType(
        Role.MIXES, macs=counting.additive_attention, refusals=NO_ATTENTION
    ),
}
