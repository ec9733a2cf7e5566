"""The recipe made for unseen ground: each part by hand, and whole runs with all of it."""

from __future__ import annotations

import math
from dataclasses import replace

import keras
import numpy as np
import pytest

from hsitf import data
from hsitf.errors import InputError
from hsitf.options import RecipeOptions, SplitChoice, TrainingOptions, training_plan
from hsitf.progress import Silent
from hsitf.records import SceneChoice, TrainingPlan
from hsitf.records.json import _adapter
from hsitf.train import loop
from hsitf.train.augmentation_layers import PatchAugmentation
from hsitf.train.augmentations import AUGMENTATIONS
from hsitf.train.averaging import average_weights, averaged_weights
from hsitf.train.compilation import build_network, compile_model
from hsitf.train.gather import PatchChanges, gather_model, patch_views
from hsitf.train.normalized_bands import NormalizedBands, band_noise
from hsitf.train.run import train
from hsitf.train.sampling import (
    WEIGHT_PARTS,
    balanced_order,
    draw_mixup,
    draw_neighbors,
    mix,
)
from hsitf.train.schedule import EpochLengths, StepFactor, next_learning_rate
from hsitf.zoo import Recipe

BANDS = 5
AXIS = NormalizedBands(
    origin=np.array([4, 4, 2, 1, 8], np.float32),
    scale=np.array([1, 2, 4, 2, 1], np.float32),
    position=np.linspace(-1, 1, BANDS).astype(np.float32),
    noise=np.array([0.1, 0.1, 0.5, 0.1, 0.1], np.float32),
    reach=np.array([1, 1, 1, 0.25], np.float32),
)
SENSOR = AXIS.scale * AXIS.origin
MANY = np.random.default_rng(0).normal(size=(3000, 3, 3, BANDS)).astype(np.float32)


def changed(name: str, strength: float, patches: np.ndarray = MANY, **more) -> np.ndarray:
    keras.utils.set_random_seed(0)
    return np.asarray(PatchAugmentation({name: strength}, AXIS)(patches, training=True, **more))


def in_units(patches: np.ndarray) -> np.ndarray:
    return patches * AXIS.scale + SENSOR


PAPER = RecipeOptions()


def plan(network: str = "hu", recipe: RecipeOptions = PAPER, **training) -> TrainingPlan:
    return training_plan(
        network,
        SceneChoice("tiny.npy"),
        SplitChoice(patch=training.pop("patch", None)),
        "full",
        recipe,
        TrainingOptions(**training),
    )


# --- Augmentations --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_augmentation_keeps_shape_and_finite_numbers_and_draws_anew(name):
    more = {"neighbors": MANY[::-1]} if name == "neighbor" else {}
    seen = changed(name, AUGMENTATIONS[name].strength, **more)
    assert seen.shape == MANY.shape
    assert seen.dtype == np.float32
    assert np.isfinite(seen).all()
    assert (seen != MANY).any()
    np.testing.assert_array_equal(seen, changed(name, AUGMENTATIONS[name].strength, **more))
    layer = PatchAugmentation({name: 1e-9}, AXIS)
    np.testing.assert_array_equal(layer(MANY, **more), MANY)


@pytest.mark.parametrize(
    ("name", "gain"),
    [
        ("brightness", np.ones(BANDS)),
        ("slope", AXIS.position),
        ("curvature", 2 * AXIS.position**2 - 1),
    ],
)
def test_light_is_a_gain_in_the_sensors_units(name, gain):
    ratio = in_units(changed(name, 0.2)) / in_units(MANY)
    safe = np.abs(in_units(MANY)) > 0.5
    amount = np.where(safe, ratio - 1, 0)[:, 0, 0]
    # Every band has the same random number times its gain.
    number = amount[:, :1] / gain[0]
    kept = safe[:, 0, 0].all(1)
    np.testing.assert_allclose(amount[kept], (number * gain)[kept], atol=2e-4)
    assert 0.19 < np.abs(number[kept]).max() < 0.201


def test_noise_has_each_bands_level():
    still = np.zeros_like(MANY)
    found = changed("noise", 2.0, still).std(axis=(0, 1, 2))
    # The mean square of a uniform number from 0 to 2 is 4 / 3.
    np.testing.assert_allclose(found, AXIS.noise * math.sqrt(4 / 3), rtol=0.05)


def test_a_shift_interpolates_in_the_sensors_units():
    before, after = in_units(MANY[:, 0, 0]), in_units(changed("shift", 0.5)[:, 0, 0])
    # A line over the bands stays on the line, whichever way it is moved, but across the gap.
    moved = (after - before)[:, 1] / (before[:, 2] - before[:, 1])
    up = (after[:, 0] != before[:, 0]) & (np.abs(before[:, 2] - before[:, 1]) > 0.5)
    assert up.any()
    assert moved[up].min() > -1e-4
    assert 0.45 < moved[up].max() <= 0.5001
    across = ((after - before)[:, 3] / (before[:, 4] - before[:, 3]))[up]
    np.testing.assert_allclose(across, 0.25 * moved[up], atol=2e-3)
    # Towards the next band the last one has none, and towards the one before the first has none.
    assert ((after[:, 0] == before[:, 0]) ^ (np.abs(after - before)[:, 4] < 1e-4)).mean() > 0.95


def test_missing_bands_and_blocks_are_the_mean():
    ones = np.ones((4000, 3, 3, 40), np.float32)
    wide = replace(AXIS, origin=np.zeros(40, np.float32))
    keras.utils.set_random_seed(0)
    single = np.asarray(PatchAugmentation({"missing-bands": 0.1}, wide)(ones, training=True))
    assert set(np.unique(single)) == {0, 1}
    assert abs((single == 0).mean() - 0.1) < 0.01
    np.testing.assert_array_equal(single.min(axis=(1, 2)), single.max(axis=(1, 2)))
    block = np.asarray(PatchAugmentation({"missing-block": 0.5}, wide)(ones, training=True))
    rows = block[:, 0, 0]
    assert abs((rows.min(axis=1) == 1).mean() - 0.5) < 0.05
    assert 18 <= (rows == 0).sum(axis=1).max() <= 20
    # One block: it begins and ends at most once.
    assert (np.diff(rows, axis=1) != 0).sum(axis=1).max() <= 2


@pytest.mark.parametrize("side", [4, 5])
def test_borders_are_cut_out_in_rings(side):
    ones = np.ones((2000, side, side, BANDS), np.float32)
    kept = {int(one.sum()) for one in changed("border", 1.0, ones)[..., 0]}
    assert kept == ({1, 9} if side == 5 else {4})
    some = (changed("border", 0.3, ones).min(axis=(1, 2, 3)) == 0).mean()
    assert abs(some - 0.3) < 0.04


def test_center_only_patches_have_one_spectrum():
    seen = changed("center", 0.25)
    flat = (seen == seen[:, :1, :1]).all(axis=(1, 2, 3))
    assert abs(flat.mean() - 0.25) < 0.04
    np.testing.assert_allclose(seen[flat][:, 0, 0], MANY[flat][:, 1, 1], rtol=1e-6)
    np.testing.assert_array_equal(seen[~flat], MANY[~flat])


def test_neighbors_are_mixed_by_a_share():
    seen = changed("neighbor", 0.4, np.zeros_like(MANY), neighbors=np.ones_like(MANY))
    assert 0 <= seen.min() < 0.01
    assert 0.39 < seen.max() <= 0.4


def test_noise_is_found_beside_a_smooth_spectrum():
    generator = np.random.default_rng(0)
    smooth = generator.normal(size=(5000, 1)) * np.ones(8)
    found = band_noise((smooth + 0.2 * generator.normal(size=(5000, 8))).astype(np.float32))
    np.testing.assert_allclose(found, 0.2, rtol=0.05)
    assert band_noise(np.ones((3, 1), np.float32)).tolist() == [0]


def test_the_axis_of_a_scene(tiny):
    ready = data.prepare(tiny, plan().split)
    axis = NormalizedBands.of(ready)
    spectra = ready.patches.extract(ready.split.train)[:, 0, 0]
    np.testing.assert_array_equal(axis.noise, band_noise(spectra))
    assert (axis.position.min(), axis.position.max()) == (-1, 1)
    restored = (spectra + axis.origin) * axis.scale
    np.testing.assert_allclose(
        restored, tiny.cube.reshape(-1, 24)[ready.split.train], rtol=1e-4, atol=1e-4
    )


# --- What is drawn before an epoch ----------------------------------------------------------------


@pytest.mark.parametrize(("balance", "shares"), [(0, (64, 16)), (0.5, (53, 27)), (1, (40, 40))])
def test_balanced_orders_by_hand(balance, shares):
    pixels = np.arange(80)
    classes = (pixels >= 64).astype(np.int32)
    order = balanced_order(pixels, classes, balance, np.random.default_rng(0))
    assert np.bincount(classes[order]).tolist() == list(shares)
    shown = np.bincount(order, minlength=80)
    for label in (0, 1):
        assert np.ptp(shown[classes == label]) <= 1


def test_mixtures_of_targets():
    rows, parts = draw_mixup(500, 0.4, np.random.default_rng(0))
    assert sorted(rows) == list(range(500))
    assert WEIGHT_PARTS / 2 <= parts.min() <= parts.max() <= WEIGHT_PARTS
    targets = np.eye(5, dtype=np.float32)[np.arange(500) % 5]
    mixed = mix(targets, rows, parts)
    np.testing.assert_allclose(mixed.sum(axis=1), 1, rtol=1e-6)
    own = parts[0] / WEIGHT_PARTS
    np.testing.assert_allclose(mixed[0], own * targets[0] + (1 - own) * targets[rows[0]], rtol=1e-6)


def test_patches_are_mixed_as_their_targets(tiny):
    ready = data.prepare(tiny, plan().split)
    inputs = keras.Input((1, 1, 24))
    network = keras.Model(inputs, keras.layers.Flatten()(inputs))
    model = gather_model(network, ready.patches, changes=PatchChanges(mixup=True))
    views = np.array([[50, 0, 90, WEIGHT_PARTS // 4]], np.int32)
    spectra = ready.patches.extract(np.array([50, 90]))[:, 0, 0]
    found = np.asarray(model(views, training=True))[0]
    np.testing.assert_allclose(found, 0.25 * spectra[0] + 0.75 * spectra[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(model(views))[0], spectra[0])


def test_neighbors_are_training_pixels_of_the_same_image():
    known, images = np.arange(0, 24, 2), np.array([0, 0, 1, 1])
    for seed in range(20):
        found = draw_neighbors(known, known, images, 6, np.random.default_rng(seed))
        assert np.isin(found, known).all()
        apart = np.abs(np.stack(np.divmod(known, 6)) - np.stack(np.divmod(found, 6)))
        assert apart.max() <= 1
        assert (images[found // 6] == images[known // 6]).all()


# --- Learning rate, averages, decay ---------------------------------------------------------------


def test_warm_up_and_cosine_by_hand():
    recipe = Recipe("adam", 0.1, epochs=10, warmup=0.2, cosine_decay=True)
    assert next_learning_rate([None] * 5, recipe) == 0.1
    # Epochs of two steps: four steps of warm-up, then half a cosine over sixteen.
    factor = StepFactor(recipe, EpochLengths(2, 2, 10))
    cosine = [(1 + math.cos(math.pi * step / 16)) / 2 for step in range(16)]
    found = [float(factor(step)) for step in range(20)]
    assert found == pytest.approx([0.25, 0.5, 0.75, 1, *cosine], abs=1e-6)
    # Epochs of four steps from the sixth on; those before the second do not count.
    longer = EpochLengths(2, 4, 5, 1)
    assert [float(longer.epochs(step)) for step in (0, 3, 9, 10, 12, 14)] == [
        0,
        0.5,
        3.5,
        4,
        4.5,
        5,
    ]
    assert [longer.steps(epochs) for epochs in (0, 5, 7)] == [0, 10, 18]


def test_the_rate_moves_inside_the_step(tiny):
    asked = plan("hu", RecipeOptions(epochs=2, learning_rate=0.1, batch_size=50, warmup=0.5))
    ready = data.prepare(tiny, asked.split)
    model = compile_model(build_network(asked, ready), asked, ready, None)
    steps = -(-len(ready.split.train) // 50)
    seen = []
    for _step in range(steps + 1):
        seen.append(float(model.optimizer.learning_rate))
        model.train_on_batch(
            patch_views(ready.split.train[:50]), ready.targets(ready.split.train[:50])
        )
    assert seen == pytest.approx([0.1 * min(1, (step + 1) / steps) for step in range(steps + 1)])


def test_only_kernels_decay_apart_from_the_gradient(tiny):
    asked = plan(recipe=RecipeOptions(decoupled_weight_decay=0.5, learning_rate=0.1))
    ready = data.prepare(tiny, asked.split)
    network = build_network(asked, ready)
    model = compile_model(network, asked, ready, None)
    before = network.get_weights()
    zeros = [keras.ops.zeros(v.shape) for v in model.trainable_variables]
    model.optimizer.learning_rate = 0.1
    model.optimizer.apply(zeros)
    for then, now in zip(before, network.get_weights(), strict=True):
        factor = 0.95 if then.ndim > 1 else 1.0
        np.testing.assert_allclose(now, then * factor, rtol=1e-5)


def test_averages_are_evaluated_and_training_goes_on(tiny):
    inputs = keras.Input((3, 3, 24))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(inputs))
    network = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(x)))
    ready = data.prepare(tiny, replace(plan().split, patch=3))
    model = gather_model(network, ready.patches)
    chosen = keras.optimizers.SGD(0.1)
    average_weights(chosen, 2.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(chosen, loss)
    views, targets = patch_views(ready.split.train[:40]), ready.targets(ready.split.train[:40])
    kernel, expected = network.layers[1].kernel, None
    for _ in range(4):
        model.fit(views, targets, batch_size=40, verbose=0)
        now = np.array(kernel)
        keep = math.exp(-1 / 2)
        expected = now if expected is None else keep * expected + (1 - keep) * now
    before = network.get_weights()
    with averaged_weights(network, model, ready):
        np.testing.assert_allclose(np.array(kernel), expected, rtol=1e-4, atol=1e-6)
        convolved = network.layers[1](ready.patches.extract(ready.split.train))
        mean = np.asarray(convolved).mean(axis=(0, 1, 2))
        np.testing.assert_allclose(network.layers[2].moving_mean, mean, atol=0.05)
        assert network.layers[2].momentum == 0.99
    for then, after in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(then, after)


# --- Options --------------------------------------------------------------------------------------


def test_the_paper_recipe_has_nothing_of_it():
    asked = plan()
    assert (asked.recipe_name, asked.augmentations) == ("paper", ())
    assert asked.mixup == asked.balanced_sampling == 0
    old = _adapter(TrainingPlan).dump_python(asked, mode="json")
    for name in ("recipe_name", "augmentations", "mixup", "balanced_sampling"):
        del old[name]
    for name in (
        "decoupled_weight_decay",
        "warmup",
        "cosine_decay",
        "label_smoothing",
        "ema_epochs",
    ):
        del old["recipe"][name]
    assert _adapter(TrainingPlan).validate_python(old, strict=False) == asked


def test_the_robust_recipe_takes_what_the_input_has():
    spectra, patches = plan(recipe_name="robust"), plan("cao", recipe_name="robust")
    assert "border" not in dict(spectra.augmentations)
    assert dict(patches.augmentations) == {
        "neighbor": 0.2,
        "noise": 1.0,
        "border": 0.5,
        "center": 0.1,
    }
    # Batches of 100, 40 and 200; the papers of the last two take far less.
    for network, rate in {"hu": 1e-3, "he": 1e-3, "santara": 2e-3, "nn": 1e-4, "liu": 1e-4}.items():
        asked = plan(network, recipe_name="robust").recipe
        assert asked.learning_rate == pytest.approx(rate)
    assert spectra.recipe.cosine_decay
    reduced = training_plan(
        "cao",
        SceneChoice("tiny.npy"),
        SplitChoice(),
        "full",
        training=TrainingOptions(recipe_name="robust"),
        bands="pca:3",
    )
    assert set(dict(reduced.augmentations)) == {"border", "center"}
    decoder = plan("boulch", recipe_name="robust")
    assert (decoder.augmentations, decoder.mixup, decoder.recipe.label_smoothing) == ((), 0, 0)
    chosen = plan(recipe_name="robust", augmentations=("none", "noise=0.5"))
    assert chosen.augmentations == (("noise", 0.5),)
    assert plan(augmentations={"shift": 0.25}).augmentations == (("shift", 0.25),)


@pytest.mark.parametrize(
    ("training", "words"),
    [
        ({"recipe_name": "robst"}, "unknown recipe 'robst'; .*robust"),
        ({"augmentations": ("bright",)}, "unknown augmentation 'bright'.*brightness"),
        ({"augmentations": ("noise=lots",)}, "strength of noise is not a number"),
        ({"augmentations": ("noise=nan",)}, "strength of noise is out of range"),
        ({"augmentations": ("brightness=-0.1",)}, "allowed: numbers from 0 to 0.9"),
        ({"augmentations": ("border",)}, "border changes what is around a pixel"),
        ({"augmentations": ("noise",), "brightness_noise": True}, "in two ways"),
        ({"class_weights": True, "balanced_sampling": 0.5}, "--class-weights with --balanced"),
        ({"balanced_sampling": 1.5}, "balanced sampling is out of range"),
        ({"mixup": math.inf}, "mixup is out of range"),
        ({"recipe": RecipeOptions(weight_decay=0.1), "recipe_name": "robust"}, "in two ways"),
        ({"recipe": RecipeOptions(warmup=0.9)}, "warmup is out of range"),
    ],
)
def test_what_contradicts_or_is_none_is_refused(training, words):
    with pytest.raises(InputError, match=words):
        plan(**training)


def test_spectra_of_reduced_bands_are_not_changed():
    with pytest.raises(InputError, match="whose components are no bands"):
        training_plan(
            "cao",
            SceneChoice("tiny.npy"),
            SplitChoice(),
            "full",
            training=TrainingOptions(augmentations=("slope",)),
            bands="pca:3",
        )


def test_decoders_and_baselines_refuse_it(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("tiny.npy", tiny.cube)
    np.save("labels.npy", tiny.labels)
    asked = plan("boulch", mixup=0.2)
    own = replace(asked, scene=SceneChoice("tiny.npy", labels="labels.npy"))
    with pytest.raises(InputError, match="learns from unlabelled pixels"):
        train(own, None, Silent())
    assert not (tmp_path / "models").exists()
    with pytest.raises(InputError, match="learns from unlabelled pixels"):
        loop.fit(asked, data.prepare(tiny, asked.split), tmp_path / "state.npz", Silent())
    with pytest.raises(InputError, match="fitted by scikit-learn"):
        plan("svm", recipe_name="robust")


# --- Whole runs -----------------------------------------------------------------------------------


class Interrupting(Silent):
    def advance(self, steps: int = 1, note: str = "") -> None:
        if note.startswith("epoch 3/"):
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("network", "patch", "more"),
    [
        ("hu", 1, {"balanced_sampling": 0.5, "pseudo_labels": 0.4}),
        ("li", 5, {"class_weights": True, "intra_class_mixup": True}),
    ],
)
def test_with_every_part_it_resumes_bit_by_bit(tiny, tmp_path, monkeypatch, network, patch, more):
    changes = RecipeOptions(epochs=4, batch_size=50)
    asked = plan(network, changes, patch=patch, recipe_name="robust", **more)
    ready = data.prepare(tiny, asked.split)
    whole = loop.fit(asked, ready, tmp_path / "whole", Silent())
    monkeypatch.setattr(loop, "SAVE_EVERY", 0)
    with pytest.raises(KeyboardInterrupt):
        loop.fit(asked, ready, tmp_path / "cut", Interrupting())
    resumed = loop.fit(asked, ready, tmp_path / "cut", Silent())
    assert [e.loss for e in whole.history] == [e.loss for e in resumed.history]
    assert whole.history[-1].loss < whole.history[0].loss
    for then, now in zip(whole.network.get_weights(), resumed.network.get_weights(), strict=True):
        np.testing.assert_array_equal(then, now)


def test_the_paper_recipe_draws_what_it_drew(tiny, tmp_path, monkeypatch):
    """Order and orientation of every epoch by hand, and no layer of the new parts in the step."""
    asked = plan("hu", RecipeOptions(epochs=2))
    ready = data.prepare(tiny, asked.split)
    seen = []
    original = keras.Model.fit

    def recording(model, views, targets, **given):
        seen.append((views, targets, [layer.name for layer in model.layers]))
        return original(model, views, targets, **given)

    monkeypatch.setattr(keras.Model, "fit", recording)
    loop.fit(asked, ready, tmp_path / "state", Silent())
    for epoch, (views, targets, layers) in enumerate(seen):
        generator = np.random.default_rng((asked.seed, epoch))
        order = generator.permutation(ready.split.train)
        np.testing.assert_array_equal(views, patch_views(order, generator))
        np.testing.assert_array_equal(targets, ready.targets(order))
        assert layers == ["view", "gather", "hu"]


def test_the_verb_trains_by_it(shell):
    done = shell(
        "train",
        *("--model", "hu", "--recipe", "robust", "--epochs", "3", "--augment", "shift=0"),
        *("--balanced-sampling", "0.5", *shell.SCENE),
    )
    assert done.returncode == 0, done.stderr
    folder = shell.folder / "models/tiny/hu/disjoint-custom-robust-seed0"
    card = (folder / "README.md").read_text()
    assert "Recipe robust: decoupled weight decay 0.05" in card
    assert "balanced sampling 0.5" in card
    assert "augmentation shift" not in card
