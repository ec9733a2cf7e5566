from __future__ import annotations

import json

import numpy as np
import pytest

from hsitf import records
from hsitf.metrics import interval
from hsitf.runs import Run
from hsitf.train.repeat import RepeatSummary

WORDS = ("--model", "hu", "--epochs", "2", "--batch-size", "20")


def test_interval_by_hand():
    # Mean 3, deviation 1.5811, error 0.7071; Student's t of four degrees at 97.5 % is 2.7764.
    found = interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert found.half_width == pytest.approx(2.77645 * 0.707107, rel=1e-4)
    assert interval([2.0, 2.0]).half_width == 0.0


def test_runs_say_together_what_each_says(shell):
    done = shell("train", *WORDS, *shell.SCENE, "--runs", "2", "--seed", "3")
    assert done.returncode == 0, done.stderr
    folder = shell.folder / "models/tiny/hu"
    each = [Run.open(folder / f"disjoint-custom-seed{seed}").record for seed in (3, 4)]
    assert each[0].split.sha256 != each[1].split.sha256
    place = folder / "disjoint-custom-runs2-from3" / "summary.json"
    summary = records.read(RepeatSummary, place)
    assert summary.oa.mean == pytest.approx(np.mean([record.scores.oa for record in each]))
    assert summary.per_class[1].mean == pytest.approx(
        np.mean([record.scores.per_class[1] for record in each])
    )
    assert summary.predict_us.mean > 0
    assert summary.peak_memory.mean > 1e8
    assert f"{100 * summary.oa.mean:.2f} %" in done.stdout
    assert "2 runs" in done.stdout

    # What is trained is not trained again.
    before = [record.seconds for record in each]
    done = shell("train", *WORDS, *shell.SCENE, "--runs", "2", "--seed", "3")
    assert done.stderr.count("is trained already") == 2
    again = [Run.open(folder / f"disjoint-custom-seed{seed}").record.seconds for seed in (3, 4)]
    assert again == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--runs", "2", "--seed", str(2**32 - 1)), "number of runs or the seed"),
        (("--patience", "-1"), "patience is out of range"),
        (("--precision", "mixed_float8"), "unknown precision"),
        (("--backend", "theano"), "unknown backend"),
        (("--device", "tpu"), "unknown device"),
        (("--device", "gpu"), "finds no gpu on this machine"),
    ],
)
def test_options_that_cannot_be_followed(shell, words, message):
    done = shell("train", *WORDS, *shell.SCENE, *words)
    if "finds" in message and done.returncode == 0:
        pytest.skip("there is a GPU")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_training_ends_with_its_patience(shell):
    done = shell(
        "train",
        "--model",
        "hu",
        "--epochs",
        "40",
        *shell.SCENE,
        "--lr",
        "1e-9",
        "--patience",
        "2",
        "--run",
        "patient",
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((shell.folder / "models/tiny/hu/patient/record.json").read_text())
    assert len(record["history"]) == record["best_epoch"] + 2 < 40


def test_half_precision_leaves_a_network_of_whole(shell):
    done = shell(
        "train",
        "--model",
        "hu",
        "--epochs",
        "3",
        *shell.SCENE,
        "--precision",
        "mixed_bfloat16",
        "--run",
        "half",
    )
    assert done.returncode == 0, done.stderr
    run = Run.open(shell.folder / "models/tiny/hu/half")
    assert {layer.compute_dtype for layer in run.network().layers} == {"float32"}
