from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from hsitf import data, records
from hsitf.errors import InputError
from hsitf.options import RecipeOptions, SplitChoice, training_plan
from hsitf.progress import Silent
from hsitf.prune import sparse_curve as module
from hsitf.prune.figure import draw_sparse
from hsitf.prune.record import SparseCurve
from hsitf.prune.sparse_curve import ALPHAS, sparse_curve
from hsitf.prune.thresholds import Thresholds
from hsitf.records import SceneChoice
from hsitf.scenes.splits import SplitOptions
from hsitf.train import loop
from hsitf.train.run import save_run

STEPS = [Thresholds(0.2), Thresholds(1.0, last_dense=0.5), Thresholds(2.0)]


@pytest.fixture(scope="module")
def ready(tiny):
    return data.prepare(tiny, SplitOptions())


@pytest.fixture(scope="module")
def origin(ready, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    changes = RecipeOptions(learning_rate=0.05, batch_size=20, epochs=6)
    plan = training_plan("hu", SceneChoice("tiny.npy"), SplitChoice(), "full", changes)
    return save_run(loop.fit(plan, ready, folder / "state.npz", Silent()), plan, ready, folder)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("curve") / "curve.json"


@pytest.fixture(scope="module")
def curve(origin, ready, path):
    recipe = replace(origin.record.plan.recipe, epochs=1)
    return sparse_curve(origin, ready, recipe, path, Silent(), STEPS)


def test_the_study_goes_from_a_tenth_to_two():
    assert [thresholds.alpha for thresholds in ALPHAS] == pytest.approx(
        [i / 10 for i in range(1, 21)]
    )


def test_more_zeros_take_less_room_when_deflated(curve, origin):
    sparse = [curve.dense, *(point.sparse for point in curve.points)]
    assert [size.parameters for size in sparse] == [origin.record.parameters] * 4
    assert {size.bytes for size in sparse} == {curve.dense.bytes}
    for before, after in pairwise(sparse):
        assert after.zero_share > before.zero_share
        assert after.bytes_deflated < before.bytes_deflated
    for point in curve.points:
        assert point.thinned.parameters <= point.sparse.parameters
        assert point.thinned.nonzero <= point.sparse.nonzero
    # At two standard deviations hardly a unit of the hidden layer is left.
    last = curve.points[-1]
    assert last.thinned.bytes < 0.5 * last.sparse.bytes
    assert last.thinned.bytes_deflated < last.sparse.bytes_deflated


def test_accuracy_before_and_after_retraining(curve, origin):
    assert curve.oa == origin.record.scores.oa
    assert abs(curve.points[0].oa_pruned - curve.oa) < 0.05
    assert all(
        0 <= point.oa_pruned <= 1 and point.oa == point.oa_retrained for point in curve.points
    )


def test_the_record_can_be_read(curve, path):
    assert records.read(SparseCurve, path) == curve


def test_what_is_done_is_not_done_again(curve, path, origin, ready, monkeypatch):
    monkeypatch.setattr(module, "sparse_point", None)
    again = sparse_curve(origin, ready, curve.recipe, path, Silent(), STEPS[:2])
    assert again.points == curve.points[:2]
    with pytest.raises(InputError, match=r"holds another curve"):
        sparse_curve(origin, ready, None, path, Silent(), STEPS)


@pytest.fixture(scope="module")
def unretrained(origin, ready, tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "curve.json"
    return sparse_curve(origin, ready, None, path, Silent(), STEPS[:1])


def test_without_retraining(unretrained, curve):
    (point,) = unretrained.points
    assert point.oa_retrained is None
    assert point.oa == point.oa_pruned == curve.points[0].oa_pruned
    assert point.sparse.nonzero == curve.points[0].sparse.nonzero


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_figures(curve, tmp_path, kind):
    file = tmp_path / f"curve.{kind}"
    draw_sparse(curve, file)
    begin = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind]
    assert file.read_bytes().startswith(begin)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    if kind == "svg":
        # matplotlib draws letters as paths and leaves the words beside them.
        text = file.read_text()
        for words in (
            "overall accuracy on the test pixels (%)",
            "size of the weights (kB)",
            "alpha (standard deviations)",
            "hu on tiny, a synthetic scene",
        ):
            assert words in text


def test_a_figure_without_retraining(unretrained, tmp_path):
    draw_sparse(unretrained, tmp_path / "curve.svg")
    assert "retrained" not in (tmp_path / "curve.svg").read_text()


def test_figures_of_an_unknown_format(curve, tmp_path):
    with pytest.raises(InputError, match=r"received: curve\.bmp; allowed: \.png, \.svg, \.pdf"):
        draw_sparse(curve, tmp_path / "curve.bmp")
