"""Normalization: by statistics of the training data, of the sample, or of neighboring channels."""

from __future__ import annotations

from hsitf.layers import LocalResponseNormalization, PixelNormalization
from hsitf.operators.refusals import everywhere, in_rewriting
from hsitf.operators.row import OperatorType, Role, Rows

LAYERS: Rows = {
    # In inference each channel is multiplied by a number and added another.
    "BatchNormalization": OperatorType(Role.NORMALIZES, elementwise=True),
    "LayerNormalization": OperatorType(Role.NORMALIZES),
    "GroupNormalization": OperatorType(Role.NORMALIZES),
    "RMSNormalization": OperatorType(Role.NORMALIZES),
    "UnitNormalization": OperatorType(
        Role.NORMALIZES,
        refusals=in_rewriting(
            "normalization by the sample's own norm has no rule yet",
            "use RMSNormalization or BatchNormalization",
        ),
    ),
    LocalResponseNormalization: OperatorType(Role.NORMALIZES),
    # In front of a network, of single spectra.
    PixelNormalization: OperatorType(Role.MIXES),
    "SpectralNormalization": OperatorType(
        Role.OPAQUE,
        refusals=everywhere(
            "it wraps another layer, whose weights it scales while training",
            "take the layer inside it, with the weights that it has at the end",
        ),
    ),
}
