"""The sets of a split, and how much of the test set training has seen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Split:
    """Three sets of pixels that do not intersect.

    Pixels are sorted flat indices (row * cols + col) into the label map.

    Attributes:
        kind: "disjoint", "random", "fixed" or "images".
        train: (pixels,) int64 flat indices.
        validation: (pixels,) int64, from the training side; empty where none was requested.
        test: (pixels,) int64 flat indices.
        guard: Pixels of different sets in the same image are further apart than this; 0 for random
            and fixed, and by image where none is given.
        seed: Seed of the random draws.
        shape: (rows, cols) of the label map.
        unused: Labelled pixels in none of the sets: those of the guard band or between training
            and validation regions, or for a fixed split those that only one of the maps labels.
        unvalidated: Classes without a validation pixel although one was requested: too small for
            three regions. Every class has training and test pixels.
        image_rows: First row of each image, where the scene is of several; no patch crosses from
            one to the next.
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
    image_rows: tuple[int, ...] = ()

    @property
    def blocks(self) -> list[slice]:
        """The rows of each image; all of them where there is one."""
        ends = [*self.image_rows[1:], self.shape[0]]
        return [slice(start, end) for start, end in zip(self.image_rows or (0,), ends, strict=True)]

    def near(self, mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
        """Where a square window around a pixel meets a mask, without looking into other images.

        Args:
            mask: (rows, cols) bool.
            size: Side of the window in pixels.
        """
        from scipy.ndimage import maximum_filter

        found = np.empty_like(mask)
        for block in self.blocks:
            maximum_filter(mask[block], size=size, output=found[block], mode="constant", cval=False)
        return found

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


def leakage(split: Split, patch: int) -> Leakage:
    """The exact shares of the test pixels that training has seen, for patches of a given size.

    A patch holds rows r - patch // 2 to r - patch // 2 + patch - 1 around its pixel's row r, and so
    for columns. Two patches share a pixel where their centers are less than `patch` rows and cols
    apart. Pixels of a mirrored border are already inside the patch.

    Args:
        split: The split to measure.
        patch: Rows and cols of a patch.
    """
    train = split.zones() == 1
    inside, touching = split.near(train, patch), split.near(train, 2 * patch - 1)
    return Leakage(
        pixel=float(inside.flat[split.test].mean()), patch=float(touching.flat[split.test].mean())
    )
