from __future__ import annotations

import keras
import numpy as np
import pytest

from hsitf.layers import LocalResponseNormalization

RNG = np.random.default_rng(0)


def normalized(values, **options):
    x = np.asarray(values, np.float32)
    return np.asarray(LocalResponseNormalization(**options)(x))


@pytest.mark.parametrize(
    ("size", "sums"),
    [(1, [1, 4, 9, 16]), (2, [1, 5, 13, 25]), (3, [5, 14, 29, 25]), (4, [5, 14, 30, 29])],
)
def test_neighbors_by_hand(size, sums):
    # An even window has one neighbor more before a channel than behind it.
    expected = np.array([1, 2, 3, 4]) / (2 + 0.5 / size * np.array(sums)) ** 0.75
    received = normalized([[1, 2, 3, 4]], size=size, alpha=0.5, bias=2.0)
    np.testing.assert_allclose(received, expected[None], rtol=1e-6)


def test_a_window_as_wide_as_the_channels_sees_half_of_them_at_an_end():
    received = normalized(np.full((1, 8), 2.0), size=8, alpha=1.0, beta=1.0)
    squares = 4 * np.array([4, 5, 6, 7, 8, 7, 6, 5])
    np.testing.assert_allclose(received[0], 2 / (1 + squares / 8), rtol=1e-6)


def test_pixels_are_normalized_each_alone():
    x = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32)
    alone = normalized(x.reshape(-1, 5), size=3, alpha=1.0)
    np.testing.assert_array_equal(normalized(x, size=3, alpha=1.0).reshape(-1, 5), alone)


def test_saves_and_loads_with_its_arguments(tmp_path):
    inputs = keras.Input((2, 6))
    layer = LocalResponseNormalization(3, alpha=0.2, beta=0.5, bias=1.5, name="norm")
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, 2, 6)
    model.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    assert again.get_layer("norm").get_config() == layer.get_config()
    x = RNG.normal(size=(4, 2, 6)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(model(x)), np.asarray(again(x)))
