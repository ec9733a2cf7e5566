"""Spectra of the classes of a scene, for figures: their means and how far pixels spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.scenes.scene import Scene

# Percentiles between which most pixels of a class lie.
SPREAD = (10, 90)
# Pixels of a class that spectra are computed from, evenly spaced over the scene.
MAX_PIXELS = 5000


@dataclass(frozen=True, eq=False)
class ClassSpectra:
    """Spectra of some classes, in the units of `physical`.

    Attributes:
        numbers: Class of each spectrum, from 1; 0 for all valid pixels of a scene without labels.
        names: Its name.
        mean: (spectra, bands) float64.
        low: (spectra, bands) float64, the lower percentile of `SPREAD`.
        high: (spectra, bands) float64, the upper percentile.
    """

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def class_spectra(scene: Scene) -> ClassSpectra:
    """Spectra of every class that has pixels; of all valid pixels where none is labelled."""
    flat, labels = scene.cube.reshape(-1, scene.bands), scene.labels.ravel()
    if labels.any():
        numbers = tuple(int(number) for number in np.unique(labels) if number)
        names = tuple(scene.class_names[number - 1] for number in numbers)
        groups = [np.flatnonzero(labels == number) for number in numbers]
    else:
        numbers, names = (0,), ("all pixels",)
        groups = [np.flatnonzero(scene.valid)]
    mean, low, high = (np.empty((len(groups), scene.bands)) for _ in range(3))
    for index, pixels in enumerate(groups):
        spectra = flat[pixels[:: -(-len(pixels) // MAX_PIXELS)]].astype(np.float64)
        mean[index] = spectra.mean(axis=0)
        low[index], high[index] = np.percentile(spectra, SPREAD, axis=0)
    return ClassSpectra(numbers, names, *(physical(scene, part) for part in (mean, low, high)))


def physical(scene: Scene, spectra: NDArray[np.floating]) -> NDArray[np.float64]:
    """Spectra (..., bands) in physical units where the files name a scale, else as stored."""
    return np.asarray(spectra, np.float64) * scene.scale + scene.offset


def value_label(scene: Scene) -> str:
    """Label of an axis with spectra of `physical`."""
    scaled = (np.asarray(scene.scale) != 1).any() or (np.asarray(scene.offset) != 0).any()
    if not scaled:
        return "stored values" + (" (synthetic)" if scene.synthetic else "")
    if np.ndim(scene.scale) or np.ndim(scene.offset):
        return "physical units (stored values, scaled by band)"
    offset = f" {scene.offset:+g}" if scene.offset else ""
    return f"physical units (stored values x {scene.scale:g}{offset})"
