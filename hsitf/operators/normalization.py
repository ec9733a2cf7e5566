"""Normalization: by statistics of the training data, of the sample, or of neighboring channels."""

from __future__ import annotations

from hsitf.layers import LocalResponseNormalization
from hsitf.operators.refusals import everywhere, in_lowering, in_rewriting
from hsitf.operators.row import OperatorType, Role, Rows

_BATCH = "use BatchNormalization"

LAYERS: Rows = {
    # In inference each channel is multiplied by a number and added another.
    "BatchNormalization": OperatorType(Role.NORMALIZES, elementwise=True),
    "LayerNormalization": OperatorType(
        Role.NORMALIZES,
        refusals=in_lowering(
            "normalization by the sample's own statistics has no rule yet", _BATCH
        ),
    ),
    "GroupNormalization": OperatorType(
        Role.NORMALIZES,
        refusals=in_rewriting(
            "groups of channels share statistics, which no rule reads yet", _BATCH
        ),
    ),
    "RMSNormalization": OperatorType(
        Role.NORMALIZES,
        refusals=in_rewriting(
            "normalization by the sample's own statistics has no rule yet", _BATCH
        ),
    ),
    "UnitNormalization": OperatorType(
        Role.NORMALIZES,
        refusals=in_rewriting("normalization by the sample's own norm has no rule yet", _BATCH),
    ),
    LocalResponseNormalization: OperatorType(Role.NORMALIZES),
    "SpectralNormalization": OperatorType(
        Role.OPAQUE,
        refusals=everywhere(
            "it wraps another layer, whose weights it scales while training",
            "take the layer inside it, with the weights that it has at the end",
        ),
    ),
}
