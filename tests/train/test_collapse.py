"""The remark on a network that has learned nothing, and the card that repeats it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hsitf.metrics import Scores, scores
from hsitf.records import (
    SCHEMA,
    AdoptionRecord,
    Epoch,
    RunRecord,
    SceneChoice,
    SceneRecord,
    SplitRecord,
    TrainingPlan,
)
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.splits import SplitOptions
from hsitf.train.collapse import collapse_remark, collapsed_class
from hsitf.train.model_card import model_card
from hsitf.zoo import Recipe

COLLAPSED = scores(np.array([[0, 5], [0, 3]]))
LEARNED = scores(np.array([[4, 1], [0, 3]]))


def record(found: Scores, **changed: object) -> RunRecord:
    plain = RunRecord(
        schema=SCHEMA,
        plan=TrainingPlan(
            "hu", SceneChoice("s"), SplitOptions(), Recipe("sgd", 0.5, epochs=9), "full", 0
        ),
        paper="",
        parameters=10,
        scene=SceneRecord("s", (4, 5, 6), ("corn", "wheat"), False, {}),
        split=SplitRecord("disjoint", 0, 0, 10, 2, 8, 0, 0.0, 0.0, ""),
        normalizer=Normalizer((0.0,) * 6, (1.0,) * 6),
        history=(Epoch(1.0, 0.4, 0.5, 1.0),) * 9,
        best_epoch=1,
        scores=found,
        seconds=1.0,
        peak_memory=1,
        sha256="",
        versions={},
        command="",
    )
    return replace(plain, **changed)  # type: ignore[arg-type]


def test_one_class_for_all_is_a_collapse():
    assert COLLAPSED.kappa == 0
    assert collapsed_class(COLLAPSED) == 1
    assert collapsed_class(LEARNED) is None
    # Where there is one class to find, calling all pixels it is right.
    assert collapsed_class(scores(np.array([[0, 0], [0, 3]]))) is None
    # No better than chance, but not one class for all.
    assert collapsed_class(scores(np.array([[2, 2], [2, 2]]))) is None
    # Records of before had no matrix.
    assert collapsed_class(replace(COLLAPSED, matrix=())) == -1
    assert collapsed_class(replace(LEARNED, matrix=())) is None


def test_the_remark_says_what_to_try():
    assert collapse_remark(record(LEARNED)) == ""
    remark = collapse_remark(record(COLLAPSED))
    assert remark.startswith("The network calls all 8 test pixels 'wheat'")
    for part in ("--learning-rate 0.05, it was 0.5", "--epochs, there were 9", "--class-weights"):
        assert part in remark
    assert "hsitf scenes show --out" in remark


def test_what_was_not_trained_by_gradients_gets_another_remark():
    fitted = collapse_remark(record(COLLAPSED, history=(), best_epoch=0))
    assert "--learning-rate" not in fitted
    assert "--class-weights" in fitted
    elsewhere = AdoptionRecord("net.h5", "", "Keras 2", ("bands",), "none", (1, 2))
    adopted = collapse_remark(record(COLLAPSED, adopted=elsewhere))
    assert "Check the preprocessing" in adopted
    assert "--epochs" not in adopted


@pytest.mark.parametrize(
    ("preprocessing", "bands", "expected"),
    [
        (None, "", "6 bands, normalized band by band (see"),
        (None, "pca:3", "6 components (pca:3 of the bands), normalized band by band (see"),
        ("none", "", "6 bands as the scene has them, without preprocessing (see"),
        (
            "minmax over the scene",
            "",
            "6 bands, preprocessed as it was adopted: minmax over the scene (see",
        ),
        (
            "standard over the scene, then pca:3 over the scene",
            "pca:3",
            "6 components, preprocessed as it was adopted: standard over the scene, then pca:3",
        ),
    ],
)
def test_the_card_says_what_enters(preprocessing, bands, expected):
    given = record(LEARNED)
    given = replace(given, plan=replace(given.plan, bands=bands))
    if preprocessing is not None:
        adopted = AdoptionRecord("net.h5", "", "Keras 2", ("bands",), preprocessing, (1, 2))
        given = replace(given, adopted=adopted)
    assert expected in model_card(given).replace("\n", " ")


def test_the_card_repeats_the_remark():
    assert "it has learned nothing" in model_card(record(COLLAPSED))
    assert "it has learned nothing" not in model_card(record(LEARNED))
