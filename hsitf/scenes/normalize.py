"""Normalization of a cube, fitted on training pixels only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError


@dataclass(frozen=True)
class Normalizer:
    """The affine map `(x - offset) / scale`, band by band.

    Attributes:
        offset: One number per band, in the units of the cube.
        scale: One positive number per band, in the units of the cube.
    """

    offset: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        numbers = [*self.offset, *self.scale]
        if (
            len(self.offset) != len(self.scale)
            or not all(map(math.isfinite, numbers))
            or min(self.scale, default=1.0) <= 0
        ):
            raise DataError(
                "the normalization is not one",
                received=f"{len(self.offset)} offsets, {len(self.scale)} scales",
                allowed="as many finite offsets as finite positive scales",
                remedy="train the network again",
            )

    @classmethod
    def fit(cls, cube: NDArray[np.float32], pixels: NDArray[np.int64]) -> Normalizer:
        """Zero mean and unit standard deviation of each band over `pixels` (flat indices).

        A band that is constant there is centered and left unscaled.
        """
        spectra = cube.reshape(-1, cube.shape[2])[pixels].astype(np.float64)
        deviation = spectra.std(axis=0)
        return cls(
            tuple(spectra.mean(axis=0).tolist()),
            tuple(np.where(deviation > 0, deviation, 1.0).tolist()),
        )

    def apply(self, cube: NDArray[np.float32]) -> NDArray[np.float32]:
        """The normalized copy of `cube`, (..., bands) float32.

        A pixel without data (NaN in a band) becomes the mean spectrum, which is zero in all bands.
        """
        normalized = cube - np.asarray(self.offset, np.float32)
        normalized /= np.asarray(self.scale, np.float32)
        normalized[np.isnan(normalized).any(axis=-1)] = 0
        return normalized

    def fill(self, cube: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cube, (..., bands) float32, with the mean spectrum in pixels without data."""
        missing = np.isnan(cube).any(axis=-1)
        if not missing.any():
            return cube
        filled: NDArray[np.float32] = cube.copy()
        filled[missing] = np.asarray(self.offset, np.float32)
        return filled
