"""Attention: every head is two products of activations; its heads are pruned as channels."""

from __future__ import annotations

from hsitf.layers import ScaledAttention
from hsitf.operators import counting
from hsitf.operators.refusals import Refusals, refuse
from hsitf.operators.row import Capability, OperatorType, Role, Rows

NO_ATTENTION: Refusals = {
    **refuse(
        "the weights of this kind of attention have no rule yet",
        "use Attention or MultiHeadAttention",
        Capability.PRUNE,
    ),
    **refuse(
        "this kind of attention has no form for edge delegates here yet",
        "use MultiHeadAttention",
        Capability.LOWER,
    ),
}

LAYERS: Rows = {
    "MultiHeadAttention": OperatorType(Role.MIXES, macs=counting.multi_head_attention),
    ScaledAttention: OperatorType(Role.MIXES, macs=counting.multi_head_attention),
    "GroupedQueryAttention": OperatorType(Role.MIXES, macs=counting.grouped_query_attention),
    "Attention": OperatorType(Role.MIXES, macs=counting.dot_attention),
    "AdditiveAttention": OperatorType(
        Role.MIXES, macs=counting.additive_attention, refusals=NO_ATTENTION
    ),
}
