"""Networks trained with plain Keras become runs, and what was said of them is checked."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras import layers

import hsitf
from hsitf.errors import HsitfError, InputError, VerificationError
from hsitf.scenes.patches import PatchSource

PATCH = 3


@pytest.fixture(scope="module")
def folder(shell):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shell.folder)
        yield shell.folder


@pytest.fixture(scope="module")
def scene(folder):
    return hsitf.load_scene("tiny.npy", labels="labels.npy")


def labelled(scene):
    pixels = np.flatnonzero(scene.labels.ravel())
    return pixels, scene.labels.ravel()[pixels]


def normalized(scene):
    """Band by band over all pixels, as much published code does."""
    spectra = scene.cube.reshape(-1, scene.cube.shape[2])
    return ((scene.cube - spectra.mean(axis=0)) / spectra.std(axis=0)).astype(np.float32)


def patches_of(cube, pixels):
    return PatchSource.from_cube(np.ascontiguousarray(cube), PATCH).extract(pixels)


def small_3d(bands, classes):
    x = inputs = keras.Input((PATCH, PATCH, bands, 1))
    x = layers.Conv3D(6, (3, 3, 5), strides=(1, 1, 2), activation="relu", name="conv")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x), name="small3d")


def learn(model, inputs, classes, epochs=12):
    model.compile(keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy")
    model.fit(inputs, classes, epochs=epochs, batch_size=32, verbose=0)
    return model


@pytest.fixture(scope="module")
def trained(scene):
    """A 3-D network that was trained with plain Keras on all labelled pixels."""
    keras.utils.set_random_seed(0)
    pixels, classes = labelled(scene)
    patches = patches_of(normalized(scene), pixels)[..., None]
    return learn(small_3d(scene.cube.shape[2], 4), patches, classes - 1)


@pytest.fixture(scope="module")
def adopted(trained, scene):
    return hsitf.adopt_network(trained, scene, statistics="scene")


def test_a_model_in_memory_becomes_a_run(trained, scene, adopted):
    assert adopted.folder.as_posix() == "models/tiny/small3d/disjoint-adopted-seed0"
    record = adopted.record.adopted
    assert (record.source, record.framework) == ("a model in memory", "Keras 3")
    assert record.inputs == ("rows, cols, bands, 1",)
    assert record.preprocessing == "band-standard over all pixels of the scene"
    assert record.remarks == ("the softmax at the end was left out: outputs are logits",)
    assert record.class_order == (1, 2, 3, 4)
    pixels, _ = labelled(scene)
    expected = trained.predict(patches_of(normalized(scene), pixels)[..., None], verbose=0)
    logits = adopted.model.predict(adopted.run.data().patches.extract(pixels), verbose=0)
    np.testing.assert_allclose(np.asarray(keras.activations.softmax(logits)), expected, atol=1e-4)
    assert adopted.scores.oa > 0.8


def test_what_it_was_trained_on_is_not_known(adopted):
    assert adopted.record.split.leakage_patch is None
    assert "leakage not known (trained elsewhere)" in repr(adopted)
    card = (adopted.folder / "README.md").read_text()
    assert "it may have seen the test pixels" in card
    assert "not known: it was trained elsewhere" in card


def test_with_its_training_map_the_leakage_is_known(trained, scene):
    training = np.where(np.arange(40) < 20, scene.labels, 0)
    np.save("training.npy", training)
    run = hsitf.adopt_network(
        trained, scene, statistics="scene", split="fixed", train_map="training.npy", run="known"
    )
    assert run.record.split.leakage_patch > 0
    assert run.record.split.train + run.record.split.validation == np.count_nonzero(training)


def test_it_is_thinned_and_exported_like_any_other(adopted, scene):
    thinned = adopted.prune(ratio=0.5, epochs=3, threads=None, run="half")
    assert thinned.record.parameters < 0.5 * adopted.record.parameters
    assert thinned.record.split.leakage_patch is None
    assert thinned.record.adopted.source == "a model in memory"
    bundle = adopted.export("int8", max_drop=5)
    assert bundle.record.agreement > 0.95
    assert bundle.record.leakage is None
    assert all(one.dtype == "int8" for one in bundle.record.operators if one.op == "CONV_2D")
    assert bundle.classify(scene).labels.shape == (40, 40)


def test_it_is_not_adopted_twice(trained, scene, adopted):
    with pytest.raises(InputError, match="holds a network already"):
        hsitf.adopt_network(trained, scene, statistics="scene")


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"normalize": "none"}, "--normalize band-standard"),
        ({"statistics": "scene", "reverse_bands": True}, "leave out --reverse-bands"),
        ({"statistics": "scene", "class_order": (2, 3, 4, 1)}, "leave out --class-order"),
    ],
)
def test_a_common_mistake_is_named(trained, scene, options, advice):
    """In the message where nothing is adopted, or in the record where it is above chance."""
    name = "wrong-" + "-".join(options)
    try:
        run = hsitf.adopt_network(trained, scene, run=name, **options)
        said = " ".join(run.record.adopted.remarks)
    except VerificationError as error:
        said = error.remedy
    assert advice in said


def renumbered(trained, order):
    """The same network with its outputs in another order: output i is class order[i]."""
    twin = keras.models.clone_model(trained)
    weights = trained.get_weights()
    source = [one - 1 for one in order]
    twin.set_weights([*weights[:-2], weights[-2][:, source], weights[-1][source]])
    return twin


def test_classes_numbered_from_the_last_one(trained, scene):
    twin = renumbered(trained, [4, 1, 2, 3])
    with pytest.raises(VerificationError, match="the last one as 0") as caught:
        hsitf.adopt_network(twin, scene, statistics="scene", run="shifted")
    assert "--class-order 4,1,2,3" in caught.value.remedy
    run = hsitf.adopt_network(
        twin, scene, statistics="scene", class_order=[4, 1, 2, 3], run="shifted"
    )
    assert run.record.adopted.class_order == (4, 1, 2, 3)
    assert run.scores.oa > 0.8


def test_classes_numbered_backwards(trained, scene):
    twin = renumbered(trained, [4, 3, 2, 1])
    with pytest.raises(VerificationError, match=r"reversed\) gives") as caught:
        hsitf.adopt_network(twin, scene, statistics="scene", run="backwards")
    assert "--class-order 4,3,2,1" in caught.value.remedy
    assert "validation pixels" in caught.value.received


def test_bands_in_front_and_reversed(scene):
    pixels, classes = labelled(scene)
    patches = patches_of(normalized(scene)[..., ::-1], pixels)
    x = inputs = keras.Input((24, PATCH, PATCH))
    x = layers.Flatten()(layers.Permute((2, 3, 1))(x))
    model = keras.Model(inputs, layers.Dense(4)(layers.Dense(24, activation="relu")(x)))
    model.compile(
        keras.optimizers.Adam(3e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(patches.transpose(0, 3, 1, 2), classes - 1, epochs=12, batch_size=32, verbose=0)
    run = hsitf.adopt_network(
        model,
        scene,
        statistics="scene",
        reverse_bands=True,
        name="reversed",
        normalize="none",
        accept_chance=True,
    )
    assert "band-standard" in " ".join(run.record.adopted.remarks)
    good = hsitf.adopt_network(
        model, scene, statistics="scene", reverse_bands=True, name="reversed", run="good"
    )
    assert good.record.adopted.inputs == ("bands, rows, cols",)
    assert good.scores.oa > 0.8
    assert good.record.bands.selected == tuple(range(23, -1, -1))
    exported = good.export("float32", fold_preprocessing=True)
    raw = PatchSource.from_cube(scene.cube, PATCH).extract(pixels[:50])
    logits = good.model.predict(good.run.data().patches.extract(pixels[:50]), verbose=0)
    np.testing.assert_allclose(exported.predict(raw), logits, atol=1e-3)


def test_two_inputs_and_a_class_for_background(scene):
    """The spectrum of the center beside a patch, trained with 0 for unlabelled pixels."""
    keras.utils.set_random_seed(0)
    everywhere = np.arange(scene.labels.size)
    patches = patches_of(normalized(scene), everywhere)
    spectrum, patch = keras.Input((24, 1), name="spectrum"), keras.Input((PATCH, PATCH, 24))
    a = layers.Conv1D(4, 5, activation="relu")(spectrum)
    b = layers.Conv2D(4, 2, activation="relu")(patch)
    x = layers.Concatenate()([layers.Flatten()(a), layers.Flatten()(b)])
    model = keras.Model([spectrum, patch], layers.Dense(5, activation="softmax")(x), name="two")
    learn(model, [patches[:, 1, 1, :, None], patches], scene.labels.ravel(), 8)
    run = hsitf.adopt_network(model, scene, statistics="scene")
    assert run.record.adopted.inputs == ("bands, 1", "rows, cols, bands")
    assert run.record.adopted.class_order == (0, 1, 2, 3, 4)
    assert "output 1 of 5 was removed: it is no class of tiny" in run.record.adopted.remarks
    assert run.model.output_shape == (None, 4)
    assert run.scores.oa > 0.8
    with pytest.raises(VerificationError, match="no better than chance") as caught:
        hsitf.adopt_network(model, scene, statistics="scene", background="last", run="last")
    assert "give --background first" in caught.value.remedy
    thinned = run.prune(macs=0.7, epochs=1, threads=None)
    assert thinned.export("int8", max_drop=20).record.bytes < 40_000


def test_a_network_of_nothing_is_no_better_than_chance(scene):
    model = keras.Sequential([keras.Input((24,)), layers.Dense(4)], name="fresh")
    model.set_weights([np.zeros((24, 4)), np.array([1.0, 0, 0, 0])])
    with pytest.raises(VerificationError, match=r"none of .* usual readings explains it"):
        hsitf.adopt_network(model, scene)
    run = hsitf.adopt_network(model, scene, accept_chance=True)
    assert run.scores.kappa == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "cao"}, "there is a network 'cao' in the zoo"),
        ({"name": "a/b"}, "cannot have this name"),
        ({"patch": 5}, "patches of another size"),
        ({"bands": "pca:5"}, "takes other numbers than this scene has"),
        ({"input_axes": "rows,cols,bands"}, "not those that were named"),
        ({"run": "../x"}, "a run cannot have this name"),
    ],
)
def test_options_that_do_not_fit(trained, scene, options, message):
    with pytest.raises(HsitfError, match=message):
        hsitf.adopt_network(trained, scene, **options)


def test_what_is_no_network(scene):
    with pytest.raises(InputError, match="no network that can be adopted"):
        hsitf.adopt_network(np.zeros(3), scene)
    with pytest.raises(InputError, match="other outputs than the scene has classes"):
        hsitf.adopt_network(keras.Sequential([keras.Input((24,)), layers.Dense(9)]), scene)


def test_the_whole_journey_as_typed(shell, trained, folder):
    trained.save(folder / "mine.keras")
    wrong = shell("adopt", "mine.keras", *shell.SCENE, "--normalize", "none")
    assert wrong.returncode == 6
    assert "give --normalize band-standard" in wrong.stderr
    done = shell("adopt", "mine.keras", *shell.SCENE, "--statistics", "scene")
    assert done.returncode == 0, done.stderr
    assert "mine on tiny" in done.stdout
    assert "Run: models/tiny/mine/disjoint-adopted-seed0." in done.stdout
    run = "models/tiny/mine/disjoint-adopted-seed0"
    assert (
        json.loads((folder / run / "record.json").read_text())["adopted"]["source"] == "mine.keras"
    )
    exported = shell("export", "--from", run, "--float32")
    assert exported.returncode == 0, exported.stderr
    assert "leakage not known" in exported.stdout


def test_it_is_found_by_its_name(shell, adopted):
    """The zoo does not know it; its runs do."""
    drawn = shell("quantize", "--model", "small3d", "--bits", "8,8,32")
    assert drawn.returncode == 0, drawn.stderr
    assert "using models/tiny/small3d/" in drawn.stderr
    missing = shell("export", "--model", "small3d", "--int8", "--scene", "fields")
    assert missing.returncode == 2
    assert "there is no run of small3d on this scene" in missing.stderr
    assert "unknown network" in shell("export", "--model", "small4d", "--int8").stderr
