"""Tiles on demand, inside the compiled step, and the logits of pixels from tiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.scenes.patches import PatchSource
from hsitf.tile_networks import at_side, run_side


class TileGather(keras.layers.Layer):  # type: ignore[misc]
    """Maps corners of tiles to tiles of a scene that is stored once.

    Args:
        source: The padded, normalized scene, which tiles lie in.
        tile: Side of the tiles in pixels.
        logits_of: Computes the logits of pixels (flat indices) as inference does.

    Attributes:
        tile: Side of the tiles in pixels.
        logits_of: As given.
    """

    def __init__(
        self,
        source: PatchSource,
        tile: int,
        logits_of: Callable[[NDArray[np.int64]], Float32Array],
    ) -> None:
        super().__init__(name="gather", trainable=False)
        self.tile, self.logits_of = tile, logits_of
        self._shape = (tile, tile, source.bands)
        self._pixels = ops.convert_to_tensor(source.padded.reshape(-1, source.bands))
        self._offsets = ops.convert_to_tensor(tile_offsets(source, tile))

    def call(self, views: keras.KerasTensor) -> keras.KerasTensor:
        """`(batch, 2)` corners and orientations -> `(batch, tile, tile, bands)` float32."""
        places = views[:, :1] + ops.take(self._offsets, views[:, 1], axis=0)
        pixels = ops.take(self._pixels, ops.reshape(places, (-1,)), axis=0)
        return ops.reshape(pixels, (-1, *self._shape))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Adds the tile to the batch."""
        return (input_shape[0], *self._shape)


def tile_offsets(source: PatchSource, tile: int) -> NDArray[np.int32]:
    """(8, tile * tile) int32: places of a tile's pixels from its corner, in eight orientations."""
    return replace(source, patch=tile).windows


def tile_gather_model(
    network: keras.Model, source: PatchSource, shown: PatchSource | None = None
) -> keras.Model:
    """A network of tiles fed by `views`, `(batch, 2)` int32, instead of tiles.

    A view is the flat index of a tile's corner in the padded scene, and the orientation.

    Args:
        network: A network `(batch, tile, tile, bands)` -> `(batch, tile, tile, classes)`.
        source: The padded, normalized scene, which pixels are evaluated in.
        shown: The same with what training is not to see replaced; the scene itself where None.
    """
    tile = int(network.inputs[0].shape[1])
    views = keras.Input((2,), dtype="int32", name="view")
    whole = at_side(network, run_side(network))
    gather = TileGather(shown or source, tile, partial(tile_logits, whole, source))
    logits = network(gather(views))
    if logits.dtype != "float32":
        logits = ops.cast(logits, "float32")
    return keras.Model(views, logits, name="gathering")


def find_tile_gather(model: keras.Model) -> TileGather | None:
    """The layer that feeds tiles to a gathering model; None where it is fed patches."""
    # What teaches and reconstructs wraps a model in another one, which has no layers by itself.
    found = [layer for layer in getattr(model, "layers", []) if isinstance(layer, TileGather)]
    return found[0] if found else None


def tile_logits(
    network: keras.Model, source: PatchSource, pixels: NDArray[np.int64]
) -> Float32Array:
    """Logits of pixels, each from a tile that holds its whole window.

    Args:
        network: A network of tiles.
        source: The padded, normalized scene; its patch is the window of a pixel.
        pixels: (n,) flat indices.

    Returns:
        (n, classes) float32.
    """
    side, margin = int(network.inputs[0].shape[1]), source.patch // 2
    inner = side - 2 * margin
    logits = np.empty((len(pixels), int(network.outputs[0].shape[-1])), np.float32)
    for window, members, inside in source.grid_tiles(pixels, inner):
        found = np.asarray(network.predict_on_batch(window[None]), np.float32)[0]
        core = found[margin : margin + inner, margin : margin + inner]
        logits[members] = core.reshape(inner * inner, -1)[inside]
    return logits
