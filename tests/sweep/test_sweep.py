"""Studies: files, cells, stages, tables, statements, without training anything."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from hsitf import records
from hsitf.errors import DataError, InputError
from hsitf.metrics import interval
from hsitf.records import SceneChoice, SceneRecord
from hsitf.sweep import learning_curves, tables
from hsitf.sweep.cells import expand_cells, training_plan_of
from hsitf.sweep.eta import EtaEstimator
from hsitf.sweep.execute import run_name
from hsitf.sweep.plan import BITS, FILES, PRUNE, TRAIN, plan_stages
from hsitf.sweep.record import (
    DONE,
    FAILED,
    CellPaths,
    CellRecord,
    CellSettings,
    CellValues,
    StudyCell,
    StudyRecord,
    StudyResults,
    cell_path,
)
from hsitf.sweep.selection import StudySelection, select
from hsitf.sweep.study import parse, read_study_text, shipped_studies
from hsitf.sweep.table import format_study

PLAIN = CellSettings(
    "fields", "disjoint", "", "cao", "", 0, "", 0.0, "", "", "", "", 0, "short", 12, 0, 0
)


def grid(text: str) -> str:
    return f'title = "A study"\n[[grid]]\nname = "one"\nnetwork = "cao"\n{text}'


def combinations(text: str) -> list[tuple]:
    return [one for g in parse("study", grid(text)).grids for one in g.combinations()]


def test_a_grid_is_every_combination():
    found = combinations(
        'bands = ["all", "pca"]\ncomponents = "10:30:10"\nalpha = [0, 0.5]\n'
        'bits = ["none", "8,8,32"]\nvariant = ["none", "int8"]\nseeds = [0, 1]'
    )
    # 4 reductions, 2 prunings, 3 ways to be judged, 2 seeds.
    assert len(found) == 4 * 2 * 3 * 2
    assert {one[3] for one in found} == {"", "pca:10", "pca:20", "pca:30"}
    unquantized, scales = ("", "channel", ""), "channel"
    assert {one[5] for one in found} == {
        unquantized,
        ("8,8,32", scales, ""),
        ("", scales, "int8"),
    }


def test_ranges_are_added_as_people_add():
    found = combinations('alpha = "0:2:0.1"')
    assert [one[4].target for one in found][3] == 0.3
    assert len(found) == 21
    assert found[0][4].measure == ""


def test_a_grid_overrules_what_is_common():
    text = 'title = "x"\n[common]\nnetwork = "hu"\nratio = 0.5\nepochs = {hu = 3}\n'
    text += '[[grid]]\nname = "a"\n[[grid]]\nname = "b"\nalpha = 1.0\nnetwork = "he"'
    one, other = parse("study", text).grids
    assert (one.prunings[0].measure, other.prunings[0].measure) == ("ratio", "alpha")
    assert (one.epochs_of("hu"), other.epochs_of("he")) == (3, 0)


def test_networks_of_a_study_are_judged_on_the_same_pixels(tiny, tmp_path, monkeypatch):
    """The guard of the largest patch, or the one that the study names, and never less than own."""
    monkeypatch.chdir(tmp_path)
    np.save("tiny.npy", tiny.cube)
    np.save("labels.npy", tiny.labels)
    choices = {"tiny.npy": SceneChoice("tiny.npy", labels="labels.npy")}

    def guards(more):
        text = 'title = "x"\n[[grid]]\nname = "a"\nscene = "tiny.npy"\n'
        text += f'network = ["hu", "santara", "li"]\nsplit = ["disjoint", "random"]\n{more}'
        cells = expand_cells(parse("study", text), choices).cells
        return {(one.settings.network, one.settings.split): one.settings.guard for one in cells}

    found = guards("")
    assert {found[name, "disjoint"] for name in ("hu", "santara", "li")} == {4}
    assert {found[name, "random"] for name in ("hu", "santara", "li")} == {None}
    found = guards("guard = 3")
    assert [found[name, "disjoint"] for name in ("hu", "santara", "li")] == [3, 3, 4]
    plan = training_plan_of(replace(PLAIN, network="hu", guard=3), SceneChoice("fields"))
    assert plan.split.guard == 3


def test_all_faults_of_a_study_file_are_listed():
    with pytest.raises(InputError) as told:
        parse(
            "study",
            grid(
                'netwrok = "hu"\nbands = "pca"\nratio = 0.5\nalpha = 1\nbits = "8,8"\n'
                'seeds = 0.5\nsplit = 3\nschedule = "long"\nepochs = 0\nimpossible = "maybe"\n'
                "layers = {conv1 = 2}\ntrain = true"
            ),
        )
    message = str(told.value)
    for fault in (
        "netwrok",
        "did you mean network",
        "needs components",
        "ratio and alpha and layers",
        "bits are three whole numbers",
        "seeds is 0.5",
        "split is 3",
        "schedule is 'long'",
        "epochs is 0",
        "impossible is 'maybe'",
        "train is True",
    ):
        assert fault in message, fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("title = ", "no TOML"),
        ("x = " + "[" * 5000, "no TOML"),
        ('title = "x"', "there is no [[grid]]"),
        ('title = "x"\ngrid = 3', "there is no [[grid]]"),
        ('[[grid]]\nname = "a"\nnetwork = "hu"', "no title"),
        (grid("") + '\n[[grid]]\nname = "one"\nnetwork = "hu"', "two grids are called 'one'"),
        (grid("components = 10"), "no technique in bands takes them"),
        (grid('bands = "pka:10"'), "did you mean pca"),
        (grid('criterion = "l1"'), "nothing to prune to"),
        (grid('alpha = 1\ncriterion = "l1"'), "takes no criterion"),
        (grid('alpha = "0:1e9:1e-9"'), "alpha is"),
        (grid("ratio = nan"), "ratio is"),
    ],
)
def test_a_study_file_that_cannot_be_followed(text, fault):
    with pytest.raises(InputError, match="study") as told:
        parse("study", text)
    assert fault in str(told.value)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize(
    "name", ["compression", "learning-curves", "lfp", "recipe-parts", "unseen-ground", "zoo"]
)
def test_shipped_studies_can_be_read(name, quick):
    assert name in shipped_studies()
    study = parse(*read_study_text(name, quick))
    assert study.grids
    assert parse(*read_study_text(name, quick), "Samson").grids[0].scenes == ("Samson",)


def test_names_of_studies(tmp_path):
    with pytest.raises(InputError, match="did you mean compression"):
        read_study_text("compresion", False)
    with pytest.raises(InputError, match="this study has no quick size"):
        read_study_text("own.toml", True)
    with pytest.raises(InputError, match="no such study file"):
        read_study_text(str(tmp_path / "own.toml"), False)


def checked(text: str):
    return expand_cells(parse("study", grid(text)), {"fields": SceneChoice("fields")})


def test_cells_that_cannot_be_are_all_listed():
    text = grid(
        'bands = ["all", "pca", "lda"]\ncomponents = [10, 300]\ncriterion = ["l1", "l3"]\n'
        'ratio = [0, 0.5, 1.5]\nvariant = ["none", "int7"]'
    ).replace('"cao"', '["cao", "caoo", "he", "svm"]')
    with pytest.raises(InputError) as told:
        expand_cells(parse("study", text), {"fields": SceneChoice("fields")})
    message = str(told.value)
    for reason in (
        "pca cannot make so many components",
        "lda cannot make so many components",
        "unknown criterion 'l3'",
        "the ratio to prune to is out of range",
        "unknown variant 'int7'",
        "unknown network 'caoo'",
        "he cannot run with so few bands",
        "svm is no network: it cannot be pruned",
        "impossible = 'leave out'",
    ):
        assert reason in message, reason


def test_what_cannot_be_is_left_out_where_a_study_says_so():
    found = checked('bands = ["all", "pca"]\ncomponents = [10, 300]\nimpossible = "leave out"')
    assert [cell.settings.reduction for cell in found.cells] == ["", "pca:10"]
    assert [one.settings.reduction for one in found.left_out] == ["pca:300"]
    assert "allowed: 1 to 200" in found.left_out[0].reason
    with pytest.raises(InputError, match="cells of this study are impossible"):
        checked('bands = "pca"\ncomponents = 300\nimpossible = "leave out"')


def test_stages_are_shared():
    pruned = replace(PLAIN, measure="ratio", target=0.5, criterion="l1", fine_tuning_epochs=3)
    wanted = [
        replace(pruned, bits="8,8,32"),
        replace(pruned, bits="4,4,16"),
        pruned,
        replace(PLAIN, variant="int8"),
        replace(PLAIN, variant="float32"),
        replace(pruned, seed=1),
    ]
    found = plan_stages(wanted)
    assert [(s.kind, len(s.cells)) for s in found] == [
        (TRAIN, 0),
        (PRUNE, 1),
        (BITS, 2),
        (FILES, 2),
        (TRAIN, 0),
        (PRUNE, 1),
    ]
    by_name = {stage.name: stage for stage in found}
    assert len(by_name) == 6
    assert [by_name[s.after].kind if s.after else "" for s in found] == [
        "",
        TRAIN,
        PRUNE,
        TRAIN,
        "",
        TRAIN,
    ]


def test_scales_of_simulated_weights_are_a_setting():
    (one,) = parse(
        "study", grid('bits = ["none", "8,8,32"]\nweights = ["channel", "tensor"]')
    ).grids
    assert one.weights == ("channel", "tensor")
    cells = checked('bits = ["none", "8,8,32"]\nweights = ["channel", "tensor"]').cells
    # Without bits there are no scales, and cells of one scale a channel are those of before.
    assert [(c.settings.bits, c.settings.weights) for c in cells] == [
        ("", "channel"),
        ("8,8,32", "channel"),
        ("8,8,32", "tensor"),
    ]
    assert [c.settings.id for c in cells[:2]] == [
        c.settings.id for c in checked('bits = ["none", "8,8,32"]').cells
    ]
    assert len({c.settings.id for c in cells}) == 3
    assert cells[2].settings.quantization == "8,8,32 per tensor"
    # Each kind of scales is a stage of its own, after one training.
    stages = plan_stages([c.settings for c in cells])
    assert [(s.kind, s.settings.weights) for s in stages] == [
        (TRAIN, "channel"),
        (BITS, "channel"),
        (BITS, "tensor"),
    ]
    with pytest.raises(InputError, match="weights is 'layer'; allowed: channel or tensor"):
        parse("study", grid('bits = "8,8,32"\nweights = "layer"'))


def test_a_reduction_whose_package_is_missing_is_impossible(monkeypatch):
    text = 'bands = ["pca", "umap"]\ncomponents = 10\nimpossible = "leave out"'
    monkeypatch.setattr("hsitf.bands.technique.find_spec", lambda name: None)
    (left_out,) = checked(text).left_out
    assert left_out.settings.reduction == "umap:10"
    assert "pip install 'hsitf[umap]'" in left_out.reason
    monkeypatch.setattr("hsitf.bands.technique.find_spec", lambda name: name)
    assert len(checked(text).cells) == 2


def test_the_compression_study_repeats_what_the_literature_did(monkeypatch):
    monkeypatch.setattr("hsitf.bands.technique.find_spec", lambda name: name)
    study = parse(*read_study_text("compression", False), "fields")
    names = ("extraction-three", "extraction-lda", "cao", "bits-tensor", "pipelines-logistic")
    part = select(study, StudySelection(splits=1, networks=("cao",), grids=names))
    found = expand_cells(part, {"fields": SceneChoice("fields")})
    assert not found.left_out
    cells = {name: [c.settings for c in found.cells if name in c.grids] for name in names}
    reductions = {one.reduction for one in cells["extraction-three"]}
    assert {"tsne:3", "boulch:3"} < reductions
    assert {one.reduction for one in cells["extraction-lda"]} == {"lda:5", "lda:10", "lda:15"}
    # Ten ratios, three kinds of file, all bands and two numbers of components of pca and nmf.
    assert len(cells["cao"]) == 10 * 3 * 5
    assert {one.weights for one in cells["bits-tensor"]} == {"tensor"}
    equal = {f"{bits},{bits},{bits}" for bits in (16, 8, 4, 2, 1)}
    assert equal < {one.bits for one in cells["pipelines-logistic"]}


def test_time_left_follows_what_others_took():
    hu, he = replace(PLAIN, network="hu"), replace(PLAIN, network="he")
    first, second, other = plan_stages([hu, replace(hu, seed=1), he])
    left = EtaEstimator([first, second, other], workers=2)
    assert left.seconds == 0
    left.stage_done(first, 10.0)
    # One as the first, and another network that is taken for one like it, by two workers.
    assert left.seconds == 10.0
    left.stage_done(other, 30.0)
    assert left.seconds == 5.0


def test_the_same_settings_are_the_same_cell():
    assert PLAIN.id == replace(PLAIN).id
    assert PLAIN.id != replace(PLAIN, seed=1).id
    # Written down once: the names of records in folders that exist depend on it.
    assert PLAIN.id == "cd2e27aba264cf59"


def test_cells_of_schema_1_are_the_same_cells():
    old = {
        **{"scene": "fields", "split": "disjoint", "train": "", "network": "cao", "bands": ""},
        **{"components": 0, "measure": "zeros", "target": 0.5, "layers": "", "criterion": ""},
        **{"bits": "8,8,32", "variant": "", "seed": 0, "schedule": "short", "epochs": 12},
        **{"tuning_epochs": 3, "most": 400},
    }
    digest = hashlib.sha256(json.dumps(old, sort_keys=True).encode()).hexdigest()[:16]
    record = {
        **{"schema": 1, "settings": old, "status": "failed", "message": "it broke"},
        **{"values": None, "places": {}, "seconds": 1.0, "cpu_seconds": 1.0},
        **{"made": "2026-01-01T00:00:00+00:00", "processor": "any"},
    }
    found = records.parse(CellRecord, json.dumps(record).encode(), "cell")
    assert found.settings.id == digest
    assert found.settings.pruning == "sparsity 0.5"
    assert (found.settings.max_samples, found.settings.fine_tuning_epochs) == (400, 3)
    assert found.created.startswith("2026")


def test_cells_of_whitened_components_are_those_of_before():
    now = replace(PLAIN, bands="pca", components=10)
    whitened = replace(now, bands="pca-whiten")
    assert (now.reduction, whitened.reduction) == ("pca:10", "pca-whiten:10")
    rest = {
        **{"status": "failed", "message": "it broke", "values": None, "paths": {}},
        **{"seconds": 1.0, "cpu_seconds": 1.0, "created": "2026", "processor": "any"},
    }
    content = json.dumps({"schema": records.SCHEMA, "settings": asdict(now)} | rest)
    assert records.parse(CellRecord, content.encode(), "cell").settings == now
    then = content.replace(f'"schema": {records.SCHEMA}', '"schema": 2')
    assert records.parse(CellRecord, then.encode(), "cell").settings == whitened
    # Written down once: the names of records in folders that exist depend on it.
    assert whitened.id == "aae8bfbfca692420"
    assert now.id not in (whitened.id, PLAIN.id)
    # Whose components have unit deviation either way.
    ica = replace(PLAIN, bands="ica", components=10)
    assert ica.id == "ad22c5736d8230d5"


def test_former_keys_of_study_files_are_read():
    study = parse("study", grid("zeros = 0.5\nmost = 10\ntuning_epochs = 2"))
    (one,) = study.grids
    assert study.former_keys == ("most", "tuning_epochs", "zeros")
    assert (one.max_samples, one.fine_tuning_epochs) == (10, {"": 2})
    assert one.prunings[0].measure == "sparsity"
    assert not parse("study", grid("sparsity = 0.5")).former_keys
    with pytest.raises(InputError, match="most is the former name of max_samples"):
        parse("study", grid("most = 10\nmax_samples = 10"))


SCENE = SceneRecord("fields", (145, 145, 200), ("a", "b"), True, {}, ())


def study_of(folder: Path, outcomes: dict[CellSettings, CellValues | str]) -> StudyResults:
    """A study's folder as a sweep leaves it."""
    records.write(
        StudyRecord(
            records.SCHEMA,
            "study",
            "A study",
            "",
            {"fields": SCENE},
            ("one",),
            tuple(StudyCell(one, ("one",)) for one in outcomes),
            (),
            {},
            "a processor",
            "sweep",
        ),
        folder / "study.json",
    )
    for settings, outcome in outcomes.items():
        values = outcome if isinstance(outcome, CellValues) else None
        record = CellRecord(
            records.SCHEMA,
            settings,
            DONE if values else FAILED,
            "" if values else str(outcome),
            values,
            CellPaths(),
            1.0,
            1.0,
            "",
            "a processor",
        )
        records.write(record, cell_path(folder, settings))
    return StudyResults.open(folder)


def worth(oa: float, **others: float) -> CellValues:
    return CellValues(oa=oa, aa=oa, kappa=oa, leakage=0.0, **others)


def test_tables_have_means_with_intervals(tmp_path):
    seeds = [replace(PLAIN, seed=seed) for seed in range(3)]
    made = dict(zip(seeds, [worth(0.5, macs=10), worth(0.6, macs=10), worth(0.7)], strict=True))
    results = study_of(tmp_path, {**made, replace(PLAIN, network="hu"): "it broke"})
    tables.write(results, spreadsheet=False)
    with (tmp_path / "results.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["status"] for row in rows] == ["done"] * 3 + ["failed"]
    assert [row["oa"] for row in rows] == ["0.5", "0.6", "0.7", ""]
    assert rows[3]["message"] == "it broke"
    with (tmp_path / "means.csv").open(newline="") as stream:
        (mean,) = csv.DictReader(stream)
    for name, head in (("results.csv", rows[0]), ("means.csv", mean)):
        (columns, *_) = csv.reader((tmp_path / name).read_text().splitlines())
        # No column is nameless, and no two share a name.
        assert len(columns) == len(set(columns)) == len(head)
        assert all(columns)
        assert {"bands", "inputs"} <= set(columns)
    # Student's t with two degrees of freedom: 4.303 times 0.1 over the root of 3.
    assert float(mean["oa"]) == pytest.approx(0.6)
    assert float(mean["oa_half_width"]) == pytest.approx(4.3027 * 0.1 / 3**0.5, abs=1e-4)
    assert float(mean["oa_half_width"]) == pytest.approx(interval([0.5, 0.6, 0.7]).half_width)
    # Not every cell has it, so there is no mean of it.
    assert mean["macs"] == ""
    assert mean["seeds"] == "3"


def test_the_spreadsheet_holds_both_tables(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    tables.write(study_of(tmp_path, {PLAIN: worth(0.5)}), spreadsheet=True)
    book = openpyxl.load_workbook(tmp_path / "results.xlsx", read_only=True)
    assert book.sheetnames == ["results", "means"]
    assert [row[3] for row in book["results"].iter_rows(values_only=True)] == ["network", "cao"]


def test_a_single_run_has_no_interval(tmp_path):
    (mean,) = study_of(tmp_path, {PLAIN: worth(0.5)}).means
    assert math.isnan(mean.values["oa"].half_width)
    assert tables.mean_rows(study_of(tmp_path, {PLAIN: worth(0.5)}))[1].count("nan") == 0


def test_lines_are_points_along_one_setting(tmp_path):
    made = {
        replace(PLAIN, network=network, bands="pca", components=count): worth(count / 100)
        for network in ("hu", "cao")
        for count in (40, 10)
    }
    lines = study_of(tmp_path, made).curves("one", "components")
    assert {
        first.network: [p.settings.components for p in points] for first, points in lines.items()
    } == {"hu": [10, 40], "cao": [10, 40]}


def test_records_that_are_not_what_they_say_are_refused(tmp_path):
    study_of(tmp_path, {PLAIN: worth(0.5)})
    path = cell_path(tmp_path, PLAIN)
    text = path.read_text()
    path.write_text(text.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(DataError, match="not the record of its cell"):
        StudyResults.open(tmp_path)
    path.write_text(text.replace(f'"schema": {records.SCHEMA}', '"schema": 0'))
    with pytest.raises(DataError, match="another version of hsitf"):
        StudyResults.open(tmp_path)
    path.write_text(text[:40])
    with pytest.raises(DataError, match="is not a CellRecord"):
        StudyResults.open(tmp_path)


def test_recipes_and_labelled_pixels_are_keys():
    text = grid(
        'recipe = ["paper", "robust"]\nlabelled = [5, "all"]\n'
        "splits = 2\nepochs = 3\nepochs_factor = {5 = 4}"
    ).replace('"cao"', '["hu", "svm_grid"]')
    (one,) = parse("study", text).grids
    assert (one.seeds, one.recipes, one.labelled) == ((0, 1), ("paper", "robust"), (5, 0))
    found = expand_cells(parse("study", text), {"fields": SceneChoice("fields")})
    cells = [cell.settings for cell in found.cells]
    # A baseline has no recipe: 2 seeds and 2 numbers of pixels, against 8 of the network.
    assert [cell.network for cell in cells].count("svm_grid") == 4
    networks = [cell for cell in cells if cell.network == "hu"]
    assert len(networks) == 8
    assert {(cell.labelled, cell.epochs) for cell in networks} == {(5, 12), (0, 3)}
    few = next(cell for cell in networks if cell.labelled == 5 and cell.recipe == "robust")
    plan = training_plan_of(few, SceneChoice("fields"))
    assert (plan.split.labelled, plan.recipe_name, plan.recipe.epochs) == (5, "robust", 12)
    assert run_name(few) == "disjoint-12epochs-robust-labelled5-seed0"
    assert "robust recipe, 5 labelled a class" in few.text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('recipe = "other"', "unknown recipe"),
        ("labelled = [0]", "labelled has 0"),
        ("labelled = 2.5", "labelled has 2.5"),
        ("splits = 0", "splits is 0"),
        ("splits = 2\nseeds = [1]", "splits and seeds are given"),
        ("epochs_factor = {all = 2}", "epochs_factor is"),
    ],
)
def test_recipes_and_labelled_pixels_that_are_none(text, fault):
    with pytest.raises(InputError, match=fault):
        parse("study", grid(text))


def test_learning_curves_end_where_accuracies_do(tmp_path):
    """Student's interval over 0.1, 0.5 and 0.9 is 50 +- 99 %."""
    made = {
        replace(PLAIN, labelled=count, seed=seed): worth(0.1 + 0.4 * seed)
        for count in (5, 0)
        for seed in (0, 1, 2)
    }
    ((_, figure),) = learning_curves.learning_curves(study_of(tmp_path, made))
    assert figure.axes[0].get_ylim() == (0, 100)


def test_learning_curves_are_drawn(tmp_path):
    made = {
        # Fewer pixels are trained for more epochs.
        replace(
            PLAIN,
            network=network,
            labelled=count,
            recipe=recipe,
            seed=seed,
            epochs=12 * {5: 16, 20: 4, 0: 1}[count],
        ): worth(0.4 + 0.1 * (count or 100) / 100 + 0.01 * seed)
        for network, recipe in (("hu", "paper"), ("hu", "robust"), ("svm_grid", "paper"))
        for count in (5, 20, 0)
        for seed in (0, 1)
    }
    results = study_of(tmp_path, made)
    lines = results.curves("one", "labelled")
    assert {tuple(p.settings.labelled for p in points) for points in lines.values()} == {(5, 20, 0)}
    (path,) = learning_curves.write(results)
    assert path.name == "learning-curves-one.png"
    ((_, figure),) = learning_curves.learning_curves(results)
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["5", "20", "all"]
    _, labels = axes.get_legend_handles_labels()
    assert labels == ["hu paper", "hu robust", "svm_grid"]
    line = axes.containers[0].lines[0]
    assert list(line.get_ydata()) == pytest.approx([41.0, 42.5, 50.5])
    assert "robust" in format_study(results)
    # A study of one number of labelled pixels has no curve.
    assert not learning_curves.write(study_of(tmp_path / "b", {PLAIN: worth(0.5)}))
