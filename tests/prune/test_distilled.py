"""Pruned networks that learn from the network that they were."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hsitf import api
from hsitf.data import load_scene
from hsitf.errors import InputError
from hsitf.options import RecipeOptions, SplitChoice, TrainingOptions, training_plan
from hsitf.progress import Silent
from hsitf.prune import run as pruning
from hsitf.prune.curve import prune_sparse_curve
from hsitf.prune.request import PruningRequest
from hsitf.prune.run import prune
from hsitf.prune.table import format_pruning
from hsitf.records import AdoptionRecord, SceneChoice, TeacherRun, TrainingPlan
from hsitf.runs import Run
from hsitf.train import loop
from hsitf.train.run import train
from hsitf.train.teachers import TEACHER_WEIGHT, TEMPERATURE, _own_teachers
from hsitf.train.unseen import taught_pixels
from hsitf.zoo import Recipe

RECIPE = Recipe("sgd", 0.05, batch_size=50, epochs=3)
SCENE = SceneChoice("tiny.npy", labels="labels.npy")
HALF = PruningRequest("macs", 0.5, RECIPE, distill=True)


def plan(network: str = "hu", scene: SceneChoice = SCENE, **choices) -> TrainingPlan:
    split = choices.pop("split", SplitChoice())
    changes = RecipeOptions(epochs=choices.pop("epochs", 6), batch_size=50)
    bands = choices.pop("bands", "")
    asked = training_plan(network, scene, split, "full", changes, TrainingOptions(**choices))
    return replace(asked, bands=bands)


@pytest.fixture(scope="module")
def origin(tiny, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("user"))
        np.save("tiny.npy", tiny.cube)
        np.save("labels.npy", tiny.labels)
        yield train(plan(), "origin", Silent())


@pytest.fixture(scope="module")
def distilled(origin):
    return prune(origin, HALF, None, Silent(), threads=None)


def copied(run: Run, name: str) -> Run:
    """The run in a folder of its own, so that what is pruned from it has one, too."""
    folder = run.folder.parent / name
    if not folder.exists():
        shutil.copytree(run.folder, folder)
    return Run.open(folder)


def test_who_taught_is_recorded(origin, distilled):
    assert distilled.folder.name == "origin-l2-macs0.5-distill"
    found = distilled.record.pruning.distillation
    assert found.teacher == TeacherRun(str(origin.folder), origin.record.sha256)
    assert (found.temperature, found.teacher_weight) == (TEMPERATURE, TEACHER_WEIGHT)
    assert found.unlabelled == len(taught_pixels(origin.data())) > 0
    assert distilled.record.pruning.earlier_teachers == ()
    said = f"and {found.unlabelled:,} unlabelled"
    assert said in format_pruning(distilled.record)
    assert said in (distilled.folder / "README.md").read_text()
    labels = prune(origin, replace(HALF, distill=False), None, Silent(), threads=None)
    assert labels.record.pruning.distillation is None
    assert "Taught by" not in format_pruning(labels.record)
    pairs = zip(labels.network().weights, distilled.network().weights, strict=True)
    assert any(not np.array_equal(a, b) for a, b in pairs)


def test_a_student_is_closer_to_its_teacher(origin):
    """What distillation is for: many epochs, no label's share, and it answers as its teacher."""
    request = replace(HALF, recipe=replace(RECIPE, epochs=8), teacher_weight=1.0)
    taught = prune(origin, request, "taught", Silent(), threads=None)
    labels = replace(request, distill=False, teacher_weight=None)
    alone = prune(origin, labels, "alone", Silent(), threads=None)
    ready = origin.data()
    patches = ready.patches.extract(ready.split.test)
    expected = origin.network().predict(patches, verbose=0)
    gaps = [
        np.abs(run.network().predict(patches, verbose=0) - expected).mean()
        for run in (taught, alone)
    ]
    assert gaps[0] < gaps[1]


@pytest.mark.parametrize("measure", ["macs", pytest.param("sparsity", marks=pytest.mark.slow)])
def test_interrupted_it_goes_on_bit_by_bit(origin, measure, monkeypatch):
    request = replace(HALF, measure=measure)
    if measure == "macs":
        request = replace(request, schedule="iterative", iterations=2)
    whole = prune(origin, request, f"whole-{measure}", Silent(), threads=None)
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    epochs = []
    original = loop.run_epoch

    def interrupted(networks, *rest):
        epochs.append(1)
        if len(epochs) == 2:
            raise KeyboardInterrupt
        original(networks, *rest)

    monkeypatch.setattr(loop, "run_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prune(origin, request, f"cut-{measure}", Silent(), threads=None)
    resumed = prune(origin, request, f"cut-{measure}", Silent(), threads=None)
    assert len(epochs) == 4
    for a, b in zip(whole.network().weights, resumed.network().weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert resumed.record.pruning.distillation == whole.record.pruning.distillation
    if measure == "sparsity":
        zeros = sum((np.asarray(one) == 0).sum() for one in resumed.network().weights)
        assert zeros > 0.4 * resumed.record.parameters


def test_a_chain_of_prunings_keeps_its_first_teacher(origin, distilled):
    request = replace(HALF, target=0.8)
    second = prune(distilled, request, "second", Silent(), threads=None, teacher=origin)
    found = second.record.pruning
    assert found.distillation.teacher.sha256 == origin.record.sha256
    assert [one.sha256 for one in found.earlier_teachers] == [origin.record.sha256]
    # The same teacher in another folder is the same run; another teacher is not.
    moved = copied(origin, "moved")
    assert prune(distilled, request, "second", Silent(), threads=None, teacher=moved) == second
    with pytest.raises(InputError, match="belongs to another run"):
        prune(distilled, request, "second", Silent(), threads=None)
    # What a teacher's teachers know counts, but for what it was pruned from.
    assert _own_teachers(distilled) == []
    assert [one.sha256 for one in _own_teachers(second)] == [origin.record.sha256]


def test_a_teacher_that_does_not_fit_is_refused(origin):
    with pytest.raises(InputError, match="learns from labels alone"):
        prune(origin, replace(HALF, distill=False), "a", Silent(), threads=None, teacher=origin)
    other = train(plan(split=SplitChoice(seed=7), epochs=1), "other", Silent())
    with pytest.raises(InputError, match="trained on validation or test pixels of this run"):
        prune(origin, HALF, "b", Silent(), threads=None, teacher=other)
    assert not (origin.folder.parent / "b").exists()
    with pytest.raises(InputError, match="a curve over alpha uses one-shot pruning without a"):
        prune_sparse_curve(origin, [replace(HALF, measure="alpha")], "c", Silent())


def test_options_without_a_teacher_are_refused():
    with pytest.raises(
        InputError, match="--teacher-weight or --unlabelled-weight without --distill"
    ):
        PruningRequest("macs", 0.5, RECIPE, temperature=4.0)
    with pytest.raises(InputError, match="temperature of distillation is out of range"):
        PruningRequest("macs", 0.5, RECIPE, distill=True, temperature=0.1)


def test_a_network_trained_elsewhere_teaches_its_own_pruned_one(origin):
    record = origin.record
    adopted = Run(
        origin.folder,
        replace(
            record,
            adopted=AdoptionRecord("theirs.h5", "", "Keras 2", (), "", ()),
            split=replace(record.split, leakage_pixel=None, leakage_patch=None),
        ),
    )
    run = prune(adopted, HALF, "theirs", Silent(), threads=None)
    assert run.record.pruning.distillation.teacher.sha256 == record.sha256
    # Whoever teaches it further: the pixels of the first are as unknown as before.
    second = prune(run, replace(HALF, target=0.9), "theirs2", Silent(), None, None, origin)
    assert second.record.split.leakage_pixel is None


@pytest.mark.slow
def test_a_decoder_gives_way_to_the_teacher(origin):
    boulch = train(plan("boulch", epochs=1), "boulch", Silent())
    assert boulch.record.unlabelled > 0
    run = prune(boulch, HALF, None, Silent(), threads=None)
    assert run.record.unlabelled == 0
    assert run.record.pruning.distillation.unlabelled > 0


@pytest.mark.parametrize(("option", "value"), [("bands", "pca:10"), ("pixel_normalization", "snv")])
def test_what_stands_in_front_of_networks_on_several_images(origin, option, value):
    image = '[[image]]\nname = "{}"\ncube = "tiny.npy"\nlabels = "labels.npy"\n'
    Path("scene.toml").write_text("".join(image.format(name) for name in "abc"))
    scene = SceneChoice("scene.toml")
    assert len(load_scene(scene).images) == 3
    several = train(plan(scene=scene, epochs=1, **{option: value}), f"several-{option}", Silent())
    seen = []
    original = pruning.Guidance.distilled

    def watching(*given):
        seen.append(original(*given))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pruning.Guidance, "distilled", watching)
        pruned = api.load_run(several.folder).prune(
            macs=0.5, distill=True, temperature=3, epochs=1, threads=None
        )
    run = pruned.run
    assert run.record.pruning.distillation.temperature == 3
    assert run.record.components == several.record.components
    ready, (guidance,) = several.data(), seen
    logits = several.network().predict(ready.patches.extract(guidance.taught.pixels), verbose=0)
    scaled = np.exp(logits / 3)
    expected = scaled / scaled.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(guidance.taught.targets, expected, atol=1e-5)
