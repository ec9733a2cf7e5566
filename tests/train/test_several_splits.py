from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hsitf import records
from hsitf.data import load_scene, split_scene
from hsitf.errors import InputError
from hsitf.metrics import interval
from hsitf.options import SplitChoice, TrainingOptions, trained_for, training_plan
from hsitf.progress import Silent
from hsitf.records import SceneChoice, TrainingPlan
from hsitf.runs import Run
from hsitf.scenes.splits import SplitOptions, split
from hsitf.train.baselines_beside import finished_baselines, format_baselines
from hsitf.train.repeat import RepeatSummary, format_summary, seed_pairs, train_repeatedly
from hsitf.train.run import default_run_name, find_or_train, train
from hsitf.train.small_validation import small_validation_remark


class Said(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory) -> Path:
    found = tmp_path_factory.mktemp("splits")
    np.save(found / "tiny.npy", tiny.cube)
    np.save(found / "labels.npy", tiny.labels)
    return found


@pytest.fixture
def here(folder, monkeypatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def plan(network: str = "sgd", **split_options: object) -> TrainingPlan:
    choice = SplitChoice(guard=2, **split_options)
    return training_plan(network, SceneChoice("tiny.npy", labels="labels.npy"), choice, "full")


def test_seeds_of_splits_and_of_the_runs_on_each():
    assert seed_pairs(3, 3, None) == [(3, 3), (4, 4), (5, 5)]
    assert seed_pairs(3, 2, 2) == [(3, 3), (3, 4), (4, 4), (4, 5)]
    # One run on each of several splits is what runs alone are: nothing is trained twice.
    assert seed_pairs(0, 1, 5) == seed_pairs(0, 5, None)
    for wrong in [(0, 1, None), (0, 1, 1), (0, 1, 0), (2**32 - 2, 2, 2)]:
        with pytest.raises(InputError, match="number of runs"):
            seed_pairs(*wrong)


def test_intervals_are_over_the_means_of_splits(here):
    summary, path = train_repeatedly(plan(), 2, None, Silent(), splits=2)
    assert [Path(one).name for one in summary.runs] == [
        "disjoint-full-seed0",
        "disjoint-full-split0-seed1",
        "disjoint-full-seed1",
        "disjoint-full-split1-seed2",
    ]
    found = [Run.open(Path(one)).record for one in summary.runs]
    assert len({record.split.sha256 for record in found}) == 2
    a, b, c, d = (record.scores.oa for record in found)
    assert summary.oa == interval([(a + b) / 2, (c + d) / 2])
    assert (summary.splits, summary.runs_per_split) == (2, 2)
    assert "over 2 splits, of the means of 2 runs on each" in format_summary(summary)
    assert records.read(RepeatSummary, path) == summary
    # Finished runs are not repeated, and one run a split is runs alone.
    said = Said()
    train_repeatedly(plan(), 2, None, said, splits=2)
    train_repeatedly(plan(), 2, None, said)
    assert sum("is trained already" in line for line in said.lines) == 6
    summary, _ = train_repeatedly(plan(), 2, None, Silent(), splits=1)
    assert "over 2 runs on one split" in format_summary(summary)


@pytest.mark.parametrize("kind", ["disjoint", "random"])
def test_few_labels_leave_the_test_pixels_alone(tiny, kind):
    whole = SplitOptions(kind, patch=3)
    few, more = replace(whole, labelled=5), replace(whole, labelled=12)
    _, all_of_them = split_scene(tiny, whole)
    scene, five = split_scene(tiny, few)
    _, twelve = split_scene(tiny, more)
    np.testing.assert_array_equal(five.test, all_of_them.test)
    labels = tiny.labels.ravel()
    assert (np.bincount(labels[five.train])[1:] == 5).all()
    assert (np.bincount(labels[five.validation])[1:] <= 5).all()
    # Curves grow: what few have is among what more have.
    assert set(five.train) < set(twelve.train) < set(all_of_them.train)
    assert set(five.validation) <= set(twelve.validation) <= set(all_of_them.validation)
    labelled = np.count_nonzero(tiny.labels)
    assert sum(map(len, five.sets)) + five.unused == labelled
    assert five.digest() != all_of_them.digest()
    assert scene.notes == tiny.notes


def test_classes_with_fewer_keep_all_and_that_is_said(tiny):
    scene, few = split_scene(tiny, SplitOptions("random", train=0.1, labelled=1000))
    assert "Fewer than 1000 training pixels, all kept:" in scene.notes[-1]
    whole = split(tiny.labels, SplitOptions("random", train=0.1))
    np.testing.assert_array_equal(few.train, whole.train)
    np.testing.assert_array_equal(few.validation, whole.validation)
    with pytest.raises(InputError, match="labelled pixels a class is out of range"):
        SplitOptions(labelled=0)


def test_few_labels_name_the_run_and_are_in_its_plan(here):
    asked = plan(labelled=4)
    run = train(asked, None, Silent())
    assert run.folder.name == "disjoint-full-labelled4-seed0"
    assert records.read(type(run.record), run.folder / "record.json").plan.split.labelled == 4
    assert run.record.split.train == 4 * len(run.record.scene.class_names)
    remark = small_validation_remark(run.record)
    assert "Validation on fewer than 30 pixels of" in remark
    assert f"{run.record.scene.class_names[0]} (4)" in remark
    assert remark in (run.folder / "README.md").read_text()


def test_no_remark_where_validation_is_large_or_not_known(here):
    record = train(plan(), None, Silent()).record
    names = record.scene.class_names
    for counts in [(30,) * len(names), (), (0,) * len(names)]:
        one = replace(record, split=replace(record.split, validation_per_class=counts))
        assert small_validation_remark(one) == ""
    few = replace(record.split, validation_per_class=(29, *(30,) * (len(names) - 1)))
    remark = small_validation_remark(replace(record, split=few))
    assert remark.startswith(f"Validation on fewer than 30 pixels of {names[0]} (29):")


def test_finished_baselines_stand_beside(here):
    runs = [train(plan(), None, Silent()), train(plan("nearest"), None, Silent())]
    train(plan("nearest", seed=1), None, Silent())
    (beside,) = finished_baselines([runs[0].folder])
    # The other split is none of the run's.
    assert (beside.network, beside.splits) == ("nearest", 1)
    assert beside.oa == runs[1].record.scores.oa
    assert "nearest" in format_baselines([beside])
    assert format_baselines([]) == ""


def test_a_run_of_another_recipe_is_not_taken_silently(here, monkeypatch):
    trained = train(plan("sgd"), None, Silent())
    asked = plan("sgd")
    said = Said()
    assert find_or_train(asked, said).folder == trained.folder
    assert said.lines[-1].endswith("recipe paper")
    robust = replace(asked, recipe_name="robust")
    assert find_or_train(robust, said).record.plan.recipe_name == "paper"

    class TrainedError(Exception):
        """That a network would be trained."""

    def refuse(*_: object) -> None:
        raise TrainedError

    monkeypatch.setattr("hsitf.train.run.train", refuse)
    with pytest.raises(TrainedError):
        find_or_train(robust, said, any_recipe=False)
    assert "with the robust recipe: training one" in said.lines[-1]


def test_names_say_what_differs():
    options = TrainingOptions(recipe_name="robust")
    scene = SceneChoice("fields")
    one = training_plan("hu", scene, SplitChoice(labelled=20, seed=3), "short", training=options)
    assert default_run_name(one) == "disjoint-short-robust-labelled20-seed3"
    assert default_run_name(replace(one, seed=5)) == "disjoint-short-robust-labelled20-split3-seed5"


def test_the_scene_is_read_as_ever(here):
    assert load_scene(SceneChoice("tiny.npy", labels="labels.npy")).notes == ()


def test_a_run_that_is_named_has_the_recipe_that_is_asked_for(here):
    trained = train(plan("sgd"), None, Silent())
    asked = ("sgd", SceneChoice(""), SplitChoice(), trained.folder, Silent(), None)
    assert trained_for(*asked, "paper")[0].folder == trained.folder
    with pytest.raises(InputError, match="trained with another recipe"):
        trained_for(*asked, "robust")


def test_a_network_that_the_zoo_does_not_know_has_the_recipe_that_is_asked_for(here, monkeypatch):
    trained = train(plan("sgd"), None, Silent())
    monkeypatch.setattr("hsitf.options._only_on_disk", lambda network: True)
    monkeypatch.setattr("hsitf.options.latest_run", lambda *given: trained)
    with pytest.raises(InputError, match="trained with another recipe"):
        trained_for("sgd", SceneChoice(""), SplitChoice(), None, Silent(), None, "robust")


def test_a_damaged_run_has_nothing_beside(here, tmp_path):
    assert finished_baselines([tmp_path]) == []
