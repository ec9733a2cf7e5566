"""Chooses the side of tiles by what a pixel costs on a target, within its memory.

A larger tile shares more arithmetic between neighboring pixels and spends less on its halo, and it
needs more memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from hsitf.errors import InputError, LoweringError
from hsitf.export.calibration import Calibration
from hsitf.export.convert import lowered_form
from hsitf.export.tuning import missing_memory
from hsitf.export.variants import Variant
from hsitf.log_silencing import suppressed_output
from hsitf.progress import Progress
from hsitf.tables import format_table
from hsitf.targets import Target, TargetCost, find_target, format_cost
from hsitf.tile_networks import is_tile_network

if TYPE_CHECKING:
    import keras

SIDES = (4, 8, 12, 16, 20, 24, 32, 48, 64)
_SAMPLES = 2


@dataclass(frozen=True)
class TileCost:
    """What a tile of one side costs.

    Attributes:
        side: Side in pixels.
        cost: Cost of the tile; None where there is none.
        reason: Why it cannot be taken; empty where it can.
    """

    side: int
    cost: TargetCost | None
    reason: str = ""

    @property
    def rank(self) -> tuple[int, float]:
        """Fewer operators on the CPU come first, then cheaper pixels."""
        return (0 if self.cost is None else len(self.cost.cpu_operators), self.per_pixel)

    @property
    def per_pixel(self) -> float:
        """Cost of one pixel; infinite where the tile cannot be taken."""
        if self.cost is None or self.reason:
            return float("inf")
        return self.cost.value / self.side**2


def measure_tiles(
    network: keras.Model,
    patch: int,
    variant: Variant,
    name: str,
    progress: Progress,
    largest: int = SIDES[-1],
) -> list[TileCost]:
    """Costs of tiles of several sides, lowered by default.

    Args:
        network: The trained network of patches.
        patch: Side of its patches in pixels.
        variant: Kind of file.
        name: Name of the target.
        progress: Receives progress messages.
        largest: Side of the scene in pixels, beyond which no tile is tried.

    Raises:
        InputError: The target has no cost model, or the network takes whole tiles already.
        LoweringError: The network has no tile form.
    """
    target = find_target(name)
    if target.cost is None or not target.cost.per_pixel:
        raise InputError(
            f"what a tile costs on {name} is not known",
            received=f"--tile auto with --target {name}",
            remedy="name the side, such as --tile 32, or a target with a cost (hsitf targets)",
        )
    if is_tile_network(network):
        raise InputError(
            "the side of its tiles is not chosen for a network that takes whole tiles",
            received="--tile auto",
            remedy="name the side, such as --tile 64",
        )
    sides = [side for side in SIDES if side <= largest] or SIDES[:1]
    progress.start(f"choosing the side of tiles for {name}", len(sides))
    found = []
    with TemporaryDirectory() as folder:
        for side in sides:
            file = Path(folder) / f"{side}{variant.suffix}"
            found.append(_measured(network, patch, variant, target, side, file, progress))
            progress.advance(1, f"{side} x {side}")
    return found


def choose_tile(tiles: Sequence[TileCost], name: str) -> int:
    """The side whose pixels cost least.

    Raises:
        InputError: No tile can be taken.
    """
    fitting = [tile for tile in tiles if tile.per_pixel < float("inf")]
    if not fitting:
        raise InputError(
            f"no tile of this network can be run on {name}",
            received="; ".join(f"{tile.side} x {tile.side}: {tile.reason}" for tile in tiles[:2]),
            remedy="leave --tile out: patches need less memory",
        )
    return min(fitting, key=lambda tile: tile.rank).side


def format_tiles(tiles: Sequence[TileCost], name: str, chosen: int) -> str:
    """Formats the costs, one line a side."""
    target = find_target(name)
    unit = target.cost.unit if target.cost else ""
    rows = [
        (
            f"{tile.side} x {tile.side}" + (" *" if tile.side == chosen else ""),
            "-" if tile.cost is None else format_cost(tile.cost.value),
            "-" if tile.cost is None else format_cost(tile.cost.value / tile.side**2),
            "-"
            if tile.cost is None or tile.cost.sram_bytes is None
            else f"{tile.cost.sram_bytes:,}",
            tile.reason or "",
        )
        for tile in tiles
    ]
    return format_table(("tile", unit, "a pixel", "fast memory", "not taken"), rows)


def _measured(
    network: keras.Model,
    patch: int,
    variant: Variant,
    target: Target,
    side: int,
    file: Path,
    progress: Progress,
) -> TileCost:
    if target.cost is None:
        raise ValueError("a target without a cost model measures no tiles")
    bands = int(network.inputs[0].shape[-1])
    shape = (_SAMPLES, side + patch - 1, side + patch - 1, bands)
    # Like normalized spectra: the ranges of a file do not change its cost.
    samples = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    try:
        with suppressed_output():
            lowered = lowered_form(network, 1, variant.arithmetic, side)
            variant.convert(lowered, Calibration(samples), file)
    except LoweringError as error:
        if side == SIDES[0]:
            raise
        return TileCost(side, None, str(error.received))
    (cost,) = target.cost.costs([file], progress)
    if isinstance(cost, InputError):
        return TileCost(side, None, str(cost.received))
    missing = missing_memory(cost, target)
    return TileCost(side, cost, f"{missing:,} bytes too many" if missing else "")
