from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hsitf
from hsitf import records
from hsitf.commands.compare import app
from hsitf.compare.comparison import ComparisonRecord, ComparisonSide, compare
from hsitf.compare.sides import read_sides
from hsitf.compare.statistics import paired_difference, signed_rank_p
from hsitf.compare.table import format_comparison
from hsitf.errors import InputError, MissingInputError
from hsitf.options import SplitChoice, training_plan
from hsitf.progress import Silent
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.train.repeat import train_repeatedly
from hsitf.train.run import train


def test_differences_by_hand():
    found = paired_difference([0.5, 0.6, 0.7, 0.8], [0.6, 0.8, 0.7, 0.7])
    # Differences 0.1, 0.2, 0, -0.1: mean 0.05; deviation sqrt(0.05 / 3) = 0.1291, error 0.06455;
    # Student's t of three degrees at 97.5 % is 3.1824.
    assert (found.pairs, found.wins, found.losses, found.ties) == (4, 2, 1, 1)
    assert (found.first, found.second) == (pytest.approx(0.65), pytest.approx(0.70))
    assert found.difference == pytest.approx(0.05)
    assert found.half_width == pytest.approx(3.18245 * 0.0645497, rel=1e-4)
    assert found.smallest_p == 0.125


def test_signed_ranks_by_hand():
    # All five are better: 2 of the 32 signs are as clear.
    assert signed_rank_p([0.1, 0.2, 0.3, 0.4, 0.5]) == 2 / 32
    # Ranks 1 and 2 are worse, so their sum is 3. Sums up to 3 have {}, {1}, {2}, {3}, {1, 2}:
    # 5 of 32 on one side.
    assert signed_rank_p([-0.1, -0.2, 0.3, 0.4, 0.5]) == 10 / 32
    assert signed_rank_p([0.0, 0.0]) == 1.0
    assert paired_difference([0.5], [0.6]).half_width is None


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory) -> Path:
    """Two baselines on three splits, one of them with few labels too; another guard."""
    found = tmp_path_factory.mktemp("compare")
    np.save(found / "tiny.npy", tiny.cube)
    np.save(found / "labels.npy", tiny.labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(found)
        for network in ("nearest", "sgd"):
            train_repeatedly(plan(network), 3, None, Silent())
        few = plan("nearest", labelled=3)
        train(few, None, Silent())
        train(replace(few, seed=1), "few-seed1", Silent())
        train(plan("nearest", guard=4), "wide", Silent())
        train(plan("svm", seed=0), None, Silent())
    return found


@pytest.fixture
def here(folder, monkeypatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def plan(network: str, guard: int = 2, **options: object):
    choice = SplitChoice(guard=guard, **options)
    return training_plan(network, SceneChoice("tiny.npy", labels="labels.npy"), choice, "full")


def side(name: str, *patterns: str) -> ComparisonSide:
    runs = [Run.open(one) for pattern in patterns for one in sorted(Path("models").glob(pattern))]
    return ComparisonSide(name, tuple(runs))


def test_runs_are_paired_by_their_test_pixels(here):
    one, other = side("one", "tiny/sgd/*-seed?"), side("other", "tiny/nearest/*-full-seed?")
    (pair,) = compare([one, other]).pairs
    (scene,) = pair.scenes
    assert [split.seed for split in scene.splits] == [0, 1, 2]
    assert all(split.same_training for split in scene.splits)
    first, second = ([run.record.scores.oa for run in s.runs] for s in (one, other))
    assert scene.measures["oa"] == paired_difference(first, second)
    assert scene.measures["kappa"].pairs == 3
    assert not pair.unpaired
    assert not pair.mean
    # The third baseline is beside; it has one of the splits.
    assert [(one.network, one.splits) for one in scene.baselines] == [("svm", 1)]


def test_several_runs_on_the_same_pixels_are_one_value(here):
    few = side("few", "tiny/nearest/*labelled3*", "tiny/nearest/few-seed1")
    (pair,) = compare([side("sgd", "tiny/sgd/*-seed?"), few]).pairs
    (scene,) = pair.scenes
    assert scene.measures["oa"].pairs == 1
    expected = np.mean([run.record.scores.oa for run in few.runs])
    assert scene.splits[0].second["oa"] == pytest.approx(expected)
    assert not scene.splits[0].same_training
    assert len(pair.unpaired) == 2
    assert "few has no run on tiny, disjoint split of seed 1, guard 2" in pair.unpaired


def test_what_cannot_be_paired_is_named(here):
    with pytest.raises(InputError, match="no test pixels in common") as error:
        compare([side("a", "tiny/nearest/wide"), side("b", "tiny/sgd/*-seed0")])
    assert "b has other test pixels on tiny, disjoint split of seed 0, guard 4" in str(error.value)
    assert "guard 2" in str(error.value)
    (run,) = side("b", "tiny/sgd/*-seed0").runs
    scene = replace(run.record.scene, sha256=dict.fromkeys(run.record.scene.sha256, "0" * 64))
    changed = Run(run.folder, replace(run.record, scene=scene))
    with pytest.raises(InputError, match="b has other files of that name on tiny"):
        compare([side("a", "tiny/nearest/*-full-seed0"), ComparisonSide("b", (changed,))])
    with pytest.raises(InputError, match="needs two sides"):
        compare([side("a", "tiny/nearest/wide")])


def test_a_side_has_runs_of_one_setting_on_a_split(here):
    sgd = side("sgd", "tiny/sgd/*-seed?")
    mixed = side("mixed", "tiny/nearest/*labelled3*", "tiny/nearest/disjoint-full-seed0")
    with pytest.raises(InputError, match="different settings") as error:
        compare([sgd, mixed])
    assert "disjoint-full-labelled3-seed0, disjoint-full-seed0" in str(error.value)
    with pytest.raises(InputError, match="same runs"):
        compare([sgd, side("again", "tiny/sgd/*-seed0")])
    # The same run in two spellings counts once.
    twice = side("a", "tiny/nearest/*-full-seed0", "../models/tiny/nearest/*-full-seed0")
    assert compare([twice, sgd]).pairs[0].scenes[0].measures["oa"].pairs == 1


def test_sides_are_folders_summaries_and_patterns(here):
    folder = "models/tiny/sgd/disjoint-full-seed0"
    summary = "models/tiny/nearest/disjoint-full-runs3-from0"
    one, other, third = read_sides([folder, summary, "wide=models/tiny/*/wid?"])
    assert [len(found.runs) for found in (one, other, third)] == [1, 3, 1]
    assert [found.name for found in (one, other, third)] == ["sgd", "nearest", "wide"]
    assert read_sides([f"{summary}/summary.json", folder])[0].runs == other.runs
    several = read_sides([f"{folder},models/tiny/sgd/disjoint-full-seed1", "models/tiny/nearest"])
    assert [len(found.runs) for found in several] == [2, 6]
    assert several[1].name == "nearest 3 labelled, nearest"
    with pytest.raises(MissingInputError, match="no finished run"):
        read_sides(["models/tiny/none*", folder])
    with pytest.raises(InputError, match="names no runs"):
        read_sides(["a=", folder])
    with pytest.raises(InputError, match="same name"):
        read_sides([f"a={folder}", f"a={summary}"])
    # Two sides that are called alike are told apart by what was typed.
    names = [found.name for found in read_sides([folder, "models/tiny/sgd/disjoint-full-seed1"])]
    assert names[0] == f"sgd {folder}"


@pytest.fixture
def odd(here) -> list[str]:
    """Two runs in folders whose names hold what separates names and paths."""
    found = []
    for seed, folder in enumerate(("lr=0.1,b=2/one", "lr=0.1,b=[2]")):
        copy = here / "odd" / folder
        if not copy.is_dir():
            shutil.copytree(here / f"models/tiny/sgd/disjoint-full-seed{seed}", copy)
        found.append(f"odd/{folder}")
    return found


def test_paths_may_hold_what_separates_names_and_paths(odd):
    nearest = "models/tiny/nearest/*-full-seed?"
    for words, name in (
        ([odd[0]], "sgd"),
        ([f"steps={odd[0]}"], "steps"),
        # A pattern that fits something as a whole, too.
        (["odd/lr=0.1,b=2/o*"], "sgd"),
        (["steps=odd/lr=0.1,b=2/o*"], "steps"),
    ):
        first, _ = read_sides([*words, nearest])
        assert (first.name, [run.folder for run in first.runs]) == (name, [Path(odd[0])])
    # Brackets of a folder that is there are no pattern.
    assert [run.folder for run in read_sides([odd[1], nearest])[0].runs] == [Path(odd[1])]
    # Several of them, each by an option of its own.
    one, other = read_sides([nearest], [f"steps={odd[0]}", f"steps={odd[1]}"])
    assert (one.name, len(one.runs)) == ("nearest", 3)
    assert (other.name, [str(run.folder) for run in other.runs]) == ("steps", odd)
    with pytest.raises(MissingInputError, match="no finished run") as error:
        read_sides([nearest, "odd/lr=0.1,b=3/one"])
    assert "--side NAME=PATH" in str(error.value)


def test_a_side_by_option_has_a_name(here):
    word = "models/tiny/nearest/*-full-seed?"
    for given in (word, f"={word}", "sgd="):
        with pytest.raises(InputError, match="NAME=PATH"):
            read_sides([word], [given])
    with pytest.raises(InputError, match="same name"):
        read_sides([f"a={word}"], ["a=models/tiny/sgd/*-seed0"])


def test_sides_by_options_from_the_command_line(odd, capsys):
    words = ["--side", f"steps={odd[0]}", "--side", f"steps={odd[1]}", "--out", "compared-odd"]
    assert not app([*words, "models/tiny/nearest/*-full-seed?"], standalone_mode=False)
    assert "steps against nearest on tiny" in capsys.readouterr().out
    record = hsitf.compare_networks({"steps": odd, "nearest": "models/tiny/nearest/*-full-seed?"})
    assert record.pairs[0].scenes[0].measures["oa"].pairs == 2


def test_a_comparison_from_the_command_line(here, capsys):
    words = ["models/tiny/sgd/*-seed?", "models/tiny/nearest/*-full-seed?", "--out", "compared"]
    assert not app(words, standalone_mode=False)
    printed = capsys.readouterr().out
    assert "nearest against sgd on tiny" in printed
    assert "With 3 splits, p is never below 2 / 2^3 = 0.25." in printed
    assert "svm" in printed
    record = records.read(ComparisonRecord, here / "compared" / "comparison.json")
    assert format_comparison(record) in printed
    assert (here / "compared" / "comparison.png").read_bytes()[1:4] == b"PNG"


def test_several_scenes_have_a_mean(here, tiny):
    np.save("other.npy", tiny.cube[:, ::-1])
    np.save("other_labels.npy", tiny.labels[:, ::-1])
    for network in ("nearest", "sgd"):
        scene = SceneChoice("other.npy", labels="other_labels.npy")
        asked = training_plan(network, scene, SplitChoice(guard=2), "full")
        train(asked, "flipped", Silent())
    one, other = (
        side(name, f"tiny/{name}/*-full-seed?", f"other/{name}/flipped")
        for name in ("sgd", "nearest")
    )
    (pair,) = compare([one, other]).pairs
    means = [found.measures["oa"] for found in pair.scenes]
    assert [found.pairs for found in means] == [3, 1]
    assert pair.mean["oa"].difference == pytest.approx(
        (means[0].difference + means[1].difference) / 2
    )
    assert pair.mean["oa"].pairs == 2
    assert "nearest against sgd, tiny, other" in format_comparison(compare([one, other]))


def test_the_same_from_python(here):
    scene = hsitf.load_scene("tiny.npy", labels="labels.npy")
    summary = hsitf.train_on_splits("sgd", scene, splits=3, guard=2, schedule="full")
    assert [Path(one).name for one in summary.runs] == [
        f"disjoint-full-seed{seed}" for seed in range(3)
    ]
    few = hsitf.train_network("nearest", scene, guard=2, labelled=3, schedule="full")
    record = hsitf.compare_networks(
        {"sgd": summary, "few": few, "nearest": "models/tiny/nearest/*-full-seed?"}
    )
    assert [(pair.first, pair.second) for pair in record.pairs] == [
        ("sgd", "few"),
        ("sgd", "nearest"),
        ("few", "nearest"),
    ]
    assert [pair.scenes[0].measures["oa"].pairs for pair in record.pairs] == [1, 3, 1]
