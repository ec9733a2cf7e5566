"""What training learns from beside labels: unlabelled pixels and teachers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hsitf import data
from hsitf.errors import InputError
from hsitf.options import RecipeOptions, SplitChoice, TrainingOptions, training_plan
from hsitf.progress import Silent
from hsitf.records import AdoptionRecord, SceneChoice, TeacherRun, TrainingPlan
from hsitf.runs import Run
from hsitf.scenes.splits import SplitOptions
from hsitf.train import loop
from hsitf.train.epoch_inputs import draw_inputs
from hsitf.train.guidance import Guidance
from hsitf.train.pseudo_labels import (
    EXTRA_WEIGHT,
    NamedPixels,
    eligible_pixels,
    extra_count,
    first_epoch,
    softmax,
)
from hsitf.train.repeat import train_repeatedly
from hsitf.train.run import train
from hsitf.train.teachers import check_teachers, known_teachers


class Saying(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def plan(network: str = "hu", split: SplitChoice | None = None, **training) -> TrainingPlan:
    changes = RecipeOptions(epochs=training.pop("epochs", 4), batch_size=50)
    return training_plan(
        network,
        SceneChoice("tiny.npy", labels="labels.npy"),
        split or SplitChoice(),
        "full",
        changes,
        TrainingOptions(**training),
    )


@pytest.mark.parametrize("patch", [1, 5])
def test_windows_of_eligible_pixels_touch_no_evaluation_window(tiny, patch):
    ready = data.prepare(tiny, plan(split=SplitChoice(patch=patch)).split)
    held_out = np.concatenate([ready.split.validation, ready.split.test])
    rows, cols = np.divmod(held_out, 40)
    for pixel in eligible_pixels(ready):
        row, col = divmod(int(pixel), 40)
        assert tiny.labels[row, col] == 0
        assert (np.maximum(abs(rows - row), abs(cols - col)) >= patch).all()


def test_images_without_training_pixels_show_none(tiny, tmp_path):
    np.save(tmp_path / "tiny.npy", tiny.cube)
    np.save(tmp_path / "labels.npy", tiny.labels)
    image = '[[image]]\nname = "{}"\ncube = "tiny.npy"\nlabels = "labels.npy"\n'
    (tmp_path / "scene.toml").write_text(image.format("a") + image.format("b"))
    scene = data.load_scene(SceneChoice(str(tmp_path / "scene.toml")))
    rows = np.arange(80)[:, None]
    chosen = np.where((rows < 40) & (rows // 10 % 2 == 0), scene.labels, 0)
    eligible = eligible_pixels(data.prepare(scene, SplitOptions("fixed", patch=3), chosen))
    assert len(eligible)
    assert (eligible < 40 * 40).all()


def test_none_are_left_of_a_random_split(tiny):
    asked = plan(split=SplitChoice("random", patch=11), pseudo_labels=0.5)
    ready = data.prepare(tiny, asked.split)
    progress = Saying()
    guidance = Guidance.of(asked, ready, progress)
    assert len(guidance.candidates) == guidance.unlabelled.count == 0
    assert progress.said == [
        "no unlabelled pixel is far enough from validation and test pixels: training goes on "
        "without pseudo-labels"
    ]
    lengths = guidance.lengths(asked, ready, len(ready.split.train))
    assert lengths.first == lengths.later


def test_an_epoch_with_unlabelled_pixels_by_hand(tiny):
    asked = plan(pseudo_labels=0.9, recipe_name="robust", mixup=0.0, augmentations=("none",))
    ready = data.prepare(tiny, asked.split)
    shown = NamedPixels(
        np.flatnonzero(tiny.labels.ravel() == 0)[:5].astype(np.int64),
        np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 3]],
    )

    class OneOutput:
        outputs = (None,)

    guidance = Guidance.of(asked, ready, Saying())
    views, targets, weights = draw_inputs(OneOutput(), asked, ready, 3, guidance, shown)
    room = extra_count(ready)
    assert len(views) == len(ready.split.train) + room
    unlabelled = np.isin(views[:, 0], shown.pixels)
    assert unlabelled.sum() == 5
    np.testing.assert_array_equal(targets[unlabelled], shown.of(views[unlabelled, 0]))
    np.testing.assert_array_equal(weights, np.where(unlabelled, EXTRA_WEIGHT, 1))
    # Every training pixel once, and some of them again in the room that is left.
    often = np.bincount(views[~unlabelled, 0])[ready.split.train]
    assert often.min() == 1
    assert often.sum() == len(ready.split.train) + room - 5


def test_confidence_and_probabilities_by_hand():
    logits = np.log(np.array([[9, 1], [2, 2], [1, 3]], np.float32))
    named = NamedPixels(np.array([3, 5, 9]), softmax(logits))
    np.testing.assert_allclose(named.targets, [[0.9, 0.1], [0.5, 0.5], [0.25, 0.75]], rtol=1e-6)
    sure = named.sure(0.7)
    assert sure.pixels.tolist() == [3, 9]
    np.testing.assert_array_equal(sure.hard().targets, [[1, 0], [0, 1]])
    np.testing.assert_allclose(named.of(np.array([9, 3]))[:, 0], [0.25, 0.9], rtol=1e-6)
    assert first_epoch(plan(epochs=10, pseudo_labels=0.9)) == 3


@pytest.fixture(scope="module")
def teacher(tiny, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("user"))
        np.save("tiny.npy", tiny.cube)
        np.save("labels.npy", tiny.labels)
        yield train(plan(epochs=8), "teacher", Silent())


def test_a_taught_run(teacher, monkeypatch):
    seen = []
    original = loop.Guidance.of

    def watching(*given):
        seen.append(original(*given))
        return seen[-1]

    monkeypatch.setattr(loop.Guidance, "of", watching)
    asked = plan(teachers=(str(teacher.folder),), pseudo_labels=0.25, teacher_weight=0.25)
    assert asked.teachers == (TeacherRun(str(teacher.folder), teacher.record.sha256),)
    run = train(asked, None, Silent())
    assert run.folder.name == "disjoint-custom-pseudo0.25-teachers1-seed0"
    assert "1 teacher" in (run.folder / "README.md").read_text()
    (guidance,) = seen
    network, ready = teacher.network(), teacher.data()
    expected = softmax(network.predict(ready.patches.extract(guidance.taught.pixels), verbose=0))
    np.testing.assert_allclose(guidance.taught.targets, expected, atol=1e-5)
    assert guidance.taught_extra.targets.max(axis=1).min() >= 0.25

    class OneOutput:
        outputs = (None,)

    views, targets, _ = draw_inputs(OneOutput(), asked, ready, 0, guidance)
    labels = np.eye(4)[ready.targets(views[:, 0])]
    mixed = 0.75 * labels + 0.25 * guidance.taught.of(views[:, 0])
    np.testing.assert_allclose(targets, mixed, atol=1e-6)
    # The same teacher under another path is the same plan.
    again = replace(asked, teachers=(TeacherRun("elsewhere", teacher.record.sha256),))
    assert train(again, None, Silent()).record == run.record
    with pytest.raises(InputError, match="received: teachers none; allowed: teachers SHA-256 "):
        train(replace(asked, teachers=()), run.folder.name, Silent())


def test_teachers_trained_elsewhere_on_unknown_pixels_are_refused(teacher, monkeypatch):
    record = teacher.record
    adopted = Run(
        teacher.folder,
        replace(
            record,
            adopted=AdoptionRecord("theirs.h5", "", "Keras 2", (), "", ()),
            split=replace(record.split, leakage_pixel=None, leakage_patch=None),
        ),
    )
    monkeypatch.setattr(Run, "open", lambda folder: adopted)
    with pytest.raises(InputError, match="pixels that are not known"):
        check_teachers(plan(teachers=(str(teacher.folder),)), adopted.data())


def test_teachers_that_do_not_fit(teacher, tiny):
    folder = str(teacher.folder)
    with pytest.raises(InputError, match="named twice"):
        known_teachers((folder, folder))
    asked = plan(split=SplitChoice(seed=7), teachers=(folder,))
    with pytest.raises(InputError, match="trained on validation or test pixels of this run"):
        check_teachers(asked, data.prepare(teacher.data().scene, asked.split))
    asked = plan(teachers=(folder,))
    ready = data.prepare(tiny.leaving_out([tiny.class_names[0]]), asked.split)
    with pytest.raises(InputError, match=r"cannot teach this network: .*other"):
        check_teachers(asked, ready)
    ready = teacher.data()
    swapped = replace(ready.split, test=ready.split.validation, validation=ready.split.test)
    with pytest.raises(InputError, match="validated on test pixels of this run"):
        check_teachers(asked, replace(ready, split=swapped))
    changed = replace(asked, teachers=(TeacherRun(folder, "0" * 64),))
    with pytest.raises(InputError, match="another network than when this run began"):
        check_teachers(changed, ready)


def test_what_teachers_of_a_teacher_know_counts_too(teacher, monkeypatch):
    folder = str(teacher.folder)
    asked = plan(split=SplitChoice(seed=7))
    # The teacher itself is of this run's split; the one that taught it is not.
    ready = data.prepare(teacher.data().scene, asked.split)
    known_plan = replace(teacher.record.plan, teachers=(TeacherRun(folder, teacher.record.sha256),))
    taught = Run(teacher.folder, replace(teacher.record, plan=known_plan))
    original = Run.split
    monkeypatch.setattr(Run, "split", lambda run: ready.split if run is taught else original(run))
    runs = {"taught": taught, folder: teacher}
    monkeypatch.setattr(Run, "open", lambda found: runs[str(found)])
    asked = replace(asked, teachers=(TeacherRun("taught", teacher.record.sha256),))
    with pytest.raises(InputError, match="trained on validation or test pixels of this run"):
        check_teachers(asked, ready)
    lost = replace(known_plan, teachers=(TeacherRun(folder, "0" * 64),))
    runs["taught"] = taught = Run(teacher.folder, replace(teacher.record, plan=lost))
    with pytest.raises(InputError, match="taught by a network that is not there any more"):
        check_teachers(asked, ready)


def test_teachers_know_one_split(teacher):
    asked = plan(teachers=(str(teacher.folder),))
    with pytest.raises(InputError, match="teachers know one split"):
        train_repeatedly(asked, 2, None, Silent())


@pytest.mark.parametrize(
    ("network", "training", "words"),
    [
        ("boulch", {"pseudo_labels": 0.9}, "with a decoder of its own"),
        ("hu", {"pseudo_labels": 1.5}, "pseudo-labels is out of range"),
        ("hu", {"teachers": ("nowhere",)}, "no such run"),
        ("hu", {"teacher_weight": 2.0}, "the weight of teachers is out of range"),
        ("hu", {"teacher_weight": 0.9}, "there is no teacher to weight"),
    ],
)
def test_what_contradicts_is_refused(network, training, words):
    with pytest.raises(InputError, match=words):
        plan(network, **training)


def test_baselines_refuse_it():
    options = TrainingOptions(pseudo_labels=0.9)
    with pytest.raises(InputError, match="fitted by scikit-learn"):
        training_plan("svm", SceneChoice("tiny.npy"), SplitChoice(), "full", training=options)
