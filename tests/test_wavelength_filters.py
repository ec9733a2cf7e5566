from __future__ import annotations

from math import erf, sqrt

import keras
import numpy as np
import pytest

from hsitf.errors import InputError
from hsitf.layers import WavelengthFilters
from hsitf.layers.wavelength_filters import band_cells, merged_cells

RNG = np.random.default_rng(0)


def built(centers, filters=3, **options):
    layer = WavelengthFilters(filters, centers, **options)
    layer.build((None, len(centers)))
    return layer


def share(low, high, mean, width):
    """Of a normal distribution, what lies between two numbers."""
    return 0.5 * (erf((high - mean) / width / sqrt(2)) - erf((low - mean) / width / sqrt(2)))


def test_cells_by_hand():
    # Bands usually 10 nm apart: halfway to the next, across a gap of 80 nm half the usual.
    centers = np.array([400.0, 410.0, 420.0, 500.0, 510.0])
    expected = [[395, 405], [405, 415], [415, 425], [495, 505], [505, 515]]
    np.testing.assert_allclose(band_cells(centers), expected)
    np.testing.assert_allclose(merged_cells(centers), [[395, 425], [495, 515]])
    # Whatever their order; where bands lie twice as far apart, cells still meet.
    np.testing.assert_allclose(band_cells(centers[::-1]), expected[::-1])
    np.testing.assert_allclose(merged_cells(np.array([400.0, 410, 420, 440])), [[395, 445]])


def test_weights_by_hand():
    layer = built([400.0, 410.0, 420.0], filters=1)
    # Cells from 395 to 425 nm: a mean in the middle, and half the distance of means, 15 nm / 2.
    np.testing.assert_allclose(layer.wavelengths, [410.0], rtol=1e-6)
    cells = [(395, 405), (405, 415), (415, 425)]
    expected = [[share(*cell, 410.0, 7.5)] for cell in cells]
    np.testing.assert_allclose(layer.kernel, expected, rtol=1e-5)
    spectrum = np.array([[3.0, 5.0, 11.0]], np.float32)
    np.testing.assert_allclose(np.asarray(layer(spectrum)), spectrum @ expected, rtol=1e-5)


def test_a_filter_weighs_the_same_in_bands_of_any_width():
    layer = built(np.arange(400.0, 701.0, 10.0).tolist())
    whole = layer.kernel.sum(axis=0)
    for centers in (np.arange(397.5, 703.0, 5.0), 410.5 + 31 * np.arange(10)):
        other = layer.at(centers)
        other.build((None, len(centers)))
        other.set_weights(layer.get_weights())
        np.testing.assert_allclose(other.kernel.sum(axis=0), whole, rtol=1e-5)


def test_bands_where_there_were_none_weigh_nothing():
    layer = built([400.0, 410.0, 420.0, 500.0, 510.0])
    other = layer.at(np.array([300.0, 400, 420, 460, 500, 510, 700]))
    np.testing.assert_allclose(other.covered > 0, [False, True, True, False, True, True, False])
    other.build((None, 7))
    assert not other.kernel[[0, 3, 6]].any()
    # 440 nm would be halfway to 460, and 425 is where what was trained on ends.
    assert other.covered[2] == pytest.approx(425 - 410)


def test_folds_into_a_convolution_of_single_pixels():
    centers = np.sort(RNG.uniform(400, 900, 30))
    inputs = keras.Input((4, 4, 30))
    layer = WavelengthFilters(5, centers.tolist())
    model = keras.Model(inputs, layer(inputs))
    for variable in layer.weights:
        variable.assign(np.asarray(variable) + RNG.normal(size=5, scale=0.2))
    conv = keras.layers.Conv2D(5, 1, use_bias=False)
    folded = keras.Model(inputs, conv(inputs))
    conv.set_weights([layer.kernel[None, None]])
    x = RNG.normal(size=(3, 4, 4, 30)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(folded(x)), np.asarray(model(x)), atol=1e-6)


def test_means_and_widths_are_learned_by_their_gradients():
    layer = built(np.linspace(400, 900, 40).tolist(), filters=2)
    x = RNG.normal(size=(1, 40)).astype(np.float32)

    def value(name, at, step):
        kept = np.asarray(getattr(layer, name))
        moved = kept.copy()
        moved[at] += step
        getattr(layer, name).assign(moved)
        found = float(np.asarray(layer(x)).sum())
        getattr(layer, name).assign(kept)
        return found

    import tensorflow as tf

    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(x))
    found = tape.gradient(total, [variable.value for variable in layer.trainable_variables])
    for name, gradient in zip(("means", "widths"), found, strict=True):
        for at in range(2):
            slope = (value(name, at, 1e-2) - value(name, at, -1e-2)) / 2e-2
            assert float(gradient[at]) == pytest.approx(slope, rel=2e-2, abs=2e-3)


def test_saves_and_loads_with_its_arguments(tmp_path):
    inputs = keras.Input((2, 5))
    layer = WavelengthFilters(2, [400, 410, 420, 500, 510], name="wavelengths")
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, 2, 2)
    model.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    assert again.get_layer("wavelengths").get_config() == layer.get_config()
    x = RNG.normal(size=(4, 2, 5)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(again(x)))


@pytest.mark.parametrize(
    ("filters", "centers"),
    [(0, [400.0, 410.0]), (3, [400.0]), (3, [400.0, float("nan")]), (3, [400.0, 400.0])],
)
def test_bands_without_wavelengths_of_their_own_are_refused(filters, centers):
    with pytest.raises(InputError, match="need the centers of the bands"):
        WavelengthFilters(filters, centers)


@pytest.mark.parametrize("support", [[], [[1.0]], [[5.0, 4.0]], [[1.0, 3.0], [2.0, 4.0]]])
def test_a_support_that_is_none_is_refused(support):
    with pytest.raises(InputError, match="the support of filters over wavelength is none"):
        WavelengthFilters(2, [400.0, 410.0], support=support)
