"""How methods of explanation work; a record holds it."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.compat import formerly


@formerly(noise_level="noise", num_samples="copies")
@dataclass(frozen=True)
class MethodSettings:
    """How methods work.

    Attributes:
        layer: Name of a layer, for `activation` and `grad-cam`; empty for the logits, or the last
            layer with maps.
        weight: Weight such as "dense1/bias", for the method `weight`.
        noise_level: Standard deviation of SmoothGrad's noise, relative to the range of the patch.
        num_samples: Number of noisy copies that SmoothGrad averages.
        window: Number of neighboring bands that are occluded together.
        iterations: Iterations of activation maximization.
        seed: Seed of the random numbers.
    """

    layer: str = ""
    weight: str = ""
    noise_level: float = 0.1
    num_samples: int = 25
    window: int = 1
    iterations: int = 128
    seed: int = 0
