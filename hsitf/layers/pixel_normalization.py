"""Normalization of each spectrum by itself: the layer that a network begins with.

Bands are normalized one by one in front of a network: `n = (x - offset) / scale` of a value `x` in
the sensor's units, with mean and standard deviation over the training pixels. The layer undoes
this, normalizes every spectrum by itself, and standardizes each band of the result with mean and
deviation over the training pixels:

    y = (f(n * scale + offset) - center) / deviation

Changes of brightness leave `f` as it is, wherever in the picture they come from. With `x` one
spectrum, `m` and `s` its mean and standard deviation over the bands:

- snv: standard normal variate, `(x - m) / s`;
- unit: unit length, `x / |x|`, here times the square root of the number of bands;
- difference: first difference, `x[b + 1] - x[b]`, one band fewer; `y` is cut at 8 deviations,
  since noise of single bands makes differences of any size;
- continuum: continuum removal, `x` over its continuum, which is the upper convex hull of the
  spectrum over wavelength.

Where `f` is not defined it gets a value, so that maps hold no NaN: snv of a constant spectrum and
unit length of a zero spectrum are 0, since a small number is added under the root, and a spectrum
whose continuum is not positive in a band has 1 there.

Sources: R. J. Barnes, M. S. Dhanoa, S. J. Lister, Standard normal variate transformation and
de-trending of near-infrared diffuse reflectance spectra, Applied Spectroscopy 43(5), 1989; R. N.
Clark, T. L. Roush, Reflectance spectroscopy: quantitative analysis techniques for remote sensing
applications, Journal of Geophysical Research 89(B7), 1984 (continuum removal).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from hsitf.arrays import Float64Array
from hsitf.errors import InputError

# Added to the mean square of a spectrum whose usual mean square is 1: what has a thousandth of the
# usual contrast counts as having none.
FLOOR = 1e-6
# Deviations from the mean at which differences are cut.
LIMIT = 8.0
# A normalized band that varies less than this share of what the liveliest one does is constant.
_CONSTANT_SHARE = 1e-4


def _standard_normal_variate(x: Any, positions: Float64Array, xp: Any) -> Any:
    centered = x - xp.mean(x, axis=-1, keepdims=True)
    return centered / xp.sqrt(xp.mean(centered * centered, axis=-1, keepdims=True) + FLOOR)


def _unit_length(x: Any, positions: Float64Array, xp: Any) -> Any:
    return x / xp.sqrt(xp.mean(x * x, axis=-1, keepdims=True) + FLOOR)


def _first_difference(x: Any, positions: Float64Array, xp: Any) -> Any:
    return x[..., 1:] - x[..., :-1]


def _continuum_removal(x: Any, positions: Float64Array, xp: Any) -> Any:
    hull = continuum(x, positions, xp)
    floor = FLOOR**0.5
    return xp.where(hull > floor, x / xp.maximum(hull, floor), 1.0)


def continuum(x: Any, positions: Float64Array, xp: Any) -> Any:
    """The upper convex hull of spectra over the positions of their bands.

    The hull is the least of all lines that lie above the spectrum; those along its edges suffice.
    The edge that begins at band `j` has the slope

        s[j] = max over k > j of (x[k] - x[j]) / (p[k] - p[j])

    and of every slope the lowest line above the spectrum is `max over k of (x[k] - s p[k]) + s p`.
    At bands that lie below the hull, this line lies above it, too. About 5 n^2 operations for n
    bands.

    Args:
        x: (..., bands).
        positions: (bands,), different from each other, in any order.
        xp: numpy, or keras.ops.

    Returns:
        (..., bands).
    """
    span = float(np.ptp(positions)) or 1.0
    p = (positions - positions.min()) / span
    order = np.argsort(p)
    hull = None
    for number, j in enumerate(order[:-1]):
        later = order[number + 1 :]
        inverse = _constant(1 / (p[later] - p[j]), x)
        rise = _bands(x, later, xp) - x[..., j : j + 1]
        slope = xp.max(rise * inverse, axis=-1, keepdims=True)
        along = slope * _constant(p - p[j], x)
        line = along + xp.max(x - along, axis=-1, keepdims=True)
        hull = line if hull is None else xp.minimum(hull, line)
    return x if hull is None else hull


def _bands(x: Any, chosen: NDArray[np.intp], xp: Any) -> Any:
    """Some bands; a slice where they follow each other."""
    if np.array_equal(chosen, np.arange(chosen[0], chosen[0] + len(chosen))):
        return x[..., chosen[0] : chosen[0] + len(chosen)]
    return xp.take(x, chosen, axis=-1)


def _constant(values: Float64Array, x: Any) -> Any:
    """Numbers in the type of a tensor, as Keras mixes no types of different widths."""
    return values if isinstance(x, np.ndarray) else values.astype(np.float32)


# The normalizations by name: functions (spectra, positions, numpy or keras.ops) -> spectra.
KINDS: dict[str, Callable[[Any, Float64Array, Any], Any]] = {
    "snv": _standard_normal_variate,
    "unit": _unit_length,
    "difference": _first_difference,
    "continuum": _continuum_removal,
}


@keras.saving.register_keras_serializable(package="hsitf")
class PixelNormalization(keras.layers.Layer):  # type: ignore[misc]
    """Normalizes each spectrum by itself; see the module.

    Args:
        kind: snv, unit, difference or continuum.
        offset: One number a band: mean over the training pixels, in the sensor's units.
        scale: One positive number a band: standard deviation there.
        center: Mean over the training pixels of each band of the normalized spectra; None for 0.
        deviation: Their standard deviation, positive; None for 1.
        positions: Positions of the bands, such as wavelengths; their numbers where None.
        sensor_units: Whether what enters is in the sensor's units, rather than normalized band by
            band.
        options: Options of every Keras layer.

    Raises:
        InputError: The numbers contradict each other, or there is no such normalization.
    """

    def __init__(
        self,
        kind: str,
        offset: Sequence[float],
        scale: Sequence[float],
        center: Sequence[float] | None = None,
        deviation: Sequence[float] | None = None,
        positions: Sequence[float] | None = None,
        sensor_units: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.kind, self.sensor_units = kind, bool(sensor_units)
        self.offset, self.scale = np.asarray(offset, np.float64), np.asarray(scale, np.float64)
        bands = self.offset.size
        made = bands - (kind == "difference")
        self.center = np.zeros(made) if center is None else np.asarray(center, np.float64)
        self.deviation = np.ones(made) if deviation is None else np.asarray(deviation, np.float64)
        self.positions = (
            np.arange(bands, dtype=np.float64)
            if positions is None
            else np.asarray(positions, np.float64)
        )
        self._check(bands, made)

    def _check(self, bands: int, made: int) -> None:
        arrays = (self.offset, self.scale, self.positions, self.center, self.deviation)
        shapes = ((bands,), (bands,), (bands,), (made,), (made,))
        sound = (
            self.kind in KINDS
            and bands > 1
            and tuple(array.shape for array in arrays) == shapes
            and all(np.isfinite(array).all() for array in arrays)
            and self.scale.min() > 0
            and self.deviation.min() > 0
            and len(np.unique(self.positions)) == bands
        )
        if not sound:
            raise InputError(
                "the normalization of pixels is not one",
                received=f"{self.kind} of {bands} bands, {len(np.unique(self.positions))} "
                "positions",
                allowed=f"{', '.join(KINDS)} of two bands or more with finite numbers, positive "
                "scales and a position for each band",
                remedy="train the network again",
            )

    @property
    def relevant_offset(self) -> Float64Array:
        """(bands,) float64: the mean spectrum, without its own mean where that does not matter."""
        ignores_mean = self.kind in ("snv", "difference")
        return self.offset - self.offset.mean() if ignores_mean else self.offset

    @property
    def contrast(self) -> float:
        """The usual size of a spectrum in the sensor's units, which calculations are scaled by.

        For unit and continuum, the root of the mean square of all bands and training pixels; for
        snv and difference, of the mean spectrum's deviation from its own mean and of the deviations
        from that spectrum.
        """
        return float(np.sqrt(np.mean(self.relevant_offset**2) + np.mean(self.scale**2)))

    def normalized(self, spectra: Float64Array) -> Float64Array:
        """The normalized spectra that `center` and `deviation` are measured on.

        Args:
            spectra: (n, bands) float64 in the sensor's units.

        Returns:
            (n, bands), one fewer for difference.
        """
        result = KINDS[self.kind](spectra / self.contrast, self.positions, np)
        return np.asarray(result, np.float64)

    def standardized(self, spectra: Float64Array) -> PixelNormalization:
        """The layer with the mean and deviation that training spectra have once normalized.

        Args:
            spectra: (n, bands) float64 in the sensor's units.
        """
        found = self.normalized(spectra)
        deviation = found.std(axis=0)
        constant = deviation <= _CONSTANT_SHARE * deviation.max(initial=0.0)
        measured = {
            "center": found.mean(axis=0).tolist(),
            "deviation": np.where(constant, 1.0, deviation).tolist(),
        }
        return type(self)(**{**self.get_config(), **measured})

    @property
    def input_bands(self) -> int:
        """Bands of the spectra that enter."""
        return int(self.offset.size)

    def count_undefined(self, spectra: Float64Array) -> int:
        """How many spectra have no such normalization, and get a value that says nothing.

        Args:
            spectra: (n, bands) float64 in the sensor's units.
        """
        x = spectra / self.contrast
        if self.kind == "continuum":
            lowest = continuum(x, self.positions, np).min(axis=1)
            return int(np.count_nonzero(lowest <= FLOOR**0.5))
        if self.kind == "difference":
            return 0
        if self.kind == "snv":
            x = x - x.mean(axis=1, keepdims=True)
        return int(np.count_nonzero(np.mean(x**2, axis=1) <= FLOOR))

    def in_sensor_units(self) -> PixelNormalization:
        """The same layer for spectra in the sensor's units."""
        return type(self)(**{**self.get_config(), "sensor_units": True})

    def call(self, inputs: KerasTensor) -> KerasTensor:
        """`(..., bands)` -> `(..., bands)`, one band fewer for difference."""
        factor = 1 / self.contrast if self.sensor_units else self.scale / self.contrast
        spectra = inputs * np.asarray(factor, np.float32)
        if not self.sensor_units:
            spectra = spectra + np.asarray(self.relevant_offset / self.contrast, np.float32)
        result = KINDS[self.kind](spectra, self.positions, ops)
        factor, term = 1 / self.deviation, -self.center / self.deviation
        result = result * factor.astype(np.float32) + term.astype(np.float32)
        return ops.clip(result, -LIMIT, LIMIT) if self.kind == "difference" else result

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The same shape; one band fewer for difference."""
        return (*input_shape[:-1], len(self.center))

    def get_config(self) -> dict[str, Any]:
        """The layer's arguments."""
        arrays = ("offset", "scale", "center", "deviation", "positions")
        own = {name: getattr(self, name).tolist() for name in arrays}
        return {**super().get_config(), "kind": self.kind, "sensor_units": self.sensor_units, **own}
