from __future__ import annotations

import keras
import numpy as np
import pytest

from hsitf.scenes.patches import PatchSource
from hsitf.train.augment import (
    BRIGHTNESS,
    MIXUP_WEIGHTS,
    NOISE,
    BrightnessNoise,
    IntraClassMixup,
    add_partners,
)
from hsitf.train.gather import gather_model, patch_views

MANY = np.full((4000, 3, 3, 2), 10.0, np.float32)


def changed(seen: np.ndarray, before: np.ndarray = MANY) -> np.ndarray:
    return np.abs(seen - before).max(axis=(1, 2, 3)) > 0


def test_another_light_by_hand():
    keras.utils.set_random_seed(0)
    seen = np.asarray(BrightnessNoise("radiation")(MANY, training=True))
    some = changed(seen)
    # A tenth of 4000, five deviations of 19 to either side.
    assert abs(some.sum() - 400) < 95
    light = seen[some].mean(axis=(1, 2, 3)) / 10
    assert BRIGHTNESS[0] - 0.01 < light.min() < 0.92
    assert 1.08 < light.max() < BRIGHTNESS[1] + 0.01
    inside = seen[some].std(axis=(1, 2, 3)).mean()
    assert abs(inside - NOISE) < 0.2 * NOISE


def test_mixtures_lie_between_both():
    keras.utils.set_random_seed(0)
    partners = np.full_like(MANY, 20.0)
    seen = np.asarray(IntraClassMixup("mixture")(MANY, partners, training=True))
    some = changed(seen)
    assert abs(some.sum() - 400) < 95
    means = seen[some].mean(axis=(1, 2, 3))
    # The extremes of a / (a + b) for both amounts from 0.01 to 1.
    low, high = MIXUP_WEIGHTS
    assert means.min() > 10 + 10 * low / (low + high) - 5 * NOISE
    assert means.max() < 20 - 10 * low / (low + high) + 5 * NOISE
    assert 14 < means.mean() < 16


@pytest.mark.parametrize("training", [False])
def test_nothing_is_changed_outside_training(training):
    assert not changed(np.asarray(BrightnessNoise("r")(MANY, training=training))).any()
    assert not changed(np.asarray(IntraClassMixup("m")(MANY, MANY + 1, training=training))).any()


def test_partners_are_of_the_same_class():
    pixels = np.arange(100)
    classes = (pixels % 3).astype(np.int32)
    drawn = add_partners(patch_views(pixels), classes, np.random.default_rng(0))
    assert drawn.shape == (100, 3)
    np.testing.assert_array_equal(drawn[:, 2] % 3, classes)
    assert len(set(drawn[:, 2].tolist())) > 40


def test_the_same_seed_shows_the_same(tiny):
    source = PatchSource.from_cube(tiny.cube, 3)
    inputs = keras.Input((3, 3, 24))
    network = keras.Model(inputs, keras.layers.Flatten()(inputs))
    seen = np.column_stack([patch_views(np.arange(64)), np.arange(64)[::-1]]).astype(np.int32)

    def shown() -> np.ndarray:
        keras.utils.set_random_seed(3)
        return np.asarray(gather_model(network, source, True, True)(seen, training=True))

    one = shown()
    np.testing.assert_array_equal(one, shown())
    plain = source.extract(np.arange(64)).reshape(64, -1)
    assert 0 < (np.abs(one - plain).max(axis=1) > 0).sum() < 64
