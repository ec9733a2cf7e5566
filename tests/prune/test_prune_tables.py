"""Tables and figures of pruning show the files that a record holds, whichever they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hsitf.prune.curve import format_curve
from hsitf.prune.figure import draw_curve
from hsitf.prune.record import CurvePoint, PruningCurve
from hsitf.prune.table import _accuracy_rows, _cost_rows
from hsitf.records import FileStats, ModelStats


def stats(share: int, *variants: str) -> ModelStats:
    files = {name: FileStats(4000 // share, 3 / share) for name in variants}
    return ModelStats(
        1000 // share, 900 // share, 8000 // share, files, 3000 // share, 0.9, 0.8, 0.7
    )


@pytest.mark.parametrize("variants", [(), ("float32", "int8"), ("float32", "int8", "mine")])
def test_rows_of_costs_by_hand(variants):
    whole, small = stats(1, *variants), stats(4, *variants)
    rows = list(_cost_rows((whole, small, small)))
    assert [row[0] for row in rows] == [
        *("parameters", "not zero", "multiply-accumulates"),
        *(f"{name} file, bytes" for name in variants),
        "weights zipped, bytes",
        *(f"{name}, ms" for name in variants),
    ]
    assert rows[0][1:] == ("1,000", "250", "250", "-75.0%")
    if variants:
        assert rows[3][1:] == ("4,000", "1,000", "1,000", "-75.0%")
        assert rows[-1][1:] == ("3.000", "0.750", "0.750", "-75.0%")


def test_rows_of_accuracies_by_hand():
    whole, small = stats(1), replace(stats(1), oa=0.92, aa=0.75, kappa=0.65)
    assert list(_accuracy_rows((whole, small, small))) == [
        ("OA", "90.00%", "92.00%", "92.00%", "+2.00 points"),
        ("AA", "80.00%", "75.00%", "75.00%", "-5.00 points"),
        ("kappa", "0.7000", "0.6500", "0.6500", "-0.0500"),
    ]


def test_a_curve_shows_every_file(tmp_path):
    variants = ("float32", "int8", "mine")
    points = tuple(
        CurvePoint(target, "run", stats(share, *variants), stats(share, *variants))
        for target, share in ((0.5, 2), (0.25, 4))
    )
    curve = PruningCurve(
        *(2, "hu", "tiny", True, "run", "ab12", "l2", "macs", 3),
        stats(1, *variants),
        points,
        "a processor",
    )
    _, _, head, _, before, first, *_ = format_curve(curve).splitlines()
    for name in variants:
        assert f"{name} bytes" in head
        assert f"{name} ms" in head
    assert before.count("4,000") == first.count("2,000") == 3
    draw_curve(curve, tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").stat().st_size
