"""Disjoint splits: regions of the scene that no patch crosses.

All pixels train at first. Then rectangles around pixels of a class that a set is short of are
claimed for that set; pixels of other sets too near are given up, and whatever was given up is
taken back by any set that may have it. A claim stays if it makes the split better, or, by
simulated annealing (Kirkpatrick et al., Science 220, 1983), not much worse. Because a claim is
judged by pixels that remain, cuts come to lie along field borders and unlabelled ground.

A narrow guard would let single pixels be claimed, and a test set of single pixels among training
pixels is a random one. So regions are drawn as for a wide guard, whatever the patch, and what
was given up only for its sake goes to the nearest region.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hsitf.scenes.splits.options import SplitOptions
from hsitf.scenes.splits.zones import (
    TRAIN_SHARE,
    cannot_split,
    count_sizes,
    dilated,
    extent,
    guard_width,
)

# Guards that regions are drawn for, where the patch needs none as wide, the first at which every
# class can train and test: the guard of the zoo's most frequent patch (9 pixels), and half of it.
_COHERENT_GUARDS = (8, 4)
# Measured on Indian Pines: twice as many moves keep 1 % more of the labelled pixels.
_MOVES = 5000
_MIN_MOVES = 1000
# A claim that costs 6 % of one class in one set passes one time in e at the start.
_START_TEMPERATURE = 0.06
# Far above what any class gains by better shares: log(total / 1 pixel) is 11 for 65,000 pixels.
_MISSING_PENALTY = np.array([20.0, 4.0, 20.0])
# A missing set is looked after fifty times as often as one of the right size, and no more, so
# that a class for which it is impossible does not take all claims.
_HIGHEST_NEED = 50.0


_Window = tuple[slice, slice]


def disjoint_zones(
    labels: NDArray[np.integer], options: SplitOptions, class_names: Sequence[str]
) -> NDArray[np.uint8]:
    """Zone map of regions that are further apart than the guard."""
    guard = guard_width(options)
    present = np.unique(labels[labels > 0])
    narrow = [int(c) for c in present if extent(labels == c) <= guard + 1]
    if narrow:
        raise cannot_split(labels, narrow, options, class_names)
    train = TRAIN_SHARE["disjoint"] if options.train is None else options.train
    shares = np.array([train * (1 - options.validation), train * options.validation, 1 - train])
    return _coherent(labels, guard, shares, options.seed)


def with_validation_regions(
    labels: NDArray[np.integer],
    zones: NDArray[np.uint8],
    options: SplitOptions,
    first_rows: Sequence[int] = (0,),
) -> NDArray[np.uint8]:
    """Moves regions of the training zone to validation, as test regions are chosen elsewhere.

    Their patches share no pixel with a training patch, or they are further from training pixels
    than the guard of the options, where that is given. Training pixels between the two are given
    up; a class too small for two regions stays in training.

    Args:
        labels: (rows, cols) ground truth, 0 = unlabelled.
        zones: (rows, cols) zones without validation.
        options: Share of the training side, patch, guard and seed.
        first_rows: First row of each image; no patch crosses from one to the next.
    """
    if options.validation == 0:
        return zones
    guard = options.patch - 1 if options.guard is None else options.guard
    # Images are moved apart, so that no pixel is given up for the guard of one in the next image.
    gap = 2 * max(guard, *_COHERENT_GUARDS) if len(first_rows) > 1 else 0
    rows = np.arange(labels.shape[0])
    rows += gap * (np.searchsorted(first_rows, rows, side="right") - 1)
    training = np.zeros((int(rows[-1]) + 1, labels.shape[1]), labels.dtype)
    training[rows] = np.where(zones == 1, labels, 0)
    shares = np.array([1 - options.validation, options.validation, 0.0])
    found = _coherent(training, guard, shares, options.seed)[rows]
    return np.where(zones == 1, found, zones).astype(np.uint8)


def _coherent(
    labels: NDArray[np.integer], guard: int, shares: NDArray[np.float64], seed: int
) -> NDArray[np.uint8]:
    """Zones of regions as coherent as for a wide guard, where every class can have them."""
    present = np.unique(labels[labels > 0])
    numbered = np.searchsorted(present, labels) + 1
    numbered[labels == 0] = 0
    narrowest = min(extent(labels == c) for c in present)
    wider = [width for width in _COHERENT_GUARDS if guard < width < narrowest - 1]
    for width in (*wider, guard):
        zones = _annealed(numbered, width, shares, np.random.default_rng(seed))
        if _is_complete(count_sizes(numbered, zones)[1:, 1:], shares):
            break
    return zones if width == guard else _with_given_up(zones, labels, guard)


def _is_complete(sizes: NDArray[np.int64], shares: NDArray[np.float64]) -> bool:
    """Whether every class has pixels in every set that a share was asked for."""
    return bool((sizes[:, shares > 0] > 0).all())


def _with_given_up(
    zones: NDArray[np.uint8], labels: NDArray[np.integer], guard: int
) -> NDArray[np.uint8]:
    """The zone map with pixels that a narrower guard need not give up, each in the nearest zone."""
    from scipy.ndimage import distance_transform_cdt

    zones = zones.copy()
    present = [zone for zone in (1, 2, 3) if (zones == zone).any()]
    distances = [distance_transform_cdt(zones != zone, metric="chessboard") for zone in present]
    nearest = np.asarray(present)[np.argmin(distances, axis=0)]
    # First by distance, so that regions grow evenly; then whatever is still free to be taken.
    for wanted in (nearest, None):
        for zone in present:
            free = (labels > 0) & (zones == 0)
            if wanted is not None:
                free &= wanted == zone
            foreign = (zones != 0) & (zones != zone)
            zones[free & ~dilated(foreign, guard)] = zone
    return zones


def _annealed(
    labels: NDArray[np.integer], guard: int, shares: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The best zone map of a fixed number of claims; classes are numbered without gaps."""
    zones: NDArray[np.uint8] = (labels > 0).astype(np.uint8)
    sizes = count_sizes(labels, zones)[1:, 1:]
    totals = sizes[:, 0].copy()
    members = [np.flatnonzero(labels == c) for c in range(1, len(totals) + 1)]
    score = best = _objective(sizes, totals, shares)
    best_zones: NDArray[np.uint8] = zones.copy()
    moves = int(np.clip(totals.sum(), _MIN_MOVES, _MOVES))
    for move in range(moves):
        c, of = _neediest(sizes, totals, shares, rng)
        row, col = divmod(int(members[c][rng.integers(totals[c])]), labels.shape[1])
        box = _rectangle(row, col, labels.shape, guard, rng)
        if (zones[box][labels[box] > 0] == of).all():
            continue
        order = rng.permutation(3) + 1
        window, claimed = _assign_rectangle(
            zones, labels, box, of, guard, order[shares[order - 1] > 0]
        )
        there = labels[window]
        change = _change(there, zones[window], claimed, len(totals))
        after = _objective(sizes + change, totals, shares)
        temperature = _START_TEMPERATURE * (1 - move / moves) ** 2
        if after - score > temperature * np.log(max(rng.random(), 1e-300)):
            zones[window] = claimed
            sizes, score = sizes + change, after
            if score > best:
                best, best_zones = score, zones.copy()
    return best_zones


def _objective(
    sizes: NDArray[np.int64], totals: NDArray[np.int64], shares: NDArray[np.float64]
) -> float:
    """Sum over classes and sets of share * log(kept part), less a fine for what is missing.

    For a given number of kept pixels it is largest where they divide like the shares, and it grows
    with every kept pixel; a class of 20 pixels has the same weight as one of 2,000.
    """
    kept = np.maximum(sizes, 0.5) / totals[:, None]
    return float(
        (np.log(kept) @ shares).sum() - ((sizes == 0) @ (_MISSING_PENALTY * (shares > 0))).sum()
    )


def _neediest(
    sizes: NDArray[np.int64],
    totals: NDArray[np.int64],
    shares: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[int, int]:
    """A class (from 0) and a zone (from 1), the likelier the shorter the set is of the class."""
    need = np.minimum(shares * totals[:, None] / np.maximum(sizes, 0.5), _HIGHEST_NEED).ravel()
    cumulative = np.cumsum(need)
    at = int(np.searchsorted(cumulative, rng.random() * cumulative[-1]))
    return at // 3, at % 3 + 1


def _rectangle(
    row: int, col: int, shape: tuple[int, ...], guard: int, rng: np.random.Generator
) -> _Window:
    """A random rectangle around a pixel, small and large ones equally likely."""
    # A quarter of the scene is a region; a guard and a half reaches past what a claim clears.
    longest = max(min(shape) / 4, 1.5 * guard + 4)
    up, down, left, right = (int(n) for n in np.exp(rng.random(4) * np.log(longest)) - 1)
    return (
        slice(max(row - up, 0), min(row + down + 1, shape[0])),
        slice(max(col - left, 0), min(col + right + 1, shape[1])),
    )


def _assign_rectangle(
    zones: NDArray[np.uint8],
    labels: NDArray[np.integer],
    box: _Window,
    of: int,
    guard: int,
    order: NDArray[np.int64],
) -> tuple[_Window, NDArray[np.uint8]]:
    """Gives a rectangle to a zone, clears the guard around it, and shares out what is left.

    Returns:
        The window that may have changed and its new zones. `zones` itself is unchanged.
    """
    window, surroundings = _widened(box, guard, zones.shape), _widened(box, 2 * guard, zones.shape)
    area, there = zones[surroundings].copy(), labels[surroundings]
    middle = _within(window, surroundings)
    changed = area[middle]  # a view: what is written to it is written to the area
    changed[changed != of] = 0
    claimed = _within(box, surroundings)
    area[claimed] = np.where(there[claimed] > 0, of, 0)
    for zone in order:
        free = (there[middle] > 0) & (changed == 0)
        if free.any():
            foreign = (area != 0) & (area != zone)
            changed[free & ~dilated(foreign, guard)[middle]] = zone
    return window, changed


def _widened(box: _Window, by: int, shape: tuple[int, ...]) -> _Window:
    rows, cols = (
        slice(max(side.start - by, 0), min(side.stop + by, length))
        for side, length in zip(box, shape, strict=True)
    )
    return rows, cols


def _within(inner: _Window, outer: _Window) -> _Window:
    rows, cols = (
        slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True)
    )
    return rows, cols


def _change(
    labels: NDArray[np.integer], before: NDArray[np.uint8], after: NDArray[np.uint8], classes: int
) -> NDArray[np.int64]:
    """(classes, 3) how many pixels of each class each set gains."""
    offset = labels.ravel().astype(np.int64) * 4
    length = 4 * (classes + 1)
    gained = np.bincount(offset + after.ravel(), minlength=length)
    lost = np.bincount(offset + before.ravel(), minlength=length)
    return np.asarray((gained - lost).reshape(-1, 4)[1:, 1:])
