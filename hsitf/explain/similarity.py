"""Similarity of two explanations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.compat import formerly

# Side of the window of structural similarity, where the patch is so large.
SSIM_WINDOW = 7
# Constants of the paper, of the range of the maps.
LUMINANCE, CONTRAST = 0.01, 0.03


@formerly(rank_correlation="rank", ssim="structure")
@dataclass(frozen=True)
class Similarity:
    """An explanation held against another.

    Attributes:
        rank_correlation: Spearman's rank correlation of band importance, -1 to 1; None where one of
            them has no ranks, because all bands are equally important.
        ssim: Mean structural similarity of the maps, -1 to 1; None without maps of 3 x 3 pixels or
            more.
    """

    rank_correlation: float | None
    ssim: float | None


def similarity(
    maps: Float32Array, others: Float32Array, bands: Float32Array, other_bands: Float32Array
) -> Similarity:
    """The similarity of two explanations, as far as they are comparable.

    Args:
        maps: (patch, patch, inputs) float32 absolute attributions; or (inputs,) of a method without
            maps.
        others: Maps of the other explanation.
        bands: (bands,) importance.
        other_bands: Importance of the other explanation.
    """
    comparable = maps.shape == others.shape and maps.ndim == 3
    return Similarity(
        rank_correlation(bands, other_bands) if bands.shape == other_bands.shape else None,
        structural_similarity(maps, others) if comparable else None,
    )


def rank_correlation(one: Float32Array, other: Float32Array) -> float | None:
    """Spearman's rank correlation of two importances (bands,); None where it is not defined."""
    from scipy.stats import spearmanr

    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(spearmanr(one, other).statistic)


def structural_similarity(one: Float32Array, other: Float32Array) -> float | None:
    """Mean structural similarity of two stacks of maps, band by band.

    Both are divided by their means first, so that the scale of the logits has no effect. Windows
    are square, of 7 pixels or as large as the patch allows, unweighted, and entirely inside the
    patch.

    Source: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, Image quality assessment: from
    error visibility to structural similarity, IEEE Trans. Image Processing 13(4), 2004, eq. 13.

    Args:
        one: (patch, patch, bands) float32, 0 or more.
        other: The same.

    Returns:
        -1 to 1; None where the patch is smaller than 3 pixels or a stack is all zeros.
    """
    side = min(SSIM_WINDOW, one.shape[0] - (one.shape[0] + 1) % 2)
    if side < 3 or not one.any() or not other.any():
        return None
    x, y = (stack.astype(np.float64) / stack.mean() for stack in (one, other))
    extent = max(x.max(), y.max())
    c1, c2 = (LUMINANCE * extent) ** 2, (CONTRAST * extent) ** 2

    def mean(values: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(values, (side, side), axis=(0, 1))
        return np.asarray(windows.mean(axis=(-1, -2)))

    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    values = (2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(values.mean())
