"""How much each band matters, and which matter most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hsitf.bands.request import SELECT
from hsitf.explain.view import Floats


def of_bands(magnitude: Floats) -> Floats:
    """Importance of each band: what its map sums up to.

    Args:
        magnitude: (..., bands) without sign; maps or single numbers.

    Returns:
        (bands,) float32.
    """
    return np.asarray(magnitude.reshape(-1, magnitude.shape[-1]).sum(axis=0), np.float32)


def shared(importances: Floats) -> Floats:
    """Mean over subjects, (n, bands) -> (bands,), each subject counting alike: shares of a whole.

    A subject of no importance at all counts nothing.
    """
    totals = importances.sum(axis=1, keepdims=True)
    shares = importances / np.where(totals > 0, totals, 1)
    return np.asarray(shares.mean(axis=0), np.float32)


def top(importance: Floats, count: int, apart: int = 1) -> tuple[int, ...]:
    """Numbers of the most important bands, ascending.

    Args:
        importance: (bands,).
        count: How many; fewer where there are no more that are so far apart.
        apart: Least difference of two of their numbers. Neighboring bands see nearly the same.
    """
    found: list[int] = []
    for band in np.argsort(-importance, kind="stable").tolist():
        if len(found) == count:
            break
        if all(abs(band - other) >= apart for other in found):
            found.append(band)
    return tuple(sorted(found))


def selection(bands: Sequence[int]) -> str:
    """As `--bands` takes it, such as "select:3,17,40"."""
    return f"{SELECT}:{','.join(map(str, bands))}"


def mean_reflectance(cube: Floats, pixels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean spectrum of pixels (flat indices), (bands,) in the units of the cube."""
    spectra = cube.reshape(-1, cube.shape[-1])[pixels]
    return np.asarray(spectra.mean(axis=0, dtype=np.float64))
