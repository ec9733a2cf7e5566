"""Stages that cells go through: each is done once, whatever number of cells have it in common.

A stage is the work of one process: training a network, pruning it to one target, judging it in
all the bits, or in all the kinds of file, that cells want. Nothing here loads TensorFlow, so that
a worker can be told to be quiet before it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hsitf.quiet import hush, quietly
from hsitf.records import SceneChoice
from hsitf.sweep.record import Settings

TRAIN, PRUNE, BITS, FILES = "train", "prune", "bits", "files"


@dataclass(frozen=True)
class Context:
    """What every stage needs, in whatever process it runs.

    Attributes:
        folder: Of the study, absolute.
        choices: By the name in settings, where a scene is, with absolute paths.
        names: By the name in settings, what the scene is called where runs and files lie.
        argv: The command line that asked for it.
    """

    folder: Path
    choices: dict[str, SceneChoice]
    names: dict[str, str]
    argv: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    """Work that cells have in common.

    Attributes:
        kind: train, prune, bits or files.
        settings: Of the network that it makes or judges.
        cells: Cells that end with it and have no record yet.
        after: Name of the stage that has to be done before; empty for a training.
    """

    kind: str
    settings: Settings
    cells: tuple[Settings, ...]
    after: str

    @property
    def name(self) -> str:
        """What it is known by."""
        return f"{self.kind}-{self.settings.id}"


@dataclass(frozen=True)
class Ended:
    """How a stage ended.

    Attributes:
        message: Why it failed; empty where it did not.
        failed: Cells that failed.
        seconds: That it took.
    """

    message: str
    failed: int
    seconds: float


def stages(cells: Sequence[Settings]) -> list[Stage]:
    """The stages that cells need, each after those that it needs itself.

    Args:
        cells: Without a record yet, in the order in which they are wanted.
    """
    wanted: dict[tuple[str, Settings], list[Settings]] = {}
    for cell in cells:
        for kind, settings in path(cell):
            wanted.setdefault((kind, settings), [])
        wanted[path(cell)[-1]].append(cell)
    found = []
    for (kind, settings), own in wanted.items():
        earlier = [Stage(*step, (), "").name for step in path(own[0] if own else settings)]
        here = Stage(kind, settings, (), "").name
        place = earlier.index(here)
        found.append(Stage(kind, settings, tuple(own), earlier[place - 1] if place else ""))
    return found


def path(cell: Settings) -> list[tuple[str, Settings]]:
    """The stages of a cell, first to last, by kind and settings."""
    pruned = replace(cell, bits="", variant="", most=0)
    trained = replace(pruned, measure="", target=0.0, layers="", criterion="", tuning_epochs=0)
    found = [(TRAIN, trained)]
    if cell.measure:
        found.append((PRUNE, pruned))
    if cell.bits:
        found.append((BITS, replace(pruned, most=cell.most)))
    if cell.variant:
        found.append((FILES, pruned))
    return found


def done(context: Context, stage: Stage, before: Ended | None) -> Ended:
    """Does a stage, in a worker; see `stages.perform`."""
    hush()
    with quietly():
        import keras  # noqa: F401
    from hsitf.sweep.stages import perform

    return perform(context, stage, before)
