"""What an epoch is fitted to: its pixels, their targets and weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.data import SceneData
from hsitf.records import TrainingPlan
from hsitf.train.augment import add_partners
from hsitf.train.augmentations import NEIGHBOR
from hsitf.train.devices import padded_to_devices
from hsitf.train.gather import patch_views
from hsitf.train.guidance import NO_GUIDANCE, Guidance
from hsitf.train.pseudo_labels import NamedPixels
from hsitf.train.sampling import balanced_order, draw_mixup, draw_neighbors, mix
from hsitf.train.tile_gather import find_tile_gather
from hsitf.train.tile_inputs import draw_tiles, tile_count

# The value of `SceneData.targets` for a pixel without a label.
UNLABELLED = -1


def has_soft_targets(plan: TrainingPlan, guidance: Guidance = NO_GUIDANCE) -> bool:
    """Whether targets are shares of classes."""
    return plan.mixup > 0 or plan.recipe.label_smoothing > 0 or guidance.softens_targets


def training_pixels(model: keras.Model, data: SceneData) -> NDArray[np.int64]:
    """The pixels of an epoch: for training, and for a decoder the unlabelled ones too."""
    if len(model.outputs) == 1:
        return data.split.train
    return np.concatenate([data.split.train, data.unlabelled])


def epoch_length(model: keras.Model, data: SceneData) -> int:
    """Number of pixels, or of tiles, that an epoch without further ones is fitted to."""
    tiles = find_tile_gather(model)
    return len(training_pixels(model, data)) if tiles is None else tile_count(data, tiles.tile)


def draw_inputs(
    model: keras.Model,
    plan: TrainingPlan,
    data: SceneData,
    epoch: int,
    guidance: Guidance = NO_GUIDANCE,
    extra: NamedPixels | None = None,
) -> tuple[NDArray[np.int32], Any, Any]:
    """What an epoch is fitted to: views of pixels, targets, and weights (None: all alike).

    Of a network of tiles, see `tile_inputs.draw_tiles`.

    All that is drawn is drawn from the seed and the epoch's number, so that it does not matter
    whether the epochs before were run in this process.

    Args:
        model: The gathering model.
        plan: The training plan.
        data: The scene.
        epoch: Number of the epoch, from 0.
        guidance: What is learned from beside labels.
        extra: Unlabelled pixels to show, too. Where they are fewer than an epoch has room for,
            training pixels take the rest, so that the number of steps is known beforehand.
    """
    tiles = find_tile_gather(model)
    if tiles is not None:
        return draw_tiles(plan, data, epoch, tiles.tile)
    pixels = training_pixels(model, data)
    generator = np.random.default_rng((plan.seed, epoch))
    order = (
        balanced_order(pixels, data.targets(pixels), plan.balanced_sampling, generator)
        if plan.balanced_sampling
        else generator.permutation(pixels)
    )
    if extra is not None:
        room = guidance.unlabelled.count - len(extra.pixels)
        again = generator.permutation(np.resize(generator.permutation(pixels), room))
        order = generator.permutation(np.concatenate([order, extra.pixels, again]))
    order = padded_to_devices(order, plan.recipe.batch_size)
    classes = data.targets(order)
    shares: Any = None
    if has_soft_targets(plan, guidance):
        labels, taught = _shares(data, order, guidance, extra)
        shares = labels + taught
        classes = shares.argmax(axis=1).astype(np.int32)
        if guidance.temperature is not None:
            shares = np.concatenate([labels, taught], axis=1)
    views = patch_views(order, generator if plan.flip_rotate else None)
    if plan.intra_class_mixup:
        views = add_partners(views, classes, generator)
    if NEIGHBOR in dict(plan.augmentations):
        beside = draw_neighbors(
            order, data.split.train, _image_of_row(data), data.scene.labels.shape[1], generator
        )
        views = np.column_stack([views, beside])
    targets: Any = targets_of(model, data, order)
    weights: Any = sample_weights(model, data, order) if plan.class_weights else None
    if shares is not None:
        targets = shares
    if extra is not None:
        labelled = data.targets(order) != UNLABELLED
        weights = np.ones(len(order), np.float32) if weights is None else weights
        weights = np.where(labelled, weights, np.float32(guidance.unlabelled.weight))
    if plan.mixup:
        rows, parts = draw_mixup(len(views), plan.mixup, generator)
        views = np.column_stack([views, views[rows, 0], parts]).astype(np.int32)
        targets = mix(targets, rows, parts)
        weights = None if weights is None else mix(weights, rows, parts)
    return views, targets, weights


def _shares(
    data: SceneData,
    pixels: NDArray[np.int64],
    guidance: Guidance,
    extra: NamedPixels | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The share of each class in the targets of pixels: of labels, and of teachers.

    Returns:
        Two arrays (n, classes) float32, whose rows sum to 1 together.
    """
    classes = data.targets(pixels)
    labelled = classes != UNLABELLED
    labels = np.eye(data.scene.classes, dtype=np.float32)[classes]
    taught = np.zeros_like(labels)
    if guidance.taught is not None:
        weight = np.float32(guidance.teacher_weight)
        taught[labelled] = weight * guidance.taught.of(pixels[labelled])
        labels[labelled] *= 1 - weight
    if extra is not None:
        labels[~labelled] = 0
        taught[~labelled] = extra.of(pixels[~labelled])
    return labels, taught


def targets_of(
    model: keras.Model, data: SceneData, pixels: NDArray[np.int64]
) -> NDArray[np.int32] | list[NDArray[np.generic]]:
    """What the model's outputs should be: the classes, and for a reconstruction no error."""
    classes = data.targets(pixels)
    if len(model.outputs) == 1:
        return classes
    # One zero a pixel serves all its bands.
    return [classes, np.zeros((len(pixels), 1), np.float32)]


def sample_weights(
    model: keras.Model, data: SceneData, pixels: NDArray[np.int64]
) -> NDArray[np.float32] | list[NDArray[np.float32]]:
    """What each pixel's loss counts: the median frequency of the classes over its own's."""
    counts = np.bincount(data.targets(data.split.train), minlength=data.scene.classes)
    weights = np.median(counts[counts > 0]) / np.maximum(counts, 1)
    classes = data.targets(pixels)
    of_pixels = np.where(classes == UNLABELLED, 1.0, weights[classes]).astype(np.float32)
    if len(model.outputs) == 1:
        return of_pixels
    return [of_pixels, np.ones(len(pixels), np.float32)]


def _image_of_row(data: SceneData) -> NDArray[np.int64]:
    """(rows,) number of the image that each row belongs to; 0 where the scene is one."""
    rows = np.arange(data.scene.labels.shape[0])
    starts = [image.first_row for image in data.scene.images] or [0]
    return np.asarray(np.searchsorted(starts, rows, side="right"), np.int64)
