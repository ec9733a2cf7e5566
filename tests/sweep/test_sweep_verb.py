"""Sweeps as a user types them."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, Shell

from hsitf.errors import DataError, InputError
from hsitf.progress import Silent
from hsitf.records import SCHEMA, SceneChoice
from hsitf.sweep.options import SweepOptions
from hsitf.sweep.record import StudyResults
from hsitf.sweep.study import parse

pytest.importorskip("distributed")

# One layer pattern fits nothing, which is found out only when the network is there.
STUDY = """
title = "A small study"
[common]
scene = "tiny.npy"
network = "hu"
epochs = 2
tuning_epochs = 1
[[grid]]
name = "pruned"
ratio = [0, 0.5]
bits = ["none", "8,8,32"]
[[grid]]
name = "broken"
layers = { "nothing*" = 0.5 }
[[grid]]
name = "files"
variant = "int8"
[[grid]]
name = "scales"
bits = "4,4,32"
weights = "tensor"
"""
WORDS = ("small.toml", "--labels", "labels.npy", "--workers", "1")


@pytest.fixture(scope="module")
def swept(shell: Shell) -> subprocess.CompletedProcess:
    (shell.folder / "small.toml").write_text(STUDY)
    return shell("sweep", *WORDS, "--xlsx")


def test_a_sweep_from_nothing_to_tables(shell, swept):
    # A cell that failed is told by the status, after all others are done.
    assert swept.returncode == 1, swept.stderr
    folder = shell.folder / "studies" / "small-tiny"
    results = StudyResults.open(folder)
    assert (len(results.done), len(results.failed), len(results.pending)) == (6, 1, 0)
    assert "no layer of hu is called so; received: nothing*" in results.failed[0].message
    assert "Failed: hu on tiny.npy" in swept.stdout
    with (folder / "results.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 7
    assert (folder / "results.xlsx").is_file()
    by_text = {record.settings.text: record for record in results.done}
    whole = by_text["hu on tiny.npy (disjoint), seed 0"]
    pruned = by_text["hu on tiny.npy (disjoint), l2 ratio 0.5, seed 0"]
    assert pruned.values.parameters < whole.values.parameters
    assert pruned.values.macs < whole.values.macs
    assert pruned.values.oa_before == whole.values.oa
    int8 = by_text["hu on tiny.npy (disjoint), int8, seed 0"]
    assert int8.values.integer_share == 1
    assert int8.values.file_bytes < int8.values.float_bytes
    for record in results.done:
        assert (folder / record.paths.run / "network.keras").is_file()
        assert (folder / record.paths.trained / "record.json").is_file()
    assert (folder / int8.paths.bundle / "hu.tflite").is_file()
    bits = by_text["hu on tiny.npy (disjoint), l2 ratio 0.5, bits 8,8,32, seed 0"]
    assert (folder / bits.paths.bits).is_file()
    scales = by_text["hu on tiny.npy (disjoint), bits 4,4,32 per tensor, seed 0"]
    assert "bits-tensor-symmetric" in scales.paths.bits
    # Trained once, for all of them.
    assert {record.paths.trained for record in results.records if record.values} == {
        whole.paths.trained
    }


def test_a_second_sweep_repeats_nothing(shell, swept):
    folder = shell.folder / "studies" / "small-tiny" / "cells"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = shell("sweep", *WORDS)
    assert again.returncode == 1
    assert "7 of them known already" in again.stderr
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_folders_of_other_studies_are_refused(shell, swept, monkeypatch):
    from hsitf.sweep.run import sweep

    monkeypatch.chdir(shell.folder)
    means, place = SweepOptions(SceneChoice("", labels="labels.npy")), Path("studies/small-tiny")
    with pytest.raises(InputError, match="holds the results of another study"):
        sweep(parse("other", STUDY), place, means, Silent())
    with pytest.raises(InputError, match="holds something else than a study"):
        sweep(parse("other", STUDY), Path("."), means, Silent())
    record = place / "study.json"
    text = record.read_text()
    # The same study on other files of that name.
    record.write_text(text.replace('"synthetic": false', '"synthetic": true'))
    with pytest.raises(InputError, match="received: scene"):
        sweep(parse("small", STUDY), place, means, Silent())
    record.write_text(text.replace(f'"schema": {SCHEMA}', '"schema": 0', 1))
    with pytest.raises(DataError, match="another version of hsitf"):
        sweep(parse("small", STUDY), place, means, Silent())
    record.write_text(text)


def test_two_sweeps_of_one_folder_are_refused(tmp_path):
    from hsitf.sweep.run import _locked

    with (
        _locked(tmp_path),
        pytest.raises(InputError, match="another sweep is running"),
        _locked(tmp_path),
    ):
        pass
    with _locked(tmp_path):
        pass


def test_a_scheduler_that_does_not_answer(shell, swept):
    (shell.folder / "distant.toml").write_text(STUDY)
    refused = shell("sweep", "distant.toml", *WORDS[1:3], "--dask", "tcp://127.0.0.1:9")
    assert refused.returncode == 2
    assert "no scheduler answers" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--workers", "0"), "the number of processes is out of range"),
        (("--workers", "2", "--dask", "tcp://host:8786"), "a scheduler has its own workers"),
        (("--quick",), "this study has no quick size"),
    ],
)
def test_means_that_cannot_be(shell, swept, words, message):
    refused = shell("sweep", "small.toml", *words)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


KILLED = STUDY.replace('title = "A small', 'title = "A killed').replace(
    "ratio = [0, 0.5]", "seeds = [0, 1, 2, 3]\nratio = [0, 0.5]"
)


def begun(shell: Shell) -> subprocess.Popen:
    (shell.folder / "killed.toml").write_text(KILLED)
    return subprocess.Popen(
        [sys.executable, "-m", "hsitf.sweep", "killed.toml", *WORDS[1:]],
        cwd=shell.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(folder: Path, count: int) -> dict[str, bytes]:
    """Records of cells, once there are so many."""
    for _ in range(1200):
        found = {path.name: path.read_bytes() for path in (folder / "cells").glob("*.json")}
        if len(found) >= count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"no {count} cells after two minutes")


@pytest.mark.slow
def test_a_killed_sweep_loses_the_running_cells_at_most(shell):
    folder = shell.folder / "studies" / "killed-tiny"
    with begun(shell) as process:
        finished(folder, 3)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    # Its worker ends by itself.
    time.sleep(2)
    kept = finished(folder, 3)
    with begun(shell) as process:
        finished(folder, len(kept) + 3)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "interrupted; repeat the command" in told
    assert "Traceback" not in told
    # An interrupted sweep leaves tables of what there is.
    known = finished(folder, len(kept) + 3)
    with (folder / "results.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) >= len(kept) + 3
    done = shell("sweep", "killed.toml", *WORDS[1:], timeout=600)
    assert done.returncode == 1
    results = StudyResults.open(folder)
    assert not results.pending
    assert len(results.done) == 18
    now = finished(folder, 19)
    assert {name: now[name] for name in kept} == kept
    assert {name: now[name] for name in known} == known


@pytest.mark.slow
def test_a_scheduler_s_workers_do_the_same(shell, swept):
    from distributed import LocalCluster

    (shell.folder / "one.toml").write_text(STUDY.partition("[[grid]]")[0] + '[[grid]]\nname="a"')
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        words = ("--labels", "labels.npy", "--dask", cluster.scheduler_address)
        done = shell("sweep", "one.toml", *words)
    assert done.returncode == 0, done.stderr
    (there,) = StudyResults.open(shell.folder / "studies" / "one-tiny").done
    here = StudyResults.open(shell.folder / "studies" / "small-tiny").done[0]
    assert there.settings == here.settings
    assert there.values.oa == pytest.approx(here.values.oa, abs=0.02)
