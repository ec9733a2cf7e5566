"""What augmentations know of the bands that a network sees normalized."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.data import SceneData

# The noise of a band is taken to be at most this many of its standard deviations.
_LARGEST_NOISE = 1.0


@dataclass(frozen=True, eq=False)
class NormalizedBands:
    """The bands of normalized patches, one number a band in each array.

    A normalized value is `z = (x - offset) / scale` of a value `x` in the sensor's units. That `x`
    is multiplied by a gain `g` therefore reads `z' = g * z + (g - 1) * origin` with `origin =
    offset / scale`.

    Attributes:
        origin: (bands,) float32: offset over scale.
        scale: (bands,) float32, in the sensor's units.
        position: (bands,) float32 from -1 to 1: the wavelength between the least and the greatest
            or, where wavelengths are unknown, the number of the band.
        noise: (bands,) float32: the noise of a normalized band, from how far it is from the mean of
            its two neighbors in the training pixels.
        reach: (bands - 1,) float32 from 0 to 1: the usual distance of two neighboring bands over
            the distance of this pair, which is small across a gap.
    """

    origin: Float32Array
    scale: Float32Array
    position: Float32Array
    noise: Float32Array
    reach: Float32Array

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.origin)

    @classmethod
    def of(cls, data: SceneData) -> NormalizedBands:
        """The bands of a scene that is not reduced."""
        scale = np.asarray(data.normalizer.scale, np.float64)
        centers = band_positions(data)
        spread = float(np.ptp(centers)) or 1.0
        return cls(
            np.asarray(np.asarray(data.normalizer.offset) / scale, np.float32),
            np.asarray(scale, np.float32),
            np.asarray(2 * (centers - centers.min()) / spread - 1, np.float32),
            band_noise(_training_spectra(data)),
            _reach(centers),
        )


def band_noise(spectra: Float32Array) -> Float32Array:
    """The noise of each band: (bands,) float32 from (n, bands) spectra.

    Neighboring bands see nearly the same, so that what a band has beyond the mean of its two
    neighbors is noise: with deviation `s` in each of the three, `s * sqrt(3 / 2)`. The first and
    last band are compared with their one neighbor (`s * sqrt(2)`).
    """
    bands = spectra.shape[1]
    if bands < 2:
        return np.zeros(bands, np.float32)
    found = np.empty(bands)
    inner = spectra[:, 1:-1] - (spectra[:, :-2] + spectra[:, 2:]) / 2
    found[1:-1] = inner.std(axis=0) / np.sqrt(1.5)
    found[0] = (spectra[:, 0] - spectra[:, 1]).std() / np.sqrt(2)
    found[-1] = (spectra[:, -1] - spectra[:, -2]).std() / np.sqrt(2)
    return np.asarray(np.minimum(found, _LARGEST_NOISE), np.float32)


def _training_spectra(data: SceneData) -> Float32Array:
    """(n, bands) float32: normalized spectra of the training pixels."""
    center = data.patches.patch // 2
    padded, cols = data.patches.padded, data.patches.padded.shape[1]
    corners = data.patches.corners[data.split.train]
    found = padded.reshape(-1, padded.shape[2])[corners + center * cols + center]
    return np.asarray(found, np.float32)


def band_positions(data: SceneData) -> NDArray[np.float64]:
    """(bands,) float64: wavelengths in nm; numbers of bands where they are unknown."""
    if data.scene.wavelengths is not None:
        return np.asarray(data.scene.wavelengths, np.float64)
    if data.scene.band_numbers:
        return np.asarray(data.scene.band_numbers, np.float64)
    return np.arange(data.scene.bands, dtype=np.float64)


def _reach(centers: NDArray[np.float64]) -> Float32Array:
    """(bands - 1,) float32: the median distance of neighbors over each distance, at most 1."""
    distances = np.abs(np.diff(centers))
    if len(distances) == 0:
        return np.zeros(0, np.float32)
    usual = np.median(distances)
    ratio = np.divide(usual, distances, out=np.ones_like(distances), where=distances > 0)
    return np.asarray(np.minimum(ratio, 1.0), np.float32)
