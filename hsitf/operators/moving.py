"""Layers that put numbers in other places, repeat them or leave them out."""

from __future__ import annotations

from functools import partial

from hsitf.operators.refusals import everywhere, in_rewriting
from hsitf.operators.row import OperatorType, Role, Rows

_moves = partial(OperatorType, Role.MOVES)

LAYERS: Rows = {
    "Reshape": _moves(),
    "Flatten": _moves(),
    "Permute": _moves(),
    "RepeatVector": _moves(),
    "Cropping1D": _moves(rank=1),
    "Cropping2D": _moves(rank=2),
    "Cropping3D": _moves(rank=3),
    "ZeroPadding1D": _moves(rank=1),
    "ZeroPadding2D": _moves(rank=2),
    "ZeroPadding3D": _moves(rank=3),
    "UpSampling1D": _moves(rank=1),
    # It may interpolate.
    "UpSampling2D": OperatorType(Role.PASSES, rank=2),
    "UpSampling3D": _moves(rank=3),
    "Resizing": OperatorType(Role.PASSES, rank=2),
    "CenterCrop": OperatorType(
        Role.PASSES,
        rank=2,
        refusals=in_rewriting("it resizes what is too small", "use Cropping2D"),
    ),
    "Masking": OperatorType(
        Role.OPAQUE,
        refusals=everywhere(
            "it makes the layers behind it skip steps that depend on the data",
            "give sequences of one length",
        ),
    ),
}
