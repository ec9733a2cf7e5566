"""Bundles of networks by name, exported (and trained) where they are not there yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hsitf import records, runs
from hsitf.errors import DataError, InputError, LoweringError
from hsitf.export import bundle
from hsitf.export.pipeline import export
from hsitf.export.request import Request
from hsitf.export.variants import VARIANTS, Variant, missing, variant
from hsitf.options import BUILT_IN, SplitChoice, trained_for
from hsitf.progress import Progress
from hsitf.quantize.mixed import EXTRA
from hsitf.records import ExportRecord, SceneChoice
from hsitf.runs import Run
from hsitf.zoo import BASELINES, known

ALL = "all"
# Of a baseline, which has no gradients to quantize by.
_BASELINE = ("onnx",)


@dataclass(frozen=True)
class Prepared:
    """What was asked for by name, as paths.

    Attributes:
        paths: Of bundles and of the trained networks that they were made of.
        notes: What could not be exported, and why.
    """

    paths: tuple[Path, ...]
    notes: tuple[str, ...]


def prepared(
    models: Sequence[str], variants: Sequence[str], scene: SceneChoice, progress: Progress
) -> Prepared:
    """The bundles of networks on a scene, those that are there already left as they are.

    Args:
        models: Names of networks; the latest run of each on the scene counts, with the usual
            split, or one is trained with a short schedule.
        variants: Kinds of file, or "all".
        scene: The scene; the built-in one where it is not named.
        progress: Told what happens.

    Raises:
        InputError: There is no such network, variant or scene.
        DataError: The scene or a run is damaged.
        OutputError: A bundle cannot be written.
    """
    if not models:
        raise InputError(
            "no network to measure",
            received="--scene or --variants alone",
            remedy="add --models cao,he",
        )
    wanted, notes = _variants(variants)
    for name in models:
        known(name)
    paths: list[Path] = []
    named = SceneChoice(**{**vars(scene), "source": scene.source or BUILT_IN})
    for name in models:
        run, choice = trained_for(name, named, SplitChoice(), None, progress)
        paths.append(run.folder)
        kinds = [one for one in wanted if name not in BASELINES or one.name in _BASELINE]
        made, refused = _bundles(run, kinds, choice, progress)
        paths += made
        notes += refused
    return Prepared(tuple(paths), tuple(notes))


def _variants(names: Sequence[str]) -> tuple[list[Variant], list[str]]:
    """The kinds of file named, and a line for each of all that needs what is not installed."""
    if ALL not in names:
        return [variant(name) for name in names], []
    kinds = [one for one in VARIANTS.values() if not missing(one)]
    left_out = [one.name for one in VARIANTS.values() if missing(one)]
    return kinds, [f"{name} is left out, which needs {EXTRA}" for name in left_out]


def _bundles(
    run: Run, kinds: Sequence[Variant], scene: SceneChoice, progress: Progress
) -> tuple[list[Path], list[str]]:
    places = {
        kind.name: bundle.folder(run.record.scene.name, run.label, kind.name, 1) for kind in kinds
    }
    lacking = tuple(kind for kind in kinds if not _is_of(places[kind.name], run))
    notes: list[str] = []
    if lacking:
        try:
            _, refused = export(run, Request(lacking), progress, scene)
            notes = [str(error) for error in refused]
        except LoweringError as error:
            notes = [str(error)]
    return [place for place in places.values() if _is_of(place, run)], notes


def _is_of(place: Path, run: Run) -> bool:
    """Whether a bundle of this very run lies there."""
    if not (place / runs.RECORD).is_file():
        return False
    try:
        record = records.read(ExportRecord, place / bundle.RECORD)
    except DataError:
        return False
    return record.run_sha256 == run.record.sha256
