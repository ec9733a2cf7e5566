"""What is computed of a pixel's bands before they enter a network trained elsewhere.

Whatever was said of it (a name, a file of numbers, a fitted object of scikit-learn) becomes the
two parts that every run has: a `Normalizer`, band by band, and a `Reducer` of bands or None. A
file holds numbers and nothing that could run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array, Float64Array
from hsitf.bands.reducer import AffineProjection, BandSelection, Reducer
from hsitf.registry import Registry
from hsitf.scenes.normalize import Normalizer


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """Normalization and band reduction in front of a network.

    Attributes:
        normalizer: Normalization, band by band, in the order of the scene.
        reducer: Reduction or reordering of normalized bands; None where all bands enter in their
            order.
        description: What it is, for records and messages.
    """

    normalizer: Normalizer
    reducer: Reducer | None
    description: str

    @property
    def components(self) -> int:
        """Numbers per pixel that enter the network."""
        return len(self.normalizer.offset) if self.reducer is None else self.reducer.components

    def apply(self, spectra: Float32Array) -> Float32Array:
        """Prepares spectra: (..., bands) in the sensor's units to (..., components)."""
        normalized = self.normalizer.apply(spectra)
        if self.reducer is None:
            return normalized
        flat = self.reducer.apply(normalized.reshape(-1, normalized.shape[-1]))
        return flat.reshape(*normalized.shape[:-1], self.components)


# (spectra (n, bands) float64) -> (offset, scale), each (bands,) float64.
Statistics = Callable[[Float64Array], tuple[Float64Array, Float64Array]]


def _none(spectra: Float64Array) -> tuple[Float64Array, Float64Array]:
    count = spectra.shape[1]
    return np.zeros(count), np.ones(count)


def _standard(spectra: Float64Array) -> tuple[Float64Array, Float64Array]:
    return np.full(spectra.shape[1], spectra.mean()), np.full(spectra.shape[1], spectra.std())


def _minmax(spectra: Float64Array) -> tuple[Float64Array, Float64Array]:
    low, high = spectra.min(), spectra.max()
    return np.full(spectra.shape[1], low), np.full(spectra.shape[1], high - low)


def _band_standard(spectra: Float64Array) -> tuple[Float64Array, Float64Array]:
    return spectra.mean(axis=0), spectra.std(axis=0)


def _band_minmax(spectra: Float64Array) -> tuple[Float64Array, Float64Array]:
    low, high = spectra.min(axis=0), spectra.max(axis=0)
    return low, high - low


# By the name that a user gives; each is an affine map with one offset and one scale a band.
NORMALIZATIONS: Registry[Statistics] = Registry(
    "normalization",
    {
        "band-standard": _band_standard,
        "standard": _standard,
        "minmax": _minmax,
        "band-minmax": _band_minmax,
        "none": _none,
    },
)


def fit_normalizer(name: str, spectra: Float32Array) -> Normalizer:
    """The normalization of that name, fitted to spectra, (n, bands) float32.

    A band, or a scene, that is constant is left unscaled.

    Raises:
        InputError: There is no such normalization.
    """
    offset, scale = NORMALIZATIONS.known(name)(spectra.astype(np.float64))
    return Normalizer(tuple(offset.tolist()), tuple(np.where(scale > 0, scale, 1.0).tolist()))


def selection(order: NDArray[np.int64], bands: int, spec: str) -> Reducer:
    """Some of the bands, or all, in an order of their own."""
    count = len(order)
    ones, zeros = np.ones(count, np.float32), np.zeros(count, np.float32)
    return Reducer(spec, bands, count, BandSelection(order), ones, zeros)


def projection(matrix: Float32Array, offset: Float32Array, spec: str) -> Reducer:
    """An affine reduction of bands: matrix (bands, components), offset (components,)."""
    bands, count = matrix.shape
    transform = AffineProjection(
        np.asarray(matrix, np.float32), np.asarray(offset, np.float32).reshape(count)
    )
    ones, zeros = np.ones(count, np.float32), np.zeros(count, np.float32)
    return Reducer(spec, bands, count, transform, ones, zeros)


def standardized_projection(
    matrix: Float64Array,
    offset: NDArray[np.floating],
    sample: Float32Array,
    described: str,
    spec: str,
) -> Preprocessing:
    """`spectra @ matrix + offset` as standardized bands and a matrix for these: the same map.

    Raw counts and a matrix for them would lose digits in float32 and in 8-bit weights.
    """
    normalizer = fit_normalizer("band-standard", sample)
    means, deviations = np.asarray(normalizer.offset), np.asarray(normalizer.scale)
    reducer = projection(
        (deviations[:, None] * matrix).astype(np.float32),
        (means @ matrix + offset).astype(np.float32),
        spec,
    )
    return Preprocessing(normalizer, reducer, described)
