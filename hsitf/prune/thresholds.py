"""Magnitude thresholds of unstructured pruning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from hsitf.errors import InputError

Kind = Literal["first_convolution", "other_convolutions", "other_dense", "last_dense"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Thresholds:
    """Magnitudes below which weights are zeroed, in standard deviations of their tensor.

    A layer's own threshold comes before that of its kind, and that of its kind before `alpha`.

    Attributes:
        alpha: Threshold of every kind of layer without one of its own.
        first_convolution: Threshold of the first convolution of the forward pass.
        other_convolutions: Threshold of all others, separable, depthwise and transposed ones
            included.
        other_dense: Threshold of all other layers: dense ones but the last, and recurrent ones.
        last_dense: Threshold of the last dense layer of the forward pass, also where it is the only
            one.
        layers: Names of single layers with their thresholds.

    Raises:
        InputError: A value is negative or not finite.
    """

    alpha: float
    first_convolution: float | None = None
    other_convolutions: float | None = None
    other_dense: float | None = None
    last_dense: float | None = None
    layers: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        for value in (self.alpha, *self.kinds.values(), *dict(self.layers).values()):
            if not 0 <= value < math.inf:
                raise InputError(
                    "alpha is out of range",
                    received=value,
                    allowed="numbers of standard deviations from 0; the literature's are 0.1 to 2",
                )

    @classmethod
    def by_layer(cls, alpha: float, others: Mapping[str, float]) -> Thresholds:
        """Thresholds from alphas by name.

        Args:
            alpha: Threshold of all layers that are not named.
            others: Thresholds by kind of layer (one of `KINDS`) or by name of a layer.
        """
        kinds = {name: value for name, value in others.items() if name in KINDS}
        layers = tuple(item for item in others.items() if item[0] not in KINDS)
        return cls(alpha, **kinds, layers=layers)

    @property
    def kinds(self) -> dict[Kind, float]:
        """The kinds of layers with thresholds of their own."""
        found = {kind: getattr(self, kind) for kind in KINDS}
        return {kind: value for kind, value in found.items() if value is not None}

    @property
    def others(self) -> dict[str, float]:
        """Thresholds other than alpha, by kind or by name of a layer."""
        return {str(kind): value for kind, value in self.kinds.items()} | dict(self.layers)

    def of(self, kind: Kind, layer: str = "") -> float:
        """Alpha of a layer.

        Args:
            kind: Its kind.
            layer: Its name; that of the kind where empty.
        """
        return dict(self.layers).get(layer, self.kinds.get(kind, self.alpha))

    def scaled(self, factor: float) -> Thresholds:
        """All of them times a factor."""
        return replace(
            self,
            alpha=self.alpha * factor,
            layers=tuple((name, value * factor) for name, value in self.layers),
            **{kind: value * factor for kind, value in self.kinds.items()},
        )
