from __future__ import annotations

import shutil
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from hsitf import runs
from hsitf.data import prepare
from hsitf.errors import InputError, VerificationError
from hsitf.options import RecipeOptions, SplitChoice, training_plan
from hsitf.progress import Silent
from hsitf.prune import weight_iterations
from hsitf.prune.clusters import codebook_of, make_codebooks, shared_weights
from hsitf.prune.request import PruningRequest
from hsitf.prune.run import prune
from hsitf.prune.sparsity import Sparsity
from hsitf.prune.weights import prunable_weights
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.scenes.splits import SplitOptions
from hsitf.train import loop
from hsitf.train.fine_tuning import fine_tuning_recipe
from hsitf.train.run import save_run
from hsitf.zoo import Recipe

RECIPE = Recipe("sgd", 0.1, epochs=4)


def test_a_codebook_of_two_values_by_hand():
    kernel = np.array([[1.0, 2.0, 3.0], [9.0, 10.0, 14.0]], np.float32)
    found = codebook_of(kernel, 2)
    # Centers 1 and 14 divide at 7.5; the means are 2 and 11, which divide as before.
    np.testing.assert_array_equal(found.values, [2, 11])
    np.testing.assert_array_equal(found.weights, [[2, 2, 2], [11, 11, 11]])


def test_clusters_move_until_they_stay():
    # Centers 0.5 and 16 divide at 8.25: 0.5 to 7 and 16, means 3.875 and 16, which divide at 9.9.
    kernel = np.array([0.5, 1, 7, 7, 16], np.float32)
    np.testing.assert_array_equal(codebook_of(kernel, 2).values, [3.875, 16])
    # Of three, the one in the middle takes the sevens.
    np.testing.assert_array_equal(codebook_of(kernel, 3).values, [0.75, 7, 16])


def test_zeros_are_a_value_of_their_own():
    kernel = np.array([0, 0, 0.001, -1, 3, 5], np.float32)
    found = codebook_of(kernel, 3)
    # Two values for 0.001, -1, 3 and 5; what is close to zero is not zero.
    np.testing.assert_allclose(found.values, [(0.001 - 1) / 2, 0, 4], rtol=1e-6)
    np.testing.assert_array_equal(found.weights == 0, kernel == 0)
    # One value is left for all others.
    np.testing.assert_allclose(np.unique(codebook_of(kernel, 2).weights), [0, 7.001 / 4], rtol=1e-6)


def test_few_values_are_kept_as_they_are():
    kernel = np.array([[0.3, -0.3], [0.0, 0.3]], np.float32)
    np.testing.assert_array_equal(codebook_of(kernel, 4).weights, kernel)


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation="relu", name="hidden")(inputs)
    return keras.Model(inputs, layers.Dense(1, name="out")(x))


def test_codebooks_of_a_network():
    model = network()
    kernel, bias = model.get_layer("hidden").get_weights()
    kernel[np.arange(48).reshape(6, 8) % 3 == 0] = 0
    model.get_layer("hidden").set_weights([kernel, bias])
    found, few = make_codebooks(model, 8)
    # Biases have none; the 8 weights of the output are their own codebook.
    assert list(found) == ["hidden/kernel", "out/kernel"]
    assert few == ["out/kernel"]
    assert len(found["hidden/kernel"].values) == 8
    np.testing.assert_array_equal(found["out/kernel"].weights, model.get_layer("out").kernel)
    with pytest.raises(InputError, match=r"--cluster 40; allowed: 2 to 32; give fewer values"):
        make_codebooks(model, 40)


def test_only_shared_values_are_trained():
    model = network()
    hidden = model.get_layer("hidden")
    hidden.bias.assign([0.0] * 4 + [0.1] * 4)
    codebooks, _ = make_codebooks(model, 4)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 6)).astype(np.float32), rng.normal(size=(64, 1))
    own = keras.constraints.MaxNorm(100.0)
    hidden.kernel.constraint = own
    with shared_weights(model, codebooks):
        before = np.asarray(hidden.kernel)
        np.testing.assert_array_equal(before, codebooks["hidden/kernel"].weights)
        # One step by hand: the weights of a cluster move by the mean of their gradients.
        plain = keras.models.clone_model(model)
        plain.set_weights(model.get_weights())
        for one in (model, plain):
            one.compile(keras.optimizers.SGD(0.1), "mse")
            one.train_on_batch(x, y)
        moved = np.asarray(plain.get_layer("hidden").kernel)
        indices = codebooks["hidden/kernel"].indices
        expected = np.array([moved[indices == at].mean() for at in range(4)])[indices]
        np.testing.assert_allclose(np.asarray(hidden.kernel), expected, rtol=1e-4, atol=1e-6)
        model.fit(x, y, epochs=3, verbose=0)
        assert len(np.unique(hidden.kernel)) == 4
        # Zero biases stay zero, others are trained.
        bias = np.asarray(hidden.bias)
        assert (bias[:4] == 0).all()
        assert (bias[4:] != np.float32(0.1)).any()
    assert hidden.kernel.constraint is own
    assert hidden.bias.constraint is None


def trained(tiny, root, network, changes):
    """A trained run whose scene is in memory."""
    folder = root / "tiny" / network / "origin"
    folder.mkdir(parents=True)
    plan = training_plan(network, SceneChoice("tiny.npy"), SplitChoice(), "full", changes)
    data = prepare(tiny, SplitOptions(patch=plan.patch))
    run = save_run(loop.fit(plan, data, folder / "state.npz", Silent()), plan, data, folder)

    class InMemory(Run):
        """A run whose scene is in memory."""

        def data(self, choice=None):
            return data

    return InMemory(run.folder, run.record)


@pytest.fixture(scope="module")
def origin(tiny, tmp_path_factory):
    changes = RecipeOptions(learning_rate=0.05, batch_size=20, epochs=6)
    return trained(tiny, tmp_path_factory.mktemp("models"), "hu", changes)


def distinct(run: Run) -> dict[str, int]:
    found = prunable_weights(run.network())
    return {
        path: len(np.unique(weight.variable))
        for path, weight in found.items()
        if weight.variable.name != "bias"
    }


class Listener(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def say(self, message: str) -> None:
        self.messages.append(message)


def test_a_clustered_run(origin):
    recipe = replace(fine_tuning_recipe(origin.record.plan.recipe), epochs=2)
    order = PruningRequest("sparsity", 0.0, recipe, clusters=16)
    progress = Listener()
    run = prune(origin, order, None, progress, threads=None)
    assert run.folder.name == "origin-clusters16"
    assert max(distinct(run).values()) == 16
    then = run.record.pruning
    assert (then.clusters, then.criterion, then.target) == (16, "k-means", "16 values a kernel")
    assert then.after.bytes_zipped < 0.5 * then.before.bytes_zipped
    assert Sparsity.of(run.network()).bytes_deflated == then.after.bytes_zipped
    assert any("16 values a kernel, OA before the codebooks" in text for text in progress.messages)
    assert not list(run.folder.glob("state*"))


def test_clusters_behind_pruning_go_on_where_they_were(origin, monkeypatch):
    recipe = replace(fine_tuning_recipe(origin.record.plan.recipe), epochs=2)
    order = PruningRequest("sparsity", 0.8, recipe, clusters=8)
    whole = prune(origin, order, None, Silent(), threads=None)
    assert whole.folder.name == "origin-magnitude-sparsity0.8-clusters8"
    assert whole.record.pruning.target == "sparsity 0.8, 8 values a kernel"
    assert max(distinct(whole).values()) == 8
    after = whole.record.pruning.after
    assert after.nonzero <= 0.21 * whole.record.pruning.before.parameters

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(weight_iterations, "fine_tune", stop)
    with pytest.raises(KeyboardInterrupt):
        prune(origin, order, "again", Silent(), threads=None)
    folder = origin.folder.parent / "again"
    assert (folder / "step-1.keras").is_file()
    assert not (folder / runs.RECORD).exists()
    monkeypatch.undo()
    monkeypatch.setattr(weight_iterations, "retrain", stop)
    again = prune(origin, order, "again", Silent(), threads=None)
    for first, second in zip(
        whole.network().get_weights(), again.network().get_weights(), strict=True
    ):
        np.testing.assert_array_equal(first, second)
    assert not list(folder.glob("step*"))
    shutil.rmtree(folder)


@pytest.mark.slow
def test_networks_with_dropout_become_the_same_again(tiny, tmp_path):
    found = trained(tiny, tmp_path, "santara", RecipeOptions(epochs=1, batch_size=20))
    assert any(isinstance(layer, layers.Dropout) for layer in found.network().layers)
    recipe = replace(fine_tuning_recipe(found.record.plan.recipe), epochs=1)
    order = PruningRequest("alpha", 0.5, recipe, clusters=8)
    runs_of_it = [prune(found, order, name, Silent(), threads=None) for name in ("one", "two")]
    one, two = (run.network().get_weights() for run in runs_of_it)
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


def test_what_cannot_be_clustered_is_refused(origin):
    recipe = replace(origin.record.plan.recipe, epochs=2)
    for count in (1, 257, -1):
        with pytest.raises(InputError, match=r"values of a codebook is out of range.*2 to 256"):
            PruningRequest("sparsity", 0.0, recipe, clusters=count)
    with pytest.raises(InputError, match=r"--cluster with --macs.*--from"):
        PruningRequest("macs", 0.5, recipe, clusters=8)
    with pytest.raises(InputError, match="not removed in steps"):
        PruningRequest("sparsity", 0.0, recipe, schedule="gradual", iterations=2, clusters=8)
    with pytest.raises(InputError, match="--per-layer with --cluster alone"):
        PruningRequest("sparsity", 0.0, recipe, per_layer=True, clusters=8)
    order = PruningRequest("sparsity", 0.0, replace(recipe, epochs=1), clusters=2, max_drop=0.0)
    scored = replace(order, recipe=replace(order.recipe, learning_rate=1e-9))
    with pytest.raises(VerificationError, match="exceeds the bound"):
        prune(origin, scored, "none", Silent(), threads=None)
    assert not (origin.folder.parent / "none").exists()
