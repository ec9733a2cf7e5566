"""How methods of explanation work; a record holds it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How methods work.

    Attributes:
        layer: Name of a layer, for `activation`; empty for the logits.
        weight: Such as "dense1/bias", for `weight`.
        noise: Deviation of SmoothGrad's noise, over the range of the patch's numbers.
        copies: Noisy copies that SmoothGrad takes the mean of.
        window: Neighboring bands that are occluded together.
        iterations: Steps of activation maximization.
        seed: Of what is drawn.
    """

    layer: str = ""
    weight: str = ""
    noise: float = 0.1
    copies: int = 25
    window: int = 1
    iterations: int = 128
    seed: int = 0
