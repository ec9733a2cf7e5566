"""Runs find the files of their scene, and commands find runs, wherever the files lie."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import hsitf
from hsitf.errors import HsitfError, InputError
from hsitf.locations import is_same_scene
from hsitf.records import SceneChoice
from hsitf.runs import Run


@pytest.fixture(scope="module")
def place(shell, tiny):
    """A folder with a scene in two files, and a network that was trained on it."""
    folder = shell.folder
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        labels = tiny.labels.astype(np.uint8).copy()
        np.save("cube.npy", tiny.cube)
        np.save("truth.npy", labels)
        scene = hsitf.load_scene("cube.npy", labels="truth.npy")
        hsitf.train_network("hu", scene, epochs=2)
        yield folder


@pytest.fixture
def run(place, monkeypatch):
    monkeypatch.chdir(place)
    (folder,) = place.glob("models/cube/hu/*")
    return Run.open(folder)


def test_labels_need_not_be_named_again(run):
    assert run.is_of(SceneChoice("cube.npy"))
    found = run.scene_choice(SceneChoice("cube.npy"))
    assert found.labels == "truth.npy"


def test_a_run_works_from_another_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = run.data()
    assert data.scene.classes == len(run.record.scene.class_names)


def test_files_that_moved_are_found_by_name_and_by_content(run, place, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy("cube.npy", elsewhere / "renamed.npy")
    shutil.copy("truth.npy", elsewhere / "truth.npy")
    np.save(elsewhere / "another.npy", np.zeros(3))
    copied = tmp_path / "run"
    shutil.copytree(run.folder, copied)
    monkeypatch.chdir(tmp_path)
    moved = Run.open(copied)
    with pytest.raises(InputError, match=r"cube\.npy of cube is not where .* --data-dir"):
        moved.scene_choice()
    found = moved.scene_choice(SceneChoice("", data_dir=str(elsewhere)))
    assert found.source == str(elsewhere / "renamed.npy")
    assert found.labels == str(elsewhere / "truth.npy")
    assert moved.data(found).scene.labels.any()


def test_the_same_file_by_another_path_is_the_same_scene(run, tmp_path):
    other = tmp_path / "other.npy"
    shutil.copy("cube.npy", other)
    assert run.is_of(SceneChoice(str(other)))
    values = np.load("cube.npy")
    values[0, 0, 0] += 1
    np.save(other, values)
    assert not run.is_of(SceneChoice(str(other)))


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({}, True),
        ({"labels": "truth.npy"}, True),
        ({"labels": "cube.npy"}, True),
        ({"labels": "others.npy"}, False),
        ({"nodata": -1.0}, False),
        ({"drop": ("class 1",)}, False),
        ({"train_map": "truth.npy"}, False),
    ],
)
def test_what_makes_another_scene(run, changed, same):
    np.save("others.npy", np.ones((3, 3)))
    then, known = run.record.plan.scene, run.record.scene
    # A file of the scene stays one, even if it is given where it makes no sense.
    assert is_same_scene(SceneChoice("cube.npy", **changed), then, known) is same


def test_the_name_that_is_printed_can_be_given(shell, place):
    done = shell("classify", "--model", "hu", "--scene", "cube", "--out", "printed.png")
    assert done.returncode == 0, done.stderr
    assert "hu on cube" in done.stdout
    # It took the network that was there.
    assert len(list(place.glob("models/cube/hu/*"))) == 1


def test_the_same_training_by_another_path_is_done_already(shell, place, tmp_path):
    shutil.copy(place / "cube.npy", tmp_path / "cube.npy")
    scene = ("--scene", f"{tmp_path}/cube.npy", "--labels", "truth.npy")
    done = shell("train", "--model", "hu", *scene, "--epochs", "2")
    assert done.returncode == 0, done.stderr
    assert "is trained already" in done.stderr


def test_another_scene_is_refused(run, tmp_path):
    values = np.load("cube.npy")
    np.save(tmp_path / "cube.npy", values + 1)
    choice = run.scene_choice(SceneChoice(str(tmp_path / "cube.npy")))
    with pytest.raises(HsitfError, match="not the scene that the network was trained on"):
        run.data(choice)


def test_a_class_too_small_for_the_split_is_left_out(place, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = tiny.labels.astype(np.uint8).copy()
    number = int(labels.max()) + 1
    labels[0, 0] = number
    np.save("cube.npy", tiny.cube)
    np.save("truth.npy", labels)
    scene = hsitf.load_scene("cube.npy", labels="truth.npy")
    run = hsitf.train_network("hu", scene, epochs=1)
    assert run.record.scene.left_out_classes == (f"class {number}",)
    assert f"class {number}" not in run.record.scene.class_names
    # Every verb leaves it out again, without being told.
    assert run.run.data().scene.classes == number - 1
    kept = hsitf.load_scene("cube.npy", labels="truth.npy", keep_all=True)
    with pytest.raises(HsitfError, match="too small for separate"):
        hsitf.train_network("li", kept, epochs=1)


def test_labels_that_changed_after_the_training_are_refused(shell, place, tiny):
    np.save("later.npy", tiny.labels)
    np.save("again.npy", tiny.cube)
    scene = hsitf.load_scene("again.npy", labels="later.npy")
    run = hsitf.train_network("hu", scene, epochs=1).run
    np.save("later.npy", np.where(tiny.labels > 0, tiny.labels % 4 + 1, 0))
    for choice in (SceneChoice(""), SceneChoice("again.npy")):
        with pytest.raises(HsitfError, match=r"later\.npy has changed since .* --labels"):
            run.scene_choice(choice)
    done = shell("classify", "--from", str(run.folder), "--out", "changed.png")
    assert done.returncode == 3
    assert "later.npy has changed" in done.stderr
    # Named, they are other labels of the same cube.
    named = hsitf.load_scene("again.npy", labels="later.npy")
    found = hsitf.classify_scene(hsitf.load_run(run.folder), named, engine="keras")
    assert found.labelled_scores is not None
    # Who needs those of the training names the file that differs.
    with pytest.raises(HsitfError, match=r"other files; received: later\.npy \("):
        run.data(run.scene_choice(SceneChoice("again.npy", labels="later.npy")))


def test_cube_and_labels_of_one_file_name(place, tiny):
    for folder, values in (("cubes", tiny.cube), ("truths", tiny.labels)):
        (place / folder).mkdir()
        np.save(place / folder / "field.npy", values)
    scene = hsitf.load_scene("cubes/field.npy", labels="truths/field.npy")
    run = hsitf.train_network("hu", scene, epochs=1).run
    assert run.scene_choice().labels == "truths/field.npy"
    assert run.data().scene.labels.any()
    np.save(place / "truths" / "field.npy", np.where(tiny.labels > 0, tiny.labels % 4 + 1, 0))
    with pytest.raises(HsitfError, match="has changed since"):
        run.scene_choice()
