from __future__ import annotations

import keras
import numpy as np
import pytest

from hsitf.scenes.patches import PatchSource
from hsitf.train.gather import PatchGather, gather_model, patch_views

PIXELS = np.arange(6 * 8)


@pytest.fixture(scope="module")
def cube():
    return np.random.default_rng(0).normal(size=(6, 8, 3)).astype(np.float32)


@pytest.mark.parametrize("patch", [1, 2, 3, 4, 5])
def test_gathers_what_the_source_cuts(cube, patch):
    source = PatchSource.from_cube(cube, patch)
    gathered = PatchGather(source)(patch_views(PIXELS))
    np.testing.assert_array_equal(np.asarray(gathered), source.extract(PIXELS))


def test_any_order_and_number(cube):
    source = PatchSource.from_cube(cube, 3)
    pixels = np.array([47, 0, 5, 5])
    gathered = PatchGather(source)(patch_views(pixels))
    np.testing.assert_array_equal(np.asarray(gathered), source.extract(pixels))


def test_compiled_network_sees_the_same_patches(cube):
    source = PatchSource.from_cube(cube, 4)
    inputs = keras.Input((4, 4, 3))
    network = keras.Model(inputs, keras.layers.Flatten()(inputs))
    model = gather_model(network, source)
    assert model.output_shape == (None, 48)
    found = model.predict(patch_views(PIXELS), batch_size=7, verbose=0)
    np.testing.assert_array_equal(found, source.extract(PIXELS).reshape(48, 48))


def test_scene_is_no_weight(cube):
    assert not PatchGather(PatchSource.from_cube(cube, 3)).weights


def test_views_lie_as_they_are_unless_drawn():
    assert patch_views(PIXELS).dtype == np.int32
    np.testing.assert_array_equal(patch_views(PIXELS), np.stack([PIXELS, 0 * PIXELS], axis=1))
    drawn = patch_views(np.repeat(PIXELS, 9), np.random.default_rng(0))
    np.testing.assert_array_equal(drawn[:, 0], np.repeat(PIXELS, 9))
    assert set(drawn[:, 1].tolist()) == set(range(8))


@pytest.mark.parametrize("patch", [2, 3])
def test_sides_are_turns_and_mirror_images(cube, patch):
    source = PatchSource.from_cube(cube, patch)
    seen = np.asarray(PatchGather(source)(np.array([[19, side] for side in range(8)], np.int32)))
    as_it_lies = source.extract(np.array([19]))[0]
    turned = [np.rot90(as_it_lies, turns) for turns in range(4)]
    expected = [*turned, *(side.transpose(1, 0, 2) for side in turned)]
    assert {side.tobytes() for side in seen} == {side.tobytes() for side in expected}
