"""Extraction of patches on demand, inside the compiled step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from hsitf.scenes.patches import PatchSource
from hsitf.tile_networks import is_tile_network
from hsitf.train.augment import BrightnessNoise, IntraClassMixup
from hsitf.train.augmentation_layers import Mixup, PatchAugmentation
from hsitf.train.augmentations import NEIGHBOR
from hsitf.train.normalized_bands import NormalizedBands
from hsitf.train.tile_gather import tile_gather_model


@dataclass(frozen=True, eq=False)
class PatchChanges:
    """How patches are changed in training, beside their orientation.

    Attributes:
        strengths: Strengths of augmentations by name.
        axis: The bands that they change; None where there are none.
        mixup: Whether patches are mixed with those of any class.
    """

    strengths: Mapping[str, float] = field(default_factory=dict)
    axis: NormalizedBands | None = None
    mixup: bool = False


_UNCHANGED = PatchChanges()


class PatchGather(keras.layers.Layer):  # type: ignore[misc]
    """Maps pixel indices to patches of a scene that is stored once.

    The padded cube is a constant on the device, so a batch is a gather of windows and no patch
    is ever stored: a 27 x 27 x 200 patch alone is 583 KB. The layer serves training and
    validation; the network behind it is saved without it.

    Args:
        source: The padded, normalized scene.
    """

    def __init__(self, source: PatchSource) -> None:
        super().__init__(name="gather", trainable=False)
        self._shape = (source.patch, source.patch, source.bands)
        self._pixels = ops.convert_to_tensor(source.padded.reshape(-1, source.bands))
        self._windows = ops.convert_to_tensor(source.windows)
        self._corner = ops.convert_to_tensor(source.corners)

    def call(self, views: keras.KerasTensor) -> keras.KerasTensor:
        """`(batch, 2 or more)` pixels and sides -> `(batch, patch, patch, bands)` float32."""
        corners = ops.take(self._corner, views[:, 0], axis=0)
        rows = ops.expand_dims(corners, 1) + ops.take(self._windows, views[:, 1], axis=0)
        patches = ops.take(self._pixels, ops.reshape(rows, (-1,)), axis=0)
        return ops.reshape(patches, (-1, *self._shape))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Adds the patch to the batch."""
        return (input_shape[0], *self._shape)


def gather_model(
    network: keras.Model,
    source: PatchSource,
    brightness_noise: bool = False,
    intra_class_mixup: bool = False,
    changes: PatchChanges = _UNCHANGED,
) -> keras.Model:
    """The network fed by `views`, `(batch, 2)` int32, instead of patches.

    Of a network of tiles, see `tile_gather`; its tiles are not changed. Views have further columns
    where patches are mixed, in this order: the partner of the same class, the neighboring pixel,
    and of a mixup across classes the partner and the weight of the patch itself in
    1 / `sampling.WEIGHT_PARTS`.

    Args:
        network: A network `(batch, patch, patch, bands)` -> logits.
        source: The padded, normalized scene.
        brightness_noise: Whether to change the brightness of some patches in training.
        intra_class_mixup: Whether to mix some patches with another one of their class in training;
            its pixel is then the third column of the views.
        changes: How patches are changed besides.
    """
    if is_tile_network(network):
        return tile_gather_model(network, source)
    with_neighbors = NEIGHBOR in changes.strengths
    columns = 2 + intra_class_mixup + with_neighbors + 2 * changes.mixup
    views = keras.Input((columns,), dtype="int32", name="view")
    gather = PatchGather(source)
    patches = gather(views)
    if intra_class_mixup:
        partners = ops.concatenate([views[:, 2:3], views[:, 1:2]], axis=1)
        patches = IntraClassMixup(name="mixture")(patches, gather(partners))
    neighbors = None
    if with_neighbors:
        at = 2 + intra_class_mixup
        beside = ops.concatenate([views[:, at : at + 1], views[:, 1:2]], axis=1)
        neighbors = gather(beside)
    if brightness_noise:
        patches = BrightnessNoise(name="radiation")(patches)
    if changes.axis is not None and changes.strengths:
        patches = PatchAugmentation(changes.strengths, changes.axis)(patches, neighbors)
    if changes.mixup:
        others = ops.concatenate([views[:, -2:-1], views[:, 1:2]], axis=1)
        patches = Mixup()(patches, gather(others), views[:, -1])
    return keras.Model(views, _as_float32(network(patches)), name="gathering")


def _as_float32(logits: keras.KerasTensor) -> keras.KerasTensor:
    """Logits of 32 bits: a softmax of half precision would lose the small classes."""
    return logits if logits.dtype == "float32" else ops.cast(logits, "float32")


def reconstruction_model(network: keras.Model, source: PatchSource) -> keras.Model:
    """A network with a decoder, fed by `views` as in `gathering`.

    Args:
        network: A network with a decoder, see `zoo.semi_supervised`.
        source: The padded, normalized scene.

    Returns:
        `(batch, 2)` int32 -> logits `(batch, classes)` and `(batch, bands)`, the reconstruction
        error: the decoder's output minus the spectrum at the center of the patch. (The center of an
        even patch is right below and right of the middle; that position is reconstructed for every
        orientation.)
    """
    views = keras.Input((2,), dtype="int32", name="view")
    patch = PatchGather(source)(views)
    logits, spectrum = network(patch)
    center = source.patch // 2
    error = _as_float32(spectrum) - patch[:, center, center]
    return keras.Model(views, [_as_float32(logits), error], name="gathering")


def patch_views(
    pixels: NDArray[np.int64], generator: np.random.Generator | None = None
) -> NDArray[np.int32]:
    """Input of the compiled step: the pixel of each patch and its orientation.

    Args:
        pixels: (n,) flat pixel indices.
        generator: Draws the orientation of each patch; none is flipped or rotated where None.

    Returns:
        (n, 2) int32: pixel, and row of `PatchSource.windows`.
    """
    sides = np.zeros(len(pixels)) if generator is None else generator.integers(8, size=len(pixels))
    return np.stack([pixels, sides], axis=1).astype(np.int32)
