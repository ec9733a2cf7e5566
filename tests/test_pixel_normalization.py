"""Normalization of single spectra: by hand, against a convex hull, and where it is not defined."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from hsitf.errors import InputError
from hsitf.layers import PixelNormalization
from hsitf.layers.pixel_normalization import FLOOR, KINDS, LIMIT, continuum
from hsitf.train.pixel_normalization import PIXEL_NORMALIZATIONS

RNG = np.random.default_rng(0)
BANDS = 12
SPECTRA = (300 + 200 * np.sin(np.arange(BANDS) / 4)) * RNG.uniform(0.5, 1.5, (400, 1))
SPECTRA += 20 * RNG.normal(size=SPECTRA.shape)
WAVELENGTHS = 400 + np.cumsum(RNG.uniform(5, 50, BANDS))


def layer(kind, spectra=SPECTRA, positions=WAVELENGTHS):
    made = PixelNormalization(kind, spectra.mean(0), spectra.std(0), positions=positions)
    return made.standardized(spectra)


def entering(spectra):
    return ((spectra - SPECTRA.mean(0)) / SPECTRA.std(0)).astype(np.float32)


def plain(kind, x, positions=(0, 1, 2, 3)):
    return KINDS[kind](np.asarray(x, np.float64), np.asarray(positions, np.float64), np)


def test_each_by_hand():
    # The mean of 1, 3, 5, 7 is 4, their variance 5; the squares of the last sum to 84.
    snv = np.array([-3, -1, 1, 3]) / np.sqrt(5 + FLOOR)
    np.testing.assert_allclose(plain("snv", [1, 3, 5, 7]), snv)
    unit = np.array([1, 3, 5, 7]) / np.sqrt(84 / 4 + FLOOR)
    np.testing.assert_allclose(plain("unit", [1, 3, 5, 7]), unit)
    np.testing.assert_allclose(plain("difference", [1, 4, 2, 2]), [3, -2, 0])
    # The hull goes straight from the first band to the last: 2, 3, 4, 5.
    np.testing.assert_allclose(plain("continuum", [2, 1, 4, 5]), [1, 1 / 3, 1, 1])
    # With the second band near the first, the hull is lower there.
    uneven = plain("continuum", [2, 1, 4, 5], (0, 0.3, 2, 3))
    np.testing.assert_allclose(uneven, [1, 1 / 2.3, 1, 1])


def hull_by_hand(x, p):
    """Andrew's monotone chain."""
    edge = []
    for i in range(len(x)):
        while len(edge) > 1 and (x[edge[-1]] - x[edge[-2]]) * (p[i] - p[edge[-2]]) <= (
            x[i] - x[edge[-2]]
        ) * (p[edge[-1]] - p[edge[-2]]):
            edge.pop()
        edge.append(i)
    return np.interp(p, p[edge], x[edge])


@pytest.mark.parametrize("bands", [2, 3, 12, 60])
def test_the_continuum_is_the_upper_convex_hull_in_any_order_of_bands(bands):
    positions = np.sort(RNG.uniform(400, 2500, bands))
    spectra = RNG.uniform(-1, 1, (50, bands)) + 3
    expected = [hull_by_hand(x, positions) for x in spectra]
    np.testing.assert_allclose(continuum(spectra, positions, np), expected, rtol=1e-12)
    order = RNG.permutation(bands)
    shuffled = continuum(spectra[:, order], positions[order], np)
    np.testing.assert_allclose(shuffled, np.asarray(expected)[:, order], rtol=1e-12)


@pytest.mark.parametrize("kind", PIXEL_NORMALIZATIONS)
def test_the_rest_of_a_network_sees_zero_mean_and_unit_deviation(kind):
    seen = np.asarray(layer(kind)(entering(SPECTRA)[:, None, None]))
    assert seen.shape == (400, 1, 1, BANDS - (kind == "difference"))
    expected = (layer(kind).normalized(SPECTRA) - layer(kind).center) / layer(kind).deviation
    assert np.abs(expected).max() < LIMIT
    np.testing.assert_allclose(seen[:, 0, 0], expected, atol=1e-4)
    np.testing.assert_allclose(seen.mean((0, 1, 2)), 0, atol=1e-4)
    varies = layer(kind).normalized(SPECTRA).std(0) > 1e-6
    np.testing.assert_allclose(seen.std((0, 1, 2))[varies], 1, atol=1e-3)


@pytest.mark.parametrize("kind", PIXEL_NORMALIZATIONS)
def test_counts_go_straight_in(kind):
    counts = layer(kind).in_sensor_units()(SPECTRA.astype(np.float32))
    np.testing.assert_allclose(counts, layer(kind)(entering(SPECTRA)), atol=2e-4)


@pytest.mark.parametrize("kind", ["snv", "unit", "continuum"])
def test_brightness_changes_nothing(kind):
    brighter = layer(kind).in_sensor_units()(np.float32(1.7 * SPECTRA))
    # The number under the root is the only thing that notices.
    np.testing.assert_allclose(brighter, layer(kind)(entering(SPECTRA)), atol=1e-3)


def test_an_added_number_changes_nothing_in_snv_and_differences():
    for kind in ("snv", "difference"):
        shifted = layer(kind).in_sensor_units()(np.float32(SPECTRA + 500))
        np.testing.assert_allclose(shifted, layer(kind)(entering(SPECTRA)), atol=2e-4)


@pytest.mark.parametrize("kind", PIXEL_NORMALIZATIONS)
def test_no_spectrum_makes_a_number_that_is_none(kind):
    odd = np.array([[0.0] * BANDS, [300.0] * BANDS, [-300.0] * BANDS, [-1, 1] * (BANDS // 2)])
    seen = np.asarray(layer(kind).in_sensor_units()(odd.astype(np.float32)))
    assert np.isfinite(seen).all()
    undefined = {"snv": 3, "unit": 1, "difference": 0, "continuum": 2}
    # The zigzag's continuum is 1 from its second band on, below zero in the first.
    undefined["continuum"] += 1
    assert layer(kind).count_undefined(odd) == undefined[kind]
    assert layer(kind).count_undefined(SPECTRA) == 0


def test_a_band_that_is_constant_once_normalized_stays_unscaled():
    # A hull begins and ends at the first and the last band.
    assert layer("continuum").deviation[[0, -1]].tolist() == [1, 1]
    assert (layer("continuum").deviation[1:-1] < 1).all()


def test_differences_are_cut():
    spike = SPECTRA[:1].astype(np.float32)
    spike[0, 5] += 1e5
    seen = np.asarray(layer("difference").in_sensor_units()(spike))[0]
    assert seen[[4, 5]].tolist() == [LIMIT, -LIMIT]


@pytest.mark.parametrize("kind", PIXEL_NORMALIZATIONS)
def test_saves_and_loads_with_all_its_numbers(kind, tmp_path):
    inputs = keras.Input((3, 3, BANDS))
    model = keras.Model(inputs, layer(kind)(inputs))
    model.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    assert again.layers[1].get_config() == model.layers[1].get_config()
    assert again.count_params() == 0
    x = entering(SPECTRA[:9]).reshape(1, 3, 3, BANDS)
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(again(x)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "derivative"},
        {"scale": [1.0, 0.0, 1.0]},
        {"offset": [1.0, float("nan"), 1.0]},
        {"center": [1.0, 2.0]},
        {"deviation": [1.0, -1.0, 1.0]},
        {"positions": [1.0, 2.0, 2.0]},
        {"offset": [1.0], "scale": [1.0]},
    ],
)
def test_numbers_that_contradict_each_other_are_refused(wrong):
    sound = {"kind": "snv", "offset": [1.0, 2.0, 3.0], "scale": [1.0, 1.0, 1.0]}
    PixelNormalization(**sound)
    with pytest.raises(InputError, match="normalization of pixels"):
        PixelNormalization(**{**sound, **wrong})


def test_the_names_of_the_command_line_are_the_layers():
    assert tuple(KINDS) == PIXEL_NORMALIZATIONS
