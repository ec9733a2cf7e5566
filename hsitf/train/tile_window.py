"""Whether a network of tiles sees no more than the window that it states."""

from __future__ import annotations

import keras
import numpy as np

from hsitf.errors import InputError
from hsitf.tile_networks import at_side

# What one pixel is changed by, in standard deviations of a band.
_CHANGE = 100.0
# Largest change of a logit by rounding alone, over the largest logit (at least 1).
_ROUNDING = 1e-4


def check_window(network: keras.Model, patch: int, stride: int) -> None:
    """Changes single pixels of a tile and looks which logits change.

    Guard bands, leakage and the overlap of tiles rest on the window.

    Args:
        network: A network of tiles with any weights.
        patch: Side of the window that it states.
        stride: Side of the pooling grid that it states; a pixel is changed at each place of it.

    Raises:
        InputError: Logits outside the window change.
    """
    own, bands = int(network.inputs[0].shape[1]), int(network.inputs[0].shape[-1])
    side = -(-4 * patch // own) * own
    tiles = np.random.default_rng(0).standard_normal((1, side, side, bands)).astype(np.float32)
    tiles = np.repeat(tiles, stride + 1, axis=0)
    places = side // 2 + np.arange(stride)
    for number, place in enumerate(places, 1):
        tiles[number, place, place] += _CHANGE
    logits = np.asarray(at_side(network, side).predict_on_batch(tiles))
    changes = np.abs(logits[1:] - logits[0]).max(axis=-1)
    largest = _ROUNDING * max(1.0, float(np.abs(logits).max()))
    reach = 0
    for place, change in zip(places, changes, strict=True):
        rows, cols = np.nonzero(change > largest)
        reach = max(reach, int(np.abs(np.concatenate([rows, cols]) - place).max(initial=0)))
    if reach > patch // 2:
        raise InputError(
            f"{network.name} sees more of a tile than the window that it states",
            received=f"logits that change {reach} pixels away from a pixel",
            allowed=f"{patch // 2}, half of patch={patch}",
            remedy="state a larger patch in its NETWORK",
        )
