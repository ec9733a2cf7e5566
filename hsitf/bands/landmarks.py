"""Metric multidimensional scaling of a whole scene, which needs landmarks where that is large.

Source: V. de Silva and J. B. Tenenbaum, "Sparse multidimensional scaling using landmark points",
2004, whose triangulation starts each pixel here. What it starts is then improved by the
majorization that metric scaling itself uses (SMACOF), with the landmarks held in place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hsitf.arrays import Float32Array, FloatArray

# Pixels of the largest scene whose distances are all compared: the cost grows with their square.
MAX_EXACT_PIXELS = 5_000
# Pixels that are scaled with each other in a larger scene.
MAX_LANDMARKS = 1_000
_ITERATIONS = 100
# Of one pixel against fixed landmarks, which settles soon after triangulation.
_PLACING_ITERATIONS = 30
_TOLERANCE = 1e-4
_BLOCK = 4_096


def metric_mds(spectra: Float32Array, components: int, seed: int) -> Float32Array:
    """Components whose Euclidean distances are as near as possible to those of the spectra.

    Args:
        spectra: (n, bands) float32.
        components: Number of components.
        seed: Seed of the random start, or of the drawn landmarks of a large scene.

    Returns:
        (n, components) float32.
    """
    if len(spectra) > MAX_EXACT_PIXELS:
        return landmark_mds(spectra, components, seed, MAX_LANDMARKS)
    found = _scaling(components, seed).fit_transform(spectra.astype(np.float64))
    return np.asarray(found, np.float32)


def landmark_mds(spectra: Float32Array, components: int, seed: int, count: int) -> Float32Array:
    """Metric scaling of some points, and the others placed by their distances to these.

    Args:
        spectra: (n, bands) float32.
        components: Number of components.
        seed: Seed of the draw.
        count: Number of landmarks, at least 2.

    Returns:
        (n, components) float32.
    """
    drawn = np.random.default_rng(seed).permutation(len(spectra))[:count]
    landmarks = spectra[drawn].astype(np.float64)
    # Among Euclidean distances, classical scaling is principal components. From there, metric
    # scaling ends in lower stress than from random positions.
    start = _principal_components(landmarks, components)
    positions = _scaling(components, seed).fit_transform(landmarks, init=start)
    placed = PlacedLandmarks(landmarks, np.asarray(positions, np.float64))
    found = np.empty((len(spectra), components), np.float32)
    for first in range(0, len(spectra), _BLOCK):
        block = spectra[first : first + _BLOCK].astype(np.float64)
        found[first : first + _BLOCK] = placed.place(block)
    found[drawn] = positions
    return found


@dataclass(frozen=True, eq=False)
class PlacedLandmarks:
    """Landmarks with their positions among the components.

    Attributes:
        spectra: (landmarks, bands) float64.
        positions: (landmarks, components) float64.
    """

    spectra: FloatArray
    positions: FloatArray

    def place(self, points: FloatArray) -> FloatArray:
        """(n, components) of points (n, bands), from their distances to the landmarks."""
        squared = squared_distances(points, self.spectra)
        return self._majorized(self.triangulated(squared), np.sqrt(squared))

    def triangulated(self, squared: FloatArray) -> FloatArray:
        """Positions by de Silva and Tenenbaum's equation: x = -1/2 L# (d - d_mean).

        Exact where the landmarks' own distances are those of their positions.

        Args:
            squared: (n, landmarks) squared distances to the landmarks.

        Returns:
            (n, components).
        """
        middle = self.positions.mean(axis=0)
        inverse = np.linalg.pinv(self.positions - middle)
        mean = squared_distances(self.spectra, self.spectra).mean(axis=0)
        return np.asarray(middle - 0.5 * (squared - mean) @ inverse.T)

    def _majorized(self, found: FloatArray, distances: FloatArray) -> FloatArray:
        """Positions of less stress: the mean of where each landmark would have a point.

        A landmark y at distance d has it at y + d (x - y) / |x - y|; no step raises the stress.
        """
        middle = self.positions.mean(axis=0)
        # Where a point lies on a landmark, the direction in which it is moved does not matter.
        nearest = max(_TOLERANCE**2 * float(distances.max(initial=0)), np.finfo(np.float64).tiny)
        stress = np.inf
        for _ in range(_PLACING_ITERATIONS):
            now = np.sqrt(squared_distances(found, self.positions))
            previous, stress = stress, float(((now - distances) ** 2).sum())
            if previous - stress <= _TOLERANCE * stress:
                break
            pull = distances / np.maximum(now, nearest)
            away = pull.sum(axis=1, keepdims=True) * found - pull @ self.positions
            found = middle + away / len(self.positions)
        return found


def squared_distances(points: FloatArray, others: FloatArray) -> FloatArray:
    """(n, m) squared Euclidean distances of points (n, k) to others (m, k)."""
    from sklearn.metrics import euclidean_distances

    return np.asarray(euclidean_distances(points, others, squared=True), np.float64)


def _scaling(components: int, seed: int) -> Any:
    from sklearn.manifold import MDS

    return MDS(components, n_init=1, max_iter=_ITERATIONS, random_state=seed)


def _principal_components(points: FloatArray, components: int) -> FloatArray:
    """(n, components) float64; those beyond the rank are 0, since distances need no more."""
    left, deviations, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    kept = min(components, len(deviations))
    found = np.zeros((len(points), components))
    found[:, :kept] = left[:, :kept] * deviations[:kept]
    return found
