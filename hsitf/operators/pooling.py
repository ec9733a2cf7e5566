"""Pooling: one number a channel of several positions."""

from __future__ import annotations

from typing import Any

from hsitf.operators.refusals import in_rewriting
from hsitf.operators.row import OperatorType, Pooling, Role, Rows

_NO_ADAPTIVE = in_rewriting(
    "the windows of adaptive pooling differ in size from place to place",
    "use pooling with a fixed window, or global pooling",
)


def _pools(rank: int, pooling: Pooling, **facts: Any) -> OperatorType:
    return OperatorType(Role.PASSES, rank=rank, pooling=pooling, **facts)


LAYERS: Rows = {
    "MaxPooling1D": _pools(1, Pooling.MAX),
    "MaxPooling2D": _pools(2, Pooling.MAX),
    "MaxPooling3D": _pools(3, Pooling.MAX),
    "AveragePooling1D": _pools(1, Pooling.AVERAGE),
    "AveragePooling2D": _pools(2, Pooling.AVERAGE),
    "AveragePooling3D": _pools(3, Pooling.AVERAGE),
    "GlobalMaxPooling1D": _pools(1, Pooling.GLOBAL_MAX),
    "GlobalMaxPooling2D": _pools(2, Pooling.GLOBAL_MAX),
    "GlobalMaxPooling3D": _pools(3, Pooling.GLOBAL_MAX),
    "GlobalAveragePooling1D": _pools(1, Pooling.GLOBAL_AVERAGE),
    "GlobalAveragePooling2D": _pools(2, Pooling.GLOBAL_AVERAGE),
    "GlobalAveragePooling3D": _pools(3, Pooling.GLOBAL_AVERAGE),
    "AdaptiveMaxPooling1D": _pools(1, Pooling.MAX, refusals=_NO_ADAPTIVE),
    "AdaptiveMaxPooling2D": _pools(2, Pooling.MAX, refusals=_NO_ADAPTIVE),
    "AdaptiveMaxPooling3D": _pools(3, Pooling.MAX, refusals=_NO_ADAPTIVE),
    "AdaptiveAveragePooling1D": _pools(1, Pooling.AVERAGE, refusals=_NO_ADAPTIVE),
    "AdaptiveAveragePooling2D": _pools(2, Pooling.AVERAGE, refusals=_NO_ADAPTIVE),
    "AdaptiveAveragePooling3D": _pools(3, Pooling.AVERAGE, refusals=_NO_ADAPTIVE),
}
