"""Random numbers for augmentations, drawn inside the compiled step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from hsitf.arrays import Float32Array


class RandomDraws:
    """Random numbers for a batch of patches, from a generator whose state can be saved.

    Args:
        seeds: The generator.
        patches: The patches to draw for.
        neighbors: For each patch that of a neighboring pixel; None where none is asked for.
    """

    def __init__(
        self,
        seeds: keras.random.SeedGenerator,
        patches: keras.KerasTensor,
        neighbors: keras.KerasTensor | None = None,
    ) -> None:
        self.neighbors = neighbors
        self._seeds = seeds
        self._batch = ops.shape(patches)[0]

    def uniform(self, low: float, high: float, bands: int = 1) -> keras.KerasTensor:
        """(batch, 1, 1, bands) float32, uniform from `low` to `high`."""
        shape = (self._batch, 1, 1, bands)
        return keras.random.uniform(shape, low, high, "float32", self._seeds)

    def table(self, rows: Float32Array, patches: keras.KerasTensor) -> keras.KerasTensor:
        """For each pixel of patches any of the rows, (n, bands) float32, uniformly."""
        shape = ops.shape(patches)[:-1]
        # A number of 24 bits times fewer rows than that is exact enough.
        drawn = keras.random.uniform(shape, 0.0, 1.0, "float32", self._seeds)
        index = ops.cast(drawn * len(rows), "int32")
        return ops.take(ops.convert_to_tensor(rows), index, axis=0)


@dataclass(frozen=True, eq=False)
class BandAffine:
    """A change of every value of a band alike: `factor * value + offset`.

    Attributes:
        factor: (batch, 1, 1, bands or 1) float32.
        offset: The same, or 0.
    """

    factor: Any
    offset: Any

    def after(self, first: BandAffine | None) -> BandAffine:
        """This change of what another one has changed."""
        if first is None:
            return self
        return BandAffine(self.factor * first.factor, self.factor * first.offset + self.offset)

    def __call__(self, patches: keras.KerasTensor) -> keras.KerasTensor:
        """`(batch, patch, patch, bands)` -> the same."""
        scaled = self.factor * patches
        return scaled if isinstance(self.offset, float) else scaled + self.offset


def as_factor(kept: keras.KerasTensor) -> keras.KerasTensor:
    """1 where something is kept, 0 where not, float32."""
    return ops.cast(kept, "float32")
