"""Lowering with a check, calibration data, and conversions that are measured, not published."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf.arithmetic import Arithmetic
from hsitf.arrays import Float32Array
from hsitf.data import SceneData
from hsitf.errors import IntegerFormError, LoweringError
from hsitf.export.calibration import Calibration
from hsitf.export.tiles import CALIBRATION_TILES, lower_tiles
from hsitf.export.variants import MEASURED_VARIANTS, VARIANTS
from hsitf.files import disk_space_required, size
from hsitf.log_silencing import suppressed_output
from hsitf.lower import difference, lower, to_fully_convolutional
from hsitf.lower.fully_convolutional import tile_difference
from hsitf.lower.test_time_augmentation import SIDES, mean_over_sides
from hsitf.measure import interleaved
from hsitf.records import FileStats
from hsitf.runtimes import quantize
from hsitf.tile_networks import at_side, is_tile_network
from hsitf.train.tile_inputs import sample_tiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

CALIBRATION_PATCHES = 512
# Largest difference of a logit allowed after lowering, over the largest logit (at least 1).
LOWERING_ERROR = 1e-4
# Patches on which lowering is checked before anything is converted.
LOWERING_PATCHES = 64


@dataclass(frozen=True, eq=False)
class LoweredNetwork:
    """A lowered network, and the largest absolute difference of its logits to the original."""

    model: keras.Model
    error: float


def lower_and_check(
    network: keras.Model,
    data: SceneData,
    batch: int,
    arithmetic: Arithmetic,
    tile: int = 0,
    tta: bool = False,
) -> LoweredNetwork:
    """Lowers a network for an arithmetic and checks the result on training patches.

    Args:
        network: The trained network, with or without preprocessing folded in.
        data: Scene, split and normalization.
        batch: Patches per inference.
        arithmetic: Arithmetic to lower for.
        tile: Side in pixels of the tile that an inference takes; 0 for patches.
        tta: Whether the result is to compute the mean over the eight sides of a patch.

    Raises:
        LoweringError: A layer cannot be lowered, the result is not exact, or the network has no
            efficient tile form.
    """
    if is_tile_network(network):
        side = tile or int(network.inputs[0].shape[1])
        result, error, largest = lower_tiles(network, data, arithmetic, side)
    elif tile:
        result = to_fully_convolutional(network, tile, arithmetic)
        error, largest = tile_difference(network, result, calibration_tiles(data, tile)[0])
    else:
        result = lower(network, SIDES * batch if tta else batch, arithmetic)
        if tta:
            network, result = mean_over_sides(network), mean_over_sides(result, batch)
        patches = data.patches.extract(data.split.train[:LOWERING_PATCHES])
        error, largest = difference(network, result, patches)
    # Written so that NaN fails too.
    if not error <= LOWERING_ERROR * max(1.0, largest):
        raise LoweringError(
            "lowering is not exact",
            received=f"a logit differs by {error:.1e}, the largest is {largest:.1f}",
            allowed=f"{LOWERING_ERROR:.0e} of the largest logit",
            remedy="report this network as a bug of hsitf",
        )
    return LoweredNetwork(result, error)


def lowered_form(
    network: keras.Model, batch: int, arithmetic: Arithmetic, tile: int = 0, tta: bool = False
) -> keras.Model:
    """The lowered network that an inference computes, without a check; see `lower_and_check`.

    Raises:
        LoweringError: A layer cannot be lowered, or the network has no efficient tile form.
    """
    if is_tile_network(network):
        return lower(at_side(network, tile or int(network.inputs[0].shape[1])), 1, arithmetic)
    if tile:
        return to_fully_convolutional(network, tile, arithmetic)
    lowered = lower(network, SIDES * batch if tta else batch, arithmetic)
    return mean_over_sides(lowered, batch) if tta else lowered


def calibration_inputs(
    network: keras.Model, data: SceneData, batch: int, tile: int
) -> Float32Array:
    """What a network's file is calibrated with: training patches, or tiles."""
    if is_tile_network(network):
        return sample_tiles(data, tile or int(network.inputs[0].shape[1]), CALIBRATION_TILES)[0]
    return calibration_tiles(data, tile) if tile else calibration_patches(data, batch)


def calibration_patches(data: SceneData, batch: int) -> Float32Array:
    """Class-balanced training patches, (n, patch, patch, bands) float32, n a multiple of batch."""
    chosen = data.calibration_pixels(CALIBRATION_PATCHES)
    filled = -(-len(chosen) // batch) * batch
    return data.patches.extract(np.resize(chosen, filled))


def calibration_tiles(data: SceneData, tile: int) -> Float32Array:
    """Calibration patches pasted into tiles, class by class.

    A tile of the scene would contain pixels outside the training set. Every pixel here belongs to
    a training patch; only windows across the seam between two patches are artificial.

    Returns:
        (n, tile + patch - 1, tile + patch - 1, bands) float32.
    """
    chosen = data.calibration_pixels(CALIBRATION_PATCHES)
    chosen = chosen[np.argsort(data.targets(chosen), kind="stable")]
    patch = data.patches.patch
    side = tile + patch - 1
    along = -(-side // patch)
    count = -(-len(chosen) // along**2)
    patches = data.patches.extract(np.resize(chosen, count * along**2))
    grid = patches.reshape(count, along, along, patch, patch, -1).transpose(0, 1, 3, 2, 4, 5)
    pasted = grid.reshape(count, along * patch, along * patch, -1)
    return np.ascontiguousarray(pasted[:, :side, :side])


def float32_size(lowered: keras.Model) -> int:
    """Bytes of the float32 .tflite of a lowered network."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float32.tflite"
        with disk_space_required(weight_bytes(lowered), path.parent):
            VARIANTS["float32"].convert(lowered, Calibration(np.empty(0, np.float32)), path)
        return size(path)


def weight_bytes(network: keras.Model) -> int:
    """Bytes of the weights in float32."""
    return 4 * int(network.count_params())


def measure_files(
    networks: Mapping[str, keras.Model], data: SceneData, threads: int = 1
) -> dict[str, dict[str, FileStats]]:
    """Size and latency of networks as files of the `MEASURED_VARIANTS`, measured in turns.

    Args:
        networks: By name; all take the same patches.
        data: Gives the calibration patches.
        threads: Of the engine.

    Returns:
        By network and variant; without integer files where a layer has floats alone.

    Raises:
        LoweringError: A network cannot be rewritten for inference.
    """
    patches = calibration_inputs(next(iter(networks.values())), data, 1, 0)
    runtimes, sizes = {}, {}
    left_out: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, network) in enumerate(networks.items()):
            for kind in MEASURED_VARIANTS:
                variant = VARIANTS[kind]
                path = Path(folder) / f"{number}-{kind}{variant.suffix}"
                with suppressed_output():
                    try:
                        lowered = lower_and_check(network, data, 1, variant.arithmetic).model
                    except IntegerFormError:
                        left_out.add(kind)
                        continue
                    with disk_space_required(weight_bytes(lowered), path.parent):
                        variant.convert(lowered, Calibration(patches), path)
                    runtimes[name, kind] = variant.runtime(path, threads)
                sizes[name, kind] = size(path)
        timings = interleaved(
            {
                f"{name} {kind}": runtime.action(quantize(patches[:1], runtime.input))
                for (name, kind), runtime in runtimes.items()
            }
        )
    return {
        name: {
            kind: FileStats(sizes[name, kind], 1e3 * timings[f"{name} {kind}"].percentile(50))
            for kind in MEASURED_VARIANTS
            if kind not in left_out
        }
        for name in networks
    }
