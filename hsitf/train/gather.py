"""Patches cut on demand, inside the compiled step."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from hsitf.scenes.patches import PatchSource
from hsitf.train.augment import Mixture, Radiation


class PatchGather(keras.layers.Layer):  # type: ignore[misc]
    """Turns pixel indices into patches of a scene that lies in memory once.

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


def gathering(
    network: keras.Model, source: PatchSource, radiation: bool = False, mixture: bool = False
) -> keras.Model:
    """The network fed by `views`, `(batch, 2)` int32, instead of patches.

    Args:
        network: `(batch, patch, patch, bands)` -> logits.
        source: The padded, normalized scene.
        radiation: Whether to change the brightness of some patches in training.
        mixture: Whether to mix some with another of their class in training, whose pixel is the
            third column of the views then.
    """
    seen = keras.Input((3 if mixture else 2,), dtype="int32", name="view")
    gather = PatchGather(source)
    patches = gather(seen)
    if mixture:
        partners = ops.concatenate([seen[:, 2:], seen[:, 1:2]], axis=1)
        patches = Mixture(name="mixture")(patches, gather(partners))
    if radiation:
        patches = Radiation(name="radiation")(patches)
    return keras.Model(seen, _whole(network(patches)), name="gathering")


def _whole(logits: keras.KerasTensor) -> keras.KerasTensor:
    """Logits of 32 bits: a softmax of half precision would lose the small classes."""
    return logits if logits.dtype == "float32" else ops.cast(logits, "float32")


def reconstructing(network: keras.Model, source: PatchSource) -> keras.Model:
    """A network with a decoder, fed by `views` as in `gathering`.

    Args:
        network: See `zoo.semi_supervised`.
        source: The padded, normalized scene.

    Returns:
        `(batch, 2)` int32 -> logits `(batch, classes)` and `(batch, bands)`, the error of the
        reconstruction: the decoder's output less the spectrum in the patch's center. (An even
        patch has its pixel right below and right of the middle, and that place is reconstructed
        from whichever side it is seen.)
    """
    seen = keras.Input((2,), dtype="int32", name="view")
    patch = PatchGather(source)(seen)
    logits, spectrum = network(patch)
    center = source.patch // 2
    error = _whole(spectrum) - patch[:, center, center]
    return keras.Model(seen, [_whole(logits), error], name="gathering")


def views(
    pixels: NDArray[np.int64], generator: np.random.Generator | None = None
) -> NDArray[np.int32]:
    """What the compiled step takes: which pixel's patch, seen from which side.

    Args:
        pixels: (n,) flat pixel indices.
        generator: Draws the side of each patch; all as they lie where None.

    Returns:
        (n, 2) int32: pixel, and row of `PatchSource.windows`.
    """
    sides = np.zeros(len(pixels)) if generator is None else generator.integers(8, size=len(pixels))
    return np.stack([pixels, sides], axis=1).astype(np.int32)
