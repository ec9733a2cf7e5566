"""Files that changed, were exchanged or come from elsewhere are noticed before they do harm."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from hsitf import data, records, runs
from hsitf.bounds import Bounds
from hsitf.errors import DataError, VerificationError
from hsitf.metrics import Scores
from hsitf.progress import Silent
from hsitf.records import RunRecord
from hsitf.runs import Run
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import SplitOptions, split
from hsitf.verify import Verification

HU = ("--model", "hu", "--epochs", "2")


@pytest.fixture(scope="module")
def run(shell):
    done = shell("train", *HU, *shell.SCENE)
    assert done.returncode == 0, done.stderr
    return Run.open(shell.folder / "models/tiny/hu/disjoint-custom-seed0")


@pytest.fixture
def copy(run, tmp_path):
    """A run that a test may damage."""
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    return folder


def rewrite(folder, **changes):
    content = json.loads((folder / runs.RECORD).read_text())
    (folder / runs.RECORD).write_text(json.dumps({**content, **changes}))


def refused(done, text):
    assert done.returncode != 0
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_finished_run_is_not_returned_for_other_data(run, shell, tiny):
    np.save(shell.folder / "labels.npy", np.flipud(tiny.labels))
    try:
        refused(shell("train", *HU, *shell.SCENE), "not the scene that the network was trained on")
    finally:
        np.save(shell.folder / "labels.npy", tiny.labels)


def test_a_run_is_not_resumed_on_other_data(run, shell, tiny):
    # As an interruption leaves it: what was begun, and a state to go on from.
    folder = shell.folder / "models/tiny/hu/cut"
    folder.mkdir()
    record = run.record
    begun = records.RunStart(records.SCHEMA, record.plan, record.scene, record.split)
    records.write(begun, folder / runs.PLAN)
    (folder / runs.CHECKPOINT).write_bytes(b"")
    np.save(shell.folder / "labels.npy", np.flipud(tiny.labels))
    try:
        done = shell("train", *HU, *shell.SCENE, "--run", "cut")
    finally:
        np.save(shell.folder / "labels.npy", tiny.labels)
    refused(done, "not the scene that the network was trained on")


def test_paths_may_be_spelled_otherwise(run, shell):
    done = shell("train", *HU, "--scene", "./tiny.npy", "--labels", "x/../labels.npy")
    assert done.returncode != 0
    (shell.folder / "x").mkdir()
    done = shell("train", *HU, "--scene", "./tiny.npy", "--labels", "x/../labels.npy")
    assert "is trained already" in done.stderr


def test_options_that_the_run_decides_are_refused_with_from(run, shell):
    done = shell("export", "--model", "hu", "--from", str(run.folder), "--int8", "--seed", "3")
    refused(done, "leave out --from, or --split")


def test_an_exchanged_split_is_noticed(copy):
    with np.load(copy / runs.SPLIT) as file:
        sets = dict(file)
    sets["test"] = sets["train"]
    np.savez(copy / runs.SPLIT, **sets)
    with pytest.raises(DataError, match="not the split that its record describes"):
        Run.open(copy).split()


def test_code_in_a_network_is_not_run(copy, tmp_path):
    import keras

    inputs = keras.Input((1, 1, 24))
    hostile = keras.layers.Lambda(lambda x: x, output_shape=(1, 1, 24))(inputs)
    keras.Model(inputs, hostile).save(copy / runs.NETWORK)
    record = records.read(RunRecord, copy / runs.RECORD)
    rewrite(copy, sha256=runs.sha256(copy / runs.NETWORK))
    assert record.sha256 != Run.open(copy).record.sha256
    with pytest.raises(DataError, match="cannot be loaded"):
        Run.open(copy).network()


def test_a_network_of_another_shape_is_noticed(copy):
    from hsitf import zoo

    zoo.build("hu", bands=25, classes=4).save(copy / runs.NETWORK)
    rewrite(copy, sha256=runs.sha256(copy / runs.NETWORK))
    with pytest.raises(DataError, match=r"received: \(None, 1, 1, 25\)"):
        Run.open(copy).network()


def test_a_damaged_run_does_not_stop_the_others(run, shell):
    said = []

    class Listener(Silent):
        def say(self, text):
            said.append(text)

    other = shell.folder / "models/other/hu/bad"
    other.mkdir(parents=True)
    (other / runs.RECORD).write_text("[" * 100_000)
    found = runs.finished_runs("hu", Listener(), shell.folder / "models")
    assert [one.folder for one in found] == [run.folder]
    assert len(said) == 1
    assert "passing over" in said[0]


def test_a_full_schedule_is_preferred_to_a_later_short_one(run, shell, tmp_path):
    for name, schedule in (("a", "full"), ("b", "short")):
        folder = tmp_path / "models/tiny/hu" / name
        shutil.copytree(run.folder, folder)
        record = Run.open(folder).record
        records.write(
            replace(record, plan=replace(record.plan, schedule=schedule)), folder / runs.RECORD
        )
    found = runs.finished_runs("hu", Silent(), tmp_path / "models")
    assert [one.folder.name for one in found] == ["b", "a"]


@pytest.mark.parametrize("name", ["..", "a/../../b", "a\nb", ""])
def test_a_scene_cannot_lead_out_of_its_folder(tiny, name):
    with pytest.raises(DataError, match="cannot have this name"):
        replace(tiny, name=name)


def test_values_without_data_are_named(tiny):
    cube = tiny.cube / 1e4
    cube[0, 0] = -3.4028235e38
    parts = split(tiny.labels, SplitOptions())
    normalizer = Normalizer.fit(cube, parts.test[parts.test > 0])
    scene = Scene("gaps", cube, tiny.labels, tiny.class_names)
    with pytest.raises(DataError, match="no-data values"):
        data.restore(scene, parts, normalizer, 1)


def test_a_normalization_has_to_fit_the_bands(tiny):
    parts = split(tiny.labels, SplitOptions())
    with pytest.raises(DataError, match=r"received: 1 offsets; allowed: 24"):
        data.restore(tiny, parts, Normalizer((0.0,), (1.0,)), 1)
    with pytest.raises(DataError, match="finite positive scales"):
        Normalizer((0.0,), (0.0,))


def test_what_is_not_a_number_passes_no_bound():
    scores = Scores(0.9, 0.9, 0.9, (0.9,), (0.9,), (10,))
    judged = Verification(scores, scores, 1.0, float("nan"), float("nan"), 10)
    with pytest.raises(VerificationError, match="not numbers"):
        judged.check(Bounds(0.9, 1e-3, 1.0), "hu-float32")


def test_files_of_one_name_keep_their_own_digest(tiny, tmp_path):
    from hsitf.scenes import load

    (tmp_path / "truth").mkdir()
    np.save(tmp_path / "tiny.npy", tiny.cube)
    np.save(tmp_path / "truth/tiny.npy", tiny.labels)
    scene = load(tmp_path / "tiny.npy", labels=tmp_path / "truth/tiny.npy")
    assert set(scene.sources) == {"tiny.npy", "truth/tiny.npy"}
    assert len(set(scene.sources.values())) == 2


def test_replacing_another_runs_bundle_is_said(run, shell):
    first = shell("export", "--model", "hu", "--from", str(run.folder), "--float32")
    assert first.returncode == 0, first.stderr
    assert "replacing" not in first.stderr
    assert shell("train", *HU, *shell.SCENE, "--run", "second", "--lr", "0.1").returncode == 0
    again = shell("export", "--model", "hu", "--from", "models/tiny/hu/second", "--float32")
    assert again.returncode == 0, again.stderr
    assert "replacing export/tiny/hu/float32, which was exported from" in again.stderr
