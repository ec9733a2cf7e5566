"""Losses and their intervals, with numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hsitf.compress.losses import Drop, accuracy, expected_drop, field_matrices, paired_drop

# Two fields of class 0 and 1 with four pixels each.
TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 1])
FIELDS = np.array([0, 0, 0, 0, 1, 1, 1, 1])


def test_matrices_are_of_each_field():
    predicted = np.array([0, 0, 1, 1, 1, 1, 1, 0])
    found = field_matrices(TRUTH, predicted, FIELDS, 2)
    assert found.tolist() == [[[2, 2], [0, 0]], [[0, 0], [1, 3]]]


@pytest.mark.parametrize(
    ("metric", "expected"),
    # 5 of 8 right; recalls 1/2 and 3/4; chance is (4 * 3 + 4 * 5) / 64 = 1/2.
    [("oa", 0.625), ("aa", 0.625), ("kappa", 0.25)],
)
def test_accuracies(metric, expected):
    assert accuracy(np.array([[2.0, 2.0], [1.0, 3.0]]), metric) == pytest.approx(expected)


def test_average_accuracy_leaves_out_classes_without_pixels():
    assert accuracy(np.array([[1.0, 1.0], [0.0, 0.0]]), "aa") == 0.5


def test_accuracies_of_several_matrices_at_once():
    both = np.array([[[2.0, 0.0], [0.0, 2.0]], [[0.0, 2.0], [2.0, 0.0]]])
    for metric in ("oa", "aa"):
        assert accuracy(both, metric).tolist() == [1.0, 0.0]
    assert accuracy(both, "kappa").tolist() == [1.0, -1.0]


def test_a_loss_in_one_of_two_fields():
    after = TRUTH.copy()
    after[:2] = 1
    found = paired_drop(TRUTH, TRUTH, after, FIELDS, 2, "oa")
    assert (found.points, found.fields) == (25.0, 2)
    # Of two fields drawn from two, a quarter of the draws has the bad one twice, a quarter never.
    assert (found.low, found.high) == (0.0, 50.0)


def test_a_gain_is_a_negative_loss():
    before = TRUTH.copy()
    before[:2] = 1
    assert paired_drop(TRUTH, before, TRUTH, FIELDS, 2, "oa").points == -25.0


def test_one_field_has_no_interval():
    after = np.array([0, 0, 0, 1])
    found = paired_drop(np.zeros(4, int), np.zeros(4, int), after, np.zeros(4, int), 2, "oa")
    assert (found.points, found.low, found.high, found.fields) == (25.0, 25.0, 25.0, 1)


def test_what_is_expected_to_be_lost():
    none = Drop(0.0, 0.0, 0.0, 9)
    # A tenth of unlabelled pixels differs: each costs 0.1, but for 50 of 250 that cost nothing.
    assert expected_drop(none, 50, 1000, 0.1) == pytest.approx(100 * 0.1 * 0.08)
    # 25 of these 50 were lost.
    lost = Drop(2.5, 0.0, 5.0, 9)
    assert expected_drop(lost, 50, 1000, 0.1) == pytest.approx(100 * 0.1 * 45 / 250)
    # The same file loses nothing, wherever it is used.
    assert expected_drop(none, 0, 1000, 0.0) == 0.0


def test_a_collapsed_network_is_expected_to_lose_much():
    lost = Drop(30.0, 20.0, 40.0, 9)
    assert expected_drop(lost, 500, 1000, 0.05) == pytest.approx(100 * 0.5 * 400 / 700)


def test_without_unlabelled_pixels_those_of_validation_stand_for_them():
    lost = Drop(2.5, 0.0, 5.0, 9)
    assert expected_drop(lost, 50, 1000, None) == expected_drop(lost, 50, 1000, 0.05)
