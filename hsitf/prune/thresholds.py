"""Magnitude thresholds of unstructured pruning."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, replace
from typing import Literal

from hsitf.errors import InputError

Kind = Literal["first_convolution", "other_convolutions", "other_dense", "last_dense"]


@dataclass(frozen=True)
class Thresholds:
    """Magnitudes below which weights are zeroed, in standard deviations of their tensor.

    Attributes:
        alpha: Threshold of every kind of layer without one of its own.
        first_convolution: Threshold of the first convolution of the forward pass.
        other_convolutions: Threshold of all others, separable, depthwise and transposed ones
            included.
        other_dense: Threshold of all other layers: dense ones but the last, and recurrent ones.
        last_dense: Threshold of the last dense layer of the forward pass, also where it is the only
            one.

    Raises:
        InputError: A value is negative or not finite.
    """

    alpha: float
    first_convolution: float | None = None
    other_convolutions: float | None = None
    other_dense: float | None = None
    last_dense: float | None = None

    def __post_init__(self) -> None:
        for value in astuple(self):
            if value is not None and not 0 <= value < math.inf:
                raise InputError(
                    "alpha is out of range",
                    received=value,
                    allowed="finite numbers from 0; the literature's are 0.1 to 2",
                )

    def of(self, kind: Kind) -> float:
        """Alpha of a kind of layer."""
        own: float | None = getattr(self, kind)
        return self.alpha if own is None else own

    def scaled(self, factor: float) -> Thresholds:
        """All of them times a factor."""
        own = {name: value * factor for name, value in vars(self).items() if value is not None}
        return replace(self, **own)
