"""Test-time augmentation (TTA): the mean of a network's outputs over eight sides of the patch.

The sides are the four rotations by 90 degrees and their mirror images, as training shows them. All
of it is one graph: the pixels of the patch are gathered in eight orders, the network takes them as
a batch, and the mean of its outputs leaves.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from hsitf.graph import walk

SIDES = 8


def sides_of_patch(side: int) -> NDArray[np.int32]:
    """(8, side * side) int32: the pixels of a patch in the order of each orientation."""
    pixels = np.arange(side * side).reshape(side, side)
    turned = [np.rot90(pixels, turns) for turns in range(4)]
    return np.stack([one.ravel() for one in (*turned, *(one.T for one in turned))]).astype(np.int32)


def mean_over_sides(network: keras.Model, batch: int | None = None) -> keras.Model:
    """A network whose outputs are the mean over the eight sides of each patch.

    Args:
        network: `(8 * batch, patch, patch, bands)` -> `(8 * batch, classes)`; its batch is open or
            fixed.
        batch: Patches per inference; None for any number.

    Returns:
        `(batch, patch, patch, bands)` -> `(batch, classes)`.
    """
    side, _, bands = network.inputs[0].shape[1:]
    pixels = side * side
    order = sides_of_patch(side)
    inputs = keras.Input(batch_shape=(batch, side, side, bands), name=network.inputs[0].name)
    known = -1 if batch is None else batch
    spectra = ops.reshape(inputs, (known, pixels, bands))
    turned = ops.take(spectra, order.ravel(), axis=1)
    patches = ops.reshape(turned, (-1 if batch is None else SIDES * batch, side, side, bands))
    # Its layers stand in the graph one by one: what rewrites networks sees no model inside.
    (logits,) = walk(
        network, [patches], lambda call, values: call.call_with(call.operation, values)
    )
    classes = network.outputs[0].shape[-1]
    # Pooled, since the integer files of ONNX have a mean of a window and none of an axis.
    outputs = ops.reshape(logits, (known, SIDES, 1, classes))
    pooled = keras.layers.AveragePooling2D((SIDES, 1), name="mean_over_sides")(outputs)
    return keras.Model(inputs, ops.reshape(pooled, (known, classes)), name=network.name)
