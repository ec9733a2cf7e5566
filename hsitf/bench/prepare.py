"""Prepares bundles of networks by name, training and exporting those that are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hsitf import records, runs
from hsitf.errors import DataError, InputError, LoweringError
from hsitf.export import bundle
from hsitf.export.pipeline import export
from hsitf.export.request import ExportRequest
from hsitf.export.variants import VARIANTS, Variant, lacks_package, variant
from hsitf.options import BUILT_IN, SplitChoice, named_network, trained_for
from hsitf.progress import Progress
from hsitf.quantize.mixed_precision import EXTRA
from hsitf.records import ExportRecord, SceneChoice
from hsitf.runs import Run
from hsitf.zoo import BASELINES

ALL = "all"
# Variants of a baseline, which is not a Keras network.
_BASELINE = ("onnx",)


@dataclass(frozen=True)
class PreparedBundles:
    """Paths of the requested bundles.

    Attributes:
        paths: Folders of the bundles and of their trained networks.
        notes: Variants that could not be exported, with reasons.
    """

    paths: tuple[Path, ...]
    notes: tuple[str, ...]


def prepare_bundles(
    models: Sequence[str], variants: Sequence[str], scene: SceneChoice, progress: Progress
) -> PreparedBundles:
    """Prepares the bundles of networks on a scene; existing ones are kept.

    Args:
        models: Names of networks. The latest run of each on the scene with the default split is
            used, or one is trained with a short schedule.
        variants: Names of variants, or "all".
        scene: The scene; the built-in one where it has no name.
        progress: Receives progress messages.

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
    models = [named_network(name, None) for name in models]
    paths: list[Path] = []
    named = SceneChoice(**{**vars(scene), "source": scene.source or BUILT_IN})
    for name in models:
        run, choice = trained_for(name, named, SplitChoice(), None, progress)
        paths.append(run.folder)
        kinds = [one for one in wanted if name not in BASELINES or one.name in _BASELINE]
        made, refused = _bundles(run, kinds, choice, progress)
        paths += made
        notes += refused
    return PreparedBundles(tuple(paths), tuple(notes))


def _variants(names: Sequence[str]) -> tuple[list[Variant], list[str]]:
    """The named variants, and a note for each of "all" whose package is not installed."""
    if ALL not in names:
        return [variant(name) for name in names], []
    kinds = [one for one in VARIANTS.values() if not lacks_package(one)]
    left_out = [one.name for one in VARIANTS.values() if lacks_package(one)]
    return kinds, [f"{name} is left out, which needs {EXTRA}" for name in left_out]


def _bundles(
    run: Run, kinds: Sequence[Variant], scene: SceneChoice, progress: Progress
) -> tuple[list[Path], list[str]]:
    places = {
        kind.name: bundle.bundle_folder(run.record.scene.name, run.label, kind.name, 1)
        for kind in kinds
    }
    lacking = tuple(kind for kind in kinds if not _is_of(places[kind.name], run))
    notes: list[str] = []
    if lacking:
        try:
            _, refused = export(run, ExportRequest(lacking), progress, scene)
            notes = [str(error) for error in refused]
        except LoweringError as error:
            notes = [str(error)]
    return [place for place in places.values() if _is_of(place, run)], notes


def _is_of(place: Path, run: Run) -> bool:
    """Whether a folder holds a bundle of this run."""
    if not (place / runs.RECORD).is_file():
        return False
    try:
        record = records.read(ExportRecord, place / bundle.RECORD)
    except DataError:
        return False
    return record.run_sha256 == run.record.sha256
