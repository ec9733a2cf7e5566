"""Networks that label every pixel of a tile: the side of their files' tiles, and their checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hsitf.arithmetic import Arithmetic
from hsitf.arrays import Float32Array
from hsitf.data import SceneData
from hsitf.errors import InputError, LoweringError
from hsitf.lower import difference, lower
from hsitf.tile_networks import at_side
from hsitf.train.tile_inputs import sample_tiles

if TYPE_CHECKING:
    import keras

    from hsitf.export.bundle import GoldenVectors
    from hsitf.export.request import ExportRequest
    from hsitf.records import RunRecord
    from hsitf.runtimes import Runtime

# Side of a file's tile where none is named, at least; more where a window takes most of it.
SIDE = 64
CALIBRATION_TILES = 32
# Tiles on which lowering is checked.
_CHECKED_TILES = 2
# Largest difference of a logit between tiles, over the largest logit (at least 1).
_WINDOW_ERROR = 1e-4


def tile_of_file(request: ExportRequest, run: RunRecord) -> int:
    """Side in pixels of the tile that a file takes; 0 for patches.

    Args:
        request: What the user asked for.
        run: Record of the trained network.

    Raises:
        InputError: A network of tiles cannot take this side, or cannot be exported as asked.
    """
    if not run.tile:
        return request.tile
    name, overlap = run.plan.network, run.plan.patch // 2
    given = {
        "--batch": request.batch > 1,
        "--tta": request.tta,
        "--qat": request.qat,
        "--android": request.android,
    }
    if refused := [option for option, value in given.items() if value]:
        raise InputError(
            f"{name} labels a whole tile per inference",
            received=", ".join(refused),
            remedy="leave them out",
        )
    # As much again as overlaps, so that a quarter of the tile is classified by it.
    side = request.tile or max(SIDE, 4 * overlap)
    if side <= 2 * overlap or side % run.tile_stride:
        raise InputError(
            f"{name} cannot label tiles of this side",
            received=f"--tile {side}",
            allowed=f"multiples of {run.tile_stride} above {2 * overlap}, as {overlap} pixels of "
            "each side overlap with the next tile",
            remedy="give another --tile, or leave it out",
        )
    return side


def lower_tiles(
    network: keras.Model, data: SceneData, arithmetic: Arithmetic, tile: int
) -> tuple[keras.Model, float, float]:
    """Lowers a network of tiles for tiles of a side.

    Args:
        network: The network, with or without preprocessing folded in.
        data: The scene as it takes it.
        arithmetic: What to lower for.
        tile: Side of the tile in pixels.

    Returns:
        The lowered network, the largest difference of its logits to the original's, and the largest
        logit of the original.

    Raises:
        LoweringError: A layer cannot be lowered, or a pixel sees more than its window.
    """
    whole = at_side(network, tile)
    result = lower(whole, 1, arithmetic)
    if tile > 2 * (data.patches.patch // 2):
        _check_window(network, data, tile)
    tiles, _ = sample_tiles(data, tile, _CHECKED_TILES)
    return result, *difference(whole, result, tiles)


def _check_window(network: keras.Model, data: SceneData, tile: int) -> None:
    """Compares the core of a tile with the same pixels inside a larger tile, at both ends.

    Raises:
        LoweringError: They differ.
    """
    overlap, more = data.patches.patch // 2, int(network.inputs[0].shape[1])
    large, _ = sample_tiles(data, tile + more, 1)
    small, around = at_side(network, tile), at_side(network, tile + more)
    expected = np.asarray(around(large))[0]
    core = slice(overlap, tile - overlap)
    for start in (0, more):
        part = slice(start, start + tile)
        received = np.asarray(small(large[:, part, part]))[0, core, core]
        error = np.abs(received - expected[part, part][core, core]).max()
        if not error <= _WINDOW_ERROR * max(1.0, np.abs(expected).max()):
            raise LoweringError(
                f"{network.name} sees more of a tile than the window that it states",
                received=f"logits that differ by {error:.1e} in a larger tile",
                allowed=f"a window of {data.patches.patch} x {data.patches.patch} pixels",
                remedy="state a larger patch, or the right tile_stride, in its NETWORK",
            )


def golden_tile(network: keras.Model, runtime: Runtime, data: SceneData) -> GoldenVectors:
    """The tile of a test pixel, and the network's logits of all its pixels."""
    from hsitf.export.bundle import GoldenVectors
    from hsitf.runtimes import tile_core

    core, test = tile_core(runtime, data.patches.patch), data.split.test
    pixel = test[len(test) // 2 : len(test) // 2 + 1]
    ((window, _, (inside,)),) = data.patches.grid_tiles(pixel, core)
    first = pixel - inside // core * data.patches.cols - inside % core
    expected: Float32Array = np.asarray(at_side(network, len(window))(window[None]))
    return GoldenVectors.of(runtime, first, window[None], expected)
