"""hsitf in Python: the README's lines, what they return, and what they refuse."""

from __future__ import annotations

import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import rasterio
from conftest import ROOT
from keras import layers

import hsitf
from hsitf.bounds import Bounds
from hsitf.errors import HsitfError, InputError, VerificationError

RNG = np.random.default_rng(0)


def readme_lines() -> str:
    """The first block of Python in the README."""
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[:1]
    return block


@pytest.fixture(scope="module")
def folder(shell):
    """The tests' folder with the tiny scene in it, as the working directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shell.folder)
        yield shell.folder


@pytest.fixture(scope="module")
def scene(folder):
    return hsitf.load_scene("tiny.npy", labels="labels.npy")


@pytest.fixture(scope="module")
def run(scene):
    return hsitf.train_network("hu", scene, epochs=30, batch_size=20, learning_rate=0.05)


@pytest.fixture(scope="module")
def bundle(run):
    return run.export("float32")


def test_the_readmes_lines_run_on_a_small_scene(folder):
    """The same lines, with a smaller scene, network and bound so that they take seconds."""
    text = readme_lines()
    small = (
        text.replace('"fields"', '"tiny.npy", labels="labels.npy"')
        .replace(
            '"cao", scene, recipe="robust", epochs=12',
            '"hu", scene, epochs=30, batch_size=20, learning_rate=0.05',
        )
        .replace("max_drop=0.5", "max_drop=5")
    )
    assert small.count("tiny.npy") == small.count("epochs=30") == small.count("max_drop=5") == 1
    exec(small, {})
    with rasterio.open("map.tif") as file:
        assert file.read(1).shape == (40, 40)
        assert file.read(1).min() >= 1


@pytest.mark.slow
def test_the_readmes_lines_run_as_they_stand(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", readme_lines()],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "map.tif").is_file()


def test_importing_is_instant_and_lists_what_there_is():
    code = "import hsitf, sys; print(sorted({'numpy', 'keras'} & set(sys.modules)), dir(hsitf))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("[] ")
    for name in hsitf.__all__:
        assert f"'{name}'" in done.stdout
        assert getattr(hsitf, name).__doc__


def test_names_do_not_hide_the_packages():
    for verb in ("export", "train", "prune", "classify"):
        assert verb not in hsitf.__all__
    with pytest.raises(AttributeError, match="no attribute 'exprot'"):
        getattr(hsitf, "exprot")  # noqa: B009


def test_a_scene_says_what_is_in_it(scene, tiny):
    assert repr(scene).startswith("LoadedScene('tiny': 40 x 40 pixels, 24 bands, 4 classes, ")
    np.testing.assert_array_equal(scene.cube, tiny.cube)
    np.testing.assert_array_equal(scene.labels, tiny.labels)
    counts = [int((tiny.labels == number).sum()) for number in range(1, 5)]
    assert list(scene.class_counts.values()) == counts
    assert scene._repr_html_().count("<tr>") == 5
    assert "data:image/png;base64," in scene._repr_html_()


def test_a_run_is_that_of_the_verb(run, scene):
    assert run.folder.as_posix() == "models/tiny/hu/disjoint-custom-seed0"
    assert run.scores.oa == run.record.scores.oa
    assert f"OA {run.scores.oa:.2%}" in repr(run)
    again = hsitf.load_run(run.folder)
    assert again.record == run.record
    patches = RNG.normal(size=(2, 1, 1, 24)).astype(np.float32)
    assert run.model(patches).shape == (2, 4)


def test_pruning_leaves_the_share_that_is_asked_for(run):
    small = run.prune(macs=0.5, criterion="l1", epochs=1, run="half", threads=None)
    pruning = small.record.pruning
    assert pruning.after.macs <= 0.5 * pruning.before.macs
    assert "pruned to macs 0.5 by l1" in repr(small)


def test_a_bundle_computes_what_its_network_does(bundle, run):
    patches = RNG.normal(size=(3, 1, 1, 24)).astype(np.float32)
    np.testing.assert_allclose(bundle.predict(patches), run.model(patches), atol=1e-4)
    assert "hu" in repr(bundle)
    assert hsitf.load_bundle(bundle.folder).record == bundle.record


def test_a_refused_file_raises_and_is_not_published(run, monkeypatch, tmp_path):
    def check(self, bounds, name, hint=""):
        raise VerificationError(f"{name} is refused", received="a test", remedy="go on")

    monkeypatch.setattr("hsitf.verify.Verification.check", check)
    with pytest.raises(ValueError, match="hu-float32 is refused; received: a test; go on"):
        run.export("float32", out=tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("suffix", [".tif", ".png", ".hdr"])
def test_maps_are_saved_in_every_format(bundle, scene, tmp_path, suffix):
    found = bundle.classify(scene)
    assert found.labels.shape == (40, 40)
    assert found.save(tmp_path / f"map{suffix}").is_file()
    with pytest.raises(InputError, match="exists"):
        found.save(tmp_path / f"map{suffix}")
    found.save(tmp_path / f"map{suffix}", overwrite=True)


def test_a_run_classifies_and_is_scored_on_its_test_pixels(run, scene):
    found = run.classify(scene, engine="keras")
    assert found.test_scores.oa == pytest.approx(run.scores.oa)
    assert f"OA {found.test_scores.oa:.2%} on test pixels" in repr(found)


def test_classifying_leaves_nothing_behind(bundle, scene, folder):
    before = sorted(path.name for path in folder.iterdir())
    bundle.classify(scene)
    assert sorted(path.name for path in folder.iterdir()) == before


# --- models in memory ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((5, 5, 8))
    for layer in (
        layers.Conv2D(16, 3, activation="relu"),
        layers.Conv2D(12, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(3),
    ):
        x = layer(x)
    return keras.Model(inputs, x)


PATCHES = RNG.normal(size=(64, 5, 5, 8)).astype(np.float32)


def test_a_model_is_pruned_by_ratio_and_by_cost(model):
    assert hsitf.prune_model(model, 0.5).layers[1].filters == 8
    small = hsitf.prune_model(model, parameters=0.5)
    assert small.count_params() <= 0.5 * model.count_params()
    assert model.layers[1].filters == 16


@pytest.mark.parametrize("targets", [{}, {"ratio": 0.5, "macs": 0.5}, {"macs": 1, "bytes": 1}])
def test_one_target_is_needed(model, targets):
    with pytest.raises(InputError, match="one target of pruning is needed"):
        hsitf.prune_model(model, **targets)


def test_a_model_is_lowered_quantized_and_verified(model, tmp_path):
    lowered = hsitf.lower_model(model, batch=2)
    np.testing.assert_allclose(lowered(PATCHES[:2]), model(PATCHES[:2]), atol=1e-4)
    path = hsitf.quantize_model(model, PATCHES, tmp_path / "model.tflite")
    found = hsitf.verify_file(path, model, PATCHES)
    assert found.agreement >= 0.9
    assert found.reference.oa == 1.0
    assert found.scores.oa == found.agreement
    found.check(Bounds(0.9, None, 10.0), "model")


def test_a_network_is_built_without_a_scene():
    assert hsitf.build_network("hu", bands=24, classes=4).output_shape == (None, 4)


WRONG = PATCHES[..., :5]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, p: hsitf.quantize_model(m, WRONG, p), "do not fit the network"),
        (lambda m, p: hsitf.quantize_model(m, PATCHES[:0], p), "do not fit the network"),
        (lambda m, p: hsitf.quantize_model(m, PATCHES * np.nan, p), "hold NaN"),
        (lambda m, p: hsitf.quantize_model(m, PATCHES, p.with_suffix(".onnx")), "ends in .tflite"),
        (lambda m, p: hsitf.quantize_model("x", PATCHES, p), "no functional Keras model"),
        (lambda m, p: hsitf.prune_model("x", 0.5), "no functional Keras model"),
        (lambda m, p: hsitf.lower_model(m, batch=0), "out of range"),
        (lambda m, p: hsitf.lower_model(m, tile=8, batch=2), "contradict"),
        (lambda m, p: hsitf.lower_model(m, arithmetic="gpu"), "unknown arithmetic"),
        (lambda m, p: hsitf.prune_model(m, 0.5, samples=(PATCHES, [9] * 64)), "out of range"),
        (lambda m, p: hsitf.prune_model(m, 0.5, samples=(PATCHES, [0])), "one class a sample"),
        (lambda m, p: hsitf.verify_file(p, m, PATCHES), "there is no file"),
        (lambda m, p: hsitf.train_network("hu", np.zeros((2, 2, 2))), "this is no scene"),
        (lambda m, p: hsitf.train_network("hu", epochs=1.5), "whole number"),
        (lambda m, p: hsitf.train_network("hu", epochs="3"), "not a number"),
        (lambda m, p: hsitf.classify_scene("x"), "nothing that classifies"),
    ],
)
def test_wrong_arguments_are_refused(model, tmp_path, call, message):
    with pytest.raises(InputError, match=message):
        call(model, tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())


def test_one_name_may_be_given_by_itself(model):
    names = [layer.name for layer in model.layers[1:3]]
    small = hsitf.prune_model(model, 0.5, ignore=names[0])
    assert [layer.filters for layer in small.layers[1:3]] == [16, 6]


def test_numpys_own_floats_are_taken(model, tmp_path):
    path = hsitf.quantize_model(model, PATCHES.astype(np.float64), tmp_path / "model.tflite")
    assert hsitf.verify_file(path, model, PATCHES.astype(np.float64)).agreement >= 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [({"run": "../../evil"}, "cannot have this name"), ({"threads": 0}, "threads is out of range")],
)
def test_a_pruning_is_refused_before_it_begins(run, options, message):
    before = sorted(run.folder.parent.iterdir())
    with pytest.raises(InputError, match=message):
        run.prune(ratio=0.5, **options)
    assert sorted(run.folder.parent.iterdir()) == before


# --- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "parts"),
    [
        (lambda: hsitf.build_network("caoo"), ValueError, ("caoo", "allowed", "did you mean cao")),
        (lambda: hsitf.load_run("nowhere"), FileNotFoundError, ("nowhere", "train a network")),
        (lambda: hsitf.load_bundle("nowhere"), FileNotFoundError, ("nowhere",)),
        (lambda: hsitf.load_scene("nowhere.tif"), FileNotFoundError, ("nowhere.tif",)),
        (lambda: hsitf.train_network("hu", seed=-1), ValueError, ("seed", "allowed: 0 to")),
        (lambda: hsitf.verify_file("a.txt", None, PATCHES), ValueError, (".txt", ".tflite")),
    ],
    ids=["network", "run", "bundle", "scene", "seed", "file"],
)
def test_errors_are_pythons_own_and_keep_their_parts(call, kind, parts):
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, HsitfError)
    for part in parts:
        assert part in str(caught.value)
