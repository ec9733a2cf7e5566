"""`python -m hsitf.bands` as a user types it."""

from __future__ import annotations

import json

import pytest

from hsitf.band_comparison.request import expand_techniques
from hsitf.errors import InputError

SVM = ("--model", "svm")
PLACE = "models/tiny/bands/disjoint-short-runs1-from0"


# --- what is asked for ---------------------------------------------------------------------


def test_every_technique_with_every_number():
    assert expand_techniques(["pca", "nmf"], "10:30:10") == (
        "pca:10",
        "pca:20",
        "pca:30",
        "nmf:10",
        "nmf:20",
        "nmf:30",
    )
    assert expand_techniques(["pca", "select:1,2"], "4,8") == ("pca:4", "pca:8", "select:1,2")
    assert expand_techniques(["pca:3", "nmf:3", "pca:3"], None) == ("pca:3", "nmf:3")
    assert expand_techniques(["pca", "pca-whiten"], "4") == ("pca:4", "pca-whiten:4")


@pytest.mark.parametrize(
    ("techniques", "components", "message"),
    [
        (["pca"], None, "without a number of components"),
        (["pca:3"], "4,5", "two numbers of components"),
        (["pca"], "10:5:1", "cannot be parsed"),
        (["pca"], "ten", "cannot be parsed"),
        (["pcb:3"], None, "band reduction"),
    ],
)
def test_what_cannot_be_asked_for(techniques, components, message):
    with pytest.raises(InputError, match=message):
        expand_techniques(techniques, components)


# --- the whole way -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compared(shell):
    done = shell("bands", *shell.SCENE, "pca", "srp", "--components", "4,8", *SVM)
    assert done.returncode == 0, done.stderr
    return done, shell.folder


def test_a_line_a_reduction(compared):
    done, folder = compared
    lines = done.stdout.splitlines()
    for text in ("all bands", "pca:4", "pca:8", "srp:4", "srp:8"):
        assert sum(line.startswith(f"{text} ") for line in lines) == 1, text
    for suffix in ("png", "svg"):
        assert (folder / f"{PLACE}.{suffix}").stat().st_size > 1000


def test_the_record_has_what_the_runs_have(compared):
    folder = compared[1]
    record = json.loads((folder / f"{PLACE}.json").read_text())
    assert [one["spec"] for one in record["reductions"]] == ["pca:4", "pca:8", "srp:4", "srp:8"]
    assert all(one["foldable"] and one["fit_seconds"] > 0 for one in record["reductions"])
    for cell in record["cells"]:
        (run,) = cell["runs"]
        then = json.loads((folder / run / "record.json").read_text())
        assert cell["oa"] == [then["scores"]["oa"]]
        assert (then["bands"] or {"spec": ""})["spec"] == cell["spec"]


def test_more_joins_the_record_and_nothing_is_done_twice(compared, shell):
    before = json.loads((compared[1] / f"{PLACE}.json").read_text())
    done = shell("bands", *shell.SCENE, "--bands", "pca:4", "ica:4", *SVM)
    assert done.returncode == 0, done.stderr
    after = json.loads((compared[1] / f"{PLACE}.json").read_text())
    assert after["reductions"][:4] == before["reductions"]
    assert [one["spec"] for one in after["reductions"][4:]] == ["ica:4"]
    assert len(after["cells"]) == len(before["cells"]) + 1
    assert "svm/disjoint-short-pca-4-seed0 is trained already" in done.stderr
    assert "srp:4" not in done.stdout


def test_whitened_components_are_a_reduction_of_their_own(compared, shell):
    done = shell("bands", *shell.SCENE, "pca:4", "--whiten", *SVM)
    assert done.returncode == 0, done.stderr
    after = json.loads((compared[1] / f"{PLACE}.json").read_text())
    assert {"pca:4", "pca-whiten:4"} <= {one["spec"] for one in after["reductions"]}
    folder = compared[1] / "models/tiny/svm"
    for spec in ("pca-4", "pca-whiten-4"):
        record = json.loads((folder / f"disjoint-short-{spec}-seed0/record.json").read_text())
        assert record["plan"]["bands"] == spec.replace("-4", ":4")


def test_runs_make_intervals(shell, compared):
    done = shell("bands", *shell.SCENE, "pca:4", *SVM, "--runs", "2")
    assert done.returncode == 0, done.stderr
    assert "±" in done.stdout


def test_without_models_costs_alone(shell, compared):
    done = shell("bands", *shell.SCENE, "lda:3", "--run", "costs")
    assert done.returncode == 0, done.stderr
    assert "OA in %" not in done.stdout
    assert (compared[1] / "models/tiny/bands/costs.json").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no reduction of bands"),
        (("pca:25",), "1 to 24: one a band"),
        (("pca:2", "--model", "he"), "he cannot run with so few bands"),
        (("pca:4", "--model", "hee"), "did you mean"),
        (("pca:4", "--runs", "0"), "number of runs"),
        (("pca:4", "forest-rfe:4", "--whiten"), "only components of bands can be whitened"),
        (("pca:4", *SVM, "--run", "../away"), "name"),
        (("pca:4", *SVM, "--run", "disjoint-short-runs1-from0", "--seed", "1"), "another split"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(shell, compared, words, message):
    known = sorted((compared[1] / "models").rglob("*"))
    done = shell("bands", *shell.SCENE, *words)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted((compared[1] / "models").rglob("*")) == known
