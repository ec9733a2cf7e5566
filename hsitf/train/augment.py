"""Patches changed while they are shown in training.

Both changes are those of the field's toolbox (Audebert, Le Saux, Lefevre, Deep learning for
classification of hyperspectral data: a comparative review, IEEE GRSM 7(2), 2019): what a cloud's
shadow or another sun would do to a pixel, and what two neighbors make of a mixed one. They are
layers with random generators of their own, so that they run inside the compiled step of every
backend and an interrupted run resumes with the very next number.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

# Share of the patches that are changed.
SHARE = 0.1
# Factors of brightness, and the noise beside it in deviations of a band.
BRIGHTNESS = (0.9, 1.1)
NOISE = 1 / 25
# Amounts in which two patches are mixed.
AMOUNTS = (0.01, 1.0)


class _Changing(keras.layers.Layer):  # type: ignore[misc]
    """Changes a share of the patches in training, none elsewhere."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, trainable=False)
        self._seeds = keras.random.SeedGenerator()

    def _drawn(self, patches: keras.KerasTensor, low: float, high: float) -> keras.KerasTensor:
        """One number for each patch, to be broadcast over it."""
        shape = (ops.shape(patches)[0], 1, 1, 1)
        return keras.random.uniform(shape, low, high, patches.dtype, self._seeds)

    def _noise(self, patches: keras.KerasTensor) -> keras.KerasTensor:
        drawn = keras.random.normal(ops.shape(patches), 0.0, 1.0, patches.dtype, self._seeds)
        return NOISE * drawn

    def _some(self, patches: keras.KerasTensor, changed: keras.KerasTensor) -> keras.KerasTensor:
        return ops.where(self._drawn(patches, 0.0, 1.0) < SHARE, changed, patches)


class Radiation(_Changing):
    """`a * patch + b * noise`: another illumination."""

    def call(self, patches: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """`(batch, patch, patch, bands)` -> the same."""
        if not training:
            return patches
        brighter = self._drawn(patches, *BRIGHTNESS) * patches + self._noise(patches)
        return self._some(patches, brighter)


class Mixture(_Changing):
    """`(a * patch + b * partner) / (a + b) + noise`: two samples of one class."""

    def call(
        self, patches: keras.KerasTensor, partners: keras.KerasTensor, training: bool = False
    ) -> keras.KerasTensor:
        """Patches and partners, `(batch, patch, patch, bands)` each -> the same."""
        if not training:
            return patches
        one, other = self._drawn(patches, *AMOUNTS), self._drawn(patches, *AMOUNTS)
        mixed = (one * patches + other * partners) / (one + other) + self._noise(patches)
        return self._some(patches, mixed)


def with_partners(
    views: NDArray[np.int32], classes: NDArray[np.int32], generator: np.random.Generator
) -> NDArray[np.int32]:
    """Views with a third column: for each pixel another of its class, drawn anew.

    Args:
        views: (n, 2) int32.
        classes: (n,) of the pixels.
        generator: Draws.
    """
    partners = np.empty(len(views), np.int32)
    for label in np.unique(classes):
        (members,) = np.nonzero(classes == label)
        partners[members] = views[generator.choice(members, len(members)), 0]
    return np.column_stack([views, partners])
