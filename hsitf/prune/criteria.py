"""How much a channel matters: one function a criterion, from evidence to scores.

A criterion maps one kind of evidence of one layer to a score for each of its channels; the channels
with the smallest scores are removed. Data-dependent scores are computed batch by batch and
averaged. Collecting the evidence, dividing by the mean of the layer and averaging over the layers
of a dependency group is done once, elsewhere (`evidence`, `rank`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import FloatArray
from hsitf.registry import Registry

ChannelScores = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChannelEvidence:
    """What a criterion can use about the channels of one layer, for one batch of data if it needs
    data.

    Attributes:
        kernels: (channels, weights) the weights that produce each channel; None where an input's
            bands are not read by kernels directly.
        gradients: Gradients of the loss with respect to `kernels`, same shape; None unless
            requested.
        feature_maps: (samples, channels, rows, cols) the output of each channel as the next layers
            read it: after batch normalization and activation. For a volume, the pixels form the
            rows and the bands the columns; where there are no rows, the samples of the batch take
            their place, and one sample remains. None unless requested.
        scale: (channels,) scale of the batch normalization that follows the layer; None without
            one.
    """

    kernels: FloatArray | None = None
    gradients: FloatArray | None = None
    feature_maps: FloatArray | None = None
    scale: FloatArray | None = None


# Columns that are multiplied at a time.
_BLOCK = 65536
# Cycles a pixel up to which a frequency is low: half of the highest, that of a checkerboard's rows.
_LOW_CYCLES = 0.25


def l1(evidence: ChannelEvidence) -> ChannelScores:
    """Mean absolute weight (Li et al., ICLR 2017): s_j = mean |w_j|."""
    return np.asarray(np.abs(_required(evidence.kernels)).mean(axis=1, dtype=np.float64))


def l2(evidence: ChannelEvidence) -> ChannelScores:
    """Root mean square weight: s_j = sqrt(mean w_j^2)."""
    return np.asarray(np.sqrt((_required(evidence.kernels) ** 2).mean(axis=1, dtype=np.float64)))


def fpgm(evidence: ChannelEvidence) -> ChannelScores:
    """Sum of distances to all kernels of the layer (He et al., CVPR 2019).

    A kernel near the geometric median can be replaced by the others: s_j = sum_k ||w_j - w_k||.
    """
    kernels = _required(evidence.kernels)
    products = np.zeros((len(kernels), len(kernels)))
    # In float64, or close kernels of large weights would be as far apart as rounding makes them.
    for start in range(0, kernels.shape[1], _BLOCK):
        block = kernels[:, start : start + _BLOCK].astype(np.float64)
        products += block @ block.T
    squares = np.diagonal(products)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0)
    return np.asarray(np.sqrt(distances).sum(axis=1))


def random(evidence: ChannelEvidence) -> ChannelScores:
    """Random scores, the same for the same weights: the baseline of all other criteria."""
    kernels = _required(evidence.kernels)
    seed = zlib.crc32(np.ascontiguousarray(kernels).tobytes())
    return np.random.default_rng(seed).random(len(kernels))


def bn_scale(evidence: ChannelEvidence) -> ChannelScores:
    """Scale of the batch normalization behind the layer (Liu et al., ICCV 2017): |gamma_j|."""
    return np.abs(_required(evidence.scale)).astype(np.float64)


def apoz(evidence: ChannelEvidence) -> ChannelScores:
    """Average percentage of zeros (Hu et al., 2016), turned round: the share that is not zero."""
    return np.asarray((_required(evidence.feature_maps) != 0).mean(axis=(0, 2, 3)))


def activation(evidence: ChannelEvidence) -> ChannelScores:
    """Mean absolute activation of a channel: s_j = mean |m_j|."""
    return np.asarray(
        np.abs(_required(evidence.feature_maps)).mean(axis=(0, 2, 3), dtype=np.float64)
    )


def taylor(evidence: ChannelEvidence) -> ChannelScores:
    """First-order estimate of the change of the loss without a channel.

    Molchanov et al., CVPR 2019: s_j = (sum_i g_ji w_ji)^2, on one batch.
    """
    products = np.einsum(
        "jw,jw->j", _required(evidence.gradients), _required(evidence.kernels), dtype=np.float64
    )
    return np.asarray(products**2)


def hessian(evidence: ChannelEvidence) -> ChannelScores:
    """Saliency of optimal brain damage (LeCun et al., 1990): s_j = sum_i h_ji w_ji^2 / 2.

    The diagonal of the Hessian is estimated by squared gradients of small batches (the empirical
    Fisher information), which near a minimum is proportional to it.
    """
    terms = (_required(evidence.gradients) * _required(evidence.kernels)) ** 2
    return np.asarray(terms.sum(axis=1, dtype=np.float64) / 2)


def hrank(evidence: ChannelEvidence) -> ChannelScores:
    """Mean rank of the maps (Lin et al., CVPR 2020)."""
    return np.asarray(np.linalg.matrix_rank(_required(evidence.feature_maps)).mean(axis=0))


def chip(evidence: ChannelEvidence) -> ChannelScores:
    """Channel independence (Sui et al., NeurIPS 2021).

    How much the nuclear norm of the matrix of flattened maps loses when a map is left out:
    s_j = ||A||_* - ||A with row j zero||_*, averaged over samples.
    """
    maps = _required(evidence.feature_maps)
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


def lfp(evidence: ChannelEvidence) -> ChannelScores:
    """Low frequency preference (Zhang et al., Remote Sensing 2023, 15, 3144).

    S_j = 1 + log|FFT2(M_j)|; the rows of M are the flattened S_j; s_j = ||M||_F - ||M with row j
    zero||_F. Negative values of a spectrum count as zero: otherwise their squares would rank the
    map of a dead channel highest.
    """
    return _low_frequency_preference(_required(evidence.feature_maps).astype(np.float64))


def lfp_scaled(evidence: ChannelEvidence) -> ChannelScores:
    """Low frequency preference of maps divided by their layer's standard deviation.

    The logarithm of `lfp` has a meaning for maps of about unit deviation, as batch normalization
    makes them; without it, the unit of the maps decides how much of a spectrum is below zero and
    counts as zero. Here the deviation over all samples, channels and pixels of the layer is the
    unit, so that a factor on all maps of a layer changes nothing.
    """
    maps = _required(evidence.feature_maps).astype(np.float64)
    return _low_frequency_preference(maps / (maps.std() or 1.0))


def _low_frequency_preference(maps: NDArray[np.float64]) -> ChannelScores:
    spectra = np.abs(np.fft.fft2(maps))
    # Below 1 / e the logarithm is under -1.
    pictures = 1 + np.log(np.maximum(spectra, np.exp(-1)))
    squares = (pictures**2).sum(axis=(0, 2, 3))
    whole = squares.sum()
    return np.asarray(np.sqrt(whole) - np.sqrt(np.maximum(whole - squares, 0)))


def low_frequency(evidence: ChannelEvidence) -> ChannelScores:
    """Share of low frequencies in the power of a channel's maps.

    s_j = sum of |FFT2(M_j)|^2 over frequencies of at most a quarter cycle a pixel (half of what a
    grid can hold), by the sum over all frequencies; all samples together. The claim of Zhang et
    al., 2023, by itself: their score grows with the energy of a map, too. A channel that is zero
    has no power, and the score 0.
    """
    low, whole = _power(evidence)
    return low / np.where(whole > 0, whole, 1.0)


def high_frequency(evidence: ChannelEvidence) -> ChannelScores:
    """Share of the other frequencies, 1 - `low_frequency`: its control; 0 for a zero channel."""
    low, whole = _power(evidence)
    return (whole - low) / np.where(whole > 0, whole, 1.0)


def _power(evidence: ChannelEvidence) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power of each channel at low and at all frequencies, (channels,) each."""
    power = np.abs(np.fft.fft2(_required(evidence.feature_maps).astype(np.float64))) ** 2
    rows, cols = (np.fft.fftfreq(length) for length in power.shape[2:])
    low = np.hypot(rows[:, None], cols[None, :]) <= _LOW_CYCLES
    return power[..., low].sum(axis=(0, 2)), power.sum(axis=(0, 2, 3))


def _required(values: FloatArray | None) -> FloatArray:
    if values is None:
        raise ValueError("the criterion was called without the evidence it needs")
    return values


class Criterion(NamedTuple):
    """A criterion and the evidence that it needs.

    Attributes:
        score: Maps the evidence of a layer to the scores of its channels.
        requires: kernels, scale, feature_maps or gradients.
        batch_size: Samples per batch that it is averaged over; 0 for criteria that use no data.
        num_batches: Number of such batches.
    """

    score: Callable[[ChannelEvidence], ChannelScores]
    requires: str
    batch_size: int = 0
    num_batches: int = 0


CRITERIA = Registry(
    "criterion",
    {
        "l1": Criterion(l1, "kernels"),
        "l2": Criterion(l2, "kernels"),
        "fpgm": Criterion(fpgm, "kernels"),
        "random": Criterion(random, "kernels"),
        "bn_scale": Criterion(bn_scale, "scale"),
        "apoz": Criterion(apoz, "maps", batch_size=64, num_batches=5),
        "activation": Criterion(activation, "maps", batch_size=64, num_batches=5),
        "hrank": Criterion(hrank, "maps", batch_size=32, num_batches=5),
        "chip": Criterion(chip, "maps", batch_size=8, num_batches=5),
        "lfp": Criterion(lfp, "maps", batch_size=64, num_batches=5),
        "lfp_scaled": Criterion(lfp_scaled, "maps", batch_size=64, num_batches=5),
        "low_frequency": Criterion(low_frequency, "maps", batch_size=64, num_batches=5),
        "high_frequency": Criterion(high_frequency, "maps", batch_size=64, num_batches=5),
        "taylor": Criterion(taylor, "gradients", batch_size=16, num_batches=20),
        "hessian": Criterion(hessian, "gradients", batch_size=4, num_batches=60),
    },
)


def get_criterion(name: str) -> Criterion:
    """The criterion `name`.

    Raises:
        InputError: There is no such criterion; the nearest names are offered.
    """
    return CRITERIA.known(name)
