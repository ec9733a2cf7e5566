from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hsitf import zoo
from hsitf.errors import DataError, InputError
from hsitf.lower import difference, lower
from hsitf.runs import Run
from hsitf.zoo import BASELINES
from hsitf.zoo._baselines import BaselineData, machines
from hsitf.zoo._baselines.forest import MAX_LEAVES, TREES
from hsitf.zoo._baselines.machines import Kernel
from hsitf.zoo._baselines.neighbors import knn_network

RNG = np.random.default_rng(0)


def lesson(classes: int = 3, pixels: int = 90, missing: int = -1) -> BaselineData:
    truth = RNG.integers(0, classes, pixels).astype(np.int32)
    truth = truth[truth != missing]
    spectra = RNG.normal(size=(len(truth), 6)).astype(np.float32)
    spectra[:, 1] += truth
    spectra[:, 4] -= 2 * truth
    return BaselineData(spectra, truth, spectra[::3], truth[::3], classes, False, 0)


def logits(network, spectra: np.ndarray) -> np.ndarray:
    return np.asarray(network.predict(spectra[:, None, None], verbose=0))


def test_machines_are_scikit_learns():
    svm = pytest.importorskip("sklearn.svm")
    given = lesson()
    found = logits(zoo.fit("svm", given), given.spectra)
    for label in range(3):
        machine = svm.SVC(C=1, gamma=1 / 6).fit(given.spectra, given.classes == label)
        np.testing.assert_allclose(
            found[:, label], machine.decision_function(given.spectra), atol=1e-4
        )


def test_nearest_neighbors_by_hand():
    spectra = np.array([[0, 0], [4, 0], [0, 3]], np.float32)
    truth = np.array([0, 1, 1], np.int32)
    network = zoo.fit("nearest", BaselineData(spectra, truth, spectra, truth, 2, False, 0))
    found = logits(network, np.array([[1, 0], [0, 2]], np.float32))
    # One step from the first point and three from the second; two from the first, one from
    # the third.
    np.testing.assert_allclose(found, [[-1, -9], [-4, -1]], atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_linear_machine_is_scikit_learns(classes):
    linear = pytest.importorskip("sklearn.linear_model")
    given = lesson(classes)
    expected = linear.SGDClassifier(random_state=0).fit(given.spectra, given.classes)
    found = logits(zoo.fit("sgd", given), given.spectra)
    np.testing.assert_array_equal(found.argmax(1), expected.predict(given.spectra))


@pytest.mark.parametrize("name", BASELINES)
def test_a_class_without_training_pixels_is_never_named(name):
    given = lesson(4, missing=2)
    network = zoo.fit(name, given)
    assert network.output_shape == (None, 4)
    assert 2 not in logits(network, given.spectra).argmax(1)


@pytest.mark.parametrize("name", BASELINES)
def test_the_second_one_is_written_down_as_the_first(name):
    """A command that goes on where it was killed has built fewer networks before."""
    given = lesson()
    first, second = (zoo.fit(name, given).to_json() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", BASELINES)
def test_they_lower_exactly(name):
    given = lesson()
    network = zoo.fit(name, given)
    error, largest = difference(network, lower(network), given.spectra[:5, None, None])
    assert error <= 1e-4 * max(1.0, largest)


def test_the_grid_is_no_worse_than_the_default():
    given = lesson(pixels=200)
    found = [
        float(
            (
                logits(zoo.fit(name, given), given.validation_spectra).argmax(1)
                == given.validation_classes
            ).mean()
        )
        for name in ("svm", "svm_grid")
    ]
    assert found[1] >= found[0]


@pytest.mark.parametrize("name", ["sgd", "svm"])
def test_the_whole_way(shell, name):
    done = shell("train", "--model", name, *shell.SCENE)
    assert done.returncode == 0, done.stderr
    run = Run.open(shell.folder / f"models/tiny/{name}/disjoint-full-seed0")
    assert run.record.scores.oa > 0.5
    done = shell("export", "--model", name, *shell.SCENE, "--onnx")
    assert done.returncode == 0, done.stderr
    assert (shell.folder / f"export/tiny/{name}/onnx" / f"{name}.onnx").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("export", "--int8"), "svm is no network: it cannot be exported but to ONNX"),
        (("prune", "--ratio", "0.5"), "svm is no network: it cannot be pruned"),
        (("train", "--epochs", "3"), "svm is fitted by scikit-learn"),
        (("train", "--intra-class-mixup"), "svm is fitted by scikit-learn"),
        (("train", "--patch", "3", "--run", "wide"), "side of 1 to 1"),
    ],
)
def test_what_only_a_network_can(shell, words, message):
    done = shell(words[0], "--model", "svm", *shell.SCENE, *words[1:])
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_building_one_is_refused():
    with pytest.raises(InputError, match="before it is fitted"):
        zoo.build("svm", bands=10, classes=3)


def test_a_forest_is_scikit_learns():
    ensemble = pytest.importorskip("sklearn.ensemble")
    given = lesson(pixels=200)
    forest = ensemble.RandomForestClassifier(TREES, max_leaf_nodes=MAX_LEAVES, random_state=0)
    forest.fit(given.spectra, given.classes)
    others = RNG.normal(size=(300, 6)).astype(np.float32)
    # Spectra exactly at thresholds go left, as there.
    first = forest.estimators_[0].tree_
    others[:20, first.feature[0]] = np.float32(first.threshold[0])
    found = logits(zoo.fit("random_forest", given), others)
    np.testing.assert_allclose(found, forest.predict_proba(others), atol=1e-6)


@pytest.mark.parametrize("count", [1, 3, 10])
def test_neighbors_are_scikit_learns(count):
    neighbors = pytest.importorskip("sklearn.neighbors")
    given = lesson(pixels=200)
    expected = neighbors.KNeighborsClassifier(count).fit(given.spectra, given.classes)
    others = RNG.normal(size=(100, 6)).astype(np.float32)
    votes = logits(knn_network(given, count), others)
    np.testing.assert_allclose(votes, count * expected.predict_proba(others), atol=1e-4)


def test_the_number_of_neighbors_is_that_of_the_validation_pixels():
    # One stray pixel of class 1 among those of class 0: three neighbors outvote it.
    spectra = np.array([[0, 0], [0, 1], [1, 0], [0.4, 0.4], [9, 9], [9, 8], [8, 9]], np.float32)
    truth = np.array([0, 0, 0, 1, 1, 1, 1], np.int32)
    asked, true = np.array([[0.55, 0.4], [9.1, 9.05]], np.float32), np.array([0, 1], np.int32)
    found = zoo.fit("knn", BaselineData(spectra, truth, asked, true, 2, False, 0))
    np.testing.assert_allclose(logits(found, asked), [[2, 1], [0, 3]])


@pytest.mark.parametrize(
    "kernel", [Kernel("linear", 1.0), Kernel("poly", 0.1), Kernel("rbf", 0.01)]
)
def test_machines_of_every_kernel_are_scikit_learns(kernel, monkeypatch):
    svm = pytest.importorskip("sklearn.svm")
    given = lesson()
    monkeypatch.setattr(machines, "_settings", lambda: [(kernel, (10.0,))])
    found = logits(zoo.fit("svm_grid", given), given.spectra)
    for label in range(3):
        machine = svm.SVC(C=10, kernel=kernel.name, gamma=kernel.gamma, degree=3)
        expected = machine.fit(given.spectra, given.classes == label)
        np.testing.assert_allclose(
            found[:, label], expected.decision_function(given.spectra), atol=5e-3
        )


def test_machines_whose_terms_cancel_in_float32_are_left_out(monkeypatch):
    pytest.importorskip("sklearn.svm")
    given = lesson()
    said = []
    given = replace(given, progress=SimpleNamespace(say=said.append))
    # So wide a kernel is 1 almost everywhere, and duals of a million of both signs cancel.
    cancelling = Kernel("rbf", 1e-5), (1e6,)
    monkeypatch.setattr(machines, "_settings", lambda: [cancelling, (Kernel("rbf", 1e-6), (1e-3,))])
    network = zoo.fit("svm_grid", given)
    (message,) = said
    assert "left out for their rounding in float32: rbf of gamma 1e-05, penalty 1e+06 (" in message
    assert "taken: rbf of gamma 1e-06, penalty 0.001 (" in message
    error, largest = difference(network, lower(network), given.spectra[:, None, None])
    assert error <= 1e-4 * largest
    monkeypatch.setattr(machines, "_settings", lambda: [cancelling])
    with pytest.raises(DataError, match="no setting of svm_grid is exact in float32"):
        zoo.fit("svm_grid", given)


def test_nothing_is_said_where_nothing_is_left_out():
    said = []
    zoo.fit("svm_grid", replace(lesson(), progress=SimpleNamespace(say=said.append)))
    assert said == []


def test_asking_for_a_baseline_starts_keras_silently(monkeypatch):
    started = []
    monkeypatch.setattr(zoo, "load_keras", lambda: started.append(True))
    zoo.network("svm")
    assert started


def test_kernels_that_are_not_kept_are_the_same(monkeypatch):
    given = lesson()
    kept = logits(zoo.fit("svm_grid", given), given.spectra)
    monkeypatch.setattr(machines, "_MAX_CACHED", 10)
    monkeypatch.setattr(machines, "_BLOCK", 7)
    np.testing.assert_allclose(logits(zoo.fit("svm_grid", given), given.spectra), kept, atol=5e-3)
