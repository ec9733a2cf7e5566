"""How much each band matters, and which matter most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.bands.request import SELECT


def band_importance(magnitude: Float32Array) -> Float32Array:
    """Importance of each band: what its map sums up to.

    Args:
        magnitude: (..., bands) absolute attributions; maps or one number per band.

    Returns:
        (bands,) float32.
    """
    return np.asarray(magnitude.reshape(-1, magnitude.shape[-1]).sum(axis=0), np.float32)


def mean_importance(importances: Float32Array) -> Float32Array:
    """Mean over outputs, (n, bands) -> (bands,), of the importances divided by their sum.

    A subject of no importance at all counts nothing.
    """
    totals = importances.sum(axis=1, keepdims=True)
    shares = importances / np.where(totals > 0, totals, 1)
    return np.asarray(shares.mean(axis=0), np.float32)


def top_bands(importance: Float32Array, count: int, min_distance: int = 1) -> tuple[int, ...]:
    """Numbers of the most important bands, ascending.

    Args:
        importance: (bands,) importance of each band.
        count: Number of bands; fewer where there are not as many at this distance.
        min_distance: Smallest difference of two band indices. Neighboring bands carry nearly the
            same information.
    """
    found: list[int] = []
    for band in np.argsort(-importance, kind="stable").tolist():
        if len(found) == count:
            break
        if all(abs(band - other) >= min_distance for other in found):
            found.append(band)
    return tuple(sorted(found))


def selection_spec(bands: Sequence[int]) -> str:
    """Specification of a band selection for `--bands`, such as "select:3,17,40"."""
    return f"{SELECT}:{','.join(map(str, bands))}"


def mean_reflectance(cube: Float32Array, pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean spectrum of pixels (flat indices), (bands,) in the units of the cube."""
    spectra = cube.reshape(-1, cube.shape[-1])[pixels]
    return np.asarray(spectra.mean(axis=0, dtype=np.float64))
