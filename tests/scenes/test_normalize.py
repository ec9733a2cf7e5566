from __future__ import annotations

import numpy as np

from hsitf.scenes.normalize import Normalizer

PIXELS = np.array([0, 3])


def cube_of(*spectra):
    return np.array(spectra, np.float32).reshape(2, 2, -1)


def test_by_hand():
    fitted = Normalizer.fit(cube_of([1, 10], [9, 9], [9, 9], [3, 50]), PIXELS)
    assert fitted == Normalizer(offset=(2.0, 30.0), scale=(1.0, 20.0))
    applied = fitted.apply(cube_of([1, 10], [2, 30], [4, 70], [3, 50]))
    np.testing.assert_array_equal(applied.reshape(4, 2), [[-1, -1], [0, 0], [2, 2], [1, 1]])
    assert applied.dtype == np.float32


def test_sees_training_pixels_only(tiny):
    pixels = np.arange(0, 1600, 7)
    others = np.setdiff1d(np.arange(1600), pixels)
    changed = tiny.cube.copy()
    changed.reshape(1600, -1)[others] = 1e6
    assert Normalizer.fit(changed, pixels) == Normalizer.fit(tiny.cube, pixels)


def test_training_pixels_end_with_mean_0_and_deviation_1(tiny):
    pixels = np.arange(0, 1600, 7)
    applied = Normalizer.fit(tiny.cube, pixels).apply(tiny.cube)
    spectra = applied.reshape(1600, -1)[pixels].astype(np.float64)
    np.testing.assert_allclose(spectra.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(spectra.std(axis=0), 1, atol=1e-5)


def test_constant_band_is_centered_and_left_unscaled():
    # 0.1 has no exact binary form; its mean must be itself all the same.
    cube = np.full((50, 60, 1), 0.1, np.float32)
    fitted = Normalizer.fit(cube, np.arange(2999))
    assert fitted.scale == (1.0,)
    np.testing.assert_array_equal(fitted.apply(cube), 0)


def test_leaves_the_cube_as_it_is():
    cube = cube_of([1], [2], [3], [4])
    Normalizer.fit(cube, PIXELS).apply(cube)
    np.testing.assert_array_equal(cube.ravel(), [1, 2, 3, 4])
