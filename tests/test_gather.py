from __future__ import annotations

import keras
import numpy as np
import pytest

from hsitf.scenes.patches import PatchSource
from hsitf.train.gather import PatchGather, as_indices, gathering

PIXELS = np.arange(6 * 8)


@pytest.fixture(scope="module")
def cube():
    return np.random.default_rng(0).normal(size=(6, 8, 3)).astype(np.float32)


@pytest.mark.parametrize("patch", [1, 2, 3, 4, 5])
def test_gathers_what_the_source_cuts(cube, patch):
    source = PatchSource.of(cube, patch)
    gathered = PatchGather(source)(as_indices(PIXELS))
    np.testing.assert_array_equal(np.asarray(gathered), source.cut(PIXELS))


def test_any_order_and_number(cube):
    source = PatchSource.of(cube, 3)
    pixels = np.array([47, 0, 5, 5])
    gathered = PatchGather(source)(as_indices(pixels))
    np.testing.assert_array_equal(np.asarray(gathered), source.cut(pixels))


def test_compiled_network_sees_the_same_patches(cube):
    source = PatchSource.of(cube, 4)
    inputs = keras.Input((4, 4, 3))
    network = keras.Model(inputs, keras.layers.Flatten()(inputs))
    model = gathering(network, source)
    assert model.output_shape == (None, 48)
    found = model.predict(as_indices(PIXELS), batch_size=7, verbose=0)
    np.testing.assert_array_equal(found, source.cut(PIXELS).reshape(48, 48))


def test_scene_is_no_weight(cube):
    assert not PatchGather(PatchSource.of(cube, 3)).weights
