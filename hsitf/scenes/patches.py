"""Patches: windows around pixels, extracted from one padded copy of the cube and never stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError


@dataclass(frozen=True, eq=False)
class PatchSource:
    """A scene from which the patch around any pixel can be extracted.

    Borders are mirrored (the border pixel itself is not repeated), so every pixel has a patch.
    The patch of pixel (r, c) covers rows `r - patch // 2` to `r - patch // 2 + patch - 1`, and
    columns likewise; an even patch has its pixel right below and right of the middle.

    Attributes:
        padded: (rows + patch - 1, cols + patch - 1, bands) float32, normalized.
        rows: Rows of the scene without padding.
        cols: Columns of the scene without padding.
        patch: Side of the patch in pixels.
    """

    padded: NDArray[np.float32]
    rows: int
    cols: int
    patch: int

    @classmethod
    def from_cube(cls, cube: NDArray[np.float32], patch: int) -> PatchSource:
        """Pads `cube`, (rows, cols, bands) float32, for patches of side `patch`.

        Raises:
            InputError: The patch is larger than the scene.
        """
        cls.check_size(cube.shape, patch)
        rows, cols, _ = cube.shape
        before, after = patch // 2, (patch - 1) // 2
        sides = ((before, after), (before, after), (0, 0))
        return cls(np.pad(cube, sides, mode="reflect"), rows, cols, patch)

    @staticmethod
    def check_size(shape: tuple[int, ...], patch: int) -> None:
        """Refuses a patch larger than a scene of `shape` (rows, cols, bands).

        Raises:
            InputError: The patch is larger than the scene.
        """
        rows, cols = shape[:2]
        if not 1 <= patch <= min(rows, cols):
            raise InputError(
                "the patch does not fit into the scene",
                received=f"a patch of {patch} x {patch} in {rows} x {cols} pixels",
                allowed=f"a side of 1 to {min(rows, cols)}",
                remedy="give a smaller --patch or a larger scene",
            )

    @property
    def bands(self) -> int:
        """Number of spectral bands."""
        return int(self.padded.shape[2])

    @property
    def corners(self) -> NDArray[np.int32]:
        """(rows * cols,) flat index in the padded cube of each pixel's patch corner."""
        pixels = np.arange(self.rows * self.cols)
        flat = pixels // self.cols * self.padded.shape[1] + pixels % self.cols
        return np.asarray(flat, np.int32)

    @property
    def windows(self) -> NDArray[np.int32]:
        """Offsets of a patch's pixels from its corner in the padded cube, in eight orientations.

        Returns:
            (8, patch * patch) int32; row 0 is the original orientation, the others are its
            rotations by 90 degrees and their mirror images. Flipping and rotating a patch means
            reading the same pixels in another order. (The center pixel of an even patch is off the
            middle and moves by one.)
        """
        steps = np.arange(self.patch)
        window = steps[:, None] * self.padded.shape[1] + steps
        turned = [np.rot90(window, turns) for turns in range(4)]
        sides = [*turned, *(side.T for side in turned)]
        return np.stack([side.ravel() for side in sides]).astype(np.int32)

    def extract(self, pixels: NDArray[np.int64]) -> NDArray[np.float32]:
        """The patches around `pixels` (flat indices): (n, patch, patch, bands) float32."""
        views = np.lib.stride_tricks.sliding_window_view(
            self.padded, (self.patch, self.patch), axis=(0, 1)
        )
        chosen = views[pixels // self.cols, pixels % self.cols]
        return np.ascontiguousarray(chosen.transpose(0, 2, 3, 1))

    def tiles(
        self, pixels: NDArray[np.int64], side: int
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]:
        """The tiles that hold `pixels` (flat indices), each once.

        Where the scene ends inside a tile, the tile begins earlier; where the scene is smaller,
        its border pixels are repeated.

        Yields:
            (side + patch - 1, side + patch - 1, bands) float32, the tile with its halo; which of
            `pixels` it contains; and their flat indices in (side, side).
        """
        rows, cols = np.divmod(pixels, self.cols)
        tops = np.minimum(rows // side * side, max(self.rows - side, 0))
        lefts = np.minimum(cols // side * side, max(self.cols - side, 0))
        corners, which = np.unique(tops * self.cols + lefts, return_inverse=True)
        whole = side + self.patch - 1
        for number, corner in enumerate(corners.tolist()):
            top, left = divmod(corner, self.cols)
            (members,) = np.nonzero(which.ravel() == number)
            window = self.padded[top : top + whole, left : left + whole]
            missing = [(0, whole - window.shape[0]), (0, whole - window.shape[1]), (0, 0)]
            inside = (rows[members] - top) * side + cols[members] - left
            yield np.pad(window, missing, mode="edge"), members, inside

    def batches(self, pixels: NDArray[np.int64], size: int) -> Iterator[NDArray[np.float32]]:
        """The patches around `pixels` in order, at most `size` at a time."""
        for start in range(0, len(pixels), size):
            yield self.extract(pixels[start : start + size])
