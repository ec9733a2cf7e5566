"""Augmentations that change spectra: light, noise, shifts, missing bands.

Each is a function `(patches, strength, draws, axis)` -> patches, of normalized patches `(batch,
patch, patch, bands)` float32; or, where a value of a band becomes a multiple of itself plus a
number, `(strength, draws, axis)` -> `BandAffine`, so that several of them pass over the patches
once.
"""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
from keras import ops

from hsitf.arrays import Float32Array
from hsitf.train.normalized_bands import NormalizedBands
from hsitf.train.random_draws import BandAffine, RandomDraws, as_factor

# So many spectra of noise are drawn once; a batch has fewer pixels or not many more.
NOISE_SPECTRA = 4096


def neighbor(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """Light of a neighboring training pixel, up to a share of `strength`, over the whole patch.

    The normalization is affine, so that mixtures are the same in its units and in the sensor's.
    """
    del axis
    share = draws.uniform(0.0, strength)
    return (1 - share) * patches + share * draws.neighbors


def brightness(strength: float, draws: RandomDraws, axis: NormalizedBands) -> BandAffine:
    """More or less light on a patch: all bands times one factor, 1 - strength to 1 + strength."""
    return _light(1 + draws.uniform(-strength, strength), axis)


def slope(strength: float, draws: RandomDraws, axis: NormalizedBands) -> BandAffine:
    """Light that is linear over wavelength: a gain of `1 + a * position`, |a| up to strength."""
    return _light(1 + draws.uniform(-strength, strength) * axis.position, axis)


def curvature(strength: float, draws: RandomDraws, axis: NormalizedBands) -> BandAffine:
    """Light that bends over wavelength: a gain of `1 + a * (2 position^2 - 1)`."""
    bent = 2 * axis.position**2 - 1
    return _light(1 + draws.uniform(-strength, strength) * bent, axis)


def noise(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """Noise of up to `strength` times each band's own level, drawn for every pixel.

    Each pixel gets one of `NOISE_SPECTRA` spectra of independent normal numbers: a normal number
    for every pixel, band and step would cost more than a small network.
    """
    spectra = draws.table(axis.noise * _noise_spectra(axis.bands), patches)
    return patches + draws.uniform(0.0, strength) * spectra


@cache
def _noise_spectra(bands: int) -> Float32Array:
    """(spectra, bands) float32: standard normal numbers, always the same."""
    drawn = np.random.default_rng(bands).normal(size=(NOISE_SPECTRA, bands))
    return np.asarray(drawn, np.float32)


def shift(
    patches: keras.KerasTensor, strength: float, draws: RandomDraws, axis: NormalizedBands
) -> keras.KerasTensor:
    """Bands moved by up to `strength` of their distance: linear interpolation, sensor's units.

    Where `x` moves towards the next band by `d`, it becomes `(1 - d) x + d next`, and `z` likewise
    with the next band's `z` times the ratio of the scales, plus the difference of the origins. The
    first and the last band do not move beyond themselves.
    """
    if axis.bands < 2:
        return patches
    distance = draws.uniform(-strength, strength)
    up, down = ops.maximum(distance, 0.0), ops.maximum(-distance, 0.0)
    here, there = axis.scale[:-1], axis.scale[1:]
    origins = axis.origin * axis.scale
    step = origins[1:] - origins[:-1]
    lower, upper = patches[..., :-1], patches[..., 1:]
    rise = up * axis.reach * (upper * (there / here) + step / here - lower)
    fall = down * axis.reach * (lower * (here / there) - step / there - upper)
    still = ops.zeros_like(patches[..., :1])
    return (
        patches + ops.concatenate([rise, still], axis=-1) + ops.concatenate([still, fall], axis=-1)
    )


def missing_bands(strength: float, draws: RandomDraws, axis: NormalizedBands) -> BandAffine:
    """Each band of a patch is missing with probability `strength`: its mean, which is 0."""
    return BandAffine(as_factor(draws.uniform(0.0, 1.0, axis.bands) >= strength), 0.0)


def missing_block(strength: float, draws: RandomDraws, axis: NormalizedBands) -> BandAffine:
    """Neighboring bands are missing: in half of the patches a block of up to that share of them."""
    width = draws.uniform(-strength, strength) * axis.bands
    start = draws.uniform(0.0, 1.0) * (axis.bands - ops.maximum(width, 0.0))
    numbers = ops.arange(axis.bands, dtype="float32") + 0.5
    inside = ops.logical_and(numbers >= start, numbers < start + width)
    return BandAffine(as_factor(ops.logical_not(inside)), 0.0)


def _light(gain: keras.KerasTensor, axis: NormalizedBands) -> BandAffine:
    return BandAffine(gain, (gain - 1) * axis.origin)
