"""Range estimators: the range of an activation from its histogram.

One function per estimator, registered in `ESTIMATORS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float64Array
from hsitf.quantize.schemes import QuantizationParams, asymmetric_params, symmetric_params
from hsitf.registry import Registry

BINS = 2048
# Share of a tensor's values that the percentile estimator keeps.
PERCENTILE_SHARE = 0.9999
# Ranges that mse and kl try, as shares of the widest.
_RANGE_SHARES = np.linspace(0.1, 1.0, 46)
# Smallest width of a range over its largest value.
_MIN_RELATIVE_WIDTH = 1e-6
# Divergence is measured against at most this many levels: wider words clip nothing.
_MAX_LEVELS = 256


@dataclass(frozen=True, eq=False)
class Histogram:
    """Histogram of a tensor's values over the calibration patches.

    Attributes:
        low: Smallest value.
        high: Largest value.
        counts: (bins,) values per bin; bins of equal width from `low` to `high`.
    """

    low: float
    high: float
    counts: Float64Array

    @property
    def centers(self) -> Float64Array:
        """(bins,) midpoints of the bins."""
        edges = np.linspace(self.low, self.high, len(self.counts) + 1)
        return np.asarray((edges[:-1] + edges[1:]) / 2)

    def within(self, low: float, high: float) -> Histogram:
        """The histogram with values outside a range clipped to its ends."""
        counts = np.zeros_like(self.counts)
        width = max(high - low, np.finfo(np.float64).tiny)
        indices = np.clip((self.centers - low) / width * len(counts), 0, len(counts) - 1)
        np.add.at(counts, indices.astype(np.int64), self.counts)
        return Histogram(low, high, counts)


def histogram(values: NDArray[np.generic], low: float, high: float) -> Histogram:
    """Histogram of values between two bounds that enclose them all."""
    # Bins have to be wider than the distance between neighboring floats.
    low, high = float(low), float(high)
    high = max(high, low + _MIN_RELATIVE_WIDTH * max(abs(low), abs(high), _MIN_RELATIVE_WIDTH))
    counts, _ = np.histogram(np.asarray(values, np.float64), bins=BINS, range=(low, high))
    return Histogram(low, high, counts.astype(np.float64))


MakeParams = Callable[[float, float, int], QuantizationParams]
RangeEstimator = Callable[[Histogram, int, MakeParams], tuple[float, float]]


def _min_max(values: Histogram, bits: int, make: MakeParams) -> tuple[float, float]:
    """The full range of the values."""
    return values.low, values.high


def _percentile(values: Histogram, bits: int, make: MakeParams) -> tuple[float, float]:
    """The range that is left when half of `1 - PERCENTILE_SHARE` is cut from either end."""
    total = np.cumsum(values.counts) / values.counts.sum()
    tail = (1 - PERCENTILE_SHARE) / 2
    edges = np.linspace(values.low, values.high, len(values.counts) + 1)
    first = int(np.searchsorted(total, tail, side="right"))
    last = int(np.searchsorted(total, 1 - tail - 1e-12, side="left"))
    return float(edges[first]), float(edges[last + 1])


def _mse(values: Histogram, bits: int, make: MakeParams) -> tuple[float, float]:
    """The narrowed range with the least mean squared error of rounding and clipping."""
    centers = values.centers.astype(np.float32)

    def error(share: float) -> float:
        params = make(share * values.low, share * values.high, bits)
        return float((values.counts * (params.round(centers) - centers) ** 2).sum())

    best = min(_RANGE_SHARES[::-1], key=error)
    return best * values.low, best * values.high


def _kl(values: Histogram, bits: int, make: MakeParams) -> tuple[float, float]:
    """The narrowed range with the least Kullback-Leibler divergence of the distributions.

    The clipped values are compared bin by bin with their mass spread evenly over the occupied
    bins of each quantized value. Zero is left out, which every grid holds exactly: after a
    rectifier most values are zero, and their mass would hide what clipping does to the others.
    Source: S. Migacz, 8-bit inference with TensorRT, GPU Technology Conference 2017.
    """
    values = _without_zero(values)
    levels = min(2**bits, _MAX_LEVELS)
    if 2**bits > _MAX_LEVELS:
        return values.low, values.high

    def divergence(share: float) -> float:
        low, high = share * values.low, share * values.high
        inside = (values.centers >= low) & (values.centers <= high)
        clipped = values.within(low, high).counts
        # Mass outside the range counts in the reference alone, so that clipping it has a cost.
        kept = Histogram(values.low, values.high, np.where(inside, values.counts, 0.0))
        plain = kept.within(low, high).counts
        level = np.arange(len(plain)) * levels // len(plain)
        mass = np.bincount(level, plain, levels)
        present = np.bincount(level, plain > 0, levels)
        spread = np.where(plain > 0, mass[level] / np.maximum(present[level], 1), 0.0)
        p, q = clipped / clipped.sum(), spread / max(spread.sum(), 1e-300)
        return float((p[p > 0] * np.log(p[p > 0] / np.maximum(q[p > 0], 1e-12))).sum())

    best = min(_RANGE_SHARES[::-1], key=divergence)
    return best * values.low, best * values.high


def _without_zero(values: Histogram) -> Histogram:
    """The histogram without the bin that holds zero; itself where there is no other."""
    edges = np.linspace(values.low, values.high, len(values.counts) + 1)
    others = (edges[:-1] > 0) | (edges[1:] <= 0)
    counts = np.where(others, values.counts, 0.0)
    return replace(values, counts=counts) if counts.any() else values


ESTIMATORS: Registry[RangeEstimator] = Registry(
    "method of calibration",
    {
        "min-max": _min_max,
        "percentile": _percentile,
        "mse": _mse,
        "kl": _kl,
    },
)


def known_estimator(name: str) -> str:
    """Returns the name of an estimator.

    Raises:
        InputError: There is no such estimator; the nearest names are offered.
    """
    ESTIMATORS.known(name)
    return name


def estimate_params(
    values: Histogram, bits: int, estimator: str, scheme: str
) -> QuantizationParams:
    """Estimates the quantization parameters of a tensor.

    Args:
        values: Histogram of the tensor over the calibration patches.
        bits: Bits per value.
        estimator: Name of a range estimator.
        scheme: "symmetric" or "asymmetric".
    """
    if bits == 1:
        return _one_bit(values)
    make = _asymmetric if scheme == "asymmetric" else _symmetric
    low, high = ESTIMATORS[estimator](values, bits, make)
    return make(low, high, bits)


def _symmetric(low: float, high: float, bits: int) -> QuantizationParams:
    return symmetric_params(max(abs(low), abs(high)), bits)


def _asymmetric(low: float, high: float, bits: int) -> QuantizationParams:
    return asymmetric_params(low, high, bits)


def _one_bit(values: Histogram) -> QuantizationParams:
    """Two values: plus and minus the mean magnitude, or 0 and it where nothing is negative."""
    mass = np.abs(values.centers)
    if values.low < 0:
        return symmetric_params(float((values.counts * mass).sum() / values.counts.sum()), 1)
    above = np.where(values.centers > 1e-3 * values.high, values.counts, 0.0)
    size = float((above * mass).sum() / max(above.sum(), 1.0)) or values.high
    return QuantizationParams(max(size, 1e-30), 0, 0, 1)
