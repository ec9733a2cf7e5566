from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT

from hsitf import records
from hsitf.errors import DataError, InputError
from hsitf.metrics import Interval
from hsitf.records import SceneRecord
from hsitf.report import drawing, formatting
from hsitf.report.data import ReportOptions, gather_data
from hsitf.report.document import (
    Chart,
    Commands,
    Confusion,
    Prose,
    ReportImage,
    ReportTable,
    Section,
)
from hsitf.report.page import PageHead, write
from hsitf.report.sections import bands, sections, summary
from hsitf.report.sections.scene import UNLABELLED, band_correlation, colored, legend
from hsitf.report.study_grids import (
    GridMeans,
    ReferenceMeans,
    curve_setting,
    grid_lines,
    named_charts,
)
from hsitf.runs import Run
from hsitf.scenes.scene import Scene
from hsitf.sweep.record import (
    STUDY,
    CellPaths,
    CellRecord,
    CellSettings,
    CellValues,
    StudyCell,
    StudyRecord,
    StudyResults,
    cell_path,
)

HEAD = PageHead("A <title>", "About it.", True, "Made by hand.")


# --- words and charts ------------------------------------------------------------------------


def test_numbers_are_spelled_for_people():
    assert formatting.percent(0.12345) == "12.35 %"
    assert formatting.points(-0.00001) == "+0.00"
    assert formatting.points(-0.0123) == "-1.23"
    assert [formatting.size(n) for n in (999, 1_500, 2.5e6, 3.2e9)] == [
        "999 B",
        "1.5 kB",
        "2.5 MB",
        "3.2 GB",
    ]
    assert formatting.mean(Interval(0.9, 0.012)) == "90.00 ± 1.20"
    assert formatting.mean(Interval(0.9, math.nan)) == "90.00"


def test_nothing_is_better_than_the_front():
    points = [(3.0, 80.0), (1.0, 70.0), (2.0, 70.0), (4.0, 79.0), (5.0, 90.0), (1.0, 60.0)]
    assert drawing.pareto_front(points) == [(1.0, 70.0), (3.0, 80.0), (5.0, 90.0)]


def test_labels_keep_apart():
    points = [(1.0, 70.0, "a"), (1.1, 70.5, "b"), (100.0, 90.0, "c")]
    assert [label for _, _, label in drawing.without_overlaps(points)] == ["c", "b"]


def test_what_was_not_measured_is_no_point():
    with drawing.style():
        figure = drawing.scatter([("a", [(0, 50.0, "x"), (3.0, 60.0, "y")])], "MB", "OA")
    (axes,) = figure.axes
    assert axes.lines[0].get_xdata().tolist() == [3.0]
    assert [text.get_text() for text in axes.texts] == ["y"]


def test_a_chart_takes_the_colors_of_its_page():
    with drawing.style():
        figure = drawing.lines(
            [drawing.ChartLine("a", [1, 2], [3, 4], [0.5, 0.5])], "x", "y", [("all", 3.5)]
        )
        text = drawing.inline_svg(drawing.svg(figure), "one", "A line")
    assert text.startswith("<svg viewBox=")
    assert "var(--blue)" in text
    assert "var(--ink)" in text
    assert "#0072b2" not in text.lower()
    ids = re.findall(r'id="([^"]+)"', text)
    assert ids
    assert all(name.startswith("one-") for name in ids)
    assert set(re.findall(r"(?:url\(|href=\")#([^\")]+)", text)) <= set(ids)


# --- the page --------------------------------------------------------------------------------


def test_what_is_shown_is_also_written_beside(tmp_path):
    with drawing.style():
        figure = drawing.lines([drawing.ChartLine("a", [1, 2], [3, 4])], "x", "y")
    section = Section(
        "all",
        "All",
        (
            Prose("Words & <b>more</b>."),
            Commands(("echo 1",)),
            ReportTable("numbers", "Numbers.", ("name", "value"), (("a", "1"), ("b", "2"))),
            Confusion("who", "Whose.", ("x", "y"), ((3, 1), (0, 0))),
            Chart("line", "A <line>.", figure),
            ReportImage("dots", "Dots.", np.zeros((2, 3, 3), np.uint8), (((1, 2, 3), "<i>"),)),
        ),
    )
    page = write(HEAD, [section], tmp_path)
    text = page.read_text()
    assert "A &lt;title&gt;" in text
    assert "Words &amp; &lt;b&gt;more&lt;/b&gt;." in text
    assert "&lt;i&gt;" in text
    assert "<line>" not in text
    assert list(csv.reader((tmp_path / "tables/numbers.csv").open())) == [
        ["name", "value"],
        ["a", "1"],
        ["b", "2"],
    ]
    assert "--share: 0.750" in text
    assert {p.name for p in (tmp_path / "figures").iterdir()} == {
        "line.svg",
        "line.png",
        "dots.png",
    }


def test_a_page_needs_nothing_from_elsewhere(tmp_path):
    with drawing.style():
        figure = drawing.lines([drawing.ChartLine("a", [1, 2], [3, 4])], "x", "y")
    text = write(HEAD, [Section("a", "A", (Chart("c", "C", figure),))], tmp_path).read_text()
    # Namespaces are names, not addresses.
    bare = re.sub(r'xmlns(:xlink)?="[^"]*"', "", text)
    assert "http://" not in bare
    assert "https://" not in bare
    assert "<script" not in bare


def test_classes_have_their_colors_in_tables(tmp_path):
    colors = ((1, 2, 3), (4, 5, 6))
    blocks = (
        ReportTable("t", "T.", ("class", "n"), (("x", "1"), ("y", "2")), colors=colors),
        Confusion("c", "C.", ("x", "y"), ((3, 1), (0, 2)), colors),
        ReportImage("i", "I.", np.zeros((2, 3, 4), np.uint8)),
    )
    text = write(HEAD, [Section("a", "A", blocks)], tmp_path).read_text()
    swatch = '<i class="swatch" style="background: rgb(4 5 6)"></i>'
    assert f'<td class="text">{swatch}y</td>' in text
    assert f"{swatch}2 y</th>" in text
    # A row of the table, and a row and a column of the matrix.
    assert text.count(swatch) == 3
    head, *_ = csv.reader((tmp_path / "tables/c.csv").open())
    assert head == ["truth", "x", "y"]


def test_correlation_is_of_valid_pixels():
    cube = np.array([[[1, 2, 9], [2, 4, 5], [3, 6, 1], [-9, -9, -9]]], np.float32)
    cube[0, 3] = np.nan
    scene = Scene("s", cube, np.array([[1, 2, 1, 0]], np.int32), ("a", "b"))
    # The second band doubles the first, the third falls as it rises.
    expected = [[1, 1, -1], [1, 1, -1], [-1, -1, 1]]
    np.testing.assert_allclose(band_correlation(scene), expected)


def test_images_leave_pixels_without_data_blank():
    cube = np.ones((1, 3, 2), np.float32)
    cube[0, 2] = np.nan
    colors = ((1, 2, 3), (4, 5, 6))
    scene = Scene("s", cube, np.array([[2, 0, 0]], np.int32), ("a", "b"), class_colors=colors)
    pixels = colored(scene, scene.labels)
    assert pixels[0, 0].tolist() == [4, 5, 6, 255]
    assert pixels[0, 1].tolist() == [*UNLABELLED, 255]
    assert pixels[0, 2, 3] == 0
    assert legend(scene) == (((1, 2, 3), "a"), ((4, 5, 6), "b"), (UNLABELLED, "unlabelled"))


# --- studies ---------------------------------------------------------------------------------


def settings(**given: object) -> CellSettings:
    plain = CellSettings(
        "tiny", "disjoint", "", "hu", "", 0, "", 0.0, "", "", "", "", 0, "short", 3, 0, 0
    )
    return replace(plain, **given)  # type: ignore[arg-type]


@pytest.fixture
def study(tmp_path):
    """A study written by hand: one network, a curve of channels, a file, a failure."""
    grids = {
        "coarse": [settings(measure="ratio", criterion="l1", target=t) for t in (0.25, 0.5)],
        "files": [settings(variant="int8"), settings(bits="4,4,4")],
    }
    made = [StudyCell(settings(), ("reference", "coarse", "files"))]
    made += [StudyCell(one, (grid,)) for grid, cells in grids.items() for one in cells]
    scene = SceneRecord("tiny", (40, 40, 24), ("a", "b"), True, {})
    folder = tmp_path / "a-tiny"
    records.write(
        StudyRecord(
            records.SCHEMA,
            "a",
            "By hand",
            'title = "By hand"',
            {"tiny": scene},
            ("reference", "coarse", "files"),
            tuple(made),
            (),
            {"python": "3"},
            "a processor",
            "python -m hsitf.sweep a",
        ),
        folder / STUDY,
    )
    accuracies = (0.9, 0.895, 0.8, 0.89)
    for cell, oa in zip(made, accuracies, strict=False):
        values = CellValues(
            oa,
            oa,
            oa,
            0.0,
            bands=24,
            parameters=1000,
            sparsity=cell.settings.target,
            weight_bytes=int(4000 * (1 - cell.settings.target)),
            train_seconds=None if cell.settings.variant else 20.0,
            peak_memory=None if cell.settings.variant else 2_000_000_000,
            file_bytes=500 if cell.settings.variant else None,
            ms=0.5 if cell.settings.variant else None,
            integer_share=1.0 if cell.settings.variant else None,
        )
        keep(folder, cell.settings, values, "")
    keep(folder, made[-1].settings, None, "it diverged")
    return folder


def keep(folder, own, values, message):
    status = "done" if values else "failed"
    record = CellRecord(
        records.SCHEMA, own, status, message, values, CellPaths(), 1.0, 2.0, "2026", "a processor"
    )
    records.write(record, cell_path(folder, own))


def test_a_study_is_told_from_its_records(study):
    found = {one.key: one for one in sections(gather_data(ReportOptions((study,))))}
    assert "training" not in found
    charts = [c for b in found["study"].blocks for c in getattr(b, "items", ())]
    names = [chart.name for chart in charts]
    # Beside accuracy, sizes and times of the cells; of "reference", a single point, nothing.
    coarse = ["grid-coarse", *(f"grid-{one}-coarse" for one in ("size", "training", "memory"))]
    assert names == [*coarse, "grid-size-files"]
    sizes = charts[names.index("grid-size-coarse")].figure.axes[0].lines[0]
    np.testing.assert_allclose(sizes.get_ydata(), [0.004, 0.003, 0.002])
    # The unpruned network is trained, where the others are fine-tuned.
    times = charts[names.index("grid-training-coarse")].figure.axes[0].lines[0]
    assert list(times.get_xdata()) == [0.25, 0.5]
    line = charts[0].figure.axes[0].lines[0]
    # The network that is not pruned is the first point.
    assert list(line.get_xdata()) == [0, 0.25, 0.5]
    np.testing.assert_allclose(line.get_ydata(), [90, 89.5, 80])
    failed = next(b for b in found["study"].blocks if getattr(b, "name", "") == "failed")
    assert failed.rows[0][1] == "it diverged"
    files = next(b for b in found["study"].blocks if getattr(b, "name", "") == "grid-files")
    assert ("-1.00" in row for row in files.rows)
    facts = found["summary"].blocks[1].items
    assert [fact.value for fact in facts][:3] == ["4 of 5", "90.00 %", "500 B"]


def means_of(folder, cells):
    """A study of one grid with cells of these accuracies."""
    scene = SceneRecord("tiny", (40, 40, 24), ("a", "b"), True, {})
    made = tuple(StudyCell(one, ("one",)) for one in cells)
    texts = ("a", "By hand", 'title = "By hand"')
    rest = ({"python": "3"}, "a processor", "python -m hsitf.sweep a")
    record = StudyRecord(records.SCHEMA, *texts, {"tiny": scene}, ("one",), made, (), *rest)
    records.write(record, folder / STUDY)
    for own, oa in cells.items():
        keep(folder, own, CellValues(oa, oa, oa, 0.0, train_seconds=1.0 + oa), "")
    return StudyResults.open(folder)


def test_components_that_beat_all_bands_by_hand(tmp_path):
    def reduced(technique, count, **others):
        return settings(bands=technique, components=count, **others)

    accuracies = {10: 0.7, 20: 0.9, 30: 0.91, 40: 0.92, 50: 0.8, 60: 0.85}
    cells = {reduced("pca", count): oa for count, oa in accuracies.items()}
    # The network with all bands has 80 % with this seed, and 100 % with another.
    cells |= {settings(): 0.8, settings(seed=1): 1.0, reduced("nmf", 10): 0.1}
    cells |= {reduced("pca", 10, network="cao"): 0.9, settings(network="cao"): 0.5}
    # Neither is a reduction alone.
    cells |= {reduced("nmf", 20, bits="8,8,32"): 0.9}
    study = means_of(tmp_path, cells)
    (table,) = [one for one in band_section(study) if isinstance(one, ReportTable)]
    assert table.head == ("technique", "hu", "cao")
    assert table.rows == (
        ("pca", "20 to 40, 60 (4 of 6)", "10 (1 of 1)"),
        ("nmf", "none of 1", "-"),
    )


def test_a_study_of_no_scene_is_refused(tmp_path):
    means_of(tmp_path, {settings(): 0.8})
    path = tmp_path / STUDY
    path.write_text(json.dumps(json.loads(path.read_text()) | {"scenes": {}}))
    with pytest.raises(DataError, match="not the record of a study; received: no scene"):
        StudyResults.open(tmp_path)


def band_section(study):
    return bands.section(gather_data(ReportOptions((study.folder,)))).blocks


def test_many_lines_are_several_charts(tmp_path):
    """Each network its own, and none of more lines than can be told apart."""
    cells = {
        settings(network=network, bands=technique, components=count): 0.5
        for network in ("hu", "cao")
        for technique in ("pca", "nmf", "ica", "svd", "lle", "grp", "srp", "umap", "mds")
        for count in (10, 20)
    }
    study = means_of(tmp_path, cells)
    references = ReferenceMeans(study)
    grid = GridMeans.of(study, "one")
    assert curve_setting(grid, references) == "components"
    lines = grid_lines(grid, "components", references)
    parts = named_charts(lines, ("network", "bands"))
    assert [(name, len(part)) for name, part in parts] == [
        ("hu, 1", 5),
        ("hu, 2", 4),
        ("cao, 1", 5),
        ("cao, 2", 4),
    ]
    assert [line for _, part in parts for line in part] == lines
    assert len(named_charts(lines[:7], ("network",))) == 1


def test_a_study_without_a_finished_cell(study):
    for path in (study / "cells").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="nothing of the study a is finished"):
        gather_data(ReportOptions((study,)))


def test_places_of_a_study_stay_inside_it(study):
    record = records.read(CellRecord, cell_path(study, settings()))
    away = replace(record, paths=CellPaths("../elsewhere", "../elsewhere"))
    records.write(away, cell_path(study, settings()))
    with pytest.raises(DataError, match="has a path outside its folder"):
        gather_data(ReportOptions((study,)))


# --- journeys --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(shell):
    done = shell("train", "-m", "hu", *shell.SCENE, "--epochs", "4", "--run", "a")
    assert done.returncode == 0, done.stderr
    return Run.open(shell.folder / "models/tiny/hu/a")


def test_a_run_becomes_a_page(run, shell):
    done = shell("report", "models/tiny/hu/a", "--out", "told")
    assert done.returncode == 0, done.stderr
    assert "Wrote told/report.html" in done.stdout
    text = (shell.folder / "told/report.html").read_text()
    assert formatting.percent(run.record.scores.oa) in text
    assert run.record.command in text.replace("&#39;", "'")
    assert "<script" not in text
    rows = list(csv.reader((shell.folder / "told/tables/confusion-1.csv").open()))
    assert rows[0] == ["truth", *run.record.scene.class_names]
    assert [[int(n) for n in row[1:]] for row in rows[1:]] == [
        list(row) for row in run.record.scores.matrix
    ]
    names = {path.stem for path in (shell.folder / "told/figures").iterdir()}
    assert {"rgb", "ground-truth", "split", "spectra", "loss", "test-1", "errors-1"} <= names


def test_a_map_is_held_against_test_pixels_alone(run, shell, tiny):
    split = run.split()
    wrong = tiny.labels.copy().ravel()
    # Right on every test pixel but one, wrong everywhere else.
    wrong[:] = tiny.labels.ravel() % 4 + 1
    wrong[split.test] = tiny.labels.ravel()[split.test]
    wrong[split.test[0]] = tiny.labels.ravel()[split.test[0]] % 4 + 1
    np.save(shell.folder / "wrong.npy", wrong.reshape(40, 40).astype(np.uint8))
    done = shell("report", "models/tiny/hu/a", "--map", "wrong.npy", "--out", "held")
    assert done.returncode == 0, done.stderr
    count = len(split.test)
    text = (shell.folder / "held/report.html").read_text()
    assert f"{formatting.percent((count - 1) / count)} of {count:,} test pixels right." in text


def test_a_collapsed_network_is_remarked_on(run, shell):
    data = gather_data(ReportOptions((shell.folder / "models/tiny/hu/a",)))
    total = run.record.split.test
    matrix = ((0, 0, 0, total - 3), *((0, 0, 0, 1),) * 3)
    support = tuple(sum(row) for row in matrix)
    collapsed = replace(
        run.record, scores=replace(run.record.scores, matrix=matrix, support=support)
    )
    assert not any(
        "learned nothing" in getattr(b, "text", "") for b in summary.section(data).blocks
    )
    found = summary.section(replace(data, runs=(Run(run.folder, collapsed),))).blocks
    (remark,) = [block.text for block in found if "learned nothing" in getattr(block, "text", "")]
    assert remark.startswith("hu: The network calls all")


def test_tensorflow_is_not_loaded(run, shell):
    code = (
        "import sys; from pathlib import Path; from hsitf.progress import Silent; "
        "from hsitf.report.make import write_report; from hsitf.report.data import ReportOptions; "
        "write_report(ReportOptions((Path('models/tiny/hu/a'),)), Path('quiet'), Silent()); "
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    environment = {**__import__("os").environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=shell.folder, env=environment, capture_output=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words_", "status", "said"),
    [
        (["nowhere"], 2, ["nothing to report at nowhere", "no such folder", "hsitf.train"]),
        (["models/tiny/hu/a", "--map", "labels.npy"], 0, ["Wrote"]),
        (["models/tiny/hu/a", "--map", "strange.npy"], 3, ["0 to 9", "0 for no class to 4"]),
        (["models/tiny/hu/a", "--map", "tiny.npy"], 3, ["tiny.npy is no map of tiny", "(40, 40)"]),
    ],
)
def test_what_is_named_has_to_be_there(run, shell, words_, status, said):
    strange = np.zeros((40, 40), np.uint8)
    strange[0, 0] = 9
    np.save(shell.folder / "strange.npy", strange)
    done = shell("report", *words_, "--out", "other")
    assert done.returncode == status, done.stderr
    for part in said:
        assert part in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_without_its_scene_the_rest_is_told(run, shell):
    cube = shell.folder / "tiny.npy"
    cube.rename(shell.folder / "moved.npy")
    try:
        done = shell("report", "models/tiny/hu/a", "--out", "without")
    finally:
        (shell.folder / "moved.npy").rename(cube)
    assert done.returncode == 0, done.stderr
    text = (shell.folder / "without/report.html").read_text()
    assert "Not shown:" in text
    assert formatting.percent(run.record.scores.oa) in text


def test_what_a_run_calls_the_test_pixels_may_be_damaged(run, shell):
    path = run.folder / "predicted.npz"
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    try:
        with pytest.raises(DataError, match="classes of the test pixels"):
            run.predictions()
    finally:
        path.write_bytes(content)
