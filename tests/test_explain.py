"""What networks look at: by hand, by property, and as a user asks."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras import layers

from hsitf.errors import InputError
from hsitf.explain.methods import METHODS, Question
from hsitf.explain.request import Request, bands, pixel

RNG = np.random.default_rng(0)
RUN = "models/tiny/hamida/disjoint-custom-seed0"


@pytest.fixture(scope="module")
def linear():
    """Logit 0 is 2 a - b of the pixel's two bands, logit 1 is 3 b + 1."""
    inputs = keras.Input((1, 1, 2))
    dense = layers.Dense(2)
    model = keras.Model(inputs, dense(layers.Flatten()(inputs)))
    dense.set_weights([np.array([[2, 0], [-1, 3]], np.float32), np.array([0, 1], np.float32)])
    return model


def asked(network, patches, targets):
    return Question(network, np.asarray(patches, np.float32), np.asarray(targets, np.int64))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("saliency", [[2, 1], [0, 3]]),
        ("gradient-times-input", [[2 * 5, -7], [0, 3 * -4]]),
        ("integrated-gradients", [[2 * 5, -7], [0, 3 * -4]]),
        ("smoothgrad", [[2, 1], [0, 3]]),
        ("occlusion", [[2 * 5, -7], [0, 3 * -4]]),
    ],
)
def test_a_linear_network_by_hand(linear, name, expected):
    patches = np.array([[5, 7], [6, -4]]).reshape(2, 1, 1, 2)
    found = METHODS[name](asked(linear, patches, [0, 1])).reshape(2, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_kink_by_hand():
    # relu(a - 1): on the way from 0 to 3 its slope is 0 for a third and 1 for the rest.
    inputs = keras.Input((1, 1, 1))
    dense = layers.Dense(1, activation="relu")
    model = keras.Model(inputs, dense(layers.Flatten()(inputs)))
    dense.set_weights([np.ones((1, 1), np.float32), np.array([-1], np.float32)])
    question = asked(model, np.full((1, 1, 1, 1), 3), [0])
    assert METHODS["integrated-gradients"](question).item() == pytest.approx(2, rel=0.01)
    assert METHODS["gradient-times-input"](question).item() == pytest.approx(3)
    assert METHODS["occlusion"](question).item() == pytest.approx(2)


def test_attributions_add_up():
    from hsitf import zoo

    keras.utils.set_random_seed(0)
    network = zoo.build("li", bands=24, classes=4)
    patches = RNG.normal(size=(3, 5, 5, 24)).astype(np.float32)
    question = asked(network, patches, [0, 1, 2])
    found = METHODS["integrated-gradients"](question).sum(axis=(1, 2, 3))
    expected = question.logits(patches) - question.logits(0 * patches)
    assert np.abs(found - expected).max() <= 0.01 * np.abs(expected).max()


def test_every_method_gives_the_shape_of_the_patches(linear):
    for name, explains in METHODS.items():
        found = explains(asked(linear, RNG.normal(size=(3, 1, 1, 2)), [0, 1, 0]))
        assert found.shape == (3, 1, 1, 2), name
        assert found.dtype == np.float32


def test_what_is_written():
    assert pixel("4,12") == (4, 12)
    assert pixel(None) is None
    assert bands("0, 5") == (0, 5)
    for text in ("4", "4,x", "-1,2"):
        with pytest.raises(InputError, match="row,col"):
            pixel(text)
    with pytest.raises(InputError, match="--pixel and --class"):
        Request("saliency", (1, 2), "class 1")


# --- as a user asks ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(shell):
    done = shell("train", "--model", "hamida", "--epochs", "2", *shell.SCENE)
    assert done.returncode == 0, done.stderr
    return shell.folder / f"{RUN}-explained"


def test_a_class_is_explained(shell, trained):
    words = ("--method", "integrated-gradients", "--class", "class 2", "--most", "6", "--top", "4")
    done = shell("explain", "--model", "hamida", "--from", RUN, *words)
    assert done.returncode == 0, done.stderr
    record = json.loads((trained / "integrated-gradients-class-2.json").read_text())
    assert (record["pixels"], record["classes"]) == (6, ["class 2"])
    assert sum(record["importance"]) == pytest.approx(1)
    assert record["completeness"] < 0.01
    with np.load(trained / "integrated-gradients-class-2.npz", allow_pickle=False) as arrays:
        assert arrays["attributions"].shape == (6, 5, 5, 24)
        assert len(arrays["pixels"]) == 6
    for suffix in ("png", "svg"):
        assert (trained / f"integrated-gradients-class-2.{suffix}").stat().st_size > 1000
    chosen = ",".join(map(str, sorted(record["top"])))
    assert f"--bands select:{chosen}" in done.stdout


def test_a_pixel_is_explained_as_the_network_calls_it(shell, trained):
    done = shell("explain", "--model", "hamida", "--from", RUN, "--pixel", "3,4", "--show", "0,5")
    assert done.returncode == 0, done.stderr
    record = json.loads((trained / "saliency-pixel3-4.json").read_text())
    assert (record["pixels"], len(record["classes"])) == (1, 1)


def test_a_pruned_network_and_one_of_components(shell, trained):
    words = ("--model", "hamida", *shell.SCENE)
    done = shell("prune", *words, "--from", RUN, "--ratio", "0.5", "--epochs", "1")
    assert done.returncode == 0, done.stderr
    pruned = f"{RUN}-l2-ratio0.5"
    done = shell("explain", "--model", "hamida", "--from", pruned, "--most", "4")
    assert done.returncode == 0, done.stderr
    assert "saliency of all classes, 4 test pixels" in done.stdout
    done = shell("train", *words, "--epochs", "1", "--bands", "pca:6")
    assert done.returncode == 0, done.stderr
    origin = "models/tiny/hamida/disjoint-custom-pca-6-seed0"
    done = shell("explain", "--model", "hamida", "--from", origin, "--most", "4")
    assert done.returncode == 0, done.stderr
    # Of the sensor's bands, not of the components.
    path = shell.folder / f"{origin}-explained/saliency-all.json"
    assert len(json.loads(path.read_text())["importance"]) == 24


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--pixel", "40,0"), "outside the scene"),
        (("--class", "class 9"), "class"),
        (("--method", "salience"), "did you mean saliency"),
        (("--show", "24"), "no such band"),
        (("--top", "0"), "top is out of range"),
    ],
)
def test_what_cannot_be_explained_is_said(shell, trained, words, message):
    done = shell("explain", "--model", "hamida", "--from", RUN, *words)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
