"""Ranges of activations out of histograms: one function a method, in `METHODS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import unknown
from hsitf.quantize.schemes import Grid, affine, symmetric

Doubles = NDArray[np.float64]

BINS = 2048
# Of the values of a tensor, the share that a percentile keeps.
KEPT = 0.9999
# Ranges that are tried, as shares of the widest.
_TRIED = np.linspace(0.1, 1.0, 46)
# Least width of a range over its largest value.
_NARROWEST = 1e-6
# Divergence is measured against as many levels at most: wider words clip nothing.
_MOST_LEVELS = 256


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often a tensor's values occurred.

    Attributes:
        low: Least value that was seen.
        high: Greatest.
        counts: (bins,) of equal width from `low` to `high`.
    """

    low: float
    high: float
    counts: Doubles

    @property
    def centers(self) -> Doubles:
        """(bins,) values in the middle of each bin."""
        edges = np.linspace(self.low, self.high, len(self.counts) + 1)
        return np.asarray((edges[:-1] + edges[1:]) / 2)

    def within(self, low: float, high: float) -> Histogram:
        """The same values with those outside moved to the ends."""
        counts = np.zeros_like(self.counts)
        width = max(high - low, np.finfo(np.float64).tiny)
        places = np.clip((self.centers - low) / width * len(counts), 0, len(counts) - 1)
        np.add.at(counts, places.astype(np.int64), self.counts)
        return Histogram(low, high, counts)


def histogram(values: NDArray[np.generic], low: float, high: float) -> Histogram:
    """Counts of values between two bounds that hold them all."""
    # Bins have to be wider than what neighboring floats differ by.
    low, high = float(low), float(high)
    high = max(high, low + _NARROWEST * max(abs(low), abs(high), _NARROWEST))
    counts, _ = np.histogram(np.asarray(values, np.float64), bins=BINS, range=(low, high))
    return Histogram(low, high, counts.astype(np.float64))


Make = Callable[[float, float, int], Grid]
Method = Callable[[Histogram, int, Make], tuple[float, float]]


def _min_max(seen: Histogram, bits: int, make: Make) -> tuple[float, float]:
    """Everything that was seen."""
    return seen.low, seen.high


def _percentile(seen: Histogram, bits: int, make: Make) -> tuple[float, float]:
    """What is left when half of `1 - KEPT` is cut from either end."""
    total = np.cumsum(seen.counts) / seen.counts.sum()
    aside = (1 - KEPT) / 2
    edges = np.linspace(seen.low, seen.high, len(seen.counts) + 1)
    first = int(np.searchsorted(total, aside, side="right"))
    last = int(np.searchsorted(total, 1 - aside - 1e-12, side="left"))
    return float(edges[first]), float(edges[last + 1])


def _mse(seen: Histogram, bits: int, make: Make) -> tuple[float, float]:
    """The narrowing of the range with the least mean squared error of rounding and clipping."""
    centers = seen.centers.astype(np.float32)

    def error(share: float) -> float:
        grid = make(share * seen.low, share * seen.high, bits)
        return float((seen.counts * (grid.round(centers) - centers) ** 2).sum())

    best = min(_TRIED[::-1], key=error)
    return best * seen.low, best * seen.high


def _kl(seen: Histogram, bits: int, make: Make) -> tuple[float, float]:
    """The narrowing with the least Kullback-Leibler divergence of the values' distribution.

    Both are compared bin by bin: the clipped values, and their mass spread evenly over the bins
    of each level of the grid where there was any. Source: S. Migacz, 8-bit inference with
    TensorRT, GPU Technology Conference 2017.
    """
    levels = min(2**bits, _MOST_LEVELS)
    if 2**bits > _MOST_LEVELS:
        return seen.low, seen.high

    def divergence(share: float) -> float:
        low, high = share * seen.low, share * seen.high
        inside = (seen.centers >= low) & (seen.centers <= high)
        clipped = seen.within(low, high).counts
        # Mass outside counts in the reference alone: what clips it has to answer for it.
        kept = Histogram(seen.low, seen.high, np.where(inside, seen.counts, 0.0))
        plain = kept.within(low, high).counts
        level = np.arange(len(plain)) * levels // len(plain)
        mass = np.bincount(level, plain, levels)
        present = np.bincount(level, plain > 0, levels)
        spread = np.where(plain > 0, mass[level] / np.maximum(present[level], 1), 0.0)
        p, q = clipped / clipped.sum(), spread / max(spread.sum(), 1e-300)
        return float((p[p > 0] * np.log(p[p > 0] / np.maximum(q[p > 0], 1e-12))).sum())

    best = min(_TRIED[::-1], key=divergence)
    return best * seen.low, best * seen.high


METHODS: dict[str, Method] = {
    "min-max": _min_max,
    "percentile": _percentile,
    "mse": _mse,
    "kl": _kl,
}


def known(name: str) -> str:
    """The name, if there is such a method.

    Raises:
        InputError: There is none; the nearest are offered.
    """
    if name not in METHODS:
        raise unknown("method of calibration", name, METHODS)
    return name


def grid(seen: Histogram, bits: int, method: str, kind: str) -> Grid:
    """The grid of a tensor.

    Args:
        seen: Its values on calibration patches.
        bits: Of a value.
        method: What chooses the range.
        kind: symmetric or affine.
    """
    if bits == 1:
        return _single(seen)
    make = _affine if kind == "affine" else _symmetric
    low, high = METHODS[method](seen, bits, make)
    return make(low, high, bits)


def _symmetric(low: float, high: float, bits: int) -> Grid:
    return symmetric(max(abs(low), abs(high)), bits)


def _affine(low: float, high: float, bits: int) -> Grid:
    return affine(low, high, bits)


def _single(seen: Histogram) -> Grid:
    """Two levels: the mean magnitude, with its sign or, where nothing is negative, against 0."""
    mass = np.abs(seen.centers)
    if seen.low < 0:
        return symmetric(float((seen.counts * mass).sum() / seen.counts.sum()), 1)
    above = np.where(seen.centers > 1e-3 * seen.high, seen.counts, 0.0)
    size = float((above * mass).sum() / max(above.sum(), 1.0)) or seen.high
    return Grid(max(size, 1e-30), 0, 0, 1)
