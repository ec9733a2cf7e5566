"""Splits of the labelled pixels into training, validation and test.

Patches of neighboring pixels overlap. Where training and test pixels are drawn at random from the
same fields, a network has seen most of its test data; `leakage` measures how much. A disjoint split
divides the scene into regions that no patch crosses.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError, unknown

KINDS = ("disjoint", "random", "fixed")

INDIAN_PINES_DISJOINT = (0, 2, 3, 5, 6, 8, 10, 11, 12, 14, 1, 4, 7, 9, 13, 15, 16)
"""Table for `remap`: the class numbers of `indianpines_disjoint_dset.mat` into the usual ones."""

# A random split follows the literature's 80 % / 20 %. A disjoint one tests on more, because the
# few regions of a scene make a small test side depend on which field it happened to get.
_TRAIN_SHARE = {"disjoint": 0.65, "random": 0.8}


@dataclass(frozen=True)
class SplitOptions:
    """How to split, checked when constructed.

    Attributes:
        kind: "disjoint" (separate regions with a guard band), "random" (stratified by class),
            or "fixed" (the training pixels are given as a label map).
        train: The training side, validation included: a share of the labelled pixels, or for
            "random" also a number of pixels a class. None: 0.65 disjoint, 0.8 random.
        validation: Share of the training side used for validation, 0 for none.
        patch: Rows and cols of the patches, in pixels.
        guard: Disjoint only: pixels of different sets are further apart than this, in the larger
            of rows and cols. None: `patch - 1`, the least at which no two patches from different
            sets share a pixel.
        seed: Seed of every draw.

    Raises:
        InputError: A value is out of range, or does not belong to this kind of split.
    """

    kind: str = "disjoint"
    train: float | int | None = None
    validation: float = 0.2
    patch: int = 1
    guard: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("split", self.kind, KINDS)
        if self.patch < 1:
            raise InputError("a patch has to hold a pixel", received=self.patch, allowed=">= 1")
        if not 0 <= self.validation < 1:
            raise InputError(
                "the validation share is out of range",
                received=self.validation,
                allowed="0 to below 1, a share of the training side",
            )
        self._check_train()
        self._check_guard()

    def _check_train(self) -> None:
        if self.train is None:
            return
        if self.kind == "fixed":
            raise InputError(
                "a fixed split takes its training pixels from a label map",
                received=f"train={self.train}",
                remedy="leave the training share out",
            )
        per_class = isinstance(self.train, int)
        if per_class and self.kind == "disjoint":
            raise InputError(
                "a disjoint split cannot promise a number of pixels a class",
                received=f"train={self.train}",
                allowed="a share between 0 and 1",
                remedy="give a share or use --split random",
            )
        if not (self.train >= 1 if per_class else 0 < self.train < 1):
            raise InputError(
                "the training side is out of range",
                received=self.train,
                allowed="a share between 0 and 1, or a whole number of pixels a class",
            )

    def _check_guard(self) -> None:
        if self.guard is None:
            return
        if self.kind != "disjoint":
            raise InputError(
                f"a {self.kind} split has no guard band",
                received=f"guard={self.guard}",
                remedy="leave the guard out or use --split disjoint",
            )
        if self.guard < 0:
            raise InputError("the guard is out of range", received=self.guard, allowed=">= 0")


_DEFAULTS = SplitOptions()


@dataclass(frozen=True, eq=False)
class Split:
    """Three sets of pixels that do not intersect.

    Pixels are sorted flat indices (row * cols + col) into the label map.

    Attributes:
        kind: "disjoint", "random" or "fixed".
        train: (pixels,) int64 flat indices.
        validation: (pixels,) int64, from the training side; empty where none was requested.
        test: (pixels,) int64 flat indices.
        guard: Pixels of different sets are further apart than this; 0 for random and fixed.
        seed: Seed of the random draws.
        shape: (rows, cols) of the label map.
        unused: Labelled pixels in none of the sets: those of the guard band, or for a fixed
            split those that only one of the maps labels.
        unvalidated: Classes without a validation pixel although one was requested: too small for
            three regions. Every class has training and test pixels.
    """

    kind: str
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    guard: int
    seed: int
    shape: tuple[int, int]
    unused: int = 0
    unvalidated: tuple[int, ...] = ()

    @property
    def sets(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Training, validation and test pixels."""
        return self.train, self.validation, self.test

    def digest(self) -> str:
        """SHA-256 of the pixels of its sets, to know the split by."""
        sizes = np.array([*self.shape, *map(len, self.sets)], np.int64)
        parts = [sizes, *self.sets]
        return hashlib.sha256(b"".join(np.asarray(p, "<i8").tobytes() for p in parts)).hexdigest()

    def zones(self) -> NDArray[np.uint8]:
        """The split as a (rows, cols) uint8 map: 0 unused, 1 train, 2 validation, 3 test."""
        zones = np.zeros(self.shape, np.uint8)
        for zone, pixels in enumerate(self.sets, start=1):
            zones.flat[pixels] = zone
        return zones


@dataclass(frozen=True)
class Leakage:
    """The share of the test set that was seen in training.

    Attributes:
        pixel: Share of test pixels with a training pixel inside their own patch, 0 to 1.
        patch: Share of test pixels whose patch shares a pixel with a training patch, 0 to 1.
    """

    pixel: float
    patch: float


def split(
    labels: NDArray[np.integer],
    options: SplitOptions = _DEFAULTS,
    *,
    class_names: Sequence[str] = (),
    train_map: NDArray[np.integer] | None = None,
    test_map: NDArray[np.integer] | None = None,
) -> Split:
    """Splits the labelled pixels of a scene into training, validation and test.

    The sizes of a random split are exact: stratified by class, rounded so that the total is right,
    with at least one pixel of a class in each set. Those of a disjoint split are near the shares,
    class by class, after the guard band is left out. A fixed split trains on the pixels of
    `train_map`, less a stratified random draw of them for validation; where the maps differ in a
    pixel's class, `labels` is used.

    Args:
        labels: (rows, cols) ground truth, 0 = unlabelled.
        options: Kind and sizes.
        class_names: Name of class k at k - 1, for messages.
        train_map: Fixed only: (rows, cols) labels of the training pixels, 0 elsewhere.
        test_map: Fixed only: (rows, cols) labels of the test pixels. None: all other pixels.

    Raises:
        InputError: A map is missing, or given to a split that does not use it.
        DataError: A class cannot be in both training and test, or the maps contradict each other.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or not labels.any():
        raise DataError(
            "there is nothing to split",
            received=f"a label map of shape {labels.shape}, {np.count_nonzero(labels)} labelled",
            allowed="(rows, cols) with labelled pixels",
            remedy="name the variable that holds the labels",
        )
    if options.kind == "fixed":
        zones, strays = _fixed(labels, options, train_map, test_map)
    elif train_map is not None or test_map is not None:
        raise InputError(
            f"a {options.kind} split has no use for a training or test map",
            remedy="leave the map out or use --split fixed",
        )
    else:
        strays = 0
        draw = _random if options.kind == "random" else _disjoint
        zones = draw(labels, options, class_names)
    return _checked(labels, zones, options, class_names, strays)


def leakage(split: Split, patch: int) -> Leakage:
    """The exact shares of the test pixels that training has seen, for patches of a given size.

    A patch holds rows r - patch // 2 to r - patch // 2 + patch - 1 around its pixel's row r, and so
    for columns. Two patches share a pixel where their centers are less than `patch` rows and cols
    apart. Pixels of a mirrored border are already inside the patch.

    Args:
        split: The split to measure.
        patch: Rows and cols of a patch.
    """
    from scipy.ndimage import maximum_filter

    train = split.zones() == 1
    inside = maximum_filter(train, size=patch, mode="constant", cval=False)
    touching = maximum_filter(train, size=2 * patch - 1, mode="constant", cval=False)
    return Leakage(
        pixel=float(inside.flat[split.test].mean()), patch=float(touching.flat[split.test].mean())
    )


def remap(labels: NDArray[np.integer], table: Sequence[int]) -> NDArray[np.int32]:
    """Renumbers the classes of a label map: new label = table[old label].

    Args:
        labels: (rows, cols) labels from 0 to len(table) - 1.
        table: New label of each old one, such as `INDIAN_PINES_DISJOINT`.

    Returns:
        (rows, cols) int32 labels.

    Raises:
        DataError: A label is not in the table.
    """
    labels = np.asarray(labels)
    if labels.min() < 0 or labels.max() >= len(table):
        raise DataError(
            "the label map holds classes that the table does not renumber",
            received=f"labels from {labels.min()} to {labels.max()}",
            allowed=f"0 to {len(table) - 1}",
            remedy="give the table that belongs to this label map",
        )
    return np.asarray(np.asarray(table, np.int32)[labels])


def _checked(
    labels: NDArray[np.integer],
    zones: NDArray[np.uint8],
    options: SplitOptions,
    class_names: Sequence[str],
    strays: int,
) -> Split:
    """The split that a zone map describes, after a check of all that `Split` promises."""
    guard = _guard_width(options)
    sizes = _sizes(labels, zones)
    present = np.flatnonzero(sizes.sum(axis=1))
    present = present[present > 0]
    if sizes[0, 1:].any() or not _are_separated(zones, guard):
        raise RuntimeError("a split has drawn unlabelled pixels or broken its guard band")
    lacking = [int(c) for c in present if not sizes[c, 1] or not sizes[c, 3]]
    if lacking:
        raise _cannot_split(labels, lacking, options, class_names)
    asked = options.validation > 0
    return Split(
        kind=options.kind,
        train=np.flatnonzero(zones == 1).astype(np.int64),
        validation=np.flatnonzero(zones == 2).astype(np.int64),
        test=np.flatnonzero(zones == 3).astype(np.int64),
        guard=guard,
        seed=options.seed,
        shape=(labels.shape[0], labels.shape[1]),
        unused=strays + int(sizes[1:, 0].sum()),
        unvalidated=tuple(int(c) for c in present if asked and not sizes[c, 2]),
    )


def _guard_width(options: SplitOptions) -> int:
    if options.kind != "disjoint":
        return 0
    return options.patch - 1 if options.guard is None else options.guard


def _sizes(labels: NDArray[np.integer], zones: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(classes + 1, 4) int64 pixels by class and zone."""
    classes = int(labels.max()) + 1
    pairs = labels.ravel().astype(np.int64) * 4 + zones.ravel()
    return np.asarray(np.bincount(pairs, minlength=4 * classes).reshape(classes, 4))


def _are_separated(zones: NDArray[np.uint8], guard: int) -> bool:
    """Whether pixels of different zones are all further apart than `guard`."""
    return all(not (_dilated(zones == zone, guard) & (zones > zone)).any() for zone in (1, 2))


def _dilated(mask: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """All pixels within `distance` of the mask, in the larger of rows and cols."""
    from scipy.ndimage import maximum_filter

    return np.asarray(maximum_filter(mask, size=2 * distance + 1, mode="constant", cval=False))


def _cannot_split(
    labels: NDArray[np.integer],
    classes: Sequence[int],
    options: SplitOptions,
    class_names: Sequence[str],
) -> DataError:
    """The error for classes that training and test cannot both have."""
    named = [class_names[c - 1] if c <= len(class_names) else f"class {c}" for c in classes]
    listed = ", ".join(
        f"{name} ({np.count_nonzero(labels == c)} pixels, {_extent(labels == c)} across)"
        for c, name in zip(classes, named, strict=True)
    )
    drop = " ".join(f"--drop-class {name!r}" for name in named)
    if options.kind == "disjoint":
        return DataError(
            "classes too small for separate training and test regions",
            received=f"{listed}, with a guard of {_guard_width(options)} pixels",
            allowed="classes that reach further than the guard and are not hemmed in by others",
            remedy=f"use --split random, a smaller --guard or --patch, or {drop}",
        )
    return DataError(
        "classes without enough pixels for both training and test",
        received=listed,
        allowed="at least one pixel of a class in each",
        remedy=f"use other sizes or maps, or {drop}",
    )


def _extent(mask: NDArray[np.bool_]) -> int:
    """The larger of the rows and the cols that a mask spans."""
    return int(max(np.ptp(axis) for axis in np.nonzero(mask))) + 1


# --- random and fixed ------------------------------------------------------------------------


def _random(
    labels: NDArray[np.integer], options: SplitOptions, class_names: Sequence[str]
) -> NDArray[np.uint8]:
    """Zone map of a stratified draw."""
    totals = np.bincount(labels.ravel())
    totals[0] = 0
    if lacking := [int(c) for c in np.flatnonzero(totals == 1)]:
        raise _cannot_split(labels, lacking, options, class_names)
    train = _TRAIN_SHARE["random"] if options.train is None else options.train
    side: NDArray[np.int64]
    if isinstance(train, int):
        small = [int(c) for c in np.flatnonzero((totals > 0) & (totals <= train))]
        if small:
            raise _cannot_split(labels, small, options, class_names)
        side = np.where(totals > 0, train, 0)
    else:
        side = _apportion(totals, train, 1)
    rng = np.random.default_rng(options.seed)
    zones = np.where(labels > 0, np.uint8(3), np.uint8(0))
    zones[_drawn(labels, labels > 0, side, rng)] = 1
    return _with_validation(labels, zones, options.validation, rng)


def _fixed(
    labels: NDArray[np.integer],
    options: SplitOptions,
    train_map: NDArray[np.integer] | None,
    test_map: NDArray[np.integer] | None,
) -> tuple[NDArray[np.uint8], int]:
    """Zone map by the user's maps, and how many of their pixels have no label in `labels`."""
    if train_map is None:
        raise InputError(
            "a fixed split needs the label map of its training pixels",
            remedy="give the map or use --split disjoint",
        )
    given = [train_map] if test_map is None else [train_map, test_map]
    for name, map_ in zip(("training", "test"), given, strict=False):
        _check_map(name, map_, labels)
    train = (train_map > 0) & (labels > 0)
    if not train.any():
        raise DataError(
            "the training map marks no labelled pixel",
            received=f"{np.count_nonzero(train_map)} pixels marked",
            allowed="numbers above 0 where the network was, or is to be, trained",
        )
    if test_map is None and train.sum() == np.count_nonzero(labels):
        raise DataError(
            "the training map marks every labelled pixel: none is left to test on",
            remedy="leave some pixels out of the map, or use --split disjoint",
        )
    test = (labels > 0) & (train_map == 0 if test_map is None else test_map > 0)
    if both := np.count_nonzero(train & test):
        raise DataError(
            "the training and the test map share pixels",
            received=f"{both} pixels in both",
            allowed="none",
            remedy="give the two maps of one split",
        )
    zones = (train * 1 + test * 3).astype(np.uint8)
    mapped = np.any([map_ > 0 for map_ in given], axis=0)
    strays = int(np.count_nonzero((labels == 0) & mapped))
    rng = np.random.default_rng(options.seed)
    return _with_validation(labels, zones, options.validation, rng), strays


def _check_map(name: str, given: NDArray[np.integer], labels: NDArray[np.integer]) -> None:
    """Refuses a map of another size, or one that numbers the classes differently."""
    if given.shape != labels.shape:
        raise DataError(
            f"the {name} map is of another size than the labels",
            received=f"{name} map {given.shape}, labels {labels.shape}",
            allowed="the same rows and cols",
            remedy="give the map that belongs to this scene",
        )
    numbers = np.unique(given[given > 0])
    shared = [(c, labels[(given == c) & (labels > 0)]) for c in numbers.tolist()]
    usual = [int(np.bincount(there).argmax()) for _, there in shared if there.size]
    # A mask of one number says which pixels, not which classes; numbers with gaps (11, 21, 41) are
    # the same classes in the same order.
    if len(numbers) <= 1 or all(a < b for a, b in itertools.pairwise(usual)):
        return
    for c, there in shared:
        if np.count_nonzero(there != c) > there.size / 2:
            raise DataError(
                f"the {name} map numbers the classes differently than the labels",
                received=f"class {c} of the map, mostly class {np.bincount(there).argmax()} there",
                allowed="the same class numbers as in the labels",
                remedy="renumber the map (remap; INDIAN_PINES_DISJOINT for the published file)",
            )


def _with_validation(
    labels: NDArray[np.integer], zones: NDArray[np.uint8], share: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Moves a stratified share of the training zone to validation."""
    if share == 0:
        return zones
    side = _sizes(labels, zones)[:, 1]
    zones = zones.copy()
    zones[_drawn(labels, zones == 1, _apportion(side, share, 1), rng)] = 2
    return zones


def _apportion(totals: NDArray[np.int64], share: float, minimum: int) -> NDArray[np.int64]:
    """Whole parts of `totals` near `share`, summing to it exactly where the limits allow.

    Largest remainders are rounded up. Each part leaves at least one, and is at least `minimum`
    where that is possible.
    """
    exact = share * totals
    most = np.maximum(totals - 1, 0)
    parts: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    parts = np.clip(parts, np.minimum(minimum, most), most)
    missing = round(float(exact.sum())) - int(parts.sum())
    by_remainder = np.argsort(parts - exact, kind="stable")
    for c in by_remainder[(parts < most)[by_remainder]][: max(missing, 0)]:
        parts[c] += 1
    return parts


def _drawn(
    labels: NDArray[np.integer],
    among: NDArray[np.bool_],
    sizes: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Mask of `sizes[c]` pixels of each class c, drawn from a mask without replacement."""
    drawn = np.zeros(labels.shape, bool)
    for c in np.flatnonzero(sizes):
        members = np.flatnonzero(among & (labels == c))
        drawn.flat[rng.permutation(members)[: sizes[c]]] = True
    return drawn


# --- disjoint --------------------------------------------------------------------------------
#
# All pixels train at first. Then rectangles around pixels of a class that a set is short of are
# claimed for that set; pixels of other sets too near are given up, and whatever was given up is
# taken back by any set that may have it. A claim stays if it makes the split better, or, by
# simulated annealing (Kirkpatrick et al., Science 220, 1983), not much worse. Because a claim is
# judged by pixels that remain, cuts come to lie along field borders and unlabelled ground.

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


def _disjoint(
    labels: NDArray[np.integer], options: SplitOptions, class_names: Sequence[str]
) -> NDArray[np.uint8]:
    """Zone map of regions that are further apart than the guard."""
    guard = _guard_width(options)
    present = np.unique(labels[labels > 0])
    narrow = [int(c) for c in present if _extent(labels == c) <= guard + 1]
    if narrow:
        raise _cannot_split(labels, narrow, options, class_names)
    train = _TRAIN_SHARE["disjoint"] if options.train is None else options.train
    shares = np.array([train * (1 - options.validation), train * options.validation, 1 - train])
    numbered = np.searchsorted(present, labels) + 1
    numbered[labels == 0] = 0
    return _annealed(numbered, guard, shares, np.random.default_rng(options.seed))


def _annealed(
    labels: NDArray[np.integer], guard: int, shares: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The best zone map of a fixed number of claims; classes are numbered without gaps."""
    zones: NDArray[np.uint8] = (labels > 0).astype(np.uint8)
    sizes = _sizes(labels, zones)[1:, 1:]
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
        window, claimed = _assign_rectangle(zones, labels, box, of, guard, rng.permutation(3) + 1)
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
            changed[free & ~_dilated(foreign, guard)[middle]] = zone
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
