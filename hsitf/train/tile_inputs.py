"""Tiles of a scene for training: where they lie, and which labels and spectra they show.

A tile is laid around a training pixel, so that none is without a label. It has pixels of other sets
in it, too. Their labels are masked. Their spectra are shown only where a training pixel's own
window has them, which is what leakage counts: everything else in a window of a validation or test
pixel is replaced by the mean training spectrum, so that not even the statistics of batch
normalization have seen it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.data import SceneData
from hsitf.errors import InputError
from hsitf.records import TrainingPlan
from hsitf.scenes.patches import PatchSource
from hsitf.train.devices import padded_to_devices
from hsitf.train.sampling import balanced_order
from hsitf.train.tile_gather import tile_offsets

# Tiles an epoch for each tile of a plain grid that has a training pixel: small scenes have few, and
# every pixel is to be seen at many places of a tile.
TILES_PER_CELL = 16
# The value of `SceneData.targets` for a pixel without a label.
_MASKED = -1


def tile_count(data: SceneData, tile: int) -> int:
    """Tiles of an epoch; never more than there are training pixels."""
    rows, cols = np.divmod(data.split.train, data.patches.cols)
    cells = len(np.unique(np.stack([rows // tile, cols // tile]), axis=1).T)
    return min(len(data.split.train), TILES_PER_CELL * cells)


def shown_in_training(data: SceneData) -> PatchSource:
    """The scene with the mean training spectrum wherever training is not to see it."""
    source, zones = data.patches, data.split.zones()
    # Zone 1 is training, 2 and 3 are validation and test.
    hidden = data.split.near(zones > 1, source.patch) & ~data.split.near(zones == 1, source.patch)
    if not hidden.any():
        return source
    mask = PatchSource.from_cube(
        hidden[..., None].astype(np.float32), source.patch, source.images
    ).padded[..., 0]
    padded = source.padded.copy()
    centers = _centers(source, data.split.train)
    mean = padded.reshape(-1, source.bands)[centers].mean(axis=0, dtype=np.float64)
    padded[mask > 0] = mean.astype(np.float32)
    return replace(source, padded=padded)


def check_tile(data: SceneData, tile: int) -> None:
    """Refuses a scene that is too small for a tile, its mirrored border included.

    Raises:
        InputError: It is.
    """
    source = data.patches
    sizes = [(one.rows, one.cols) for one in source.images] or [(source.rows, source.cols)]
    least = min(min(one) for one in sizes)
    if least + source.patch - 1 < tile:
        raise InputError(
            "the scene is too small for a tile of this network",
            received=f"{least} rows or cols",
            allowed=f"{tile - source.patch + 1} or more, for tiles of {tile} x {tile}",
            remedy="name another network or a larger scene",
        )


def draw_tiles(
    plan: TrainingPlan, data: SceneData, epoch: int, tile: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], Float32Array]:
    """What an epoch is fitted to, drawn from the seed and the epoch's number.

    Args:
        plan: The training plan.
        data: The scene.
        epoch: Number of the epoch, from 0.
        tile: Side of the tiles in pixels.

    Returns:
        (n, 2) int32, corner in the padded scene and orientation of each tile; (n, tile, tile)
        int32, classes from 0; (n, tile, tile) float32, what each pixel's loss counts: 0 for all
        but training pixels.
    """
    generator = np.random.default_rng((plan.seed, epoch))
    pixels = data.split.train
    order = (
        balanced_order(pixels, data.targets(pixels), plan.balanced_sampling, generator)
        if plan.balanced_sampling
        else generator.permutation(pixels)
    )[: tile_count(data, tile)]
    order = padded_to_devices(order, plan.recipe.batch_size)
    corners = tile_corners(data.patches, order, tile, generator)
    sides = generator.integers(8, size=len(order)) if plan.flip_rotate else np.zeros_like(order)
    classes = _training_classes(data)
    places = corners[:, None] + tile_offsets(data.patches, tile)[sides]
    targets = classes[places].reshape(-1, tile, tile)
    counts = np.ones(data.scene.classes, np.float32)
    if plan.class_weights:
        found = np.bincount(data.targets(pixels), minlength=data.scene.classes)
        counts = (np.median(found[found > 0]) / np.maximum(found, 1)).astype(np.float32)
    labelled = targets != _MASKED
    targets = np.where(labelled, targets, 0).astype(np.int32)
    weights = np.where(labelled, counts[targets], np.float32(0))
    return np.stack([corners, sides], axis=1).astype(np.int32), targets, weights


def tile_corners(
    source: PatchSource, pixels: NDArray[np.int64], tile: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Flat indices in the padded scene of the corners of tiles that hold pixels somewhere.

    A tile lies inside the scene, or the image of its pixel, with its mirrored border.

    Args:
        source: The padded scene.
        pixels: (n,) flat indices in the scene.
        tile: Side of the tiles in pixels.
        generator: Draws the place of each pixel in its tile.
    """
    rows, cols = np.divmod(pixels, source.cols)
    starts = np.array([one.first_row for one in source.images] or [0])
    heights = np.array([one.rows for one in source.images] or [source.rows])
    widths = np.array([one.cols for one in source.images] or [source.cols])
    number = np.searchsorted(starts, rows, side="right") - 1
    border, margin = source.patch - 1, source.patch // 2
    first = starts[number] + number * border
    up, left = generator.integers(tile, size=(2, len(pixels)))
    tops = rows - starts[number] + margin - up
    tops = first + np.clip(tops, 0, heights[number] + border - tile)
    lefts = np.clip(cols + margin - left, 0, widths[number] + border - tile)
    return np.asarray(tops * source.padded.shape[1] + lefts, np.int64)


def sample_tiles(data: SceneData, side: int, count: int) -> tuple[Float32Array, NDArray[np.int32]]:
    """Tiles to calibrate on, as training shows them, with the classes of their training pixels.

    Args:
        data: The scene.
        side: Side of the tiles in pixels, at least; tiles of scenes that are smaller repeat their
            last pixels.
        count: How many, around pixels of all classes alike.

    Returns:
        (count, side, side, bands) float32; (count, side, side) int32, -1 where a pixel does not
        train.
    """
    shown, generator = shown_in_training(data), np.random.default_rng(data.split.seed)
    sizes = [(one.rows, one.cols) for one in shown.images] or [(shown.rows, shown.cols)]
    fits = min(side, min(min(one) for one in sizes) + shown.patch - 1)
    chosen = np.resize(data.calibration_pixels(count), count)
    corners = tile_corners(shown, chosen, fits, generator)
    steps = np.arange(fits)
    places = corners[:, None, None] + steps[:, None] * shown.padded.shape[1] + steps
    missing = (0, side - fits)
    tiles = shown.padded.reshape(-1, shown.bands)[places]
    tiles = np.pad(tiles, ((0, 0), missing, missing, (0, 0)), mode="edge")
    classes = _training_classes(data)[places]
    return tiles, np.pad(classes, ((0, 0), missing, missing), constant_values=_MASKED)


def _training_classes(data: SceneData) -> NDArray[np.int32]:
    """Flat in the padded scene: the class of training pixels from 0, -1 everywhere else."""
    source = data.patches
    classes = np.full(source.padded.shape[0] * source.padded.shape[1], _MASKED, np.int32)
    classes[_centers(source, data.split.train)] = data.targets(data.split.train)
    return classes


def _centers(source: PatchSource, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Flat indices of pixels in the padded scene."""
    margin = source.patch // 2
    corners = source.corners[pixels].astype(np.int64)
    return np.asarray(corners + margin * (source.padded.shape[1] + 1), np.int64)
