"""How good a classification is, and how sure that is.

All measures are computed from the confusion matrix M, M[i, j] = pixels of class i predicted as
class j (Congalton, Remote Sensing of Environment 37, 1991).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hsitf.compat import formerly
from hsitf.errors import DataError
from hsitf.ranges import Count, Kappa, Share


def confusion(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int
) -> NDArray[np.int64]:
    """Confusion matrix of labels 0 .. classes - 1: (classes, classes) int64, rows are truth."""
    pairs = truth.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


TOP = 5
"""The best logits that Top-5 accuracy looks at."""


def top5_accuracy(truth: NDArray[np.integer], logits: NDArray[np.floating]) -> float | None:
    """Share of samples whose class is among the five with the largest logits.

    Of equal logits the first comes first, as in `argmax`.

    Args:
        truth: (n,) classes from 0.
        logits: (n, classes).

    Returns:
        0 to 1; None for five classes or fewer, where it would always be 1.
    """
    count, classes = logits.shape
    if classes <= TOP or not count:
        return None
    order = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
    return float((order == np.asarray(truth)[:, None]).any(axis=1).mean())


@dataclass(frozen=True)
class Scores:
    """Accuracy measures of one classification, all between 0 and 1 (kappa from -1).

    Attributes:
        oa: Overall accuracy, the share of correctly classified pixels.
        aa: Average accuracy, the mean recall of the classes that occur.
        kappa: Cohen's kappa, agreement beyond chance.
        per_class: Recall of every class; 0 (never NaN) for a class without test pixels.
        f1: F1 score of every class; 0 for a class without test pixels.
        support: Number of test pixels of every class.
        matrix: The confusion matrix, rows are truth; empty in records of before there was one.
        top5: Top-5 accuracy, the share of pixels whose class is among the five likeliest; None
            for five classes or fewer, in records of before there was one, and of maps, which hold
            the likeliest class alone.
    """

    oa: Share
    aa: Share
    kappa: Kappa
    per_class: tuple[Share, ...]
    f1: tuple[Share, ...]
    support: tuple[Count, ...]
    matrix: tuple[tuple[Count, ...], ...] = ()
    top5: Share | None = None

    def __post_init__(self) -> None:
        classes = len(self.support)
        rows = {classes, *map(len, self.matrix)} if self.matrix else {classes}
        if {len(self.per_class), len(self.f1), len(self.matrix) or classes, *rows} != {classes}:
            raise DataError(
                "the accuracies are not those of one set of classes",
                received=f"{len(self.per_class)} recalls, {len(self.f1)} F1 scores, {classes} "
                f"numbers of pixels, a matrix of {len(self.matrix)} rows",
            )


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


def logit_scores(truth: NDArray[np.integer], logits: NDArray[np.floating], classes: int) -> Scores:
    """All measures of logits (n, logits), Top-5 accuracy included, against true classes from 0."""
    found = scores(confusion(truth, logits.argmax(1), classes))
    return replace(found, top5=top5_accuracy(truth, logits))


@formerly(half_width="half")
@dataclass(frozen=True)
class Interval:
    """A mean, and how far it may be off.

    Attributes:
        mean: Mean of the values.
        half_width: Half the width of its 95 % confidence interval.
    """

    mean: float
    half_width: float


def interval(values: Sequence[float]) -> Interval:
    """Mean and 95 % confidence interval of independent values, by Student's t.

    Args:
        values: Two or more independent values.
    """
    from scipy.stats import t

    count = len(values)
    error = float(np.std(values, ddof=1)) / count**0.5
    return Interval(float(np.mean(values)), float(t.ppf(0.975, count - 1)) * error)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """`part / whole`, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def format_drop(points: float) -> str:
    """Percentage points of accuracy lost, in words; fewer than none are gained."""
    return f"{abs(points):.2f} points {'gained' if points < 0 else 'lost'}"
