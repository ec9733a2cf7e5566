from __future__ import annotations

import math
from dataclasses import replace

import keras
import numpy as np
import pytest

from hsitf import data, runs, zoo
from hsitf.options import RecipeOptions, SplitChoice, training_plan
from hsitf.progress import Silent
from hsitf.prune.plans import plan_from_channels
from hsitf.prune.thinning import thin
from hsitf.prune.tracing import trace
from hsitf.records import SceneChoice, TrainingPlan
from hsitf.runs import Run
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.patches import PatchSource
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import SplitOptions
from hsitf.train import loop
from hsitf.train.compilation import compile_model
from hsitf.train.epoch_inputs import targets_of, training_pixels
from hsitf.train.gather import patch_views, reconstruction_model
from hsitf.train.model_card import model_card
from hsitf.zoo import Recipe


def plan(network: str, epochs: int = 1, batch: int = 100) -> TrainingPlan:
    changes = RecipeOptions(epochs=epochs, batch_size=batch)
    return training_plan(network, SceneChoice("tiny.npy"), SplitChoice(), "full", changes)


@pytest.fixture(scope="module")
def ready(tiny):
    return data.prepare(tiny, SplitOptions())


def steps_apart(first, second, cols):
    (r, c), (s, d) = np.divmod(first, cols), np.divmod(second, cols)
    return np.maximum(abs(r[:, None] - s), abs(c[:, None] - d))


# --- which pixels --------------------------------------------------------------------------


@pytest.mark.parametrize(("patch", "guard"), [(1, None), (4, None), (5, None), (3, 5)])
def test_what_no_label_has_is_learned_from_apart_from_what_judges(tiny, patch, guard):
    found = data.prepare(tiny, SplitOptions(patch=patch, guard=guard))
    judging = np.concatenate([found.split.validation, found.split.test])
    free = np.flatnonzero(tiny.labels == 0)
    nearest = steps_apart(free, judging, 40).min(axis=1)
    assert found.unlabelled.tolist() == free[nearest > found.split.guard].tolist()
    assert len(found.unlabelled) > 50


@pytest.mark.parametrize("patch", [2, 3])
def test_no_patch_without_a_label_touches_one_that_judges(tiny, patch):
    found = data.prepare(tiny, SplitOptions(patch=patch))
    corners, window = found.patches.corners, found.patches.windows[0]
    seen = corners[found.unlabelled][:, None] + window
    judging = np.concatenate([found.split.validation, found.split.test])
    assert not np.intersect1d(seen, corners[judging][:, None] + window).size


def test_a_fixed_split_keeps_a_patch_away_too(tiny):
    train_map = np.where(np.arange(40) < 20, tiny.labels, 0)
    found = data.prepare(tiny, SplitOptions("fixed", patch=3), train_map)
    judging = np.concatenate([found.split.validation, found.split.test])
    assert steps_apart(found.unlabelled, judging, 40).min() == 3


def test_a_random_split_learns_from_all(tiny):
    found = data.prepare(tiny, SplitOptions("random", patch=5))
    np.testing.assert_array_equal(found.unlabelled, np.flatnonzero(tiny.labels == 0))


def test_ten_for_each_training_pixel_at_most(tiny):
    few = SplitOptions("random", train=10)
    found, again, other = (data.prepare(tiny, replace(few, seed=s)).unlabelled for s in (0, 0, 1))
    assert len(found) == len(other) == 10 * 4 * 8
    assert (np.diff(found) > 0).all()
    np.testing.assert_array_equal(found, again)
    assert not np.array_equal(found, other)


# --- the loss ------------------------------------------------------------------------------


@pytest.mark.parametrize("patch", [2, 3])
def test_the_second_output_is_the_error_at_the_pixel_itself(patch):
    cube = np.random.default_rng(0).normal(size=(6, 8, 3)).astype(np.float32)
    inputs = keras.Input((patch, patch, 3))
    flat = keras.layers.Flatten()(inputs)
    ones = keras.layers.Dense(3, kernel_initializer="zeros", bias_initializer="ones")(flat)
    source = PatchSource.from_cube(cube, patch)
    model = reconstruction_model(keras.Model(inputs, [flat, ones]), source)
    flat, error = model.predict(patch_views(np.arange(48)), verbose=0)
    np.testing.assert_array_equal(flat, source.extract(np.arange(48)).reshape(48, -1))
    np.testing.assert_allclose(error, 1 - cube.reshape(48, 3), rtol=1e-6)


@pytest.fixture
def four_pixels():
    """Spectra (2, 2), (0, 2), (4, 0), (0, 0); the last two without a label."""
    cube = np.array([[[2, 2], [0, 2], [4, 0], [0, 0]]], np.float32)
    scene = Scene("four", cube, np.array([[1, 2, 0, 0]], np.int32), ("a", "b"))
    split = data.Split("random", *map(np.array, ([0, 1], [], [])), 0, 0, (1, 4))
    return data.SceneData(
        scene, split, Normalizer((0.0, 0.0), (1.0, 1.0)), PatchSource.from_cube(cube, 1)
    )


@pytest.mark.parametrize(
    ("pixels", "cross_entropy", "squared_error"),
    [
        ([0], math.log1p(1 / 3), 4),
        # Two labels share the mean, four pixels share the other: (8 + 4 + 16 + 0) / 8.
        ([0, 1, 2, 3], (math.log1p(1 / 3) + math.log1p(3)) / 2, 3.5),
        ([2, 3], 0, 4),
    ],
)
def test_the_loss_by_hand(four_pixels, pixels, cross_entropy, squared_error):
    network = zoo.build("boulch", bands=2, classes=2)
    model = compile_model(network, plan("boulch"), four_pixels, 0.1)
    # Every pixel is taken for class 0 with a probability of 3/4 and reconstructed as zeros.
    for variable in model.trainable_variables:
        variable.assign(0 * variable)
    network.get_layer("logits").bias.assign([math.log(3), 0])
    pixels = np.array(pixels)
    losses = model.test_on_batch(
        patch_views(pixels), targets_of(model, four_pixels, pixels), return_dict=True
    )
    assert losses["loss"] == pytest.approx(cross_entropy + 0.1 * squared_error, rel=1e-5)


def test_a_batch_without_a_label_changes_the_encoder_alone(ready):
    network = zoo.build("boulch", bands=24, classes=4)
    model = compile_model(network, plan("boulch"), ready, 0.1)
    before = {v.path: np.array(v) for v in network.trainable_variables}
    pixels = ready.unlabelled[:50]
    loss = model.train_on_batch(patch_views(pixels), targets_of(model, ready, pixels))
    assert np.isfinite(loss).all()
    changed = {v.path for v in network.trainable_variables if not np.array_equal(before[v.path], v)}
    assert changed == {path for path in before if not path.startswith("logits")}


# --- the training --------------------------------------------------------------------------


def fitted(network, ready, folder, epochs=1, progress=None):
    return loop.fit(plan(network, epochs), ready, folder / "state.npz", progress or Silent())


@pytest.mark.parametrize(("network", "learns"), [("boulch", True), ("hu", False)])
def test_only_networks_with_a_decoder_learn_from_pixels_without_a_label(
    ready, tmp_path, network, learns
):
    cube = ready.normalizer.apply(ready.scene.cube).reshape(-1, 24)
    cube[ready.unlabelled] += 1
    other = replace(ready, patches=PatchSource.from_cube(cube.reshape(40, 40, 24), 1))
    first, second = (fitted(network, part, tmp_path).network for part in (ready, other))
    same = [
        np.array_equal(a, b) for a, b in zip(first.get_weights(), second.get_weights(), strict=True)
    ]
    assert all(same) != learns


def test_the_decoder_learns_to_reconstruct(ready):
    keras.utils.set_random_seed(0)
    faster = replace(plan("boulch"), recipe=Recipe("adam", 0.005))
    model = compile_model(zoo.build("boulch", bands=24, classes=4), faster, ready, 0.1)
    pixels = training_pixels(model, ready)
    assert len(pixels) == len(ready.split.train) + 696
    targets = targets_of(model, ready, pixels)
    model.fit(patch_views(pixels), targets, epochs=8, batch_size=50, verbose=0)
    errors = model.predict(patch_views(ready.split.test), verbose=0)[1]
    spectra = ready.patches.extract(ready.split.test)
    assert np.square(errors).mean() < 0.7 * np.square(spectra).mean()


@pytest.mark.parametrize("network", ["boulch", "liu"])
def test_interrupted_it_resumes_to_the_same_network(tiny, tmp_path, monkeypatch, network):
    patch = 4 if network == "liu" else 1
    found = data.prepare(tiny, SplitOptions(patch=patch))
    asked = replace(plan(network, 3), split=SplitOptions(patch=patch))
    whole = loop.fit(asked, found, tmp_path / "whole", Silent())
    monkeypatch.setattr(loop, "SAVE_EVERY", 0)

    class Interrupting(Silent):
        def advance(self, steps=1, note=""):
            if note.startswith("epoch 2/"):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loop.fit(asked, found, tmp_path / "cut", Interrupting())
    resumed = loop.fit(asked, found, tmp_path / "cut", Silent())
    # The decoder's state shows in the losses of the epochs after.
    assert [e.loss for e in whole.history] == [e.loss for e in resumed.history]
    for then, now in zip(whole.network.get_weights(), resumed.network.get_weights(), strict=True):
        np.testing.assert_array_equal(then, now)


@pytest.mark.parametrize(
    ("network", "patch", "gone"),
    [("boulch", 1, {"conv2": [0, 3, 5], "conv": [1]}), ("liu", 4, {"conv": [1, 7]})],
)
def test_a_pruned_network_is_trained_with_its_decoder(tiny, tmp_path, network, patch, gone):
    found = data.prepare(tiny, SplitOptions(patch=patch))
    built = zoo.build(network, bands=24, classes=4, patch=patch)
    small = thin(built, plan_from_channels(trace(built), gone))
    before = small.get_weights()
    result = loop.fit(plan(network), found, tmp_path / "state.npz", Silent(), small)
    assert result.network is small
    assert any(not np.array_equal(a, b) for a, b in zip(before, small.get_weights(), strict=True))


# --- the verb ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(shell):
    done = shell("train", "--model", "boulch", "--epochs", "3", *shell.SCENE)
    assert done.returncode == 0, done.stderr
    return Run.open(shell.folder / "models/tiny/boulch/disjoint-custom-seed0")


def test_the_record_and_the_card_count_the_pixels_without_a_label(run, ready):
    assert run.record.unlabelled == len(ready.unlabelled) == 696
    assert run.record.split.leakage_patch == 0
    assert "and of 696 unlabelled pixels" in (run.folder / runs.MODEL_CARD).read_text()
    assert "unlabelled" not in model_card(replace(run.record, unlabelled=0))


def test_the_decoder_is_not_kept(run):
    network = run.network()
    assert network.output_shape == (None, 4)
    assert network.count_params() == zoo.build("boulch", bands=24, classes=4).count_params()
    assert run.record.parameters == network.count_params()


def test_it_is_exported(run, shell):
    done = shell("export", "--model", "boulch", *shell.SCENE, "--float32")
    assert done.returncode == 0, done.stderr
