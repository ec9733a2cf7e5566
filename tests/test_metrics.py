from __future__ import annotations

import numpy as np
import pytest

from hsitf.metrics import confusion, logit_scores, scores, top5_accuracy


def test_confusion_by_hand():
    truth, predicted = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 0, 2])
    expected = [[1, 1, 0], [0, 1, 0], [1, 0, 2]]
    np.testing.assert_array_equal(confusion(truth, predicted, 3), expected)


def test_confusion_takes_small_integers():
    # 20 * 20 would overflow eight bits.
    labels = np.array([19, 0], np.int8)
    matrix = confusion(labels, labels, 20)
    assert matrix[19, 19] == matrix[0, 0] == 1
    assert matrix.sum() == 2


def test_scores_by_hand():
    # Textbook case: 20 and 15 of 50 agree, chance 0.5.
    found = scores(np.array([[20, 5], [10, 15]]))
    assert found.oa == pytest.approx(0.7)
    assert found.per_class == pytest.approx((0.8, 0.6))
    assert found.aa == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)
    assert found.f1 == pytest.approx((40 / 55, 30 / 45))
    assert found.support == (25, 25)


def test_worse_than_chance_is_negative():
    assert scores(np.array([[0, 5], [5, 0]])).kappa == pytest.approx(-1)


def test_absent_class_counts_for_nothing():
    # Nobody is of class 1, although one pixel is called so.
    found = scores(np.array([[3, 1, 0], [0, 0, 0], [0, 0, 4]]))
    assert found.aa == pytest.approx((0.75 + 1) / 2)
    assert found.per_class[1] == found.f1[1] == 0
    assert found.support == (4, 0, 4)


@pytest.mark.parametrize("matrix", [[[7]], [[7, 0], [0, 0]]])
def test_single_class_has_no_agreement_beyond_chance(matrix):
    found = scores(np.array(matrix))
    assert (found.oa, found.aa, found.kappa, found.f1[0]) == (1, 1, 0, 1)


@pytest.mark.parametrize("seed", range(3))
def test_same_as_scikit_learn(seed):
    judge = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 6, 300)
    predicted = np.where(generator.random(300) < 0.6, truth, generator.integers(0, 6, 300))
    matrix = confusion(truth, predicted, 6)
    found = scores(matrix)
    np.testing.assert_array_equal(matrix, judge.confusion_matrix(truth, predicted))
    assert found.oa == pytest.approx(judge.accuracy_score(truth, predicted))
    assert found.aa == pytest.approx(judge.balanced_accuracy_score(truth, predicted))
    assert found.kappa == pytest.approx(judge.cohen_kappa_score(truth, predicted))
    assert found.f1 == pytest.approx(judge.f1_score(truth, predicted, average=None))


def test_top5_by_hand():
    # Of seven classes; the true class is first, fifth, sixth, and fifth of equals.
    logits = np.array(
        [
            [9, 1, 2, 3, 4, 5, 6],
            [3, 9, 8, 7, 6, 1, 2],
            [2, 9, 8, 7, 6, 5, 1],
            [0, 0, 0, 0, 0, 0, 0],
        ],
        np.float32,
    )
    truth = np.array([0, 0, 0, 4])
    assert top5_accuracy(truth, logits) == pytest.approx(3 / 4)
    # Of equal logits the first five count.
    assert top5_accuracy(np.array([5]), logits[3:]) == 0
    found = logit_scores(truth, logits, 7)
    assert found.top5 == pytest.approx(3 / 4)
    assert found.oa == pytest.approx(1 / 4)
    assert found.matrix == scores(confusion(truth, logits.argmax(1), 7)).matrix


def test_top5_needs_more_than_five_classes():
    assert top5_accuracy(np.array([0]), np.zeros((1, 5), np.float32)) is None
    assert logit_scores(np.array([0, 1]), np.eye(5, dtype=np.float32)[:2], 5).top5 is None
