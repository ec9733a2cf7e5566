"""How much a channel matters: one function a criterion, from evidence to scores.

A criterion looks at one kind of evidence of one layer and gives each of its channels a score;
the channels with the smallest scores go. What is measured on data is measured batch by batch and
averaged. Gathering the evidence, dividing by the layer's mean and combining the layers that live
together happen once, elsewhere (`evidence`, `rank`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import unknown

Floats = NDArray[np.floating]
Scores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of one layer's channels, on one batch where it takes data.

    Attributes:
        kernels: (channels, weights) the weights that make each channel; None where an input's
            bands are not read by kernels directly.
        gradients: Of the loss by them, the same shape; None unless asked for.
        maps: (samples, channels, rows, cols) what each channel gives, as the layers after it
            see it: behind batch normalization and activation. Of a volume, all pixels make the
            rows and the bands the columns; where there are no rows, the samples of the batch
            stand in for them, and one sample is left. None unless asked for.
        scale: (channels,) of the batch normalization behind the layer; None where there is none.
    """

    kernels: Floats | None = None
    gradients: Floats | None = None
    maps: Floats | None = None
    scale: Floats | None = None


# Columns that are multiplied at a time.
_BLOCK = 65536


def l1(evidence: Evidence) -> Scores:
    """Mean absolute weight (Li et al., ICLR 2017): s_j = mean |w_j|."""
    return np.asarray(np.abs(_given(evidence.kernels)).mean(axis=1, dtype=np.float64))


def l2(evidence: Evidence) -> Scores:
    """Root mean square weight: s_j = sqrt(mean w_j^2)."""
    return np.asarray(np.sqrt((_given(evidence.kernels) ** 2).mean(axis=1, dtype=np.float64)))


def fpgm(evidence: Evidence) -> Scores:
    """Sum of distances to all kernels of the layer (He et al., CVPR 2019).

    A kernel near the geometric median is the one that the others can stand in for:
    s_j = sum_k ||w_j - w_k||.
    """
    kernels = _given(evidence.kernels)
    products = np.zeros((len(kernels), len(kernels)))
    # In float64, or close kernels of large weights would be as far apart as rounding makes them.
    for start in range(0, kernels.shape[1], _BLOCK):
        block = kernels[:, start : start + _BLOCK].astype(np.float64)
        products += block @ block.T
    squares = np.diagonal(products)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0)
    return np.asarray(np.sqrt(distances).sum(axis=1))


def random(evidence: Evidence) -> Scores:
    """Numbers that say nothing, the same for the same weights: what others have to beat."""
    kernels = _given(evidence.kernels)
    seed = zlib.crc32(np.ascontiguousarray(kernels).tobytes())
    return np.random.default_rng(seed).random(len(kernels))


def bn_scale(evidence: Evidence) -> Scores:
    """Scale of the batch normalization behind the layer (Liu et al., ICCV 2017): |gamma_j|."""
    return np.abs(_given(evidence.scale)).astype(np.float64)


def apoz(evidence: Evidence) -> Scores:
    """Average percentage of zeros (Hu et al., 2016), turned round: the share that is not zero."""
    return np.asarray((_given(evidence.maps) != 0).mean(axis=(0, 2, 3)))


def activation(evidence: Evidence) -> Scores:
    """Mean magnitude of what a channel gives: s_j = mean |m_j|."""
    return np.asarray(np.abs(_given(evidence.maps)).mean(axis=(0, 2, 3), dtype=np.float64))


def taylor(evidence: Evidence) -> Scores:
    """First-order estimate of what the loss gains or loses without a channel.

    Molchanov et al., CVPR 2019: s_j = (sum_i g_ji w_ji)^2, on one batch.
    """
    products = np.einsum(
        "jw,jw->j", _given(evidence.gradients), _given(evidence.kernels), dtype=np.float64
    )
    return np.asarray(products**2)


def hessian(evidence: Evidence) -> Scores:
    """Saliency of optimal brain damage (LeCun et al., 1990): s_j = sum_i h_ji w_ji^2 / 2.

    The diagonal of the Hessian is estimated by squared gradients of small batches (the empirical
    Fisher information), which near a minimum is proportional to it.
    """
    terms = (_given(evidence.gradients) * _given(evidence.kernels)) ** 2
    return np.asarray(terms.sum(axis=1, dtype=np.float64) / 2)


def hrank(evidence: Evidence) -> Scores:
    """Mean rank of the maps (Lin et al., CVPR 2020)."""
    return np.asarray(np.linalg.matrix_rank(_given(evidence.maps)).mean(axis=0))


def chip(evidence: Evidence) -> Scores:
    """Channel independence (Sui et al., NeurIPS 2021).

    How much the nuclear norm of the matrix of flattened maps loses when a map is left out:
    s_j = ||A||_* - ||A with row j zero||_*, averaged over samples.
    """
    maps = _given(evidence.maps)
    samples, channels = maps.shape[:2]
    rows = maps.reshape(samples, channels, -1).astype(np.float64)
    lost = np.empty((samples, channels))
    # The norm depends on A A^T or A^T A alone; the smaller of the two is small enough.
    if channels <= rows.shape[2]:
        squares = rows @ rows.transpose(0, 2, 1)
        whole = _nuclear(squares)
        for channel in range(channels):
            others = np.delete(np.arange(channels), channel)
            lost[:, channel] = whole - _nuclear(squares[:, others][:, :, others])
    else:
        squares = rows.transpose(0, 2, 1) @ rows
        whole = _nuclear(squares)
        for channel in range(channels):
            row = rows[:, channel]
            lost[:, channel] = whole - _nuclear(squares - row[:, :, None] * row[:, None, :])
    return np.asarray(lost.mean(axis=0))


def _nuclear(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of the singular values of A, from A A^T or A^T A, matrix by matrix."""
    return np.asarray(np.sqrt(np.maximum(np.linalg.eigvalsh(squares), 0)).sum(axis=-1))


def lfp(evidence: Evidence) -> Scores:
    """Low frequency preference (Zhang et al., Remote Sensing 2023, 15, 3144).

    S_j = 1 + log|FFT2(M_j)|; the rows of M are the flattened S_j;
    s_j = ||M||_F - ||M with row j zero||_F. Values of a spectrum below zero count as zero: they
    are darker than black, and their squares would make the dead map the brightest.
    """
    spectra = np.abs(np.fft.fft2(_given(evidence.maps).astype(np.float64)))
    # Below 1 / e the logarithm is under -1.
    pictures = 1 + np.log(np.maximum(spectra, np.exp(-1)))
    squares = (pictures**2).sum(axis=(0, 2, 3))
    whole = squares.sum()
    return np.asarray(np.sqrt(whole) - np.sqrt(np.maximum(whole - squares, 0)))


def _given(values: Floats | None) -> Floats:
    if values is None:
        raise ValueError("the criterion was called without the evidence it needs")
    return values


class Criterion(NamedTuple):
    """A criterion and what it looks at.

    Attributes:
        score: From the evidence of a layer to the scores of its channels.
        needs: kernels, scale, maps or gradients.
        batch: Samples of each batch it is averaged over; 0 where it takes no data.
        batches: How many such batches.
    """

    score: Callable[[Evidence], Scores]
    needs: str
    batch: int = 0
    batches: int = 0


CRITERIA = {
    "l1": Criterion(l1, "kernels"),
    "l2": Criterion(l2, "kernels"),
    "fpgm": Criterion(fpgm, "kernels"),
    "random": Criterion(random, "kernels"),
    "bn_scale": Criterion(bn_scale, "scale"),
    "apoz": Criterion(apoz, "maps", batch=64, batches=5),
    "activation": Criterion(activation, "maps", batch=64, batches=5),
    "hrank": Criterion(hrank, "maps", batch=32, batches=5),
    "chip": Criterion(chip, "maps", batch=8, batches=5),
    "lfp": Criterion(lfp, "maps", batch=64, batches=5),
    "taylor": Criterion(taylor, "gradients", batch=16, batches=20),
    "hessian": Criterion(hessian, "gradients", batch=4, batches=60),
}


def known(name: str) -> Criterion:
    """The criterion `name`.

    Raises:
        InputError: There is no such criterion; the nearest names are offered.
    """
    if name not in CRITERIA:
        raise unknown("criterion", name, CRITERIA)
    return CRITERIA[name]
