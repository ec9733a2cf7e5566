"""Random splits, stratified by class, and fixed ones by maps of the user's."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.splits.disjoint import with_validation_regions
from hsitf.scenes.splits.options import SplitOptions
from hsitf.scenes.splits.zones import TRAIN_SHARE, cannot_split, count_sizes


def random_zones(
    labels: NDArray[np.integer], options: SplitOptions, class_names: Sequence[str]
) -> NDArray[np.uint8]:
    """Zone map of a stratified draw."""
    totals = np.bincount(labels.ravel())
    totals[0] = 0
    if lacking := [int(c) for c in np.flatnonzero(totals == 1)]:
        raise cannot_split(labels, lacking, options, class_names)
    train = TRAIN_SHARE[options.kind] if options.train is None else options.train
    side: NDArray[np.int64]
    if isinstance(train, int):
        small = [int(c) for c in np.flatnonzero((totals > 0) & (totals <= train))]
        if small:
            raise cannot_split(labels, small, options, class_names)
        side = np.where(totals > 0, train, 0)
    else:
        side = _apportion(totals, train, 1)
    rng = np.random.default_rng(options.seed)
    zones = np.where(labels > 0, np.uint8(3), np.uint8(0))
    zones[_drawn(labels, labels > 0, side, rng)] = 1
    return with_validation(labels, zones, options.validation, rng)


def fixed_zones(
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
    if options.validates_on_regions:
        return with_validation_regions(labels, zones, options), strays
    rng = np.random.default_rng(options.seed)
    return with_validation(labels, zones, options.validation, rng), strays


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


def with_validation(
    labels: NDArray[np.integer], zones: NDArray[np.uint8], share: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Moves a stratified share of the training zone to validation."""
    if share == 0:
        return zones
    side = count_sizes(labels, zones)[:, 1]
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
