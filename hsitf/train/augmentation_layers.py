"""Layers that change the patches of a batch in training."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import ops

from hsitf.train.augmentations import AUGMENTATIONS
from hsitf.train.normalized_bands import NormalizedBands
from hsitf.train.random_draws import BandAffine, RandomDraws
from hsitf.train.sampling import WEIGHT_PARTS


class PatchAugmentation(keras.layers.Layer):  # type: ignore[misc]
    """Changes patches in training, and none in inference.

    Args:
        strengths: Strengths by name.
        axis: The bands.
    """

    def __init__(self, strengths: Mapping[str, float], axis: NormalizedBands) -> None:
        # In full precision: half of it would add noise of its own to bands with a large origin.
        super().__init__(name="augmentation", trainable=False, dtype="float32")
        self._seeds = keras.random.SeedGenerator()
        self._axis = axis
        self._changes = [
            (one, strengths[name]) for name, one in AUGMENTATIONS.items() if name in strengths
        ]

    def call(
        self,
        patches: keras.KerasTensor,
        neighbors: keras.KerasTensor | None = None,
        training: bool = False,
    ) -> keras.KerasTensor:
        """`(batch, patch, patch, bands)` -> the same; patches of neighbors alike."""
        if not training:
            return patches
        draws = RandomDraws(self._seeds, patches, neighbors)
        # Changes of bands that follow each other pass over the patches once.
        pending: BandAffine | None = None
        for one, strength in self._changes:
            if one.band_change is not None:
                pending = one.band_change(strength, draws, self._axis).after(pending)
            elif one.change is not None:
                patches = patches if pending is None else pending(patches)
                patches = one.change(patches, strength, draws, self._axis)
                pending = None
        return patches if pending is None else pending(patches)


class Mixup(keras.layers.Layer):  # type: ignore[misc]
    """Mixes patches with others in training, by weights that were drawn before."""

    def __init__(self) -> None:
        super().__init__(name="mixup", trainable=False, dtype="float32")

    def call(
        self,
        patches: keras.KerasTensor,
        partners: keras.KerasTensor,
        parts: keras.KerasTensor,
        training: bool = False,
    ) -> keras.KerasTensor:
        """Patches and partners `(batch, patch, patch, bands)`, weights `(batch,)` int32."""
        if not training:
            return patches
        weight = ops.reshape(ops.cast(parts, "float32") / WEIGHT_PARTS, (-1, 1, 1, 1))
        return weight * patches + (1 - weight) * partners
