"""Maps held against labels: which pixels count, and which classes."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from hsitf.classify.evaluation import evaluate, format_confusion, matched_classes
from hsitf.records import SceneRecord
from hsitf.runs import Run
from hsitf.scenes import RasterSource
from hsitf.scenes.splits import Split

NETWORK = ("water", "tree", "soil")
NUMBERED = ("class 1", "class 2", "class 3")


def source(
    labels: list[list[int]], names: tuple[str, ...], files: tuple[tuple[str, str], ...] = ()
) -> RasterSource:
    truth = np.array(labels, np.int32)
    return RasterSource(
        "s", (*truth.shape, 4), lambda start, stop: np.zeros(0), "", labels=truth,
        class_names=names, sources=files,
    )  # fmt: skip


@dataclass(frozen=True)
class KnownRun:
    """As much of a run as an evaluation asks for: pixels 0 and 1 train, 2 validates, 3 tests."""

    shape: tuple[int, int] = (2, 3)

    @property
    def record(self) -> SimpleNamespace:
        digests = {"cube": "c", "labels": "l"}
        return SimpleNamespace(scene=SceneRecord("s", (*self.shape, 4), NETWORK, False, digests))

    def split(self) -> Split:
        sets = (np.array(pixels, np.int64) for pixels in ([0, 1], [2], [3]))
        return Split("random", *sets, 0, 0, self.shape)


def run(shape: tuple[int, int] = (2, 3)) -> Run:
    return KnownRun(shape)  # type: ignore[return-value]


CALLED = np.array([[1, 2, 3], [1, 3, 0]], np.uint8)
OWN = (("cube", "c"), ("labels", "l"))


def test_of_the_own_scene_test_pixels_alone_count():
    found = evaluate(source([[1, 1, 1], [2, 3, 3]], NETWORK, OWN), CALLED, NETWORK, run())
    assert (found.pixels, found.own_test_pixels, found.notes) == ("1 test pixels", True, ())
    # Pixel 3 is tree, and is called water.
    assert found.scores.matrix == ((0, 0, 0), (1, 0, 0), (0, 0, 0))


def test_a_file_may_have_another_name():
    renamed = (("moved", "c"), ("truth", "l"))
    found = evaluate(source([[1, 1, 1], [2, 3, 3]], NETWORK, renamed), CALLED, NETWORK, run())
    assert found.own_test_pixels


def test_other_labels_of_the_own_scene_leave_training_pixels_out():
    files = (("cube", "c"), ("labels", "other"))
    found = evaluate(source([[1, 1, 1], [1, 3, 3]], NETWORK, files), CALLED, NETWORK, run())
    # Pixels 3 and 4 are right; pixel 5 has no class on the map.
    assert found.pixels == "2 labelled pixels that the network was not trained on"
    assert found.scores.oa == 1
    assert not found.own_test_pixels


@pytest.mark.parametrize("who", [None, run(), run((9, 9))])
def test_of_another_scene_all_labelled_pixels_count(who):
    files = (("cube", "x"), ("labels", "y"))
    found = evaluate(source([[1, 1, 0], [1, 3, 3]], NETWORK, files), CALLED, NETWORK, who)
    assert found.pixels == "4 labelled pixels"
    assert found.scores.oa == pytest.approx(3 / 4)


def test_without_labels_there_is_nothing_to_evaluate():
    bare = RasterSource("s", (2, 3, 4), lambda start, stop: np.zeros(0), "")
    assert evaluate(bare, CALLED, NETWORK, None) is None


def test_labels_that_lack_classes_are_evaluated_over_those_they_have():
    found = evaluate(source([[1, 0, 2], [1, 0, 2]], ("water", "soil")), CALLED, NETWORK, None)
    assert found.scores.support == (2, 0, 1)
    assert found.scores.oa == 1
    (note,) = found.notes
    assert note == (
        "The labels have 2 of the network's 3 classes: water, soil; accuracy is over these."
    )


def test_a_map_with_all_names_may_lack_pixels_of_some():
    found = evaluate(source([[1, 0, 3], [1, 0, 3]], NETWORK), CALLED, NETWORK, None)
    assert "2 of the network's 3 classes: water, soil" in found.notes[0]


def test_classes_that_the_network_does_not_have_are_not_counted():
    names = ("water", "tree", "soil", "road", "roof")
    labels = source([[1, 2, 3], [4, 4, 5]], names)
    found = evaluate(labels, CALLED, NETWORK, None)
    assert found.pixels == "3 labelled pixels"
    (note,) = found.notes
    assert note == "The network does not have road, roof: 3 labelled pixels are not counted."
    # Classes that the user left out need not be named again.
    assert evaluate(labels, CALLED, NETWORK, None, ("road", "roof")).notes == ()


def test_nothing_in_common_is_said_with_both_lists():
    found = evaluate(source([[1, 1, 2], [1, 2, 2]], ("road", "roof")), CALLED, NETWORK, None)
    assert found.scores is None
    assert found.notes == (
        "No accuracy: the labels (road, roof) have none of the network's classes (water, tree, "
        "soil).",
    )
    empty = evaluate(source([[0, 0, 0], [0, 0, 0]], ()), CALLED, NETWORK, None)
    assert empty.notes == ("No accuracy: the labels mark no pixel.",)


@pytest.mark.parametrize(
    ("labels", "network", "expected"),
    [
        (NETWORK, NETWORK, {1: 1, 2: 2, 3: 3}),
        (("Soil", "water"), NETWORK, {1: 3, 2: 1}),
        # Numbers with gaps keep them in their names.
        (("class 1", "class 3"), NETWORK, {1: 1, 2: 3}),
        (("class 11", "class 41"), ("class 11", "class 21", "class 41"), {1: 1, 2: 3}),
        (("class 11",), NETWORK, {}),
        (NETWORK, NUMBERED, {1: 1, 2: 2, 3: 3}),
        (("road",), NETWORK, {}),
    ],
)
def test_classes_are_matched_by_name_else_by_number(labels, network, expected):
    assert matched_classes(labels, network) == expected


def test_matching_by_number_is_said():
    labels = source([[1, 0, 3], [1, 0, 3]], NUMBERED)
    found = evaluate(labels, CALLED, NETWORK, None)
    assert found.notes[0] == "Classes are matched by number: those of the labels have no names."


def test_a_confusion_matrix_names_its_rows_and_columns():
    text = format_confusion(((2, 1), (0, 0)), ("water", "tree"), "3 test pixels")
    lines = text.splitlines()
    assert lines[0].startswith("Confusion on 3 test pixels: rows are")
    assert lines[2].split() == ["class", "1", "2"]
    # Without pixels of it a class is a column alone.
    assert [line.split() for line in lines[4:-1]] == [["1", "water", "2", "1"]]
