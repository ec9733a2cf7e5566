"""Layers that take several tensors together."""

from __future__ import annotations

from hsitf.operators import counting
from hsitf.operators.refusals import refuse
from hsitf.operators.row import Capability, OperatorType, Role, Rows

_ELEMENTWISE = OperatorType(Role.JOINS, elementwise=True)

LAYERS: Rows = {
    "Add": _ELEMENTWISE,
    "Subtract": _ELEMENTWISE,
    "Multiply": _ELEMENTWISE,
    "Average": _ELEMENTWISE,
    "Maximum": _ELEMENTWISE,
    "Minimum": _ELEMENTWISE,
    "Concatenate": OperatorType(Role.JOINS),
    "Dot": OperatorType(
        Role.MIXES,
        macs=counting.dot_layer,
        refusals=refuse(
            "a product of two activations has no pruning rule yet",
            "combine them with Multiply or Add",
            Capability.PRUNE,
        ),
    ),
}
