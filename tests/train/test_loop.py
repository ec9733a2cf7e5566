from __future__ import annotations

import numpy as np
import pytest

from hsitf import data
from hsitf.errors import DataError, InputError
from hsitf.options import RecipeOptions, SplitChoice, TrainingOptions, training_plan
from hsitf.progress import Silent
from hsitf.records import Epoch, SceneChoice
from hsitf.scenes.splits import SplitOptions
from hsitf.train import loop
from hsitf.train.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from hsitf.train.compilation import build_network, compile_model
from hsitf.train.epoch_inputs import sample_weights
from hsitf.train.schedule import is_finished, next_learning_rate, optimizer
from hsitf.zoo import Recipe


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe("adma", 0.1), "optimizer as 'adma'"),
        (Recipe("adam", 0.1, momentum=0.9), "'adam' with these values; .*momentum 0.9"),
        (Recipe("sgd", 0.1, momentum=1.5), "momentum of 0 to 1"),
    ],
)
def test_optimizers_that_keras_does_not_have(recipe, words):
    with pytest.raises(InputError, match=words):
        optimizer(recipe)


@pytest.mark.parametrize("name", ["adadelta", "adagrad", "adam", "adamax", "nadam", "rmsprop"])
def test_optimizers_that_it_has(name):
    assert float(optimizer(Recipe(name, 0.5)).learning_rate) == 0.5


def test_divergence_ends_the_training(tiny, tmp_path):
    changes = RecipeOptions(optimizer="adam", learning_rate=3e38, epochs=3)
    plan = training_plan("hu", SceneChoice("tiny.npy"), SplitChoice(), "full", changes)
    with pytest.raises(InputError, match=r"training diverged in epoch 1; .*smaller --lr"):
        loop.fit(plan, data.prepare(tiny, SplitOptions()), tmp_path / "state.npz", Silent())
    assert not list(tmp_path.iterdir())


STATE = Checkpoint(
    [Epoch(1.0, 0.5, 0.1, 2.0)], [np.arange(3.0), np.ones((2, 2))], [np.zeros(4)], 2.5
)


def test_state_survives_the_round_trip(tmp_path):
    path = tmp_path / "state.npz"
    write_checkpoint(STATE, path)
    found = read_checkpoint(path)
    assert (found.history, found.seconds, found.best_epoch) == (STATE.history, 2.5, 1)
    for there, here in ((found.variables, STATE.variables), (found.best, STATE.best)):
        assert all(map(np.array_equal, there, here))
    assert read_checkpoint(tmp_path / "none.npz") is None


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_damaged_state_is_refused(tmp_path, share):
    path = tmp_path / "state.npz"
    write_checkpoint(STATE, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match="remove the run's folder"):
        read_checkpoint(path)


def epochs(*accuracies: float) -> list[Epoch]:
    return [Epoch(1.0, accuracy, 0.1, 1.0) for accuracy in accuracies]


def test_rates_by_hand():
    still = epochs(0.5, 0.5, 0.5)
    # A quarter of eight epochs without a gain.
    assert next_learning_rate(still[:2], Recipe("sgd", 0.1, epochs=8)) == 0.1
    assert next_learning_rate(still, Recipe("sgd", 0.1, epochs=8)) == pytest.approx(0.01)
    stairs = Recipe("sgd", 0.1, epochs=30, milestones=(0.5, 25 / 30))
    found = [next_learning_rate(epochs(*[0.5] * done), stairs) for done in (0, 14, 15, 24, 25)]
    assert found == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])
    slow = Recipe("sgd", 0.1, epochs=100, learning_rate_decay=0.01)
    # Two epochs of fifty steps: divided by 1 + 0.01 * 100.
    assert next_learning_rate(epochs(0.5, 0.6), slow, 50) == pytest.approx(0.05)


def test_patience_by_hand():
    choice = SplitChoice()
    for patience, expected in ((0, False), (2, True), (3, False)):
        plan = training_plan(
            "hu", SceneChoice("tiny"), choice, "full", training=TrainingOptions(patience=patience)
        )
        assert is_finished(epochs(0.1, 0.9, 0.8, 0.7), 2, plan) == expected
    short = training_plan("hu", SceneChoice("tiny"), choice, "full", RecipeOptions(epochs=4))
    assert is_finished(epochs(0.1, 0.2, 0.3, 0.4), 4, short)


def test_rare_classes_count_more(tiny):
    plan = training_plan("hu", SceneChoice("tiny"), SplitChoice(), "full")
    ready = data.prepare(tiny, plan.split)
    model = compile_model(build_network(plan, ready), plan, ready, None)
    pixels = ready.split.train
    weights, counts = sample_weights(model, ready, pixels), np.bincount(ready.targets(pixels))
    for label, count in enumerate(counts):
        found = weights[ready.targets(pixels) == label]
        np.testing.assert_allclose(found, np.median(counts) / count, rtol=1e-6)
