"""Accuracy that is lost, with an interval over fields.

Pixels of one field are alike: they are right or wrong together, and are no independent values. So
intervals are drawn over whole fields.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import FloatArray
from hsitf.ranges import Count, Kappa, Share

METRICS = ("oa", "aa", "kappa")
# Resamplings of the fields, and the share of them inside an interval.
_RESAMPLINGS = 2000
_COVERAGE = 0.95
# Seed of the resamplings, so that the same pixels have the same interval.
_SEED = 0


@dataclass(frozen=True)
class Drop:
    """Accuracy lost, in percentage points, with its 95 % interval over fields.

    Attributes:
        points: The loss; below 0 where accuracy was gained.
        low: Lower end of the interval; `points` where there are fewer than two fields.
        high: Upper end.
        fields: Number of fields that the interval rests on.
    """

    points: float
    low: float
    high: float
    fields: Count


@dataclass(frozen=True)
class Fidelity:
    """How far a network is from the original.

    Attributes:
        agreement: Share of unlabelled pixels that both classify alike; None where there are none.
        unlabelled: Number of these pixels.
        validation_agreement: Share of validation pixels that both classify alike.
        accuracy: OA, AA and kappa on validation pixels, by name.
        drop: Loss of the bounded measure on validation pixels.
        expected_drop: Points that are expected to be lost on ground that was not seen; see
            `expected_drop`.
        metric: The measure of accuracy that `drop` and `expected_drop` are of: oa, aa or kappa.
    """

    agreement: Share | None
    unlabelled: Count
    validation_agreement: Share
    accuracy: dict[str, Kappa]
    drop: Drop
    expected_drop: float
    metric: str = "oa"


# Weight of what is expected of a pixel that differs, in pixels, beside those of validation.
_PRIOR_PIXELS = 200


def expected_drop(drop: Drop, disagreeing: int, pixels: int, disagreement: float | None) -> float:
    """Points that are expected to be lost on ground that was not seen.

    What is lost is the share of pixels on which the networks disagree, times what each of these
    costs: 1 where the original was always right, -1 where the other one was. The share is measured
    on unlabelled pixels, or on validation pixels where more differ: a network that names one class
    alone may agree on ground that is nearly all of that class. What each costs grows with the
    share: networks that disagree a little do so where both are unsure, and what one loses there it
    gains elsewhere; over many cuts of networks, each costs about that share
    (docs/how-to/compress.md).
    Validation pixels that differ correct this, each as one of many.

    Args:
        drop: Loss on validation pixels.
        disagreeing: Number of validation pixels on which the networks disagree.
        pixels: Number of validation pixels.
        disagreement: Share of unlabelled pixels on which they disagree; that of validation pixels
            where None.
    """
    share = max(disagreeing / pixels, disagreement or 0.0)
    lost = drop.points / 100 * pixels
    return 100 * share * (lost + _PRIOR_PIXELS * share) / (disagreeing + _PRIOR_PIXELS)


def field_matrices(
    truth: NDArray[np.integer],
    predicted: NDArray[np.integer],
    fields: NDArray[np.int64],
    classes: int,
) -> FloatArray:
    """(fields, classes, classes) the confusion matrix of each field, rows are truth."""
    count = int(fields.max(initial=-1)) + 1
    cells = (fields * classes + truth) * classes + predicted
    found = np.bincount(cells, minlength=count * classes**2)
    return found.reshape(count, classes, classes).astype(np.float64)


def accuracy(matrices: FloatArray, metric: str) -> FloatArray:
    """(...,) OA, AA or kappa of confusion matrices (..., classes, classes)."""
    total = matrices.sum((-2, -1))
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    share = hits.sum(-1) / total
    if metric == "oa":
        return np.asarray(share)
    rows, cols = matrices.sum(-1), matrices.sum(-2)
    if metric == "aa":
        present = rows > 0
        recall = np.divide(hits, rows, out=np.zeros_like(hits), where=present)
        return np.asarray(recall.sum(-1) / present.sum(-1))
    chance = (rows * cols).sum(-1) / total**2
    return np.asarray(
        np.divide(share - chance, 1 - chance, out=np.zeros_like(share), where=chance < 1)
    )


def paired_drop(
    truth: NDArray[np.integer],
    before: NDArray[np.integer],
    after: NDArray[np.integer],
    fields: NDArray[np.int64],
    classes: int,
    metric: str,
) -> Drop:
    """Accuracy that one classification loses against another of the same pixels.

    The interval is the percentile bootstrap over fields: pixels of one field are not independent.

    Args:
        truth: (n,) classes from 0.
        before: (n,) of the first classification.
        after: (n,) of the second.
        fields: (n,) the field of each pixel, from 0 without gaps.
        classes: Number of classes.
        metric: oa, aa or kappa.
    """
    tables = [field_matrices(truth, found, fields, classes) for found in (before, after)]
    count = len(tables[0])
    points = 100 * float(accuracy(tables[0].sum(0), metric) - accuracy(tables[1].sum(0), metric))
    if count < 2:
        return Drop(points, points, points, count)
    generator = np.random.default_rng(_SEED)
    weights = generator.multinomial(count, np.full(count, 1 / count), _RESAMPLINGS)
    drawn = [(weights @ table.reshape(count, -1)).reshape(-1, classes, classes) for table in tables]
    losses = 100 * (accuracy(drawn[0], metric) - accuracy(drawn[1], metric))
    tail = 50 * (1 - _COVERAGE)
    low, high = np.percentile(losses, [tail, 100 - tail])
    return Drop(points, float(low), float(high), count)
