"""Networks that label every pixel of a tile: sides, windows, and the tiles of a scene."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from networks import randomized

from hsitf import runtimes, zoo
from hsitf.errors import DataError, InputError
from hsitf.runtimes import scan
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.scene import SceneImage
from hsitf.tile_networks import at_side, is_tile_network, run_side
from hsitf.train.tile_window import check_window
from hsitf.zoo import Network, justounet, spwunet

RNG = np.random.default_rng(0)
NAMES = ("justounet", "spwunet")


def trainable(model: keras.Model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def test_parameters_are_the_authors():
    assert trainable(justounet.build(112, 3, 32)) == 7_560
    assert trainable(justounet.build(200, 16, 32)) == 13_040
    counts = [trainable(spwunet.build(112, 3, 32, size)) for size in "sml"]
    assert counts == [26_579, 90_811, 159_667]
    assert trainable(zoo.build("spwunet", bands=112, classes=3)) == 26_579


def test_what_they_cannot_be_is_refused():
    with pytest.raises(InputError, match="unknown size of spwunet 'xl'"):
        spwunet.build(112, 3, 32, "xl")
    for module in (justounet, spwunet):
        with pytest.raises(InputError, match="received: a side of 30; allowed: multiples of 4"):
            module.build(112, 3, 30)
    with pytest.raises(InputError, match=r"its layers decide how far a pixel sees.*leave --patch"):
        zoo.build("justounet", bands=4, classes=2, patch=19)
    with pytest.raises(InputError, match=r"cannot label tiles of this side.*30 x 30"):
        at_side(zoo.build("justounet", bands=4, classes=2), 30)


@pytest.mark.parametrize("tile", [{"tile": 6}, {"patch": 8}, {"patch": 7}, {"tile_stride": 0}])
def test_tiles_that_do_not_fit_the_window(tile):
    with pytest.raises(InputError, match=r"the tiles of a network do not fit its window"):
        Network(**({"paper": "", "patch": 9, "tile": 8, "tile_stride": 4} | tile))


@pytest.mark.parametrize("name", NAMES)
def test_a_pixel_sees_its_window_and_no_more(name):
    # The logits that one changed pixel changes, at each place of the pooling grid.
    facts, side, bands = zoo.network(name), 96, 2
    model = at_side(randomized(zoo.build(name, bands=bands, classes=2)), side)
    margin, base = facts.patch // 2, RNG.normal(size=(side, side, bands)).astype(np.float32)
    reach = 0
    for row in range(48, 52):
        changed = base.copy()
        changed[row, 48] += 100
        before, after = (np.asarray(model(x[None]))[0] for x in (base, changed))
        rows, cols = np.nonzero((before != after).any(-1))
        reach = max(reach, abs(rows - row).max(), abs(cols - 48).max())
    # Rounded up to the pooling grid, not further.
    assert margin - facts.tile_stride < reach <= margin


def test_a_window_that_is_stated_too_small_is_refused():
    model = zoo.build("justounet", bands=3, classes=2)
    check_window(model, 25, 4)
    with pytest.raises(InputError, match=r"change 9 pixels away from a pixel; allowed: 8, half"):
        check_window(model, 17, 4)


def test_the_side_changes_no_weight_and_no_file(tmp_path):
    model = randomized(zoo.build("justounet", bands=3, classes=2))
    larger = at_side(model, 48)
    assert is_tile_network(larger)
    assert larger.output_shape == (None, 48, 48, 2)
    assert at_side(model, 32) is model
    assert run_side(model) == 128
    model.get_layer("conv1").set_weights([w + 1 for w in model.get_layer("conv1").get_weights()])
    x = RNG.normal(size=(1, 32, 32, 3)).astype(np.float32)
    inside = np.pad(x, ((0, 0), (0, 16), (0, 16), (0, 0)))
    # Zeros beyond a tile are what its convolutions pad it with, before the first normalization.
    np.testing.assert_allclose(
        np.asarray(model(x))[0, :16, :16], np.asarray(larger(inside))[0, :16, :16], rtol=1e-5
    )
    model.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(model(x)))
    assert not is_tile_network(zoo.build("hu", bands=20, classes=2))


def one_pass(model: keras.Model, source: PatchSource, side: int) -> np.ndarray:
    """Logits of all pixels, the whole mirrored scene being one tile."""
    margin, rows, cols = source.patch // 2, source.rows, source.cols
    height, width, _ = source.padded.shape
    padded = np.pad(source.padded, ((0, side - height), (0, side - width), (0, 0)))
    found = np.asarray(at_side(model, side).predict_on_batch(padded[None]))[0]
    return found[margin : margin + rows, margin : margin + cols].reshape(rows * cols, -1)


@pytest.mark.parametrize(("name", "side"), [("justounet", 112), ("spwunet", 152)])
@pytest.mark.parametrize("tile", [64, 72])
def test_the_map_is_that_of_one_pass_over_the_whole_scene(name, side, tile):
    # Neither side of the scene is a multiple of the tiles' or of the pooling grid.
    cube = RNG.normal(size=(71, 83, 4)).astype(np.float32)
    model = randomized(zoo.build(name, bands=4, classes=3))
    source = PatchSource.from_cube(cube, zoo.network(name).patch)
    expected = one_pass(model, source, side)
    runtime = runtimes.Keras(at_side(model, tile), batch=1)
    received = np.full_like(expected, np.nan)
    for pixels, logits in scan(runtime, source, np.arange(71 * 83)):
        received[pixels] = logits
    np.testing.assert_allclose(received, expected, atol=1e-5 * np.abs(expected).max())
    assert (received.argmax(1) == expected.argmax(1)).all()


def test_images_of_a_scene_do_not_see_each_other():
    images = (SceneImage("a", 0, 26, 30), SceneImage("b", 26, 29, 30))
    cube = RNG.normal(size=(55, 30, 3)).astype(np.float32)
    model = randomized(zoo.build("justounet", bands=3, classes=2))
    whole = np.empty((55 * 30, 2), np.float32)
    runtime = runtimes.Keras(at_side(model, 40), batch=1)
    source = PatchSource.from_cube(cube, 25, images)
    for pixels, logits in scan(runtime, source, np.arange(55 * 30)):
        whole[pixels] = logits
    for image in images:
        alone = one_pass(model, PatchSource.from_cube(cube[image.block], 25), 64)
        np.testing.assert_allclose(
            whole.reshape(55, 30, 2)[image.block].reshape(-1, 2), alone, atol=1e-4
        )


def test_a_tile_that_only_overlaps_is_refused():
    model = zoo.build("spwunet", bands=3, classes=2)
    source = PatchSource.from_cube(RNG.normal(size=(50, 50, 3)).astype(np.float32), 41)
    runtime = runtimes.Keras(model, batch=1)
    with pytest.raises(DataError, match="no pixel of this tile sees its whole window"):
        list(scan(runtime, source, np.arange(3)))


def test_tiles_that_begin_on_the_grid_by_hand():
    source = PatchSource.from_cube(np.arange(30, dtype=np.float32).reshape(5, 6, 1), 3)
    ((tile, members, inside),) = source.grid_tiles(np.array([29]), 4)
    # The last pixel is in the tile that begins at (4, 4), whose third row and col are not there.
    assert members.tolist() == [0]
    assert inside.tolist() == [1]
    assert tile[1, 1:4, 0].tolist() == [28, 29, 28]
    assert tile[1, 4:, 0].tolist() == [28, 28]
    ((tile, _, inside),) = source.tiles(np.array([29]), 4)
    assert inside.tolist() == [15]
    assert tile[4, 4, 0] == 29


def test_a_network_of_ones_own_that_is_none_is_refused():
    def build(bands, classes, patch):
        inputs = keras.Input((patch, patch, bands))
        return keras.Model(inputs, layers.Conv2D(classes, 3, name="logits")(inputs))

    zoo.register("shrinking", Network("", patch=3, tile=8), build)
    with pytest.raises(InputError, match=r"\(None, 6, 6, 2\); allowed: .*\(None, 8, 8, 2\)"):
        zoo.build("shrinking", bands=3, classes=2, patch=3)
