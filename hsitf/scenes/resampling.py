"""Bands of one sensor as another one would have measured them.

A network knows bands by their wavelengths. A cube of another sensor is brought to these: linearly
between the nearest bands, or, where the network's bands are wide and the cube's are narrow, by
the response of the network's bands, a Gaussian of their full width at half maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array, Float64Array
from hsitf.errors import InputError

# Standard deviations in a full width at half maximum of a Gaussian.
_WIDTHS = 2 * np.sqrt(2 * np.log(2))
# Bands are the same where they lie within this part of their distance: half a nanometer of ten. A
# tenth costs a network of `fields` a point, resampling nothing (benchmarks/sensors.py).
SAME_PART = 0.05
# A cube may have its bands so many times as far apart as the network's; what lies further apart
# than so many times the usual is a gap.
COARSEST, GAP = 3.0, 2.5
# Part of a band's response that the cube's bands have to cover.
COVERED = 0.95


@dataclass(frozen=True, eq=False)
class Spectrometer:
    """The bands of a sensor.

    Attributes:
        centers: (bands,) float64 band centers in nanometers, in increasing order.
        fwhm: (bands,) float64 full widths at half maximum in nanometers; None where unknown.
    """

    centers: Float64Array
    fwhm: Float64Array | None = None

    @property
    def spacing(self) -> float:
        """Median distance of neighboring bands in nanometers; infinite for a single band."""
        steps = np.diff(self.centers)
        steps = steps[steps > 0]
        return float(np.median(steps)) if len(steps) else float("inf")


@dataclass(frozen=True, eq=False)
class BandResampling:
    """How bands of one sensor are computed of another's.

    Attributes:
        weights: (bands of the cube, bands of the network) float32, each column sums to 1.
        distances: (bands of the network,) float64, how far the nearest band of the cube lies from
            each, in nanometers.
    """

    weights: Float32Array
    distances: Float64Array

    def apply(self, spectra: Float32Array) -> Float32Array:
        """(..., bands of the cube) to (..., bands of the network); NaN stays NaN in all bands."""
        return np.ascontiguousarray(spectra @ self.weights, dtype=np.float32)

    @property
    def summary(self) -> str:
        """What was done, in words."""
        cube, network = self.weights.shape
        return (
            f"Resampled {cube} bands to the network's {network} by wavelength: the nearest bands "
            f"lie {np.median(self.distances):.1f} nm apart in the median, "
            f"{self.distances.max():.1f} nm at most."
        )


def are_same_bands(cube: Float64Array, network: Float64Array) -> bool:
    """Whether band by band no center is off by more than a trace of the usual distance of bands.

    Args:
        cube: (bands,) band centers of the cube in nanometers.
        network: (bands,) band centers of the network.
    """
    if len(cube) != len(network):
        return False
    # Not by the smallest distance: bands of overlapping detectors nearly coincide.
    apart = Spectrometer(network).spacing
    return bool((np.abs(cube - network) <= SAME_PART * apart).all())


def resample_bands(cube: Spectrometer, network: Spectrometer) -> BandResampling:
    """Weights that turn bands of a cube into those of a network.

    Raises:
        InputError: The cube has no bands near some of the network's: nothing is extrapolated, and
            no gap such as that of water vapor is bridged.
    """
    distances = np.abs(cube.centers[:, None] - network.centers[None]).min(axis=0)
    # One band may be missing in the cube, if it is not much coarser than the network; of a finer
    # cube, half the distance of the network's bands.
    steps = np.diff(network.centers)
    least = float(steps[steps > 0].min() / 2) if (steps > 0).any() else 0.0
    reach = max(min(cube.spacing, COARSEST * network.spacing), least)
    if (far := distances > reach).any():
        missing = network.centers[far]
        raise InputError(
            "the cube does not cover the network's wavelengths",
            received=f"bands from {cube.centers[0]:g} to {cube.centers[-1]:g} nm, none within "
            f"{reach:.1f} nm of {_listed(missing)}",
            allowed=f"bands near all {len(network.centers)} of the network's, "
            f"{network.centers[0]:g} to {network.centers[-1]:g} nm",
            remedy="train a network on bands that both sensors have (hsitf train --bands "
            "nm:LOW-HIGH)",
        )
    return BandResampling(band_weights(cube, network).astype(np.float32), distances)


def band_weights(cube: Spectrometer, network: Spectrometer) -> Float64Array:
    """(bands of the cube, bands of the network) weights, whatever the cube covers."""
    weights = _linear(cube, network.centers)
    # What a band of the cube stands for; beside a gap no more than elsewhere.
    extents = np.minimum(np.gradient(cube.centers), 1.5 * cube.spacing) if len(weights) > 1 else 1
    for band, width in enumerate(_added_widths(cube, network)):
        # A response narrower than the cube's bands lie apart would see one of them, or none.
        if width <= cube.spacing:
            continue
        distance = (cube.centers - network.centers[band]) * _WIDTHS / width
        response = np.exp(-0.5 * distance**2) * extents
        # Half a response, at the end of the range or beside a gap, has another center.
        if response.sum() >= COVERED * width * np.sqrt(2 * np.pi) / _WIDTHS:
            weights[:, band] = response / response.sum()
    return weights


def _linear(cube: Spectrometer, wanted: Float64Array) -> Float64Array:
    """(bands, wanted) weights between the two nearest bands, or of the nearest beside a gap."""
    centers = cube.centers
    weights = np.zeros((len(centers), len(wanted)))
    for column, center in enumerate(np.clip(wanted, centers[0], centers[-1])):
        right = min(int(np.searchsorted(centers, center, side="left")), len(centers) - 1)
        left = max(right - 1, 0)
        step = centers[right] - centers[left]
        share = (center - centers[left]) / step if step > 0 else 1.0
        if step > GAP * cube.spacing:
            share = round(share)
        weights[left, column] += 1 - share
        weights[right, column] += share
    return weights


def _added_widths(cube: Spectrometer, network: Spectrometer) -> Float64Array:
    """(bands of the network,) width that the cube's bands lack of each of the network's."""
    if network.fwhm is None:
        return np.zeros(len(network.centers))
    own = 0.0
    if cube.fwhm is not None:
        nearest = np.abs(cube.centers[:, None] - network.centers[None]).argmin(axis=0)
        own = cube.fwhm[nearest]
    return np.asarray(np.sqrt(np.maximum(network.fwhm**2 - own**2, 0.0)))


def _listed(centers: NDArray[np.float64]) -> str:
    shown = ", ".join(f"{center:g}" for center in centers[:4])
    return f"{shown} nm" if len(centers) <= 4 else f"{shown} nm and {len(centers) - 4} more"
