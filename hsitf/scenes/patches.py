"""Patches: windows around pixels, extracted from one padded copy of the cube and never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.scenes.scene import SceneImage

# From rows or cols of pixels, the side of a tile and the size of the scene to where tiles begin.
Begin = Callable[[NDArray[np.int64], int, int], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class PatchSource:
    """A scene from which the patch around any pixel can be extracted.

    Borders are mirrored (the border pixel itself is not repeated), so every pixel has a patch.
    The patch of pixel (r, c) covers rows `r - patch // 2` to `r - patch // 2 + patch - 1`, and
    columns likewise; an even patch has its pixel right below and right of the middle.

    Attributes:
        padded: (rows + patch - 1, cols + patch - 1, bands) float32, normalized; of a scene of
            several images each of them padded by itself, one below the other.
        rows: Rows of the scene without padding.
        cols: Columns of the scene without padding.
        patch: Side of the patch in pixels.
        images: The images of the scene; empty where it is one.
    """

    padded: NDArray[np.float32]
    rows: int
    cols: int
    patch: int
    images: tuple[SceneImage, ...] = ()

    @classmethod
    def from_cube(
        cls, cube: NDArray[np.float32], patch: int, images: tuple[SceneImage, ...] = ()
    ) -> PatchSource:
        """Pads `cube`, (rows, cols, bands) float32, for patches of side `patch`.

        Args:
            cube: The normalized scene.
            patch: Side of the patch in pixels.
            images: The images that it is made of; their borders are mirrored, too.

        Raises:
            InputError: The patch is larger than the scene, or one of its images.
        """
        cls.check_size(cube.shape, patch, images)
        rows, cols, bands = cube.shape
        if not images:
            return cls(_padded(cube, patch), rows, cols, patch)
        more = patch - 1
        whole = np.zeros((rows + len(images) * more, cols + more, bands), cube.dtype)
        for number, image in enumerate(images):
            first = image.first_row + number * more
            part = _padded(cube[image.block], patch)
            whole[first : first + part.shape[0], : part.shape[1]] = part
        return cls(whole, rows, cols, patch, tuple(images))

    @staticmethod
    def check_size(shape: tuple[int, ...], patch: int, images: tuple[SceneImage, ...] = ()) -> None:
        """Refuses a patch larger than a scene of `shape` (rows, cols, bands), or than an image.

        Raises:
            InputError: It is larger.
        """
        for image in images:
            if not 1 <= patch <= min(image.rows, image.cols):
                raise InputError(
                    f"the patch does not fit into image {image.name}",
                    received=f"a patch of {patch} x {patch} in {image.rows} x {image.cols} pixels",
                    allowed=f"a side of 1 to {min(image.rows, image.cols)}",
                    remedy="give a smaller --patch, or leave that image out",
                )
        rows, cols = shape[:2]
        if not 1 <= patch <= min(rows, cols):
            raise InputError(
                "the patch does not fit into the scene",
                received=f"a patch of {patch} x {patch} in {rows} x {cols} pixels",
                allowed=f"a side of 1 to {min(rows, cols)}",
                remedy="give a larger scene, or a smaller --patch where the network takes one",
            )

    @property
    def bands(self) -> int:
        """Number of spectral bands."""
        return int(self.padded.shape[2])

    @property
    def corners(self) -> NDArray[np.int32]:
        """(rows * cols,) flat index in the padded cube of each pixel's patch corner."""
        rows, cols = np.divmod(np.arange(self.rows * self.cols), self.cols)
        return np.asarray(self._padded_rows(rows) * self.padded.shape[1] + cols, np.int32)

    def _padded_rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first row in the padded cube of the patches around pixels of some rows."""
        if not self.images:
            return rows
        starts = [image.first_row for image in self.images]
        above = np.searchsorted(starts, rows, side="right") - 1
        return np.asarray(rows + above * (self.patch - 1))

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
        chosen = views[self._padded_rows(pixels // self.cols), pixels % self.cols]
        return np.ascontiguousarray(chosen.transpose(0, 2, 3, 1))

    def tiles(
        self, pixels: NDArray[np.int64], side: int
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]:
        """The tiles that hold `pixels` (flat indices), each once.

        Where the scene, or an image of it, ends inside a tile, the tile begins earlier; where it is
        smaller, its border pixels are repeated.

        Yields:
            (side + patch - 1, side + patch - 1, bands) float32, the tile with its halo; which of
            `pixels` it contains; and their flat indices in (side, side).
        """
        return self._tiles(pixels, side, _inside)

    def grid_tiles(
        self, pixels: NDArray[np.int64], side: int
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]:
        """As `tiles`, but all begin at multiples of their side, of the scene or of their image.

        Networks with pooling see the same pooling grid in each of them. Where the scene ends inside
        a tile, the last pixels of its mirrored border are repeated.
        """
        return self._tiles(pixels, side, _on_grid)

    def _tiles(
        self, pixels: NDArray[np.int64], side: int, begin: Begin
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]:
        rows = pixels // self.cols
        for number, image in enumerate(self.images or (self._one_image(),)):
            block, _ = image.block
            (here,) = np.nonzero((rows >= block.start) & (rows < block.stop))
            first = block.start + number * (self.patch - 1)
            part = self.padded[
                first : first + image.rows + self.patch - 1, : image.cols + self.patch - 1
            ]
            moved = pixels[here] - block.start * self.cols
            for window, members, inside in self._tiles_of(image, part, moved, side, begin):
                yield window, here[members], inside

    def _one_image(self) -> SceneImage:
        return SceneImage("", 0, self.rows, self.cols)

    def _tiles_of(
        self,
        image: SceneImage,
        padded: NDArray[np.float32],
        pixels: NDArray[np.int64],
        side: int,
        begin: Begin,
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]:
        """The tiles of an image, as `tiles`; its rows count from 0."""
        rows, cols = np.divmod(pixels, self.cols)
        tops, lefts = begin(rows, side, image.rows), begin(cols, side, image.cols)
        corners, which = np.unique(tops * self.cols + lefts, return_inverse=True)
        whole = side + self.patch - 1
        for number, corner in enumerate(corners.tolist()):
            top, left = divmod(corner, self.cols)
            (members,) = np.nonzero(which.ravel() == number)
            window = padded[top : top + whole, left : left + whole]
            missing = [(0, whole - window.shape[0]), (0, whole - window.shape[1]), (0, 0)]
            inside = (rows[members] - top) * side + cols[members] - left
            yield np.pad(window, missing, mode="edge"), members, inside

    def batches(self, pixels: NDArray[np.int64], size: int) -> Iterator[NDArray[np.float32]]:
        """The patches around `pixels` in order, at most `size` at a time."""
        for start in range(0, len(pixels), size):
            yield self.extract(pixels[start : start + size])


def _inside(places: NDArray[np.int64], side: int, size: int) -> NDArray[np.int64]:
    return np.asarray(np.minimum(places // side * side, max(size - side, 0)))


def _on_grid(places: NDArray[np.int64], side: int, size: int) -> NDArray[np.int64]:
    return np.asarray(places // side * side)


def _padded(cube: NDArray[np.float32], patch: int) -> NDArray[np.float32]:
    """A cube with its borders mirrored for patches of side `patch`."""
    before, after = patch // 2, (patch - 1) // 2
    return np.pad(cube, ((before, after), (before, after), (0, 0)), mode="reflect")
