"""Multidimensional scaling of scenes that are too large to compare all pixels with each other."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import euclidean_distances

from hsitf import bands
from hsitf.bands import TrainingSpectra, landmarks
from hsitf.bands.landmarks import PlacedLandmarks, landmark_mds, squared_distances

RNG = np.random.default_rng(3)
# scikit-learn announces another default start, which landmarks do not use.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def planar(count: int, bands_: int = 10) -> np.ndarray:
    """Spectra that lie in a plane."""
    axes = np.linalg.qr(RNG.normal(size=(bands_, 2)))[0]
    return (RNG.normal(size=(count, 2)) * (5, 2) @ axes.T + 1).astype(np.float32)


def stress(points: np.ndarray, found: np.ndarray) -> float:
    return float(((euclidean_distances(found) - euclidean_distances(points)) ** 2).sum())


def test_a_point_by_hand():
    # At (1, 1), its squared distances to a triangle of sides 3 and 4 are 2, 5 and 10.
    triangle = np.array([(0.0, 0), (3, 0), (0, 4)])
    placed = PlacedLandmarks(triangle, triangle)
    np.testing.assert_allclose(placed.triangulated(np.array([[2.0, 5, 10]])), [[1, 1]])
    np.testing.assert_allclose(placed.place(np.array([[1.0, 1]])), [[1, 1]], atol=1e-9)


def test_distances_of_spectra_in_a_plane_are_kept():
    points = planar(200)
    found = landmark_mds(points, 2, seed=0, count=40)
    assert found.dtype == np.float32
    np.testing.assert_allclose(euclidean_distances(found), euclidean_distances(points), atol=1e-3)


def test_triangulation_from_classical_scaling_is_projection():
    """De Silva and Tenenbaum: with Euclidean distances, on the landmarks' principal axes."""
    points = RNG.normal(size=(60, 6)) * (9, 7, 5, 1, 1, 1)
    some, others = points[:40], points[40:]
    _, _, axes = np.linalg.svd(some - some.mean(0), full_matrices=False)
    placed = PlacedLandmarks(some, (some - some.mean(0)) @ axes[:3].T)
    found = placed.triangulated(squared_distances(others, some))
    np.testing.assert_allclose(found, (others - some.mean(0)) @ axes[:3].T, atol=1e-9)


def test_landmarks_agree_with_scaling_of_all_pixels():
    points = (RNG.normal(size=(150, 8)) * (9, 7, 5, 2, 2, 1, 1, 1)).astype(np.float32)
    exact = landmarks.metric_mds(points, 2, seed=0)
    placed = landmark_mds(points, 2, seed=0, count=60)
    centered = points - points.mean(0)
    projected = centered @ np.linalg.svd(centered, full_matrices=False)[2][:2].T
    # Nearly as good as scaling that compares all of them, and better than principal components.
    assert stress(points, placed) < 1.1 * stress(points, exact)
    assert stress(points, placed) < 0.9 * stress(points, projected)


def test_a_large_scene_is_scaled_by_landmarks(monkeypatch):
    monkeypatch.setattr(landmarks, "MAX_EXACT_PIXELS", 50)
    monkeypatch.setattr(landmarks, "MAX_LANDMARKS", 30)
    spectra = planar(120)
    training = TrainingSpectra(spectra[:20], np.zeros(20, np.int32), 5)
    reducer = bands.fit("mds:2", training, lambda: spectra)
    assert "1,000 landmarks" in reducer.remark
    found = reducer.apply(spectra)
    assert found.shape == (120, 2)
    np.testing.assert_allclose(found.std(0), 1, atol=1e-3)
    again = bands.fit("mds:2", training, lambda: spectra)
    np.testing.assert_array_equal(found, again.apply(spectra))


@pytest.mark.parametrize("count", [10, 12])
def test_more_components_than_bands_are_empty(count):
    """Distances of ten bands need no more than ten components."""
    points = RNG.normal(size=(80, 10)).astype(np.float32)
    found = landmark_mds(points, count, seed=0, count=40)
    assert not found[:, 10:].any()
    np.testing.assert_allclose(euclidean_distances(found), euclidean_distances(points), atol=1e-2)
