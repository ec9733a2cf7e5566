"""What the kinds of split share: zone maps (0 unused, 1 train, 2 validation, 3 test)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.scenes.splits.options import SplitOptions

# A random split follows the literature's 80 % / 20 %. A disjoint one tests on more, because the
# few regions of a scene make a small test side depend on which field it happened to get.
TRAIN_SHARE = {"disjoint": 0.65, "random": 0.8, "images": 0.65}


def guard_width(options: SplitOptions) -> int:
    """Width of the guard band of a split in pixels; 0 where its kind has none."""
    if options.kind != "disjoint":
        return 0
    return options.patch - 1 if options.guard is None else options.guard


def count_sizes(labels: NDArray[np.integer], zones: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(classes + 1, 4) int64 pixels by class and zone."""
    classes = int(labels.max()) + 1
    pairs = labels.ravel().astype(np.int64) * 4 + zones.ravel()
    return np.asarray(np.bincount(pairs, minlength=4 * classes).reshape(classes, 4))


def are_separated(zones: NDArray[np.uint8], guard: int) -> bool:
    """Whether pixels of different zones are all further apart than `guard`."""
    return all(not (dilated(zones == zone, guard) & (zones > zone)).any() for zone in (1, 2))


def dilated(mask: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """All pixels within `distance` of the mask, in the larger of rows and cols."""
    from scipy.ndimage import maximum_filter

    return np.asarray(maximum_filter(mask, size=2 * distance + 1, mode="constant", cval=False))


class SmallClassesError(DataError):
    """Classes that cannot be in both training and test.

    Attributes:
        classes: Their numbers, from 1.
    """

    classes: tuple[int, ...] = ()


def cannot_split(
    labels: NDArray[np.integer],
    classes: Sequence[int],
    options: SplitOptions,
    class_names: Sequence[str],
) -> SmallClassesError:
    """The error for classes that training and test cannot both have."""
    error = _described(labels, classes, options, class_names)
    error.classes = tuple(classes)
    return error


def _described(
    labels: NDArray[np.integer],
    classes: Sequence[int],
    options: SplitOptions,
    class_names: Sequence[str],
) -> SmallClassesError:
    named = [class_names[c - 1] if c <= len(class_names) else f"class {c}" for c in classes]
    listed = ", ".join(
        f"{name} ({np.count_nonzero(labels == c)} pixels, {extent(labels == c)} across)"
        for c, name in zip(classes, named, strict=True)
    )
    drop = " ".join(f"--drop-class {name!r}" for name in named)
    if options.kind == "disjoint":
        return SmallClassesError(
            "classes too small for separate training and test regions",
            received=f"{listed}, with a guard of {guard_width(options)} pixels",
            allowed="classes that reach further than the guard and are not hemmed in by others",
            remedy=f"use --split random, a smaller --guard or --patch, or {drop}",
        )
    return SmallClassesError(
        "classes without enough pixels for both training and test",
        received=listed,
        allowed="at least one pixel of a class in each",
        remedy=f"use other sizes or maps, or {drop}",
    )


def extent(mask: NDArray[np.bool_]) -> int:
    """The larger of the rows and the cols that a mask spans."""
    return int(max(np.ptp(axis) for axis in np.nonzero(mask))) + 1
