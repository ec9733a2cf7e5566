"""Layers that take several tensors together."""

from __future__ import annotations

from hsitf.layers import LearnedScale, LearnedTokens, PositionEmbedding
from hsitf.operators import counting
from hsitf.operators.row import OperatorType, Role, Rows

_ELEMENTWISE = OperatorType(Role.JOINS, elementwise=True)

LAYERS: Rows = {
    "Add": _ELEMENTWISE,
    "Subtract": _ELEMENTWISE,
    "Multiply": _ELEMENTWISE,
    "Average": _ELEMENTWISE,
    "Maximum": _ELEMENTWISE,
    "Minimum": _ELEMENTWISE,
    "Concatenate": OperatorType(Role.JOINS),
    "Dot": OperatorType(Role.MIXES, macs=counting.dot_layer),
    LearnedScale: OperatorType(Role.PASSES, elementwise=True),
    LearnedTokens: OperatorType(Role.JOINS),
    PositionEmbedding: OperatorType(Role.PASSES),
}
