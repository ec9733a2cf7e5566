"""A network of tiles from training to files and maps, and what training is not to see."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import data, zoo
from hsitf.classify.request import MapRequest
from hsitf.classify.run import classify_scene
from hsitf.errors import InputError
from hsitf.export.pipeline import export
from hsitf.export.request import ExportRequest
from hsitf.export.variants import VARIANTS
from hsitf.options import RecipeOptions, SplitChoice, TrainingOptions, training_plan
from hsitf.progress import Silent
from hsitf.prune.request import PruningRequest
from hsitf.prune.run import prune
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.train import loop
from hsitf.train.run import train
from hsitf.train.tile_inputs import check_tile, draw_tiles, shown_in_training, tile_count
from hsitf.train.tile_loss import TileCrossentropy
from hsitf.zoo import Network, Recipe

TILE = 8
NAME = "tilenet"


def build(bands: int, classes: int, patch: int) -> keras.Model:
    inputs = keras.Input((patch, patch, bands))
    x = layers.Conv2D(12, 3, padding="same", activation="relu", name="conv1")(inputs)
    x = layers.BatchNormalization(name="norm")(layers.MaxPooling2D(2)(x))
    x = layers.UpSampling2D(2)(x)
    x = layers.Conv2D(classes, 3, padding="same", name="logits")(x)
    return keras.Model(inputs, x, name=NAME)


@pytest.fixture(scope="module", autouse=True)
def registered():
    # A pixel sees 3 pixels to each side, 4 with the pooling grid of 2.
    recipe = Recipe("adam", 1e-2, batch_size=8, epochs=8)
    if NAME not in zoo.names():
        zoo.register(NAME, Network("", 9, recipe, 8, tile=TILE, tile_stride=2), build)


@pytest.fixture(scope="module")
def where(tiny, tmp_path_factory) -> SceneChoice:
    folder = tmp_path_factory.mktemp("scene")
    np.save(folder / "tiny.npy", tiny.cube)
    np.save(folder / "labels.npy", tiny.labels)
    return SceneChoice(str(folder / "tiny.npy"), labels=str(folder / "labels.npy"))


def planned(where, epochs=8, training=None):
    training = training or TrainingOptions()
    return training_plan(NAME, where, SplitChoice(), "full", RecipeOptions(epochs=epochs), training)


@pytest.fixture(scope="module")
def ready(tiny, where):
    return data.prepare(tiny, planned(where).split)


@pytest.fixture(scope="module")
def run(where, tmp_path_factory) -> Run:
    return train(planned(where), None, Silent(), tmp_path_factory.mktemp("models"))


def test_loss_of_pixels_by_hand():
    logits = np.array([[[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]]], np.float32)
    classes, weights = np.array([[1, 0, 0]]), np.array([[1.0, 3.0, 0.0]], np.float32)
    # The first pixel has ln 2, the second none; the third, which is wrong, does not count.
    found = TileCrossentropy()(classes, logits, weights)
    assert float(found) == pytest.approx(np.log(2) / 4, rel=1e-5)


def test_labels_of_other_sets_are_masked(ready, where):
    views, targets, weights = draw_tiles(planned(where), ready, 0, TILE)
    assert len(views) == tile_count(ready, TILE)
    assert targets.shape == (len(views), TILE, TILE)
    # No tile is without a training pixel, and what is no training pixel does not count.
    assert (weights.sum(axis=(1, 2)) > 0).all()
    assert set(np.unique(weights)) == {0, 1}
    train_map = np.zeros(ready.scene.labels.shape, int)
    train_map.flat[ready.split.train] = ready.targets(ready.split.train) + 1
    margin = ready.patches.patch // 2
    padded = np.pad(train_map, margin)
    seen = set()
    for (corner, side), classes, counted in zip(views, targets, weights, strict=True):
        row, col = divmod(int(corner), padded.shape[1])
        window = np.rot90(padded[row : row + TILE, col : col + TILE], side % 4)
        window = window.T if side > 3 else window
        np.testing.assert_array_equal((classes + 1) * (counted > 0), window)
        seen.add(int(side))
    assert len(seen) > 4


def test_spectra_of_test_windows_are_not_shown(ready):
    shown, source = shown_in_training(ready), ready.patches
    margin, zones = source.patch // 2, ready.split.zones()
    changed = (shown.padded != source.padded).any(-1)[margin:-margin, margin:-margin]
    assert changed.any()
    for row, col in np.argwhere(zones == 1):
        assert not changed[max(0, row - margin) : row + margin + 1, max(0, col - margin) :][
            :, : col - max(0, col - margin) + margin + 1
        ].any()
    # The split leaves a guard of the window: no test pixel's own spectrum is shown.
    assert changed[zones > 1].all()
    np.testing.assert_allclose(
        shown.padded[margin:-margin, margin:-margin][zones > 1], 0, atol=1e-5
    )


def test_what_training_is_not_to_see_changes_nothing(tiny, ready, where, tmp_path):
    plan = planned(where, epochs=1)
    cube = tiny.cube.copy()
    cube.reshape(-1, tiny.bands)[ready.split.test] += 1
    other = data.restore(
        replace(tiny, cube=cube), ready.split, ready.normalizer, ready.patches.patch
    )
    found = [
        loop.fit(plan, one, tmp_path / f"{number}.npz", Silent()).network.get_weights()
        for number, one in enumerate((ready, other))
    ]
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_it_learns_and_its_record_says_what_it_is(run):
    record = run.record
    assert (record.tile, record.tile_stride, record.plan.patch) == (TILE, 2, 9)
    assert record.split.guard == 8
    assert record.split.leakage_patch == 0
    assert record.history[-1].loss < 0.5 * record.history[0].loss
    assert record.scores.oa > 0.6


def test_resumed_training_is_the_same(ready, where, tmp_path, monkeypatch):
    whole = loop.fit(planned(where, 3), ready, tmp_path / "whole.npz", Silent())
    monkeypatch.setattr(loop, "SAVE_EVERY", -1.0)

    class Interrupted(Silent):
        left = 2

        def start(self, title, total):
            self.steps = 0

        def advance(self, steps=1, note=""):
            self.steps += steps
            if self.steps > 2 * (tile_count(ready, TILE) // 8 + 1):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.fit(planned(where, 3), ready, tmp_path / "state.npz", Interrupted())
    assert (tmp_path / "state.npz").is_file()
    resumed = loop.fit(planned(where, 3), ready, tmp_path / "state.npz", Silent())
    for one, two in zip(whole.network.get_weights(), resumed.network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_averaged_weights_and_other_options(tiny, ready, where, tmp_path):
    training = TrainingOptions(recipe_name="robust", class_weights=True, flip_rotate=False)
    plan = planned(where, 2, training=training)
    assert plan.mixup == 0
    assert plan.augmentations == ()
    assert plan.recipe.ema_epochs > 0
    found = loop.fit(plan, ready, tmp_path / "state.npz", Silent())
    assert np.isfinite([epoch.loss for epoch in found.history]).all()
    views, targets, weights = draw_tiles(plan, ready, 0, TILE)
    assert (views[:, 1] == 0).all()
    counts = np.bincount(ready.targets(ready.split.train))
    expected = (np.median(counts) / counts).astype(np.float32)
    np.testing.assert_array_equal(weights[weights > 0], expected[targets[weights > 0]])


@pytest.mark.parametrize(
    ("training", "words"),
    [
        (TrainingOptions(mixup=0.2), "received: --mixup"),
        (TrainingOptions(augmentations=("noise",)), "received: --augment"),
        (TrainingOptions(pseudo_labels=0.9, brightness_noise=True), "--brightness-noise, --pseudo"),
    ],
)
def test_what_is_done_to_patches_is_refused(where, training, words):
    with pytest.raises(InputError, match=f"learns from whole tiles.*{words}"):
        planned(where, training=training)


def test_scenes_that_are_too_small_are_refused(ready):
    with pytest.raises(InputError, match="received: 40 rows or cols; allowed: 92 or more"):
        check_tile(ready, 100)


@pytest.fixture(scope="module")
def bundles(run, tmp_path_factory):
    variants = tuple(VARIANTS[name] for name in ("float32", "float16", "int8", "onnx"))
    root = tmp_path_factory.mktemp("export")
    found, refused = export(run, ExportRequest(variants, tile=24, root=root), Silent())
    assert not refused
    return {bundle.record.variant: bundle for bundle in found}


def test_files_take_tiles_and_label_their_pixels(bundles):
    for name, bundle in bundles.items():
        record = bundle.record
        assert record.input.shape == (1, 24, 24, 24)
        assert record.output.shape == (1, 24, 24, 4)
        assert (record.tile, record.overlap, record.patch) == (24, 4, 9)
        assert record.oa_drop <= 1
        assert record.agreement > (0.9 if name == "int8" else 0.999)
        # Two convolutions of 24 x 24 pixels.
        assert record.macs == 24 * 24 * 9 * (24 * 12 + 12 * 4)
    assert bundles["int8"].record.integer_share == 1
    assert bundles["int8"].record.calibration_patches == 32


def test_maps_of_the_run_and_of_its_files_are_alike(run, bundles, tmp_path):
    maps = {}
    for name, folder in {"run": run.folder, "file": bundles["float32"].folder}.items():
        request = MapRequest((tmp_path / f"{name}.tif",))
        found = classify_scene(None, folder, SceneChoice(""), None, request, Silent())
        assert found.test is not None
        assert found.test.oa == run.record.scores.oa
        maps[name] = found.class_map.labels
    assert (maps["run"] == maps["file"]).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tile": 8}, "received: --tile 8; allowed: multiples of 2 above 8"),
        ({"tile": 25}, "received: --tile 25"),
        ({"batch": 4}, "labels a whole tile per inference; received: --batch"),
        ({"tta": True}, "received: --tta"),
        ({"qat": True}, "received: --qat"),
    ],
)
def test_what_files_of_tiles_cannot_be(run, options, words):
    with pytest.raises(InputError, match=words):
        export(run, ExportRequest((VARIANTS["int8"],), **options), Silent())


def test_other_verbs_refuse_it_by_name(run):
    with pytest.raises(InputError, match="tilenet labels whole tiles, and cannot be explained"):
        run.check_patches("explained")


def test_pruned_it_is_fine_tuned_on_tiles(run):
    request = PruningRequest("ratio", 0.25, run.record.plan.recipe, "taylor")
    request = replace(request, recipe=replace(request.recipe, epochs=1))
    small = prune(run, request, "cut", Silent(), threads=None)
    assert small.record.tile == TILE
    assert small.record.parameters < run.record.parameters
    assert small.network().output_shape == (None, TILE, TILE, 4)
