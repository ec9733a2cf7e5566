"""Patches changed while they are shown in training.

Both augmentations are those of DeepHyperX (Audebert, Le Saux, Lefevre, Deep learning for
classification of hyperspectral data: a comparative review, IEEE GRSM 7(2), 2019): a change of
illumination, and a mixture of two pixels of one class. They are layers with random generators of
their own, so that they run inside the compiled step of every backend and an interrupted run resumes
with the very next number.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

# Share of the patches that are changed.
AUGMENTED_SHARE = 0.1
# Factors of brightness, and the noise beside it in deviations of a band.
BRIGHTNESS = (0.9, 1.1)
NOISE = 1 / 25
# Amounts in which two patches are mixed.
MIXUP_WEIGHTS = (0.01, 1.0)


class _RandomAugmentation(keras.layers.Layer):  # type: ignore[misc]
    """Changes a share of the patches in training, and none in inference."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, trainable=False)
        self._seeds = keras.random.SeedGenerator()

    def _random_per_patch(
        self, patches: keras.KerasTensor, low: float, high: float
    ) -> keras.KerasTensor:
        """One number for each patch, to be broadcast over it."""
        shape = (ops.shape(patches)[0], 1, 1, 1)
        return keras.random.uniform(shape, low, high, patches.dtype, self._seeds)

    def _noise(self, patches: keras.KerasTensor) -> keras.KerasTensor:
        drawn = keras.random.normal(ops.shape(patches), 0.0, 1.0, patches.dtype, self._seeds)
        return NOISE * drawn

    def _mixed_by_share(
        self, patches: keras.KerasTensor, changed: keras.KerasTensor
    ) -> keras.KerasTensor:
        return ops.where(
            self._random_per_patch(patches, 0.0, 1.0) < AUGMENTED_SHARE, changed, patches
        )


class BrightnessNoise(_RandomAugmentation):
    """`a * patch + b * noise`: another illumination."""

    def call(self, patches: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """`(batch, patch, patch, bands)` -> the same."""
        if not training:
            return patches
        brighter = self._random_per_patch(patches, *BRIGHTNESS) * patches + self._noise(patches)
        return self._mixed_by_share(patches, brighter)


class IntraClassMixup(_RandomAugmentation):
    """`(a * patch + b * partner) / (a + b) + noise`: two samples of one class."""

    def call(
        self, patches: keras.KerasTensor, partners: keras.KerasTensor, training: bool = False
    ) -> keras.KerasTensor:
        """Patches and partners, `(batch, patch, patch, bands)` each -> the same."""
        if not training:
            return patches
        one, other = (
            self._random_per_patch(patches, *MIXUP_WEIGHTS),
            self._random_per_patch(patches, *MIXUP_WEIGHTS),
        )
        mixed = (one * patches + other * partners) / (one + other) + self._noise(patches)
        return self._mixed_by_share(patches, mixed)


def add_partners(
    views: NDArray[np.int32], classes: NDArray[np.int32], generator: np.random.Generator
) -> NDArray[np.int32]:
    """Views with a third column: for each pixel another of its class, drawn anew.

    Args:
        views: (n, 2) int32 pixel indices and orientations.
        classes: (n,) int32 classes of the pixels.
        generator: Draws the partners.
    """
    partners = np.empty(len(views), np.int32)
    for label in np.unique(classes):
        (members,) = np.nonzero(classes == label)
        partners[members] = views[generator.choice(members, len(members)), 0]
    return np.column_stack([views, partners])
