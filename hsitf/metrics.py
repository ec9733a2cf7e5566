"""How good a classification is, and how sure that is.

All measures come from the confusion matrix M, M[i, j] = pixels of class i called class j
(Congalton, Remote Sensing of Environment 37, 1991).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def confusion(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int
) -> NDArray[np.int64]:
    """Confusion matrix of labels 0 .. classes - 1: (classes, classes) int64, rows are truth."""
    pairs = truth.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class Scores:
    """Accuracy measures of one classification, all between 0 and 1 (kappa from -1).

    Attributes:
        oa: Overall accuracy, the share of pixels called right.
        aa: Average accuracy, the mean over the classes present of the share called right.
        kappa: Cohen's kappa, agreement beyond chance.
        per_class: Share called right by class (recall); NaN-free, 0 for a class that is absent.
        f1: Harmonic mean of precision and recall by class; 0 for a class that is absent.
        support: Test pixels by class.
        matrix: The confusion matrix, rows are truth; empty in records of before there was one.
    """

    oa: float
    aa: float
    kappa: float
    per_class: tuple[float, ...]
    f1: tuple[float, ...]
    support: tuple[int, ...]
    matrix: tuple[tuple[int, ...], ...] = ()


def scores(matrix: NDArray[np.int64]) -> Scores:
    """All measures of a confusion matrix (classes, classes), rows are truth."""
    total = matrix.sum()
    hits = np.diag(matrix).astype(np.float64)
    truth, called = matrix.sum(1), matrix.sum(0)
    recall = _ratio(hits, truth)
    oa = float(hits.sum() / total)
    chance = float((truth / total) @ (called / total))
    return Scores(
        oa=oa,
        aa=float(recall[truth > 0].mean()),
        # One class in truth and prediction alike leaves nothing beyond chance to agree on.
        kappa=(oa - chance) / (1 - chance) if chance < 1 else 0.0,
        per_class=tuple(recall.tolist()),
        f1=tuple(_ratio(2 * hits, truth + called).tolist()),
        support=tuple(truth.tolist()),
        matrix=tuple(map(tuple, matrix.tolist())),
    )


@dataclass(frozen=True)
class Interval:
    """A mean, and how far it may be off.

    Attributes:
        mean: Of the values.
        half: Half the width of its 95 % confidence interval.
    """

    mean: float
    half: float


def interval(values: Sequence[float]) -> Interval:
    """Mean and 95 % confidence interval of independent values, by Student's t.

    Args:
        values: Two or more.
    """
    from scipy.stats import t

    count = len(values)
    error = float(np.std(values, ddof=1)) / count**0.5
    return Interval(float(np.mean(values)), float(t.ppf(0.975, count - 1)) * error)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """`part / whole`, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
