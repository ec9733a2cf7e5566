"""The data of a report: the records at a path, and those that belong to them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hsitf import records, runs
from hsitf.band_comparison.comparison import Comparison
from hsitf.bench.measurement import BenchResult, BenchRow
from hsitf.data import reload_scene
from hsitf.errors import DataError, HsitfError, InputError
from hsitf.explain.record import ExplanationRecord
from hsitf.export.bundle import EXPORT, Bundle
from hsitf.export.bundle import RECORD as BUNDLE_RECORD
from hsitf.files import find_below
from hsitf.prune.record import PruningCurve, SparseCurve
from hsitf.quantize.record import BitStudy as BitStudy
from hsitf.quantize.record import SensitivityReport
from hsitf.records import SceneChoice, SceneRecord
from hsitf.runs import Run
from hsitf.scenes.readers import read_array
from hsitf.scenes.scene import Scene
from hsitf.sweep.record import STUDY, StudyResults
from hsitf.train.repeat import SUMMARY, RepeatSummary

T = TypeVar("T")
CURVE = "curve.json"
# Largest number of a study's trained networks that are reported one by one.
MAX_RUNS = 24


@dataclass(frozen=True)
class ReportOptions:
    """The options of a report.

    Attributes:
        paths: Runs, folders of runs, or one study.
        data_dir: Folder of the scene's files; where None, the location that the runs recorded.
        export: Folder of exported files and of results of `bench`.
        maps: Classification maps of the whole scene, as `classify` writes them.
    """

    paths: tuple[Path, ...]
    data_dir: str | None = None
    export: Path = EXPORT
    maps: tuple[Path, ...] = ()


@dataclass(frozen=True, eq=False)
class ReportData:
    """The data of a report.

    Attributes:
        title: Title of the report.
        scene_record: The scene, from the records.
        runs: Trained networks, each once.
        scene: The scene itself; None where it is not available, for the reason
            `scene_missing_reason`.
        summaries: Summaries over several seeds of these networks.
        bundles: Files exported from these networks.
        curves: Pruning curves of channels; `sparse` holds those of single weights.
        bits: Bit studies; `layers` holds the sensitivities of the layers.
        comparisons: Comparisons of band reductions.
        explanations: Explanations with the folder of their figures.
        bench: Rows of these files in the latest measurement.
        bench_command: Command line of that measurement.
        study: The study, where the report is about one.
        maps: Names and (rows, cols) maps of classes from 1, 0 for none.
        skipped: What could not be read, and why.
    """

    title: str
    scene_record: SceneRecord
    runs: tuple[Run, ...]
    scene: Scene | None
    scene_missing_reason: str
    summaries: tuple[RepeatSummary, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    curves: tuple[PruningCurve, ...] = ()
    sparse: tuple[SparseCurve, ...] = ()
    bits: tuple[BitStudy, ...] = ()
    layers: tuple[SensitivityReport, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    explanations: tuple[tuple[Path, ExplanationRecord], ...] = ()
    bench: tuple[BenchRow, ...] = ()
    bench_command: str = ""
    study: StudyResults | None = None
    maps: tuple[tuple[str, NDArray[np.integer]], ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def names(self) -> dict[str, str]:
        """Short names of the runs by folder: the network's, where it has several also the run's."""
        networks = [run.record.plan.network for run in self.runs]
        found = {}
        for run, network in zip(self.runs, networks, strict=True):
            own = "" if networks.count(network) == 1 else f" {run.folder.name}"
            found[str(run.folder)] = network + own
        return found


class RecordReader:
    """Reads records and collects those that it had to skip."""

    def __init__(self) -> None:
        self.passed: list[str] = []

    def read(self, kind: type[T], paths: Iterable[Path]) -> list[tuple[Path, T]]:
        """Records of one kind; what is damaged or of another version is passed over."""
        found = []
        for path in sorted(paths):
            try:
                found.append((path, records.read(kind, path)))
            except HsitfError as error:
                self.passed.append(str(error))
        return found

    def bundles(self, folders: Iterable[Path]) -> list[Bundle]:
        """Bundles whose file is the one of their record."""
        found = []
        for folder in sorted(folders):
            try:
                found.append(Bundle.open(folder))
            except HsitfError as error:
                self.passed.append(str(error))
        return found


def gather_data(options: ReportOptions) -> ReportData:
    """Everything that is known of what a user names.

    Raises:
        InputError: There is nothing at a path, or runs are of several scenes.
        DataError: A study, or a run that was named, is damaged.
    """
    reader = RecordReader()
    if len(options.paths) == 1 and (options.paths[0] / STUDY).is_file():
        found = _of_study(StudyResults.open(options.paths[0]), options, reader)
    else:
        found = _of_runs(options, reader)
    read = tuple((path.stem, _map(path, found.scene_record)) for path in options.maps)
    return replace(found, maps=read, skipped=tuple(reader.passed))


def _of_runs(options: ReportOptions, reader: RecordReader) -> ReportData:
    named = {run.folder.resolve(): run for path in options.paths for run in _runs_at(path, reader)}
    found = tuple(named.values())
    described = found[0].record.scene
    others = [run for run in found if run.record.scene.sha256 != described.sha256]
    if others:
        raise InputError(
            "a report is of one scene",
            received=f"{described.name} and {others[0].record.scene.name}",
            remedy="name runs of one scene",
        )
    digests = {run.record.sha256 for run in found}
    folders = {str(run.folder) for run in found}
    networks = {run.record.plan.network for run in found}
    parents = sorted({run.folder.parent for run in found})
    fine: list[Path] = []
    coarse: list[Path] = []
    for path in _below(parents, f"*/{CURVE}"):
        (coarse if _has(path, "criterion") else fine).append(path)
    beside = [run.folder.with_name(f"{run.folder.name}-quantized") for run in found]
    explained = [run.folder.with_name(f"{run.folder.name}-explained") for run in found]
    bundles = [
        bundle
        for bundle in reader.bundles(
            path.parent for path in find_below(options.export, BUNDLE_RECORD)
        )
        if bundle.record.run_sha256 in digests
    ]
    summaries = reader.read(RepeatSummary, _below(parents, f"*/{SUMMARY}"))
    tables = {path for parent in parents for path in parent.parent.glob("bands/*.json")}
    compared = reader.read(Comparison, tables)
    bench, command = _bench(options.export, bundles, reader)
    scene, without = _scene(found[0], options)
    one = found[0].record
    what = one.plan.network if len(networks) == 1 else f"{len(networks)} networks"
    return ReportData(
        f"{what} on {described.name}",
        described,
        found,
        scene,
        without,
        tuple(s for _, s in summaries if folders & set(s.runs)),
        tuple(bundles),
        tuple(c for _, c in reader.read(PruningCurve, coarse) if c.origin_sha256 in digests),
        tuple(c for _, c in reader.read(SparseCurve, fine) if c.origin_sha256 in digests),
        _of_same_runs(reader.read(BitStudy, _below(beside, "bits*.json")), digests),
        _of_same_runs(reader.read(SensitivityReport, _below(beside, "layers*.json")), digests),
        tuple(c for _, c in compared if networks & {cell.model for cell in c.cells}),
        tuple(
            (path, record)
            for path, record in reader.read(ExplanationRecord, _below(explained, "*.json"))
            if {variant.sha256 for variant in record.sources} & digests
        ),
        bench,
        command,
    )


def _of_study(study: StudyResults, options: ReportOptions, reader: RecordReader) -> ReportData:
    if not study.done:
        raise InputError(
            f"nothing of the study {study.study.name} is finished",
            received=f"{len(study.failed)} failed and {len(study.pending)} pending cells",
            remedy="run it: python -m hsitf.sweep",
        )
    plain = [
        record
        for record in study.done
        if not (
            record.settings.reduction or record.settings.pruning or record.settings.quantization
        )
    ]
    shown = sorted(plain or study.done, key=lambda record: record.settings.seed)[:MAX_RUNS]
    trained_folders = dict.fromkeys(
        record.paths.trained for record in shown if record.paths.trained
    )
    found = tuple(
        run
        for trained_folder in trained_folders
        for run in _readable(_inside(study.folder, trained_folder), reader)
    )
    first = next(iter(study.study.scenes.values()))
    kept = {record.paths.bundle for record in study.done if record.paths.bundle}
    digests = {run.record.sha256 for run in found}
    bundles = reader.bundles(_inside(study.folder, relative) for relative in kept)
    scene, without = (
        _scene(found[0], options) if found else (None, "no trained network can be read")
    )
    bits = {record.paths.bits for record in study.done if record.paths.bits}
    studied = reader.read(BitStudy, (_inside(study.folder, relative) for relative in bits))
    return ReportData(
        study.study.title,
        first,
        found,
        scene,
        without,
        bundles=tuple(one for one in bundles if one.record.run_sha256 in digests),
        bits=_of_same_runs(studied, digests),
        study=study,
    )


def _runs_at(path: Path, reader: RecordReader) -> list[Run]:
    """The run in a folder, or those below it."""
    if (path / runs.RECORD).is_file() or (path / runs.PLAN).is_file():
        return [Run.open(path)]
    below = [found.parent for found in find_below(path, runs.NETWORK)]
    found = [run for folder in below for run in _readable(folder, reader)]
    if not found:
        raise InputError(
            f"nothing to report at {path}",
            received="no such folder" if not path.exists() else "neither a run nor a study in it",
            allowed="a run such as models/fields/cao/disjoint-full-seed0, a folder of runs, or a "
            "study such as studies/compression-quick-fields",
            remedy="train a network (python -m hsitf.train) or run a study (python -m hsitf.sweep)",
        )
    return found


def _readable(folder: Path, reader: RecordReader) -> list[Run]:
    try:
        return [Run.open(folder)]
    except HsitfError as error:
        reader.passed.append(str(error))
        return []


def _inside(folder: Path, relative: str) -> Path:
    """A path inside a study; it must not lead out of the study's folder."""
    found = folder / relative
    if not found.resolve().is_relative_to(folder.resolve()):
        raise DataError(
            f"{folder} has a path outside its folder",
            received=relative,
            remedy="run the study again, or do not trust it",
        )
    return found


def _scene(run: Run, options: ReportOptions) -> tuple[Scene | None, str]:
    """The scene that a run was trained on; else the reason why it is not available."""
    try:
        choice = run.scene_choice(SceneChoice("", options.data_dir))
        scene = reload_scene(choice, run.record.scene)
    except HsitfError as error:
        return None, str(error)
    return scene, ""


def _bench(
    export: Path, bundles: Sequence[Bundle], reader: RecordReader
) -> tuple[tuple[BenchRow, ...], str]:
    """Rows of these bundles in the latest measurement that has any."""
    files = {bundle.file.resolve() for bundle in bundles}
    found = reader.read(BenchResult, (export / "results").glob("bench-*.json"))
    for _, bench in reversed(found):
        rows = tuple(row for row in bench.rows if Path(row.path).resolve() in files)
        if rows:
            return rows, bench.command
    return (), ""


def _map(path: Path, described: SceneRecord) -> NDArray[np.integer]:
    """A map of the scene's size.

    Raises:
        DataError: It is not a classification map.
    """
    found = np.squeeze(read_array(path).values)
    rows, cols, _ = described.shape
    is_map = np.issubdtype(found.dtype, np.integer) and found.shape == (rows, cols)
    classes = len(described.class_names)
    if not is_map or not 0 <= found.min() <= found.max() <= classes:
        raise DataError(
            f"{path} is no map of {described.name}",
            received=f"{found.dtype} of shape {found.shape}, {found.min():g} to {found.max():g}",
            allowed=f"whole numbers of shape ({rows}, {cols}), 0 for no class to {classes}",
            remedy="make it with python -m hsitf.classify",
        )
    return found


def _below(folders: Iterable[Path], pattern: str) -> list[Path]:
    found = [path for folder in folders for path in folder.glob(pattern)]
    # Hidden folders are those that others work in.
    return [path for path in found if not path.parent.name.startswith(".")]


def _of_same_runs(found: Sequence[tuple[Path, T]], digests: set[str]) -> tuple[T, ...]:
    return tuple(one for _, one in found if getattr(one, "run_sha256", "") in digests)


def _has(path: Path, key: str) -> bool:
    """Whether a JSON file has a key; invalid JSON is reported when the record is read."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and key in content
