"""Splits of the labelled pixels into training, validation and test.

Patches of neighboring pixels overlap. Where training and test pixels are drawn at random from the
same fields, a network has seen most of its test data; `leakage` measures how much. A disjoint split
divides the scene into regions that no patch crosses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.scene import SceneImage
from hsitf.scenes.splits.by_image import split_by_image
from hsitf.scenes.splits.disjoint import disjoint_zones
from hsitf.scenes.splits.drawn import fixed_zones, random_zones
from hsitf.scenes.splits.options import KINDS, SplitOptions, without_regions
from hsitf.scenes.splits.parts import Leakage, Split, leakage
from hsitf.scenes.splits.zones import (
    SmallClassesError,
    are_separated,
    cannot_split,
    count_sizes,
    guard_width,
)

__all__ = [
    "INDIAN_PINES_DISJOINT",
    "KINDS",
    "Leakage",
    "SmallClassesError",
    "Split",
    "SplitOptions",
    "leakage",
    "remap",
    "split",
]

INDIAN_PINES_DISJOINT = (0, 2, 3, 5, 6, 8, 10, 11, 12, 14, 1, 4, 7, 9, 13, 15, 16)
"""Table for `remap`: the class numbers of `indianpines_disjoint_dset.mat` into the usual ones."""

_DEFAULTS = SplitOptions()


def split(
    labels: NDArray[np.integer],
    options: SplitOptions = _DEFAULTS,
    *,
    class_names: Sequence[str] = (),
    train_map: NDArray[np.integer] | None = None,
    test_map: NDArray[np.integer] | None = None,
    images: Sequence[SceneImage] = (),
    of_pictures: bool = False,
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
        images: The images of a scene of several, which a disjoint split tells apart.
        of_pictures: Whether each labelled pixel stands for a whole picture. No two share a pixel,
            so that a disjoint split draws them one by one, without a guard band.

    Raises:
        InputError: A map is missing, or given to a split that does not use it.
        DataError: A class cannot be in both training and test, or the maps contradict each other.
    """
    labels = np.asarray(labels)
    if of_pictures:
        options = without_regions(options)
    if labels.ndim != 2 or not labels.any():
        raise DataError(
            "there is nothing to split",
            received=f"a label map of shape {labels.shape}, {np.count_nonzero(labels)} labelled",
            allowed="(rows, cols) with labelled pixels",
            remedy="name the variable that holds the labels",
        )
    by_image = options.kind == "images" or (options.kind == "disjoint" and len(images) > 0)
    if by_image and train_map is None and test_map is None:
        return split_by_image(labels, options, class_names, images)
    if options.kind == "fixed":
        zones, strays = fixed_zones(labels, options, train_map, test_map)
    elif train_map is not None or test_map is not None:
        raise InputError(
            f"a {options.kind} split has no use for a training or test map",
            remedy="leave the map out or use --split fixed",
        )
    else:
        strays = 0
        draw = random_zones if options.kind == "random" or of_pictures else disjoint_zones
        zones = draw(labels, options, class_names)
    found = _checked(labels, zones, options, class_names, strays)
    return replace(found, image_rows=tuple(image.first_row for image in images))


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
    guard = guard_width(options)
    sizes = count_sizes(labels, zones)
    present = np.flatnonzero(sizes.sum(axis=1))
    present = present[present > 0]
    if sizes[0, 1:].any() or not are_separated(zones, guard):
        raise RuntimeError("a split has drawn unlabelled pixels or broken its guard band")
    lacking = [int(c) for c in present if not sizes[c, 1] or not sizes[c, 3]]
    if lacking:
        raise cannot_split(labels, lacking, options, class_names)
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
