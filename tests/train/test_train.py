from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT

from hsitf import records, runs
from hsitf.records import Epoch, RunRecord
from hsitf.runs import Run
from hsitf.train.schedule import next_learning_rate
from hsitf.zoo import Recipe

HU = ("--model", "hu", "--epochs", "8", "--batch-size", "20", "--lr", "0.05")


def epochs(*accuracies: float) -> list[Epoch]:
    return [Epoch(1.0, oa, 0.1, 1.0) for oa in accuracies]


def test_the_rate_falls_where_accuracy_stands_still():
    recipe = Recipe("sgd", 0.1, epochs=8)  # patience 2
    assert next_learning_rate([], recipe) == 0.1
    assert next_learning_rate(epochs(0.5, 0.5), recipe) == 0.1
    assert next_learning_rate(epochs(0.5, 0.5, 0.4), recipe) == pytest.approx(0.01)
    assert next_learning_rate(epochs(0.5, 0.5, 0.6, 0.6), recipe) == 0.1
    assert next_learning_rate(epochs(0.5, 0.5, 0.5, 0.5, 0.5), recipe) == pytest.approx(0.001)


@pytest.fixture(scope="module")
def trained(shell):
    done = shell("train", *HU, *shell.SCENE)
    assert done.returncode == 0, done.stderr
    return done, Run.open(shell.folder / "models/tiny/hu/disjoint-custom-seed0")


def test_a_run_is_a_network_a_record_a_split_and_a_card(trained, tiny):
    done, run = trained
    names = {path.name for path in run.folder.iterdir()}
    assert names == {runs.NETWORK, runs.RECORD, runs.SPLIT, runs.PREDICTIONS, runs.MODEL_CARD}
    matrix = np.array(run.record.scores.matrix)
    hits = (run.predictions() == tiny.labels.ravel()[run.split().test] - 1).sum()
    assert np.trace(matrix) == hits
    assert matrix.sum() == run.record.split.test
    record = run.record
    assert record.plan.network == "hu"
    assert record.plan.recipe.epochs == len(record.history) == 8
    assert record.split.leakage_patch == 0
    assert f"OA {record.scores.oa:.2%}" in done.stdout
    assert record.scores.oa > 0.25
    card = (run.folder / runs.MODEL_CARD).read_text()
    assert f"{record.scores.oa:.2%}" in card
    assert "python -m hsitf.train --model hu" in card


def test_training_learns(trained):
    history = trained[1].record.history
    assert history[-1].loss < 0.8 * history[0].loss


def test_the_record_scores_what_the_network_does(trained, tiny):
    from hsitf import data, verify
    from hsitf.progress import Silent
    from hsitf.runtimes import Keras

    run = trained[1]
    ready = data.restore(tiny, run.split(), run.record.normalizer, 1)
    logits = verify.runtime_logits(Keras(run.network()), ready, ready.split.test, Silent())
    oa = (logits.argmax(1) == ready.targets(ready.split.test)).mean()
    assert oa == pytest.approx(run.record.scores.oa)


def test_repeated_it_is_not_trained_again(trained, shell):
    before = (trained[1].folder / runs.RECORD).stat().st_mtime_ns
    # As a command leaves them that is killed right after it has written its record.
    left = [trained[1].folder / name for name in (runs.PLAN, runs.CHECKPOINT)]
    left.append(trained[1].folder.with_name(f".{trained[1].folder.name}.lock"))
    for path in left:
        path.write_text("{}")
    done = shell("train", *HU, *shell.SCENE)
    assert done.returncode == 0
    assert "is trained already" in done.stderr
    assert not any(path.exists() for path in left)
    assert (trained[1].folder / runs.RECORD).stat().st_mtime_ns == before


def test_the_same_seed_gives_the_same_network(trained, shell):
    done = shell("train", *HU, *shell.SCENE, "--run", "again")
    assert done.returncode == 0, done.stderr
    again = Run.open(shell.folder / "models/tiny/hu/again")
    for a, b in zip(trained[1].network().get_weights(), again.network().get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_interrupted_it_resumes_to_the_same_network(shell):
    words = ["--model", "hu", "--epochs", "15", "--batch-size", "10", *shell.SCENE, "--run", "cut"]
    whole = shell("train", *words[:-1], "whole")
    assert whole.returncode == 0, whole.stderr
    # Saved after every epoch here, so that there is something to resume from.
    code = (
        "import hsitf.train.loop as loop, runpy, sys\n"
        "loop.SAVE_EVERY = 0\n"
        f"sys.argv = ['train', *{words!r}]\n"
        "runpy.run_module('hsitf.train', run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=shell.folder,
        env={**__import__("os").environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    folder = shell.folder / "models/tiny/hu/cut"
    deadline = time.monotonic() + 120
    while not (folder / runs.CHECKPOINT).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert "interrupted; repeat the command" in complaint
    assert "Traceback" not in complaint
    assert {p.name for p in folder.iterdir()} == {runs.PLAN, runs.CHECKPOINT}
    done = shell("train", *words)
    assert done.returncode == 0, done.stderr
    assert "resuming" in done.stderr
    a, b = (Run.open(shell.folder / f"models/tiny/hu/{name}") for name in ("whole", "cut"))
    assert [e.loss for e in a.record.history] == [e.loss for e in b.record.history]
    for x, y in zip(a.network().get_weights(), b.network().get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


def test_records_are_json(trained):
    path = trained[1].folder / runs.RECORD
    assert json.loads(path.read_text())["plan"]["network"] == "hu"
    assert records.read(RunRecord, path) == trained[1].record
