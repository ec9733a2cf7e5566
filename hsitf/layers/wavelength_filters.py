"""Filters over wavelength: the first layer of a network that takes the bands of several sensors.

A filter is a Gaussian over wavelength. A band stands for a share of the spectrum, its cell, and has
the part of the Gaussian that lies in it as its weight:

    y[g] = sum over b of x[b] * (P((high[b] - m[g]) / s[g]) - P((low[b] - m[g]) / s[g]))

with P the distribution function of the normal distribution, and `m` and `s` a filter's mean and
width in nanometers, which are learned. Bands that lie close together share what a single one would
have, so that the sum over the bands of any sensor is the same integral over the spectrum. For the
bands of one sensor the weights are a matrix: the layer is a 1 x 1 convolution without biases.

Followed by a convolution over the filters, it is the convolution of L. A. Varga, J. Makowski, A.
Zell, Measuring the ripeness of fruit with hyperspectral imaging and deep learning, IJCNN, 2021, in
the form that the same group gave it in Wavelength-aware 2D convolutions for hyperspectral imaging,
WACV, 2023 (HyVEConv): a kernel that is a sum of Gaussians over wavelength. There a band weighs what
the Gaussian is at its center, so that sums grow with the number of bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops

from hsitf.arrays import Float32Array, Float64Array
from hsitf.errors import InputError

# Bands further apart than so many times the usual distance have a gap between them.
GAP = 2.5


@keras.saving.register_keras_serializable(package="hsitf")
class WavelengthFilters(keras.layers.Layer):  # type: ignore[misc]
    """Weighted sums of the bands by learned Gaussians over wavelength; see the module.

    Args:
        filters: Number of filters.
        centers: Center of each band that enters, in nanometers.
        span: Least and greatest wavelength, over which means are spread at first and which means
            and widths are shares of; the ends of the cells of the bands where None.
        support: (n, 2) ranges in nanometers, apart from each other, outside of which weights are 0;
            where None, the cells of the bands. A network that is taken to another sensor has those
            that it was trained on.
        options: Options of every Keras layer.

    Raises:
        InputError: The numbers contradict each other.
    """

    def __init__(
        self,
        filters: int,
        centers: Sequence[float],
        span: Sequence[float] | None = None,
        support: Sequence[Sequence[float]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.filters, self.centers = filters, np.asarray(centers, np.float64)
        sound = filters > 0 and self.centers.ndim == 1 and self.centers.size > 1
        if not sound or not np.isfinite(self.centers).all() or not np.ptp(self.centers):
            raise InputError(
                "filters over wavelength need the centers of the bands",
                received=f"{filters} filters of centers of shape {self.centers.shape}",
                allowed="a filter or more, of two bands or more at finite, different wavelengths",
                remedy="give the band centers in nanometers",
            )
        self.support = merged_cells(self.centers) if support is None else _ranges(support)
        ends = (self.support.min(), self.support.max()) if span is None else span
        self.span = np.asarray(ends, np.float64)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the means, evenly spread over the span, and the widths."""
        if input_shape[-1] != self.centers.size:
            raise ValueError(f"{input_shape[-1]} bands enter, of {self.centers.size} centers")
        spread = np.linspace(0, 1, self.filters + 2)[1:-1]
        # The softplus of a width is the width over the span: at first half the distance of means.
        width = np.log(np.expm1(np.full(self.filters, 0.5 / (self.filters + 1))))
        for name, values in (("means", spread), ("widths", width)):
            initial = keras.initializers.Constant(values.astype(np.float32))
            setattr(self, name, self.add_weight((self.filters,), initial, name=name))

    def weights_by_band(self) -> Any:
        """(bands, filters) float32: what each band weighs in each filter, as a tensor."""
        span = self.span[1] - self.span[0]
        bands, low, high = self._cells()
        width = ops.softplus(ops.cast(self.widths, "float32")) * np.sqrt(2).astype(np.float32)
        ends = [
            ((values - self.span[0]) / span).astype(np.float32)[:, None] for values in (low, high)
        ]
        below, above = (
            ops.erf((end - ops.cast(self.means, "float32")) / width) * 0.5 for end in ends
        )
        placed = np.zeros((self.centers.size, len(bands)), np.float32)
        placed[bands, np.arange(len(bands))] = 1
        return ops.matmul(placed, above - below)

    @property
    def kernel(self) -> Float32Array:
        """(bands, filters) float32: the matrix that the layer folds into."""
        return np.asarray(ops.convert_to_numpy(self.weights_by_band()), np.float32)

    @property
    def wavelengths(self) -> Float64Array:
        """(filters,) float64: the mean of each filter in nanometers."""
        low, high = self.span
        means = np.asarray(ops.convert_to_numpy(self.means), np.float64)
        return np.asarray(low + means * (high - low))

    @property
    def covered(self) -> Float64Array:
        """(bands,) float64: how much of the support each band stands for, in nanometers."""
        bands, low, high = self._cells()
        return np.bincount(bands, high - low, minlength=self.centers.size).astype(np.float64)

    def _cells(self) -> tuple[Any, Float64Array, Float64Array]:
        """The parts of the cells of bands that lie in the support: bands, lower and upper ends."""
        cells = band_cells(self.centers)[:, None]
        low = np.maximum(cells[..., 0], self.support[:, 0])
        high = np.minimum(cells[..., 1], self.support[:, 1])
        bands, parts = np.nonzero(high > low)
        return bands, low[bands, parts], high[bands, parts]

    def at(self, centers: Float64Array) -> WavelengthFilters:
        """A layer of the same name for other bands, not built: its weights are to be copied.

        Args:
            centers: (bands,) float64 nanometers.
        """
        config = {**self.get_config(), "centers": centers.tolist()}
        found: WavelengthFilters = type(self).from_config(config)
        return found

    def call(self, inputs: KerasTensor) -> KerasTensor:
        """`(..., bands)` -> `(..., filters)`."""
        return ops.matmul(inputs, ops.cast(self.weights_by_band(), inputs.dtype))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Filters in the place of bands."""
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        """The layer's arguments."""
        arrays = {name: getattr(self, name).tolist() for name in ("centers", "span", "support")}
        return {**super().get_config(), "filters": self.filters, **arrays}


def band_cells(centers: Float64Array) -> Float64Array:
    """The share of the spectrum that each band stands for.

    A cell reaches halfway to the next bands, at most as far as bands usually lie apart; beside a
    gap and at the ends half as far.

    Args:
        centers: (bands,) nanometers, in any order.

    Returns:
        (bands, 2) float64 lower and upper ends in nanometers.
    """
    order = np.argsort(centers, kind="stable")
    steps = np.diff(centers[order])
    usual = float(np.median(steps[steps > 0]))
    halves = np.where(steps > GAP * usual, usual / 2, np.minimum(steps / 2, usual))
    cells = np.empty((len(centers), 2))
    cells[order, 0] = centers[order] - np.append(usual / 2, halves)
    cells[order, 1] = centers[order] + np.append(halves, usual / 2)
    return cells


def merged_cells(centers: Float64Array) -> Float64Array:
    """(ranges, 2) float64: what the cells of bands cover, ascending and apart from each other."""
    cells = band_cells(centers)
    ranges: list[list[float]] = []
    for low, high in cells[np.argsort(cells[:, 0])].tolist():
        if ranges and low <= ranges[-1][1] + 1e-6:
            ranges[-1][1] = max(ranges[-1][1], high)
        else:
            ranges.append([low, high])
    return np.asarray(ranges)


def _ranges(support: Sequence[Sequence[float]]) -> Float64Array:
    ranges = np.asarray(support, np.float64)
    shaped = ranges.ndim == 2 and ranges.shape[1] == 2 and len(ranges) > 0
    if not shaped or not (np.isfinite(ranges).all() and (np.diff(ranges.ravel()) > 0).all()):
        raise InputError(
            "the support of filters over wavelength is none",
            received=f"ranges of shape {ranges.shape}",
            allowed="pairs of a lower and an upper end, ascending and apart from each other",
            remedy="train the network again",
        )
    return ranges
