"""Unlabelled pixels: which ones a teacher names for training, and which ones training never sees.

Two networks are compared on pixels without labels: it needs none to see that they disagree. Those
of pixels that were shown in training would agree too often.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hsitf.data import SceneData
from hsitf.train.pseudo_labels import eligible_pixels

# Of independent pixels, a share is then known within two points.
MAX_UNSEEN = 2000
# Below so many pixels that training cannot use anyway, blocks of those that it could are held out.
_LEAST_UNSEEN = 500
# Side of these blocks in pixels, and the share of them: one of so many.
_BLOCK = 16
_ONE_OF = 4


def unseen_pixels(data: SceneData) -> NDArray[np.int64]:
    """Pixels that training never sees, with or without a teacher: (n,) int64 flat indices,
    ascending.

    They have data and are in no set. Most lie too near to validation or test pixels for training;
    of labelled ones among them, as in a guard band, the label is not used. At most `MAX_UNSEEN`,
    drawn by the split's seed.
    """
    found = np.flatnonzero(_unseen(data)).astype(np.int64)
    drawn = np.random.default_rng(data.split.seed).permutation(found)
    return np.sort(drawn[:MAX_UNSEEN])


def taught_pixels(data: SceneData) -> NDArray[np.int64]:
    """Unlabelled pixels that a teacher names for training: (n,) int64 flat indices, ascending.

    Those that may get a pseudo-label, without what is held out for comparisons.
    """
    eligible = eligible_pixels(data)
    return np.asarray(eligible[~_unseen(data).ravel()[eligible]], np.int64)


def _unseen(data: SceneData) -> NDArray[np.bool_]:
    """(rows, cols) where training never looks."""
    eligible = np.zeros(data.split.shape, np.bool_)
    eligible.flat[eligible_pixels(data)] = True
    free = (data.split.zones() == 0) & data.scene.valid
    unseen = free & ~eligible
    if np.count_nonzero(unseen) >= _LEAST_UNSEEN:
        return np.asarray(unseen, np.bool_)
    rows, cols = np.indices(data.split.shape, sparse=True)
    held_out = (rows // _BLOCK + 2 * (cols // _BLOCK)) % _ONE_OF == 0
    return np.asarray(unseen | (eligible & held_out), np.bool_)
