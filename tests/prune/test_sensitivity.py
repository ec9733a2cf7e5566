"""Each dependency group cut alone, without retraining."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from hsitf import api, records
from hsitf.errors import InputError
from hsitf.options import RecipeOptions, SplitChoice, training_plan
from hsitf.progress import Silent
from hsitf.prune import sensitivity as module
from hsitf.prune.config import PruningConfig
from hsitf.prune.plans import plan_from_channels
from hsitf.prune.ranking import rank
from hsitf.prune.record import GroupSensitivity, SensitivityAnalysis
from hsitf.prune.sensitivity import FIGURES, RATIOS, RECORD, format_sensitivity, sensitivity
from hsitf.prune.sensitivity_figure import draw_sensitivity
from hsitf.prune.thinning import masked
from hsitf.prune.tracing import trace
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.train.run import train


@pytest.fixture(scope="module")
def origin(tiny, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("user"))
        np.save("tiny.npy", tiny.cube)
        np.save("labels.npy", tiny.labels)
        scene = SceneChoice("tiny.npy", labels="labels.npy")
        changes = RecipeOptions(epochs=12, batch_size=20, learning_rate=0.05)
        asked = training_plan("hu", scene, SplitChoice(), "full", changes)
        yield train(asked, "origin", Silent())


@pytest.fixture(scope="module")
def found(origin):
    return sensitivity(origin, "l2", PruningConfig(), None, Silent())


def test_it_is_the_accuracy_of_the_masked_network(origin, found):
    analysis, _ = found
    network, ready = origin.network(), origin.data()
    pixels = ready.split.validation
    patches, classes = ready.patches.extract(pixels), ready.targets(pixels)
    answers = np.asarray(network(patches)).argmax(axis=1)
    assert analysis.oa == pytest.approx(np.mean(answers == classes))
    ranking = rank(network, "l2")
    assert [group.layers for group in analysis.groups] == [g.layers for g in ranking.groups]
    for group, own, importance in zip(
        analysis.groups, ranking.groups, ranking.importance, strict=True
    ):
        assert [point.ratio for point in group.points] == list(RATIOS)
        assert [point.kept for point in group.points] == [
            max(1, int(round(group.channels * (1 - ratio), 9))) for ratio in RATIOS
        ]
        for point in (group.points[2], group.points[7]):
            lost = np.argsort(importance, kind="stable")[: len(own) - point.kept].tolist()
            # Every layer of a group is named; here a group is one layer.
            (name,) = own.layers
            chosen = plan_from_channels(
                trace(network), {name: [own.channels[channel][0][0] for channel in lost]}
            )
            answers = np.asarray(masked(network, chosen)(patches)).argmax(axis=1)
            assert point.oa == pytest.approx(np.mean(answers == classes))
        macs = [point.macs for point in group.points]
        assert analysis.macs > macs[0]
        assert macs == sorted(macs, reverse=True)


def test_table_record_and_figures(found, origin):
    analysis, folder = found
    assert folder.name == "origin-l2-sensitivity"
    assert {path.name for path in folder.iterdir()} == {RECORD, *FIGURES}
    assert records.read(SensitivityAnalysis, folder / RECORD) == analysis
    text = format_sensitivity(analysis)
    change = 100 * (analysis.groups[0].points[4].oa - analysis.oa)
    assert f"{change:+.1f}" in text
    assert f"{analysis.oa:.2%} on {analysis.split.validation:,} validation pixels" in text
    assert ElementTree.parse(folder / FIGURES[1]).getroot().tag.endswith("svg")
    assert len(text.splitlines()) >= len(analysis.groups) + 3


def test_interrupted_it_goes_on_where_it_was(origin, found, monkeypatch):
    original, cut = module._cut, []

    def once(*given):
        if cut:
            raise KeyboardInterrupt
        cut.append(1)
        return original(*given)

    monkeypatch.setattr(module, "_cut", once)
    with pytest.raises(KeyboardInterrupt):
        sensitivity(origin, "l2", PruningConfig(), "again", Silent())
    kept = records.read(SensitivityAnalysis, origin.folder.parent / "again" / RECORD)
    assert kept.groups == found[0].groups[:1]
    calls = []
    monkeypatch.setattr(module, "_cut", lambda *given: calls.append(1) or original(*given))
    resumed, _ = sensitivity(origin, "l2", PruningConfig(), "again", Silent())
    assert resumed.groups == found[0].groups
    assert len(calls) == len(resumed.groups) - 1
    with pytest.raises(InputError, match="belongs to something else"):
        sensitivity(origin, "l1", PruningConfig(), "again", Silent())
    with pytest.raises(InputError, match="belongs to something else"):
        sensitivity(origin, "l2", PruningConfig(), "origin", Silent())


def test_layers_left_out_and_channels_kept(origin):
    layers = [group.layers[0] for group in rank(origin.network(), "l2").groups]
    analysis = api.load_run(origin.folder).sensitivity(
        ignore=layers[0], min_channels=4, round_to=2, run="few"
    )
    assert [group.layers for group in analysis.groups] == [(name,) for name in layers[1:]]
    assert min(point.kept for group in analysis.groups for point in group.points) >= 4
    assert all(point.kept % 2 == 0 for group in analysis.groups for point in group.points)
    with pytest.raises(InputError, match="no group of this network may lose channels"):
        sensitivity(origin, "l2", PruningConfig(ignored=tuple(layers)), "none", Silent())
    with pytest.raises(InputError, match="unknown layer"):
        sensitivity(origin, "l2", PruningConfig(ignored=("nothing",)), "none", Silent())


def test_a_split_without_validation_pixels_is_refused(origin, monkeypatch):
    ready = origin.data()
    without = replace(ready, split=replace(ready.split, validation=np.empty(0, np.int64)))
    monkeypatch.setattr(Run, "data", lambda *given: without)
    with pytest.raises(InputError, match="measured on validation pixels"):
        sensitivity(origin, "l2", PruningConfig(), None, Silent())


@pytest.mark.parametrize("count", [1, 40])
def test_groups_of_any_number_are_drawn(found, tmp_path, count):
    group = found[0].groups[0]
    many = [
        GroupSensitivity((f"a_rather_long_name_of_{at}", "b$2", "c"), 32, "", group.points)
        for at in range(count)
    ]
    draw_sensitivity(replace(found[0], groups=tuple(many)), tmp_path / "many.png")
    assert (tmp_path / "many.png").stat().st_size > 10_000


def test_as_a_command(shell, origin):
    words = ("--from", str(origin.folder.absolute()), "--sensitivity")
    refused = shell("prune", *words, "--macs", "0.5", "--distill")
    assert refused.returncode == 2
    assert "received: --macs, --distill" in refused.stderr
    done = shell("prune", *words, "--criterion", "l1")
    assert done.returncode == 0, done.stderr
    assert "points of OA when a group alone loses channels, chosen by l1" in done.stdout
