"""Splits of a scene of several images: whole images train, validate and test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError, InputError
from hsitf.scenes.scene import SceneImage
from hsitf.scenes.splits.disjoint import with_validation_regions
from hsitf.scenes.splits.drawn import with_validation
from hsitf.scenes.splits.options import SplitOptions
from hsitf.scenes.splits.parts import Split
from hsitf.scenes.splits.zones import TRAIN_SHARE, count_sizes

KIND = "images"
ZONES = {"train": 1, "validation": 2, "test": 3}


def split_by_image(
    labels: NDArray[np.integer],
    options: SplitOptions,
    class_names: Sequence[str],
    images: Sequence[SceneImage],
) -> Split:
    """Splits the labelled pixels by image.

    Images train, validate and test as the scene says. Where it says nothing, images are drawn for
    the test until it has about its share of the pixels, as long as the others hold every class.
    Where no image validates, regions of those that train do, further from training pixels than the
    guard.

    Args:
        labels: (rows, cols) ground truth of the stacked images, 0 = unlabelled.
        options: Shares, guard and seed.
        class_names: Name of class k at k - 1, for messages.
        images: The images.

    Raises:
        InputError: The scene is of one image, or its sets and the options contradict each other.
        DataError: A class would not be trained, or nothing would be tested.
    """
    if not images:
        raise InputError(
            "a split by image needs a scene of several images",
            remedy="name a scene file that lists them, or use --split disjoint",
        )
    counts = _counts(labels, images)
    rng = np.random.default_rng(options.seed)
    if any(image.set for image in images):
        sets = _assigned(options, images, counts)
    else:
        sets = _drawn(options, images, counts, class_names, rng)
    zones = np.zeros(labels.shape, np.uint8)
    for image, name in zip(images, sets, strict=True):
        if name:
            zones[image.block] = ZONES[name]
    zones[labels == 0] = 0
    _check(labels, zones, images, counts, class_names)
    if "validation" not in sets and options.validates_on_regions:
        starts = [image.first_row for image in images]
        zones = with_validation_regions(labels, zones, options, starts)
    elif "validation" not in sets:
        zones = with_validation(labels, zones, options.validation, rng)
    sizes = count_sizes(labels, zones)
    present = [c for c in np.flatnonzero(sizes.sum(axis=1)).tolist() if c]
    return Split(
        kind=KIND,
        train=np.flatnonzero(zones == 1).astype(np.int64),
        validation=np.flatnonzero(zones == 2).astype(np.int64),
        test=np.flatnonzero(zones == 3).astype(np.int64),
        guard=options.guard or 0,
        seed=options.seed,
        shape=(labels.shape[0], labels.shape[1]),
        unvalidated=tuple(c for c in present if options.validation > 0 and not sizes[c, 2]),
        unused=int(sizes[1:, 0].sum()),
        image_rows=tuple(image.first_row for image in images),
    )


def _counts(labels: NDArray[np.integer], images: Sequence[SceneImage]) -> NDArray[np.int64]:
    """(images, classes + 1) int64 labelled pixels, the first column 0."""
    classes = int(labels.max()) + 1
    counts = np.stack([np.bincount(labels[i.block].ravel(), minlength=classes) for i in images])
    counts[:, 0] = 0
    return counts


def _assigned(
    options: SplitOptions, images: Sequence[SceneImage], counts: NDArray[np.int64]
) -> list[str]:
    """The sets that the scene gives."""
    if options.train is not None:
        raise InputError(
            "the scene says itself which images train",
            received=f"train={options.train}",
            remedy="leave the training share out, or the sets of the images",
        )
    without = [
        image.name
        for image, count in zip(images, counts.sum(axis=1), strict=True)
        if count and not image.set
    ]
    if without:
        raise InputError(
            "some images of the scene have a set and others have none",
            received=f"no set for {', '.join(without)}",
            allowed=f"{', '.join(ZONES)} for each image with labels, or for none",
            remedy='write set = "..." for each of them, or leave all sets out',
        )
    return [image.set for image in images]


def _drawn(
    options: SplitOptions,
    images: Sequence[SceneImage],
    counts: NDArray[np.int64],
    class_names: Sequence[str],
    rng: np.random.Generator,
) -> list[str]:
    """Sets drawn by the seed, so that the images that train hold every class."""
    train = TRAIN_SHARE[KIND] if options.train is None else float(options.train)
    pixels = counts.sum(axis=1)
    wanted, tested = (1 - train) * float(pixels.sum()), 0
    test: list[int] = []
    for number in rng.permutation(np.flatnonzero(pixels)).tolist():
        others = np.delete(counts, [*test, number], axis=0).sum(axis=0)
        holds_all = bool(others[counts.sum(axis=0) > 0].all())
        nearer = abs(tested + pixels[number] - wanted) < abs(tested - wanted)
        if holds_all and (nearer or not test):
            test.append(number)
            tested += int(pixels[number])
    if not test:
        raise DataError(
            "no image can test: each has a class that no other has",
            received="; ".join(
                f"{image.name}: {_names(_alone(counts, number), class_names)}"
                for number, image in enumerate(images)
                if pixels[number]
            ),
            allowed="an image whose classes others have, too",
            remedy="add labels or images, leave those classes out with --drop-class, or use "
            "--split random",
        )
    chosen = ["test" if number in test else "train" for number in range(len(images))]
    return [name if count else "" for name, count in zip(chosen, pixels, strict=True)]


def _alone(counts: NDArray[np.int64], number: int) -> list[int]:
    """Classes that an image alone has."""
    others = np.delete(counts, number, axis=0).sum(axis=0)
    alone: list[int] = np.flatnonzero((counts[number] > 0) & (others == 0)).tolist()
    return alone


def _names(classes: Sequence[int], class_names: Sequence[str]) -> str:
    return ", ".join(class_names[c - 1] if c <= len(class_names) else f"class {c}" for c in classes)


def _check(
    labels: NDArray[np.integer],
    zones: NDArray[np.uint8],
    images: Sequence[SceneImage],
    counts: NDArray[np.int64],
    class_names: Sequence[str],
) -> None:
    sizes = count_sizes(labels, zones)
    untrained = [c for c in np.flatnonzero(counts.sum(axis=0)).tolist() if not sizes[c, 1]]
    if untrained:
        where = [
            f"{_names([c], class_names)} (in "
            + ", ".join(i.name for i, n in zip(images, counts[:, c], strict=True) if n)
            + ")"
            for c in untrained
        ]
        raise DataError(
            "classes that no training image has",
            received="; ".join(where),
            allowed="every class in an image of the set train",
            remedy="let one of those images train, or leave the classes out with --drop-class",
        )
    if not sizes[:, 3].any():
        raise DataError(
            "no image tests",
            received=", ".join(f"{image.name}: {image.set}" for image in images if image.set),
            allowed="an image with labels of the set test",
            remedy='write set = "test" for one of the images',
        )
