from __future__ import annotations

from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import data, zoo
from hsitf.errors import InputError
from hsitf.options import RecipeOptions, SplitChoice, training_plan
from hsitf.progress import Silent
from hsitf.prune.sparse import (
    SparsitySchedule,
    hold_zeros,
    iterative,
    one_shot,
    retrain,
)
from hsitf.prune.weights import (
    Thresholds,
    magnitude_limits,
    masked_share,
    masks_by_sparsity,
    masks_by_threshold,
    nonzero_masks,
    prunable_weights,
)
from hsitf.records import Epoch, SceneChoice, TrainingPlan
from hsitf.scenes.splits import SplitOptions
from hsitf.train import epoch, loop
from hsitf.train.checkpoint import Checkpoint

# Both would move a zero, were it not held.
MOVING = RecipeOptions(
    optimizer="sgd", learning_rate=0.05, batch_size=20, momentum=0.9, weight_decay=0.01
)


def plan(epochs: int) -> TrainingPlan:
    changes = replace(MOVING, epochs=epochs)
    return training_plan("hu", SceneChoice("tiny.npy"), SplitChoice(), "full", changes)


@pytest.fixture(scope="module")
def ready(tiny):
    return data.prepare(tiny, SplitOptions())


@pytest.fixture
def network(ready):
    keras.utils.set_random_seed(0)
    model = zoo.build("hu", bands=ready.scene.bands, classes=ready.scene.classes)
    for weight in prunable_weights(model).values():
        if weight.variable.name == "bias":
            weight.variable.assign(np.random.default_rng(0).normal(size=weight.variable.shape))
    return model


def rising(*shares: float, every: int = 1) -> SparsitySchedule:
    """One sparsity after the other, before every so many epochs."""
    return SparsitySchedule(
        {step * every: partial(masks_by_sparsity, share=share) for step, share in enumerate(shares)}
    )


def shares(model: keras.Model) -> float:
    return masked_share(nonzero_masks(model).values())


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adagrad"])
def test_what_is_masked_stays_zero_under_momentum_and_decay(network, ready, tmp_path, optimizer):
    momentum = 0.9 if optimizer == "sgd" else 0.0
    recipe = replace(plan(2).recipe, optimizer=optimizer, momentum=momentum)
    chosen = masks_by_threshold(network, Thresholds(0.8))
    begun = {path: np.asarray(w.variable) for path, w in prunable_weights(network).items()}
    schedule = one_shot(network, Thresholds(0.8))
    retrain(network, schedule, replace(plan(2), recipe=recipe), ready, tmp_path / "s", Silent())
    for path, weight in prunable_weights(network).items():
        after = np.asarray(weight.variable)
        assert not after[~chosen[path]].any()
        assert (after != begun[path])[chosen[path]].any()
        assert weight.variable.constraint is None
    assert not list(tmp_path.iterdir())


def test_without_masks_zeros_would_move(network, ready, tmp_path):
    with hold_zeros(network) as hold:
        hold(masks_by_threshold(network, Thresholds(0.8)))
    before = shares(network)
    loop.fit(plan(1), ready, tmp_path / "s", Silent(), network)
    assert shares(network) < before - 0.3


def test_a_constraint_of_the_network_is_kept(network):
    variable = network.get_layer("logits").kernel
    variable.constraint = own = keras.constraints.NonNeg()
    with hold_zeros(network) as hold:
        hold(masks_by_threshold(network, Thresholds(0.5)))
        left = np.asarray(variable)
        np.testing.assert_array_equal(variable.constraint(variable), np.maximum(left, 0))
        # A mask that comes later takes the place of the one before.
        hold(masks_by_threshold(network, Thresholds(0.9)))
        left = np.asarray(variable)
        np.testing.assert_array_equal(
            variable.constraint(variable + 1), np.maximum(left + 1, 0) * (left != 0)
        )
    assert variable.constraint is own


def test_after_an_interruption_nothing_is_held(network):
    def interrupted():
        with hold_zeros(network) as hold:
            hold(masks_by_threshold(network, Thresholds(0.5)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert {w.variable.constraint for w in prunable_weights(network).values()} == {None}


def test_alpha_rises_in_stages_of_one_magnitude(network):
    schedule = iterative(network, Thresholds(0.9), stages=3, epochs=10)
    assert sorted(schedule.steps) == [0, 3, 6]
    full = magnitude_limits(network, Thresholds(0.3))
    kernel = np.array(network.get_layer("dense").kernel)
    first = schedule.steps[0](network)["dense/kernel"]
    np.testing.assert_array_equal(first, np.abs(kernel) >= full["dense/kernel"])
    # Deviations are the trained network's, whatever has become of it since.
    network.get_layer("dense").kernel.assign(kernel * 100)
    assert schedule.steps[0](network)["dense/kernel"].mean() > 0.99


@pytest.fixture
def seen(monkeypatch):
    """The share of zeros after each epoch."""
    found = []
    evaluate = epoch.evaluate

    def watched(model, *rest):
        found.append(shares(model.layers[-1]))
        return evaluate(model, *rest)

    monkeypatch.setattr(epoch, "evaluate", watched)
    return found


def test_retraining_follows_its_schedule(network, ready, tmp_path, seen):
    schedule = rising(0, 0.7, 0.8)
    result = retrain(network, schedule, plan(5), ready, tmp_path / "s", Silent())
    # After each epoch, and of the network that is kept.
    seen.append(shares(result.network))
    assert seen == pytest.approx([0, 0.7, 0.8, 0.8, 0.8, 0.8], abs=1e-3)
    assert result.best_epoch >= 3


def test_iterative_pruning_raises_the_share_stage_by_stage(network, ready, tmp_path, seen):
    schedule = iterative(network, Thresholds(1.0), 3, 6)
    result = retrain(network, schedule, plan(6), ready, tmp_path / "s", Silent())
    seen.append(shares(result.network))
    assert seen[0] == seen[1] < seen[2] == seen[3] < seen[4] == seen[5] == seen[6]
    assert result.best_epoch >= 5


def test_the_best_epoch_is_one_at_the_final_sparsity():
    history = [Epoch(1.0, oa, 0.1, 1.0) for oa in (0.9, 0.8, 0.5, 0.7, 0.7)]
    assert [Checkpoint(history, None, [], 0.0, first).best_epoch for first in (0, 1, 2)] == [
        1,
        2,
        4,
    ]
    # Before such an epoch is done, the best of what there is.
    assert Checkpoint(history[:2], None, [], 0.0, 2).best_epoch == 1


def test_the_rate_falls_only_at_the_final_sparsity(network, ready, tmp_path):
    # It would after every epoch without a better one.
    result = retrain(network, rising(0, 0.7, 0.9, 0.97), plan(5), ready, tmp_path / "s", Silent())
    assert {epoch.learning_rate for epoch in result.history[:4]} == {0.05}


def test_interrupted_it_resumes_to_the_same_network(network, ready, tmp_path, monkeypatch):
    start = network.get_weights()
    schedule = rising(0, 0.8, 0.9, every=2)
    whole = retrain(network, schedule, plan(5), ready, tmp_path / "whole", Silent()).network
    expected = whole.get_weights()
    monkeypatch.setattr(loop, "SAVE_EVERY", 0)

    class Interrupting(Silent):
        def advance(self, steps=1, note=""):
            # Three epochs are done, the last step before the third.
            if note.startswith("epoch 4/"):
                raise KeyboardInterrupt

    network.set_weights(start)
    with pytest.raises(KeyboardInterrupt):
        retrain(network, schedule, plan(5), ready, tmp_path / "cut", Interrupting())
    again = zoo.build("hu", bands=ready.scene.bands, classes=ready.scene.classes)
    again.set_weights(start)
    resumed = retrain(again, schedule, plan(5), ready, tmp_path / "cut", Silent())
    for then, now in zip(expected, resumed.network.get_weights(), strict=True):
        np.testing.assert_array_equal(then, now)


def test_schedules_that_cannot_be_followed(network, ready, tmp_path):
    with pytest.raises(InputError, match=r"8 stages in 3 epochs; allowed: 1 to 3 stages"):
        iterative(network, Thresholds(1), 8, 3)
    with pytest.raises(
        InputError, match=r"no epoch is left.*3 epochs, the last step before epoch 4"
    ):
        retrain(network, rising(0, 0.2, 0.4, 0.5), plan(3), ready, tmp_path / "s", Silent())


def test_recurrent_kernels_are_held_too():
    inputs = keras.Input((5, 3))
    x = layers.GRU(4, name="gru")(inputs)
    model = keras.Model(inputs, layers.Dense(2, name="out")(x))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", jit_compile=False)
    rng = np.random.default_rng(0)
    with hold_zeros(model) as hold:
        hold(masks_by_sparsity(model, 0.5))
        model.fit(rng.normal(size=(20, 5, 3)), rng.normal(size=(20, 2)), verbose=0, epochs=2)
    assert shares(model) == pytest.approx(0.5, abs=0.02)
    assert SparsitySchedule({3: nonzero_masks, 1: nonzero_masks}).last == 3
