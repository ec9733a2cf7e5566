"""Reductions of bands and networks side by side: a record that grows with every training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hsitf import bands, records, runs, zoo
from hsitf.band_comparison.fitting import FittedReduction, measure_reduction
from hsitf.band_comparison.request import ComparisonRequest
from hsitf.compat import formerly, formerly_written
from hsitf.data import SceneData, load_scene, prepare, read_train_map, training_spectra
from hsitf.errors import InputError
from hsitf.metrics import Interval, interval
from hsitf.progress import Progress
from hsitf.ranges import Count
from hsitf.runs import Run
from hsitf.train.run import train


@formerly(spec="text")
@formerly_written(spec=bands.former_spec)
@dataclass(frozen=True)
class ComparisonCell:
    """A network or baseline trained on reduced bands.

    Attributes:
        model: Name of the network or baseline.
        spec: The reduction; empty for all bands.
        oa: Overall accuracy by run, in the order of the seeds.
        runs: Folders of the runs.
    """

    model: str
    spec: str
    oa: tuple[float, ...]
    runs: tuple[str, ...]

    @property
    def mean(self) -> Interval:
        """Mean with the half-width of its 95 % interval, which is 0 for a single run."""
        return interval(list(self.oa)) if len(self.oa) > 1 else Interval(self.oa[0], 0.0)


@formerly(training_pixels="training", reductions="fitted")
@dataclass(frozen=True)
class Comparison:
    """Reductions of bands on one scene: `models/<scene>/bands/<name>.json`.

    Attributes:
        scene: Name of the scene; `synthetic` where it was generated.
        bands: Number of bands of the scene.
        pixels: Number of pixels of the scene, all of which are transformed.
        training_pixels: Number of pixels that timed reductions are fitted to.
        split_sha256: SHA-256 of the split that they belong to.
        reductions: Cost of each reduction.
        cells: Accuracy of networks on each reduction, and on all bands.
        versions: Versions of Python and the packages that matter.
        command: The last command line.
    """

    schema: int
    scene: str
    synthetic: bool
    bands: Count
    pixels: Count
    training_pixels: int
    split_sha256: str
    reductions: tuple[FittedReduction, ...]
    cells: tuple[ComparisonCell, ...]
    versions: dict[str, str]
    command: str

    def cell(self, model: str, spec: str) -> ComparisonCell | None:
        """The accuracy of a network on a reduction; None where it was not trained."""
        return next((c for c in self.cells if (c.model, c.spec) == (model, spec)), None)


def compare(request: ComparisonRequest, name: str, progress: Progress) -> tuple[Comparison, Path]:
    """Fits every reduction, trains every model on it, and saves the results.

    Everything that can be refused is refused before the first training. Trainings are ordinary
    runs: finished ones are not repeated, interrupted ones are resumed.

    Args:
        request: The reductions and models to compare.
        name: Name of the record.
        progress: Receives progress messages.

    Returns:
        The comparison and its record, whose other reductions and models are kept.

    Raises:
        InputError: A reduction is not possible for this scene, a network does not accept so few
            bands, or the record is of another split, schedule or number of runs.
    """
    scene = load_scene(request.scene)
    train_map = read_train_map(request.scene.train_map)
    keep_all = request.scene.keep_all
    data = prepare(scene, request.timing_split, train_map, keep_all=keep_all)
    _check(request, data)
    path = runs.run_folder(scene.name, "bands", name).with_suffix(".json")
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
    if path.is_file():
        found = _continued(found, records.read(Comparison, path), path)
    known = {one.spec for one in found.reductions}
    progress.start("fitting reductions", len(request.specs))
    for text in request.specs:
        if text not in known:
            found = replace(found, reductions=(*found.reductions, measure_reduction(text, data)))
            records.write(found, path)
        progress.advance(1, text)
    for model in request.models:
        for text in ("", *request.specs):
            found = _with_cell(found, _cell(request, model, text, progress))
            records.write(found, path)
    return found, path


def _check(request: ComparisonRequest, data: SceneData) -> None:
    spectra = training_spectra(data.scene, data.split, data.normalizer)
    for text in request.specs:
        left = bands.check(text, spectra, data.scene.wavelengths)
        for model in request.models:
            patch = request.plan(model, text, 0).patch
            zoo.check(model, bands=left, classes=data.scene.classes, patch=patch)


def _continued(now: Comparison, then: Comparison, path: Path) -> Comparison:
    """The record with what it holds already."""
    if now.split_sha256 != then.split_sha256:
        raise InputError(
            f"{path} is of another split",
            received=f"{then.training_pixels} training pixels of {then.scene}",
            allowed=f"{now.training_pixels} of {now.scene}",
            remedy="give this comparison another name with --run",
        )
    return replace(now, reductions=then.reductions, cells=then.cells)


def _cell(request: ComparisonRequest, model: str, spec: str, progress: Progress) -> ComparisonCell:
    made: list[Run] = []
    for number in range(request.runs):
        progress.say(f"{model} on {spec or 'all bands'}, run {number + 1} of {request.runs}")
        made.append(train(request.plan(model, spec, number), None, progress))
    return ComparisonCell(
        model,
        spec,
        tuple(run.record.scores.oa for run in made),
        tuple(str(run.folder) for run in made),
    )


def _with_cell(comparison: Comparison, cell: ComparisonCell) -> Comparison:
    others = [c for c in comparison.cells if (c.model, c.spec) != (cell.model, cell.spec)]
    return replace(comparison, cells=(*others, cell))
