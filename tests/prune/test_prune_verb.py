from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT

from hsitf import records, runs, zoo
from hsitf.errors import InputError
from hsitf.prune.config import PruningConfig
from hsitf.prune.parsing import parse_layer_ratios, parse_targets
from hsitf.prune.plans import PruningPlan
from hsitf.prune.request import PruningRequest
from hsitf.prune.unstructured import final_masks, sparsity_schedule
from hsitf.prune.weights import masked_share
from hsitf.runs import Run
from hsitf.train.fine_tuning import fine_tuning_recipe
from hsitf.zoo import Recipe

TRAIN = ("--model", "hu", "--epochs", "8", "--batch-size", "20", "--lr", "0.05")
RECIPE = Recipe("sgd", 0.1, epochs=10)
CURVE = {"curve.json", "curve.png", "curve.svg", "order.json"}
ORIGIN = "models/tiny/hu/disjoint-custom-seed0"


@pytest.fixture(scope="module")
def origin(shell):
    done = shell("train", *TRAIN, *shell.SCENE)
    assert done.returncode == 0, done.stderr
    return Run.open(shell.folder / ORIGIN)


@pytest.fixture(scope="module")
def pruned(shell, origin):
    done = shell(
        "prune",
        "--model",
        "hu",
        *shell.SCENE,
        "--criterion",
        "lfp",
        "--macs",
        "0.5",
        "--epochs",
        "3",
    )
    assert done.returncode == 0, done.stderr
    return done, Run.open(shell.folder / f"{ORIGIN}-lfp-macs0.5")


def test_a_pruned_run_is_a_run_like_any_other(pruned, origin):
    run = pruned[1]
    names = {path.name for path in run.folder.iterdir()}
    assert names == {
        runs.NETWORK,
        runs.RECORD,
        runs.SPLIT,
        runs.PREDICTIONS,
        runs.MODEL_CARD,
        "channels.json",
        "order.json",
    }
    record = run.record
    then = record.pruning
    assert then.origin_sha256 == origin.record.sha256
    assert then.target == "macs 0.5"
    assert 0.4 < then.after.macs / then.before.macs <= 0.5
    assert then.after.parameters == record.parameters == run.network().count_params()
    assert list(then.after.files) == ["float32", "int8"]
    assert then.after.files["int8"].bytes < then.before.files["int8"].bytes
    assert then.before.oa == origin.record.scores.oa
    assert then.after.oa == record.scores.oa
    assert record.split.sha256 == origin.record.split.sha256
    kept = PruningPlan.load(run.folder / "channels.json").kept
    assert run.network().get_layer("conv").filters == len(kept["conv"])
    assert len(record.history) == 3


def test_the_table_tells_before_and_after(pruned):
    done, run = pruned
    then = run.record.pruning
    assert f"{then.before.macs:,}" in done.stdout
    for name, file in then.after.files.items():
        assert f"{name} file, bytes" in done.stdout
        assert f"{file.bytes:,}" in done.stdout
    assert f"{then.after.oa:.2%}" in done.stdout
    assert "hu on tiny: macs 0.5 by lfp, one-shot" in done.stdout
    card = (run.folder / runs.MODEL_CARD).read_text()
    assert "macs 0.5" in card
    assert ORIGIN in card


def test_a_pruned_run_is_exported_beside_the_whole_one(shell, pruned):
    done = shell("export", "--model", "hu", "--from", str(pruned[1].folder), "--int8")
    assert done.returncode == 0, done.stderr
    place = shell.folder / f"export/tiny/hu-{pruned[1].folder.name}/int8"
    record = json.loads((place / "record.json").read_text())
    assert record["pruning"]["target"] == "macs 0.5"
    assert record["oa_keras"] == pruned[1].record.scores.oa


def test_the_whole_network_stays_the_one_that_is_found(shell, pruned):
    done = shell("export", "--model", "hu", *shell.SCENE, "--float32")
    assert done.returncode == 0, done.stderr
    assert f"using {ORIGIN}, recipe paper\n" in done.stderr


def test_repeated_it_finds_its_run(shell, pruned):
    words = ("--model", "hu", *shell.SCENE, "--criterion", "lfp", "--macs", "0.5", "--epochs")
    done = shell("prune", *words, "3")
    assert done.returncode == 0, done.stderr
    assert "is pruned already" in done.stderr
    for other in (("4",), ("3", "--round-to", "2")):
        done = shell("prune", *words, *other)
        assert done.returncode == 2
        assert "belongs to another run" in done.stderr


def test_steps_and_a_curve(shell, origin):
    done = shell(
        "prune",
        "--model",
        "hu",
        *shell.SCENE,
        "--schedule",
        "iterative",
        "--iterations",
        "2",
        "--curve",
        "0.3,0.6",
        "--epochs",
        "2",
        "--run",
        "iterations",
    )
    assert done.returncode == 0, done.stderr
    assert "step 2 of 2" in done.stderr
    folder = shell.folder / "models/tiny/hu/iterations"
    assert {path.name for path in folder.iterdir()} == {
        "curve.json",
        "curve.png",
        "curve.svg",
        "order.json",
    }
    curve = json.loads((folder / "curve.json").read_text())
    widths = [
        Run.open(shell.folder / point["run"]).network().get_layer("dense").units
        for point in curve["points"]
    ]
    # 100 units: of all that goes, half goes in each step.
    assert widths == [70, 40]
    assert [point["after"]["parameters"] for point in curve["points"]] == sorted(
        (point["after"]["parameters"] for point in curve["points"]), reverse=True
    )


def test_too_large_a_loss_keeps_nothing(shell, origin):
    done = shell(
        "prune",
        "--model",
        "hu",
        *shell.SCENE,
        "--ratio",
        "0.95",
        "--max-drop",
        "0",
        "--epochs",
        "1",
        "--lr",
        "0.0001",
    )
    assert done.returncode == 6
    assert "the accuracy drop of pruning exceeds the bound" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (shell.folder / f"{ORIGIN}-l2-ratio0.95").exists()


def test_groups_are_printed(shell, origin):
    done = shell("prune", "--model", "hu", *shell.SCENE, "--groups")
    assert done.returncode == 0, done.stderr
    assert "20 channels: conv (filters)\n" in done.stdout
    assert "4 channels: logits (protected)" in done.stdout


def test_an_interrupted_run_goes_on(shell, origin):
    words = [
        "--model",
        "hu",
        *shell.SCENE,
        "--ratio",
        "0.2",
        "--epochs",
        "60",
        "--schedule",
        "iterative",
        "--iterations",
        "60",
        "--run",
        "long",
    ]
    place = shell.folder / "models/tiny/hu/long"
    started = subprocess.Popen(
        [sys.executable, "-m", "hsitf.prune", *words],
        cwd=shell.folder,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (place / "step.json").is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    assert started.wait(60) == 130
    before = json.loads((place / "step.json").read_text())["number"]
    assert not (place / runs.RECORD).exists()
    done = shell("prune", *words[:-4], "--iterations", "59", "--run", "long")
    assert done.returncode == 2
    assert "belongs to another run" in done.stderr
    again = subprocess.Popen(
        [sys.executable, "-m", "hsitf.prune", *words],
        cwd=shell.folder,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    while json.loads((place / "step.json").read_text())["number"] <= before:
        assert time.monotonic() < deadline + 120
        time.sleep(0.05)
    again.send_signal(signal.SIGINT)
    assert again.wait(60) == 130
    assert f"resuming {place.relative_to(shell.folder)}" in again.stderr.read()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--macs", "0.0001"), r"so few macs cannot be reached.*allowed: 0\.\d+ to 1"),
        (("--layer", "cnv=0.5"), "unknown layer with channels 'cnv'.*conv"),
        (("--prune", "heads=0.5"), "has no heads; received: heads=0.5; allowed: filters, units"),
        (("--prune", "haeds=0.5"), "unknown kind of channels 'haeds'.*heads"),
        (("--prune", "filters"), "--prune needs a kind of channels and a ratio"),
        (("--prune", "filters=0.5", "--sparsity", "0.5"), "takes no options.*--prune"),
        (("--ratio", "0.5", "--criterion", "bn_scale"), "needs batch normalization"),
        (("--macs", "0.5", "--temperature", "3"), "without --distill; add --distill"),
        (("--macs", "0.5", "--distill", "--teacher-weight", "2"), "teacher weight of distillation"),
    ],
)
def test_what_cannot_be_cut(shell, origin, words, message):
    before = sorted((shell.folder / "models").rglob("*"))
    done = shell("prune", "--model", "hu", *shell.SCENE, "--epochs", "2", *words)
    assert done.returncode == 2, done.stderr
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert sorted((shell.folder / "models").rglob("*")) == before


def test_a_kind_of_channels_is_pruned_and_recorded(shell, origin):
    words = ("--prune", "filters=0.5", "--prune", "units=0.25", "--epochs", "1")
    done = shell("prune", "--model", "hu", *shell.SCENE, *words)
    assert done.returncode == 0, done.stderr
    run = Run.open(shell.folder / f"{ORIGIN}-l2-filters0.5-units0.25")
    assert run.record.pruning.target == "filters 0.5, units 0.25"
    network = run.network()
    assert (network.get_layer("conv").filters, network.get_layer("dense").units) == (10, 75)


def test_steps_share_what_goes_and_the_epochs():
    once = PruningRequest("ratio", 0.5, RECIPE)
    assert (once.removed_share(1), once.epochs(1)) == (1, 10)
    equal = PruningRequest("ratio", 0.5, RECIPE, schedule="iterative", iterations=4)
    assert [equal.removed_share(step) for step in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1]
    assert [equal.epochs(step) for step in (1, 2, 3, 4)] == [3, 3, 2, 2]
    gradual = PruningRequest("ratio", 0.5, RECIPE, schedule="gradual", iterations=2)
    assert [gradual.removed_share(step) for step in (1, 2)] == [1 - 0.5**3, 1]
    assert [gradual.epochs(step) for step in (1, 2)] == [5, 5]
    with pytest.raises(InputError, match="unstructured pruning takes no options"):
        PruningRequest("sparsity", 0.5, RECIPE, config=PruningConfig(ignored=("conv",)))
    with pytest.raises(InputError, match="alpha is out of range"):
        PruningRequest("alpha", float("inf"), RECIPE)


def test_what_is_asked_for():
    given = {"ratio": None, "macs": 0.5, "alpha": None}
    assert parse_targets(given, None, False) == ("macs", (0.5,))
    assert parse_targets({**given, "macs": None}, "0.2,0.4", False) == ("ratio", (0.2, 0.4))
    assert parse_targets(given, "0.7,0.5", False) == ("macs", (0.7, 0.5))
    assert parse_targets({**given, "macs": None}, None, True) == ("ratio", (0.0,))
    assert parse_layer_ratios(["a=0.5", "b/c=0"]) == {"a": 0.5, "b/c": 0.0}
    with pytest.raises(InputError, match="no list of numbers"):
        parse_targets(given, "a,b", False)


def test_a_run_that_was_not_pruned_says_so(origin):
    assert origin.record.pruning is None
    text = (origin.folder / runs.RECORD).read_text()
    older = json.loads(text)
    del older["pruning"]
    (origin.folder / "older.json").write_text(json.dumps(older))
    assert records.read(records.RunRecord, origin.folder / "older.json") == origin.record
    (origin.folder / "older.json").unlink()


def test_single_weights_go_and_what_died_of_it(shell, origin):
    done = shell(
        "prune",
        "--model",
        "hu",
        *shell.SCENE,
        "--alpha",
        "1.2",
        "--epochs",
        "2",
        "--schedule",
        "iterative",
        "--iterations",
        "2",
    )
    assert done.returncode == 0, done.stderr
    run = Run.open(shell.folder / f"{ORIGIN}-magnitude-alpha1.2-iterative2")
    then = run.record.pruning
    assert (then.kind, then.criterion, then.iterations) == ("weights", "magnitude", 2)
    assert then.after.nonzero < 0.5 * then.before.nonzero
    assert then.after.bytes_zipped < then.before.bytes_zipped
    weights = run.network().get_weights()
    assert sum(int((weight != 0).sum()) for weight in weights) == then.after.nonzero


@pytest.mark.slow
def test_a_curve_of_alphas(shell, origin):
    done = shell(
        "prune",
        "--model",
        "hu",
        *shell.SCENE,
        "--curve",
        "0.5,1",
        "--alpha",
        "1",
        "--epochs",
        "1",
        "--run",
        "alphas",
    )
    assert done.returncode == 0, done.stderr
    folder = shell.folder / "models/tiny/hu/alphas"
    assert {path.name for path in folder.iterdir()} == {
        "curve.json",
        "curve.png",
        "curve.svg",
        "order.json",
    }
    points = json.loads((folder / "curve.json").read_text())["points"]
    assert [point["thresholds"]["alpha"] for point in points] == [0.5, 1]
    assert f"{points[1]['sparse']['nonzero']:,}" in done.stdout
    done = shell(
        "prune",
        "--model",
        "hu",
        *shell.SCENE,
        "--curve",
        "0.5,1.5",
        "--alpha",
        "1",
        "--epochs",
        "1",
        "--run",
        "alphas",
    )
    assert done.returncode == 2
    assert "belongs to another run or curve" in done.stderr


def test_zeros_come_in_the_steps_that_were_ordered():
    model = zoo.build("hu", bands=20, classes=3)
    recipe = Recipe("sgd", 0.1, epochs=9)
    order = PruningRequest("sparsity", 0.6, recipe, schedule="gradual", iterations=3)
    schedule = sparsity_schedule(model, order)
    # Half of the epochs are the last step's: 2, 2, 5. Cubic: 19/27, 26/27 and all of 60 %.
    assert list(schedule.steps) == [0, 2, 4]
    shares = [masked_share(choose(model).values()) for choose in schedule.steps.values()]
    assert shares == pytest.approx([0.6 * 19 / 27, 0.6 * 26 / 27, 0.6], abs=1e-3)


def test_every_layer_gets_the_sparsity_of_every_step():
    model = zoo.build("hu", bands=20, classes=3)
    recipe = Recipe("sgd", 0.1, epochs=9)
    request = PruningRequest(
        "sparsity", 0.6, recipe, schedule="gradual", iterations=3, per_layer=True
    )
    steps = [choose(model) for choose in sparsity_schedule(model, request).steps.values()]
    for masks, share in zip(steps, (0.6 * 19 / 27, 0.6 * 26 / 27, 0.6), strict=True):
        for mask in masks.values():
            assert (~mask).sum() == round(share * mask.size)
    for path, mask in final_masks(model, request).items():
        np.testing.assert_array_equal(mask, steps[-1][path])


def test_a_sparsity_of_each_layer_can_be_ordered(shell, origin):
    words = ("prune", "--model", "hu", *shell.SCENE, "--sparsity", "0.8", "--per-layer")
    gradual = ("--schedule", "gradual", "--iterations", "2", "--epochs", "4")
    done = shell(*words, *gradual)
    assert done.returncode == 0, done.stderr
    run = Run.open(shell.folder / f"{ORIGIN}-magnitude-sparsity0.8-per-layer-gradual2")
    then = run.record.pruning
    assert then.target == "sparsity 0.8 per layer"
    # What only dead channels led to is gone, too.
    assert then.after.nonzero <= 0.201 * then.before.parameters
    done = shell("prune", "--model", "hu", *shell.SCENE, "--alpha", "0.5", "--per-layer")
    assert done.returncode == 2
    assert "--per-layer with --alpha; leave out --per-layer" in done.stderr


@pytest.mark.slow
def test_alphas_by_kind_of_layer_clusters_and_sums_of_criteria(shell, origin):
    words = ("prune", "--model", "hu", *shell.SCENE, "--epochs", "1")
    done = shell(*words, "--alpha", "0.3", "--layer-alpha", "last_dense=1.2", "--cluster", "8")
    assert done.returncode == 0, done.stderr
    run = Run.open(shell.folder / f"{ORIGIN}-magnitude-alpha0.3-layers-clusters8")
    then = run.record.pruning
    assert then.target == "alpha 0.3, last_dense 1.2, 8 values a kernel"
    assert "share 8 values at most, zero among them" in done.stdout
    shares = [float((run.network().get_layer(n).kernel == 0).numpy().mean()) for n in ("logits",)]
    assert shares[0] > 0.5
    done = shell(*words, "--alpha", "0.3", "--layer-alpha", "other_convolutions=1")
    assert done.returncode == 2
    assert "no layer of the kind other_convolutions" in done.stderr
    assert "first_convolution (conv)" in done.stderr
    done = shell(
        *words,
        "--criterion",
        "0.7*lfp+0.3*l1",
        "--ratio",
        "0.3",
        "--batches",
        "2",
        "--batch-samples",
        "32",
    )
    assert done.returncode == 0, done.stderr
    run = Run.open(shell.folder / f"{ORIGIN}-0.7lfp+0.3l1-ratio0.3")
    assert run.record.pruning.criterion == "0.7*lfp+0.3*l1"
    order = json.loads((run.folder / "order.json").read_text())["request"]
    assert (order["batches"], order["batch_samples"]) == (2, 32)


def test_a_curve_with_an_alpha_of_its_own_for_a_kind(shell, origin):
    words = ("prune", "--model", "hu", *shell.SCENE, "--epochs", "1", "--alpha", "1")
    done = shell(*words, "--curve", "0.5,1", "--layer-alpha", "first_convolution=0.05")
    assert done.returncode == 0, done.stderr
    assert "Alpha of first_convolution 0.05, whatever the others have." in done.stdout
    folder = shell.folder / f"{ORIGIN}-magnitude-alpha-layers-curve"
    points = json.loads((folder / "curve.json").read_text())["points"]
    assert [one["thresholds"]["first_convolution"] for one in points] == [0.05, 0.05]


@pytest.mark.slow
def test_an_untrained_network_is_pruned_from_scratch(shell, origin):
    words = ("prune", "--untrained", "--criterion", "taylor", "--macs", "0.5", "--epochs", "2")
    done = shell(*words, "--from", ORIGIN)
    assert done.returncode == 0, done.stderr
    run = Run.open(shell.folder / f"{ORIGIN}-untrained-taylor-macs0.5")
    assert run.record.pruning.untrained
    assert run.record.split.sha256 == origin.record.split.sha256
    done = shell(*words, "--model", "hu", *shell.SCENE, "--run", "scratch")
    assert done.returncode == 0, done.stderr
    assert "untrained" in done.stdout
    assert Run.open(shell.folder / "models/tiny/hu/scratch").record.plan.recipe_name == "robust"
    done = shell("prune", "--untrained", "--alpha", "0.5", "--from", ORIGIN)
    assert done.returncode == 2
    assert "--untrained with --alpha" in done.stderr


def test_adam_is_fine_tuned_along_a_cosine():
    assert fine_tuning_recipe(RECIPE) == RECIPE
    assert fine_tuning_recipe(Recipe("adam", 1e-3)) == Recipe("adam", 1e-3, cosine_decay=True)
