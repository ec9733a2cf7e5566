from __future__ import annotations

from types import SimpleNamespace

from hsitf.report.sections.accuracy import (
    _baselines,
    _class_accuracy,
    _different_pixels,
    _support,
)
from hsitf.train.baselines_beside import BaselineScores


def network(guard, classes, sha256, test=100, seed=0):
    """What these functions look at of a run."""
    support = tuple(range(10, 10 + len(classes)))
    return SimpleNamespace(
        record=SimpleNamespace(
            split=SimpleNamespace(
                kind="disjoint", seed=seed, guard=guard, sha256=sha256, test=test
            ),
            scene=SimpleNamespace(class_names=classes),
            scores=SimpleNamespace(support=support, per_class=[0.5] * len(classes)),
        )
    )


def test_networks_of_other_guards_are_judged_on_other_pixels():
    runs = [network(0, ("a", "b"), "x", 120), network(8, ("a", "b"), "y", 90)]
    said = _different_pixels(runs)
    assert "(90 to 120 of them)" in said
    assert "guards are 0, 8 pixels; trained with --guard 8" in said
    assert _different_pixels(runs[:1]) == ""
    # Several seeds have splits of their own.
    assert _different_pixels([network(8, (), "x", seed=0), network(8, (), "y", seed=1)]) == ""


def test_a_class_that_one_network_left_out():
    runs = [network(0, ("a", "b", "c"), "x"), network(8, ("a", "c"), "y")]
    assert [_class_accuracy(run, "b") for run in runs] == ["50.0", "left out"]
    assert _support(runs, "b") == "11"
    assert _support(runs, "c") == "11 to 12"


def test_baselines_have_a_table_beside():
    found = [
        BaselineScores("svm_grid", None, 3, 0.61, 0.5, 0.55),
        BaselineScores("knn", 20, 1, 0.5, 0.4, 0.3),
    ]
    assert _baselines(found).rows == (
        ("svm_grid", "all", "3", "61.00 %", "50.00 %", "0.5500"),
        ("knn", "20", "1", "50.00 %", "40.00 %", "0.3000"),
    )
