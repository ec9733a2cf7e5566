"""Reductions of bands and networks side by side: a record that grows with every training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hsitf import bands, records, runs, zoo
from hsitf.data import Data, load, prepare, read_train_map, sample
from hsitf.errors import InputError
from hsitf.metrics import Interval, interval
from hsitf.progress import Progress
from hsitf.reduction.fitting import Fitted, measured
from hsitf.reduction.request import Ask
from hsitf.runs import Run
from hsitf.train.run import train


@dataclass(frozen=True)
class Cell:
    """A network or baseline trained on reduced bands.

    Attributes:
        model: Its name.
        text: The reduction; empty for all bands.
        oa: Overall accuracy by run, in the order of the seeds.
        runs: Folders of the runs.
    """

    model: str
    text: str
    oa: tuple[float, ...]
    runs: tuple[str, ...]

    @property
    def mean(self) -> Interval:
        """Mean with the half-width of its 95 % interval, which is 0 for a single run."""
        return interval(list(self.oa)) if len(self.oa) > 1 else Interval(self.oa[0], 0.0)


@dataclass(frozen=True)
class Comparison:
    """Reductions of bands on one scene: `models/<scene>/bands/<name>.json`.

    Attributes:
        scene: Name of the scene; `synthetic` where it was generated.
        bands: That it has.
        pixels: Of the scene, all of which are reduced.
        training: Pixels that reductions are fitted to where they are timed.
        split_sha256: Of the split that they belong to.
        fitted: What each reduction takes.
        cells: What networks make of it; those of all bands among them.
        versions: Of Python and the packages that matter.
        command: As typed last.
    """

    schema: int
    scene: str
    synthetic: bool
    bands: int
    pixels: int
    training: int
    split_sha256: str
    fitted: tuple[Fitted, ...]
    cells: tuple[Cell, ...]
    versions: dict[str, str]
    command: str

    def cell(self, model: str, text: str) -> Cell | None:
        """What a network makes of a reduction; None where it was not trained."""
        return next((c for c in self.cells if (c.model, c.text) == (model, text)), None)


def compare(ask: Ask, name: str, progress: Progress) -> tuple[Comparison, Path]:
    """Fits every reduction, trains every model on it, and keeps what was found.

    Everything that can be refused is refused before the first training. Trainings are runs like
    any other: finished ones are not repeated, interrupted ones go on.

    Args:
        ask: What to compare.
        name: Of the record.
        progress: Told what happens.

    Returns:
        The comparison and its record, whose other reductions and models are kept.

    Raises:
        InputError: A reduction cannot be had of this scene, a network is too small for it, or
            the record is of another split, schedule or number of runs.
    """
    scene = load(ask.scene)
    data = prepare(scene, ask.timed, read_train_map(ask.scene.train_map))
    _check(ask, data)
    place = runs.folder(scene.name, "bands", name).with_suffix(".json")
    found = Comparison(
        records.SCHEMA,
        scene.name,
        scene.synthetic,
        scene.bands,
        scene.cube[..., 0].size,
        len(data.split.train),
        data.split.digest(),
        (),
        (),
        records.versions(),
        records.command(),
    )
    if place.is_file():
        found = _continued(found, records.read(Comparison, place), place)
    known = {one.text for one in found.fitted}
    progress.start("fitting reductions", len(ask.texts))
    for text in ask.texts:
        if text not in known:
            found = replace(found, fitted=(*found.fitted, measured(text, data)))
            records.write(found, place)
        progress.advance(1, text)
    for model in ask.models:
        for text in ("", *ask.texts):
            found = _with_cell(found, _cell(ask, model, text, progress))
            records.write(found, place)
    return found, place


def _check(ask: Ask, data: Data) -> None:
    taught = sample(data.scene, data.split, data.normalizer)
    for text in ask.texts:
        left = bands.check(text, taught, data.scene.wavelengths)
        for model in ask.models:
            patch = ask.plan(model, text, 0).patch
            zoo.check(model, bands=left, classes=data.scene.classes, patch=patch)


def _continued(now: Comparison, then: Comparison, place: Path) -> Comparison:
    """The record with what it holds already."""
    if now.split_sha256 != then.split_sha256:
        raise InputError(
            f"{place} is of another split",
            received=f"{then.training} training pixels of {then.scene}",
            allowed=f"{now.training} of {now.scene}",
            remedy="give this comparison another name with --run",
        )
    return replace(now, fitted=then.fitted, cells=then.cells)


def _cell(ask: Ask, model: str, text: str, progress: Progress) -> Cell:
    made: list[Run] = []
    for number in range(ask.runs):
        progress.say(f"{model} on {text or 'all bands'}, run {number + 1} of {ask.runs}")
        made.append(train(ask.plan(model, text, number), None, progress))
    return Cell(
        model,
        text,
        tuple(run.record.scores.oa for run in made),
        tuple(str(run.folder) for run in made),
    )


def _with_cell(found: Comparison, cell: Cell) -> Comparison:
    others = [c for c in found.cells if (c.model, c.text) != (cell.model, cell.text)]
    return replace(found, cells=(*others, cell))
