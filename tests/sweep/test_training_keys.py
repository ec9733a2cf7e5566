"""Options of training as keys of studies, parts of studies, and differences to a reference."""

from __future__ import annotations

import csv
import inspect
from dataclasses import replace

import pytest
from test_sweep import PLAIN, grid, study_of, worth

from hsitf.commands.train import train
from hsitf.errors import InputError
from hsitf.options import RecipeOptions, SplitChoice, TrainingOptions, training_plan
from hsitf.records import SceneChoice
from hsitf.sweep import differences, learning_curves
from hsitf.sweep.cells import expand_cells, training_plan_of
from hsitf.sweep.execute import run_name
from hsitf.sweep.selection import StudySelection, parse_labelled, parse_words, select
from hsitf.sweep.study import parse, read_study_text
from hsitf.sweep.table import format_study
from hsitf.sweep.training_keys import TRAINING_KEYS, changes_of_baseline, options_of

# Options of `train` that are no keys of training: other keys of studies, or of one run alone.
ELSEWHERE = {
    *("model", "bands", "scene", "split", "schedule", "epochs", "recipe", "splits"),
    *("teacher", "teacher_weight", "backend", "device", "runs", "run"),
    # Of these groups, and of the band reduction.
    *("whiten",),
}


def cells_of(text: str, network: str = '"hu"'):
    study = parse("study", grid(text).replace('"cao"', network))
    return expand_cells(study, {"fields": SceneChoice("fields")}).cells


def test_every_training_option_of_the_command_line_is_a_key():
    options = set(inspect.unwrap(train).__annotations__) - {"return"}
    assert options - ELSEWHERE == set(TRAINING_KEYS)


def test_a_part_is_left_out_or_added():
    text = 'recipe = "robust"\nmixup = ["recipe", 0]\nflip_rotate = [true, false]\nsplits = 1'
    found = [cell.settings for cell in cells_of(text)]
    assert [one.training for one in found] == [
        "flip_rotate=true",
        "flip_rotate=true;mixup=0",
        "flip_rotate=false",
        "flip_rotate=false;mixup=0",
    ]
    assert len({run_name(one) for one in found}) == 4
    ending = f"{found[3].epochs}epochs-robust-flip-rotate-false-mixup-0-seed0"
    assert run_name(found[3]) == f"disjoint-{ending}"
    plan = training_plan_of(found[3], SceneChoice("fields"))
    assert (plan.mixup, plan.flip_rotate, plan.recipe.label_smoothing) == (0.0, False, 0.1)
    assert "robust recipe, flip_rotate=false, mixup=0, seed 0" in found[3].text


def test_the_plan_is_the_one_of_the_command_line():
    (cell,) = cells_of(
        'recipe = "robust"\naugment = [["missing-bands", "noise=0.5"]]\nbalanced_sampling = 0.5\n'
        'pixel_normalization = "snv"\npseudo_labels = 0.95\nlabel_smoothing = 0\nema_epochs = 2\n'
        "warmup = 0\ncosine_decay = false\ndecoupled_weight_decay = 0\nlearning_rate = 1e-4\n"
        'batch_size = 50\npatience = 3\nepochs = 7\noptimizer = "sgd"\nmomentum = 0.9'
    )
    expected = training_plan(
        "hu",
        SceneChoice("fields"),
        SplitChoice(guard=0),
        "short",
        RecipeOptions("sgd", 1e-4, 50, 7, 0.9, None, 0.0, 0.0, False, 0.0, 2.0),
        TrainingOptions(
            patience=3,
            recipe_name="robust",
            augmentations=("missing-bands", "noise=0.5"),
            balanced_sampling=0.5,
            pixel_normalization="snv",
            pseudo_labels=0.95,
        ),
    )
    assert training_plan_of(cell.settings, SceneChoice("fields")) == expected


def test_augmentations_are_names_lists_or_tables():
    cells = cells_of('augment = ["none", ["shift", "noise=0.5"], {noise = 0, slope = 0.02}]')
    assert [options_of(one.settings.training)[1] for one in cells] == [
        {"augmentations": ("none",)},
        {"augmentations": ("shift", "noise=0.5")},
        {"augmentations": ("noise=0", "slope=0.02")},
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('mixup = "much"', "mixup is 'much'; allowed: a number, or 'recipe'"),
        ("mixup = nan", "mixup is nan"),
        ("mixup = true", "mixup is True"),
        ("cosine_decay = 1", "cosine_decay is 1; allowed: true or false"),
        ("batch_size = 2.5", "batch_size is 2.5; allowed: a whole number"),
        ('optimizer = "a;b"', "without commas"),
        ('augment = {noise = "x"}', "augment is"),
        ("mixupp = 1", "did you mean mixup"),
        ('teacher = "models/x"', "unknown key 'teacher'"),
    ],
)
def test_values_that_no_option_has(text, fault):
    with pytest.raises(InputError) as error:
        parse("study", grid(text))
    assert fault in str(error.value)


def test_values_out_of_range_are_impossible_cells():
    with pytest.raises(InputError, match="mixup is out of range"):
        cells_of("mixup = [0.2, 1e9]")
    with pytest.raises(InputError, match="unknown augmentation 'nose'"):
        cells_of('augment = "nose"')


def test_a_baseline_takes_the_weights_of_classes_alone():
    found = [
        c.settings.training for c in cells_of("mixup = [0, 0.2]\nclass_weights = true", '"svm"')
    ]
    assert found == ["class_weights=true"]
    assert changes_of_baseline("mixup=0.2") == ""


def test_cells_from_before_are_found():
    assert replace(PLAIN, training="").id == PLAIN.id
    assert replace(PLAIN, training="mixup=0").id != PLAIN.id


# --- the study of the recipe's parts ------------------------------------------------------------


def test_the_parts_of_the_recipe():
    study = parse(*read_study_text("recipe-parts", False), "fields")
    assert study.reference == "robust"
    found = {
        cell.grids[0]: cell for cell in expand_cells(study, {"fields": SceneChoice("fields")}).cells
    }
    assert set(found) == {one.name for one in study.grids}
    plan = training_plan_of(found["without border and center"].settings, SceneChoice("fields"))
    whole = training_plan_of(found["robust"].settings, SceneChoice("fields"))
    left = dict(plan.augmentations)
    assert {"border", "center"} == set(dict(whole.augmentations)) - set(left)
    # Two splits of two networks each.
    assert len({cell.settings.id for cell in found.values()}) == len(study.grids)


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ('"two"', "reference is 'two'; allowed: the name of a grid, one"),
        ("3", "reference is 3"),
        ('"one"', "trains in several ways"),
    ],
)
def test_a_reference_is_one_way_to_train(reference, fault):
    text = f"reference = {reference}\n" + grid("mixup = [0, 0.2]")
    with pytest.raises(InputError) as error:
        parse("study", text)
    assert fault in str(error.value)


def test_differences_are_paired_by_split(tmp_path):
    whole = {replace(PLAIN, recipe="robust", seed=seed): oa for seed, oa in enumerate((0.5, 0.7))}
    part = {
        replace(PLAIN, recipe="robust", training="mixup=0", seed=seed): oa
        for seed, oa in enumerate((0.4, 0.7, 0.9))
    }
    results = study_of(
        tmp_path, {one: worth(oa, validation_oa=oa + 0.1) for one, oa in (whole | part).items()}
    )
    cells = tuple(
        replace(cell, grids=("parts",) if cell.settings.training else ("robust",))
        for cell in results.study.cells
    )
    results = replace(results, study=replace(results.study, cells=cells, reference="robust"))
    (found,) = differences.reference_differences(results)
    assert (found.grid, found.settings.training) == ("parts", "mixup=0")
    for name, more in (("oa", 0.0), ("validation_oa", 0.1)):
        one = found.measures[name]
        assert (one.pairs, one.wins, one.losses) == (2, 0, 1)
        assert one.first == pytest.approx(0.6 + more)
        assert one.difference == pytest.approx(-0.05)
        # Student's t of one degree is 12.706, times 0.0707 over the root of 2.
        assert one.half_width == pytest.approx(12.7062 * 0.05, rel=1e-4)
    assert "-5.00" in format_study(results)
    (path,) = differences.write(results)
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["measure"] for row in rows] == ["validation_oa", "oa"]
    assert float(rows[1]["difference"]) == pytest.approx(-0.05)
    assert rows[1]["grid"] == "parts"
    # Without a reference there are none.
    assert not differences.write(replace(results, study=replace(results.study, reference="")))


# --- parts of studies ---------------------------------------------------------------------------


def test_a_part_of_a_study_has_the_cells_of_the_whole():
    study = parse(*read_study_text("learning-curves", False), "fields")
    choices = {"fields": SceneChoice("fields")}
    part = select(study, StudySelection(("svm_grid", "hu"), 2, (5, 20)))
    whole, some = (expand_cells(one, choices).cells for one in (study, part))
    assert {cell.settings.id for cell in some} < {cell.settings.id for cell in whole}
    # hu with two recipes, svm_grid, on two splits, with two numbers of pixels.
    assert len(some) == 3 * 2 * 2
    few = expand_cells(select(study, StudySelection(("hu",), 1, (5, 0), 3)), choices).cells
    assert {(c.settings.labelled, c.settings.epochs) for c in few} == {(5, 48), (0, 3)}


def test_grids_that_are_named_alone_have_the_cells_of_the_whole():
    text = 'title = "x"\n[[grid]]\nname = "a"\nnetwork = "cao"\n[[grid]]\nname = "b b"\n'
    study = parse("study", text + 'network = "hu"\nratio = [0, 0.5]')
    choices = {"fields": SceneChoice("fields")}
    part = select(study, StudySelection(grids=parse_words("b b")))
    assert [one.name for one in part.grids] == ["b b"]
    whole, some = (expand_cells(one, choices).cells for one in (study, part))
    # With the guard that cao needs, which is in the other grid.
    assert [cell.settings for cell in some] == [cell.settings for cell in whole[1:]]
    assert some[0].settings.guard == 8


def test_a_part_keeps_the_guard_of_the_whole():
    study = parse("study", grid("").replace('"cao"', '["hu", "cao"]'))
    choices = {"fields": SceneChoice("fields")}
    (cell,) = expand_cells(select(study, StudySelection(("hu",))), choices).cells
    assert cell.settings.guard == 8


@pytest.mark.parametrize(
    ("selection", "fault"),
    [
        (
            {"grids": ("labeled pixels",)},
            "unknown grid of this study.*did you mean labelled pixels",
        ),
        ({"networks": ("huu",)}, "unknown network of this study 'huu'.*did you mean hu"),
        ({"labelled": (7,)}, "unknown number of labelled pixels of this study '7'"),
        ({"splits": 0}, "splits is out of range"),
        ({"epochs": 0}, "epochs is out of range"),
    ],
)
def test_parts_that_a_study_does_not_have(selection, fault):
    study = parse(*read_study_text("learning-curves", True))
    with pytest.raises(InputError, match=fault):
        select(study, StudySelection(**selection))


def test_parts_as_they_are_typed():
    assert parse_words("hu, svm_grid,hu") == ("hu", "svm_grid")
    assert parse_words(None) == ()
    for empty in ("", " , "):
        with pytest.raises(InputError, match="nothing is named"):
            parse_words(empty)
    assert parse_labelled("5,all") == (5, 0)
    with pytest.raises(InputError, match="not understood"):
        parse_labelled("5,0")


def test_splits_are_points_and_few_have_no_interval(tmp_path):
    def drawn(splits):
        made = {
            replace(PLAIN, network="hu", labelled=count, seed=seed): worth(0.5 + 0.1 * seed)
            for count in (5, 20)
            for seed in range(splits)
        }
        results = study_of(tmp_path / str(splits), made)
        ((_, figure),) = learning_curves.learning_curves(results)
        return figure.axes[0]

    for splits, half in ((2, 0.0), (3, 4.3027 * 10 / 3**0.5)):
        axes = drawn(splits)
        dots = [line for line in axes.lines if line.get_marker() == "."]
        assert [list(dot.get_ydata()) for dot in dots] == [[50 + 10 * s for s in range(splits)]] * 2
        (segment, _) = axes.containers[0].lines[2][0].get_segments()
        assert (segment[1][1] - segment[0][1]) / 2 == pytest.approx(half, abs=1e-2)
