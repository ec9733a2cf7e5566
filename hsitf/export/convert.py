"""From a trained network to files: lowering checked, calibration, and trial conversions."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf.data import Data
from hsitf.errors import LoweringError
from hsitf.export.calibration import Calibration
from hsitf.export.variants import VARIANTS
from hsitf.files import needing, size
from hsitf.lower import dense, difference, lower
from hsitf.lower.dense import tile_difference
from hsitf.measure import interleaved
from hsitf.quiet import quietly
from hsitf.runtimes import Floats, quantize
from hsitf.targets import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

CALIBRATION_PATCHES = 512
# Largest difference of a logit that rewriting may make, over the largest logit (at least 1).
LOWERING_ERROR = 1e-4
# Patches that the rewrite is checked on before anything is converted.
LOWERING_PATCHES = 64


@dataclass(frozen=True, eq=False)
class Lowered:
    """A network rewritten for inference, and the largest difference of a logit that it made."""

    model: keras.Model
    error: float


def lowered_for(
    network: keras.Model, data: Data, batch: int, target: Target, tile: int = 0
) -> Lowered:
    """Rewrites a network for a target and checks the rewrite on training patches.

    Args:
        network: As it was trained, or with what comes before it.
        data: Gives the patches.
        batch: Patches an inference takes.
        target: What it is to run on.
        tile: Side of the tile that it takes in their place; 0 for patches.

    Raises:
        LoweringError: A layer cannot be rewritten, the rewrite is not exact, or the network has
            no dense form.
    """
    if tile:
        lowered = dense(network, tile, target)
        error, largest = tile_difference(network, lowered, calibration_tiles(data, tile)[0])
    else:
        lowered = lower(network, batch, target)
        patches = data.patches.cut(data.split.train[:LOWERING_PATCHES])
        error, largest = difference(network, lowered, patches)
    # Written so that an error that is not a number is refused too.
    if not error <= LOWERING_ERROR * max(1.0, largest):
        raise LoweringError(
            "the rewrite for inference is not exact",
            received=f"a logit differs by {error:.1e}, the largest is {largest:.1f}",
            allowed=f"{LOWERING_ERROR:.0e} of the largest logit",
            remedy="report this network; it is a fault of hsitf",
        )
    return Lowered(lowered, error)


def calibration_patches(data: Data, batch: int) -> Floats:
    """Class-balanced training patches, (n, patch, patch, bands) float32, n a multiple of batch."""
    chosen = data.balanced(CALIBRATION_PATCHES)
    whole = -(-len(chosen) // batch) * batch
    return data.patches.cut(np.resize(chosen, whole))


def calibration_tiles(data: Data, tile: int) -> Floats:
    """The calibration patches pasted into tiles, beside each other and class by class.

    A tile of the scene would show pixels that training must not see. Every pixel here belongs to
    a training patch; only the windows across the seams between two of them are made up.

    Returns:
        (n, tile + patch - 1, tile + patch - 1, bands) float32.
    """
    chosen = data.balanced(CALIBRATION_PATCHES)
    chosen = chosen[np.argsort(data.targets(chosen), kind="stable")]
    patch = data.patches.patch
    whole = tile + patch - 1
    along = -(-whole // patch)
    count = -(-len(chosen) // along**2)
    patches = data.patches.cut(np.resize(chosen, count * along**2))
    grid = patches.reshape(count, along, along, patch, patch, -1).transpose(0, 1, 3, 2, 4, 5)
    pasted = grid.reshape(count, along * patch, along * patch, -1)
    return np.ascontiguousarray(pasted[:, :whole, :whole])


def plain_size(lowered: keras.Model) -> int:
    """Bytes of the float32 .tflite of a lowered network."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float32.tflite"
        with needing(weight_bytes(lowered), path.parent):
            VARIANTS["float32"].convert(lowered, Calibration(np.empty(0, np.float32)), path)
        return size(path)


def weight_bytes(network: keras.Model) -> int:
    """Size of the weights in float32."""
    return 4 * int(network.count_params())


@dataclass(frozen=True)
class Trial:
    """A network as a file, measured but not published.

    Attributes:
        bytes: Of the file.
        milliseconds: Median time of one patch on this machine.
    """

    bytes: int
    milliseconds: float


def trials(
    networks: Mapping[str, keras.Model], data: Data, threads: int = 1
) -> dict[str, dict[str, Trial]]:
    """Size and latency of networks as float32 and int8 files, measured in turns.

    Args:
        networks: By name; all take the same patches.
        data: Gives the calibration patches.
        threads: Of the engine.

    Returns:
        By network and variant.

    Raises:
        LoweringError: A network cannot be rewritten for inference.
    """
    patches = calibration_patches(data, 1)
    runtimes, sizes = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for place, (name, network) in enumerate(networks.items()):
            for kind in ("float32", "int8"):
                variant = VARIANTS[kind]
                path = Path(folder) / f"{place}-{kind}{variant.suffix}"
                with quietly():
                    lowered = lowered_for(network, data, 1, variant.target).model
                    with needing(weight_bytes(lowered), path.parent):
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
            kind: Trial(sizes[name, kind], 1e3 * timings[f"{name} {kind}"].percentile(50))
            for kind in ("float32", "int8")
        }
        for name in networks
    }
