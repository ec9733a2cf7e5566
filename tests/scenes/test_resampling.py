from __future__ import annotations

import numpy as np
import pytest

from hsitf.errors import InputError
from hsitf.scenes.resampling import Spectrometer, are_same_bands, resample_bands


def test_linear_between_the_nearest_bands():
    cube = Spectrometer(np.array([400.0, 420.0, 440.0]))
    found = resample_bands(cube, Spectrometer(np.array([400.0, 415.0, 440.0])))
    np.testing.assert_allclose(found.weights, [[1, 0.25, 0], [0, 0.75, 0], [0, 0, 1]])
    spectra = np.array([[[1.0, 3.0, 5.0], [np.nan] * 3]], np.float32)
    received = found.apply(spectra)
    np.testing.assert_allclose(received[0, 0], [1, 2.5, 5])
    assert np.isnan(received[0, 1]).all()
    assert "lie 0.0 nm apart in the median, 5.0 nm at most" in found.summary


def test_narrow_bands_are_averaged_over_the_response_of_wide_ones():
    centers = np.arange(400.0, 501.0)
    wide = Spectrometer(np.array([450.0]), np.array([20.0]))
    found = resample_bands(Spectrometer(centers), wide)
    np.testing.assert_allclose(found.weights.sum(axis=0), 1, rtol=1e-6)
    # At half the full width the response is half of the largest one.
    np.testing.assert_allclose(found.weights[60, 0] / found.weights[50, 0], 0.5, rtol=1e-5)
    # A straight line stays what it is, and a square wave is smoothed.
    np.testing.assert_allclose(found.apply(centers.astype(np.float32)), [450], rtol=1e-6)


def test_a_width_that_the_cube_has_already_is_not_added_again():
    centers = np.arange(400.0, 501.0, 5)
    cube = Spectrometer(centers, np.full(len(centers), 10.0))
    found = resample_bands(cube, Spectrometer(np.array([450.0]), np.array([10.0])))
    assert np.count_nonzero(found.weights) == 1


def test_bands_of_two_detectors_at_one_wavelength():
    cube = Spectrometer(np.array([900.0, 950.0, 950.0, 1000.0]))
    found = resample_bands(cube, Spectrometer(np.array([950.0, 975.0])))
    np.testing.assert_allclose(found.weights.sum(axis=0), 1)
    assert np.isfinite(found.weights).all()


@pytest.mark.parametrize(
    "centers",
    [
        [392.0, 400.0],  # below
        [455.0, 468.0],  # above
        [415.0, 425.0],  # in a gap of removed bands
    ],
)
def test_nothing_is_extrapolated_or_bridged(centers):
    cube = Spectrometer(np.array([400.0, 405, 410, 415, 450, 455, 460]))
    with pytest.raises(InputError, match=r"does not cover .* none within [56]\.[05] nm"):
        resample_bands(cube, Spectrometer(np.array(centers)))


def test_the_same_bands():
    network = np.array([400.0, 410.0, 420.0])
    assert are_same_bands(network + 0.49, network)
    assert not are_same_bands(network + 0.51, network)
    assert not are_same_bands(network[:2], network)
    # Two detectors that overlap: a header that rounds to tenths is of the same bands.
    overlapping = np.array([900.0, 910.0, 910.02, 920.0, 930.0])
    assert are_same_bands(np.round(overlapping, 1), overlapping)


def test_half_a_response_beside_a_gap_is_not_taken_for_a_whole_one():
    """Of a wide band at the edge of a gap, the mean of the covered half has another center."""
    centers = np.concatenate([np.arange(400.0, 1341, 10), np.arange(1450.0, 2491, 10)])
    cube = Spectrometer(centers, np.full(len(centers), 10.0))
    wanted = np.array([600.0, 1340.0, 1450.0])
    found = resample_bands(cube, Spectrometer(wanted, np.full(3, 100.0)))
    np.testing.assert_allclose(found.apply(centers.astype(np.float32)), wanted, rtol=1e-5)
    assert np.count_nonzero(found.weights[:, 0]) > 10
    assert np.count_nonzero(found.weights[:, 1:]) == 2


def test_a_gap_is_not_mixed_across():
    centers = np.concatenate([np.arange(1300.0, 1341, 10), np.arange(1450.0, 1500, 10)])
    found = resample_bands(Spectrometer(centers), Spectrometer(np.array([1339.0, 1349.0])))
    assert found.weights[4, 1] == 1


def test_a_cube_of_few_bands_does_not_cover_many():
    coarse = Spectrometer(np.array([450.0, 910.0]))
    with pytest.raises(InputError, match="does not cover"):
        resample_bands(coarse, Spectrometer(np.arange(450.0, 911, 20)))
