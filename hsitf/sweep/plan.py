"""The stages of cells; a stage that several cells share runs once.

A stage is the work of one process: training a network, pruning it to one target, evaluating it with
all the bits, or as all the file variants, that cells request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hsitf.records import SceneChoice
from hsitf.sweep.record import PER_CHANNEL, CellSettings

TRAIN, PRUNE, BITS, FILES = "train", "prune", "bits", "files"


@dataclass(frozen=True)
class SweepContext:
    """The context of all stages, the same in every process.

    Attributes:
        folder: Absolute path of the study's folder.
        choices: The scene of each scene name in the settings, with absolute paths.
        scene_names: For each scene name in the settings, the scene's name in folders.
        argv: The command line of the sweep.
        network_files: Absolute paths of the files of networks of one's own.
    """

    folder: Path
    choices: dict[str, SceneChoice]
    scene_names: dict[str, str]
    argv: tuple[str, ...]
    network_files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """Work that cells have in common.

    Attributes:
        kind: train, prune, bits or files.
        settings: Settings of the network that it trains, prunes or evaluates.
        cells: Cells whose last stage it is and that have no record yet.
        after: Name of the stage that has to be done before; empty for a training.
    """

    kind: str
    settings: CellSettings
    cells: tuple[CellSettings, ...]
    after: str

    @property
    def name(self) -> str:
        """What it is known by."""
        return f"{self.kind}-{self.settings.id}"


@dataclass(frozen=True)
class StageResult:
    """How a stage ended.

    Attributes:
        message: Reason of the failure; empty for success.
        failed_cells: Number of cells that failed.
        seconds: Duration of the stage.
    """

    message: str
    failed_cells: int
    seconds: float


def plan_stages(cells: Sequence[CellSettings]) -> list[Stage]:
    """The stages that cells need, each after those that it needs itself.

    Args:
        cells: Cells without a record, in the order of the study.
    """
    wanted: dict[tuple[str, CellSettings], list[CellSettings]] = {}
    for cell in cells:
        for kind, settings in stages_of_cell(cell):
            wanted.setdefault((kind, settings), [])
        wanted[stages_of_cell(cell)[-1]].append(cell)
    found = []
    for (kind, settings), own in wanted.items():
        earlier = [
            Stage(*step, (), "").name for step in stages_of_cell(own[0] if own else settings)
        ]
        here = Stage(kind, settings, (), "").name
        position = earlier.index(here)
        found.append(Stage(kind, settings, tuple(own), earlier[position - 1] if position else ""))
    return found


def stages_of_cell(cell: CellSettings) -> list[tuple[str, CellSettings]]:
    """The stages of a cell, first to last, by kind and settings."""
    pruned = replace(cell, bits="", variant="", max_samples=0, weights=PER_CHANNEL)
    trained = replace(
        pruned,
        measure="",
        target=0.0,
        layers="",
        layer_alphas="",
        criterion="",
        fine_tuning_epochs=0,
    )
    found = [(TRAIN, trained)]
    if cell.measure:
        found.append((PRUNE, pruned))
    if cell.bits:
        found.append((BITS, replace(pruned, max_samples=cell.max_samples, weights=cell.weights)))
    if cell.variant:
        found.append((FILES, pruned))
    return found
