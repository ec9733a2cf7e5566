"""Splits with few labelled pixels of each class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hsitf.scenes.splits.parts import Split


def with_few_labels(split: Split, labels: NDArray[np.integer], count: int) -> Split:
    """The split with at most `count` training and `count` validation pixels of each class.

    Those of a smaller number are among those of a larger one, so that learning curves grow. Test
    pixels stay as they are.

    Args:
        split: A split of the labels.
        labels: (rows, cols) ground truth, 0 = unlabelled.
        count: Pixels of a class that are kept.
    """
    train, validation = (
        _drawn(pixels, labels, count, np.random.default_rng([split.seed, number]))
        for number, pixels in enumerate((split.train, split.validation))
    )
    given_up = len(split.train) + len(split.validation) - len(train) - len(validation)
    return replace(split, train=train, validation=validation, unused=split.unused + given_up)


def classes_below(split: Split, labels: NDArray[np.integer], count: int) -> dict[int, int]:
    """Training pixels of the classes that have fewer than `count`, by class from 1."""
    counts = np.bincount(labels.ravel()[split.train])
    return {c: int(n) for c, n in enumerate(counts.tolist()) if 0 < n < count}


def _drawn(
    pixels: NDArray[np.int64],
    labels: NDArray[np.integer],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """The pixels of each class, or `count` of them drawn without replacement; sorted."""
    mixed = rng.permutation(pixels)
    classes = labels.ravel()[mixed]
    kept = [mixed[classes == c][:count] for c in np.unique(classes)]
    return np.sort(np.concatenate(kept)) if kept else pixels
