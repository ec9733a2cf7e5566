from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hsitf.errors import InputError
from hsitf.options import RecipeOptions, SplitChoice, training_plan
from hsitf.progress import Silent
from hsitf.prune.plans import PruningPlan
from hsitf.prune.request import PruningRequest
from hsitf.prune.run import CHANNELS, prune
from hsitf.prune.table import format_pruning
from hsitf.prune.thinning import thin
from hsitf.prune.untrained import untrained, untrained_like
from hsitf.records import SceneChoice, TeacherRun
from hsitf.runs import finished_runs
from hsitf.train.model_card import model_card
from hsitf.zoo import Recipe

RECIPE = Recipe("sgd", 0.05, batch_size=20, epochs=3)


@pytest.fixture(scope="module")
def plan(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scene")
    np.save(folder / "tiny.npy", tiny.cube)
    np.save(folder / "labels.npy", tiny.labels)
    choice = SceneChoice(str(folder / "tiny.npy"), None, str(folder / "labels.npy"))
    changes = RecipeOptions(learning_rate=0.05, batch_size=20, epochs=3)
    return training_plan("hu", choice, SplitChoice(), "full", changes)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def before(plan, root):
    return untrained(plan, Silent(), root)


def test_an_untrained_run_is_nothing_on_disk(before, plan, root):
    assert before.folder == root / "tiny/hu/disjoint-custom-seed0-untrained"
    assert not before.folder.exists()
    first, second = (before.network().get_weights() for _ in range(2))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    # Another seed has other weights, and is another run.
    other = untrained(replace(plan, seed=1), Silent(), root)
    assert other.record.sha256 != before.record.sha256
    assert finished_runs("hu", Silent(), root) == []


def test_channels_go_before_training(before, plan, root):
    order = PruningRequest("macs", 0.5, plan.recipe, "taylor", untrained=True)
    run = prune(before, order, None, Silent(), threads=None)
    assert run.folder.name == "disjoint-custom-seed0-untrained-taylor-macs0.5"
    record, then = run.record, run.record.pruning
    assert then.untrained
    assert then.origin == ""
    assert then.before.macs * 0.4 < then.after.macs <= then.before.macs * 0.5
    # The plan is that of the training, with all its epochs.
    assert record.plan == plan
    assert len(record.history) == 3
    assert "pruned before it was trained" in model_card(record)
    assert "untrained" in format_pruning(record)
    # What is trained begins with the initial weights of the channels that were kept.
    kept = PruningPlan.load(run.folder / CHANNELS)
    begun, ended = thin(before.network(), kept), run.network()
    assert [w.shape for w in begun.weights] == [w.shape for w in ended.weights]
    whole = before.network().get_layer("conv").get_weights()[0]
    np.testing.assert_array_equal(
        begun.get_layer("conv").get_weights()[0], whole[..., list(kept.kept["conv"])]
    )
    assert any(
        (a != b).any() for a, b in zip(begun.get_weights(), ended.get_weights(), strict=True)
    )
    # Repeated, it is found; it is no trained network that others are made from.
    again = untrained_like(run, plan.scene)
    assert prune(before, order, None, Silent(), threads=None).record == record
    assert again.record.sha256 == before.record.sha256


def test_what_has_no_meaning_before_training_is_refused(plan, root):
    for options, named in (
        ({"measure": "alpha"}, "--alpha"),
        ({"schedule": "iterative", "iterations": 2}, "--schedule iterative"),
        ({"max_drop": 1.0}, "--max-drop"),
        ({"distill": True}, "--distill"),
    ):
        words = {"measure": "macs", "target": 0.5, "recipe": RECIPE, "untrained": True, **options}
        with pytest.raises(InputError, match=f"--untrained with {named}"):
            PruningRequest(**words)
    taught = replace(plan, teachers=(TeacherRun("there", "0" * 64),))
    with pytest.raises(InputError, match="learns from labels alone"):
        untrained(taught, Silent(), root)
    with pytest.raises(InputError, match="is trained in float32"):
        untrained(replace(plan, precision="mixed_bfloat16"), Silent(), root)
