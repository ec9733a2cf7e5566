"""Augmentations that change what is around a pixel: cut-out borders, center-only patches.

Each is a function `(patches, strength, draws, axis)` -> patches, of normalized patches `(batch,
patch, patch, bands)` float32.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from hsitf.train.normalized_bands import NormalizedBands
from hsitf.train.random_draws import RandomDraws, as_factor


def border(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """The border of a patch cut out, with probability `strength`: rings of pixels become the mean.

    How many rings are left around the middle is drawn from 1 to all but one.
    """
    del axis
    rings = _rings(patches.shape[1])
    outermost = int(rings.max())
    if outermost == 0:
        return patches
    kept = ops.ceil(draws.uniform(0.0, 1.0) * outermost)
    left = ops.logical_or(
        draws.uniform(0.0, 1.0) >= strength, ops.convert_to_tensor(rings) < ops.maximum(kept, 1.0)
    )
    return patches * as_factor(left)


def center(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """Center-only patches, with probability `strength`: all pixels have the spectrum of the middle.

    The middle of an even patch is the mean of four pixels, since its center moves as it is turned.
    """
    del axis
    side = patches.shape[1]
    first, last = (side - 1) // 2, side // 2 + 1
    middle = ops.mean(patches[:, first:last, first:last], axis=(1, 2), keepdims=True)
    return ops.where(draws.uniform(0.0, 1.0) < strength, middle, patches)


def _rings(side: int) -> NDArray[np.float32]:
    """(side, side, 1) float32: the ring around the middle that a pixel belongs to, from 0."""
    steps = np.floor(np.abs(np.arange(side) - (side - 1) / 2))
    return np.asarray(np.maximum.outer(steps, steps)[..., None], np.float32)
