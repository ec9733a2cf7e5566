"""Records, studies and lists of claims: honest ones, and what reads and shows them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from examples import example
from mutators import JSON, LINES
from network_inputs import studio
from tries import InputKind

from hsitf import records, runs
from hsitf.band_comparison.comparison import Comparison
from hsitf.bench.android import DeviceResult
from hsitf.bench.measurement import BenchResult
from hsitf.bench.report import format_bench, format_markdown, write_bench
from hsitf.compress.bounds import COSTS, CompressionBounds
from hsitf.compress.candidates import CandidateFiles
from hsitf.compress.losses import METRICS, Fidelity
from hsitf.compress.record import (
    CompressionCandidate,
    CompressionRecord,
    FinalEvaluation,
    SearchStart,
    Step,
)
from hsitf.compress.request import SearchOptions
from hsitf.compress.table import format_compression, write_csv
from hsitf.explain.record import ExplanationRecord
from hsitf.export.variants import variant
from hsitf.files import sha256
from hsitf.literature.claims import read_claims
from hsitf.prune.curve import CurveRequest
from hsitf.prune.job import PruningStep
from hsitf.prune.plans import PruningPlan
from hsitf.prune.record import PruningCurve, SensitivityAnalysis, SparseCurve
from hsitf.prune.request import PruningRequest
from hsitf.quantize.record import BitStudy, BitStudyRequest, SensitivityReport
from hsitf.quantize.schemes import Scheme
from hsitf.quantize.table import format_bit_study, format_sensitivity
from hsitf.records import RunRecord, RunStart, SceneChoice, TuningRecord
from hsitf.report.data import ReportOptions, gather_data
from hsitf.report.sections import SECTIONS
from hsitf.sweep import differences, learning_curves, tables
from hsitf.sweep.cells import expand_cells
from hsitf.sweep.record import (
    CellRecord,
    CellSettings,
    StudyCell,
    StudyRecord,
    StudyResults,
    cell_path,
)
from hsitf.sweep.study import parse, read_study_text
from hsitf.sweep.table import format_study
from hsitf.train.repeat import RepeatSummary

_RUN = "models/tiny/hu/a"
_SETTINGS = example(CellSettings, {}, measure="macs", bits="8,8,32", variant="")
_CELL = cell_path(Path("study"), _SETTINGS).as_posix()


def known(place: Path) -> dict[Any, Any]:
    """Parts of records whose fields depend on each other, from an honest run."""
    run = records.read(RunRecord, place / _RUN / runs.RECORD)
    parts = (run.plan, run.plan.split, run.plan.recipe, run.scene, run.split, run.normalizer)
    found: dict[Any, Any] = {type(one): one for one in parts}
    found[CompressionBounds] = CompressionBounds(max_drop=1.0)
    found[SearchOptions] = SearchOptions()
    found[PruningRequest] = PruningRequest("ratio", 0.5, run.plan.recipe)
    found[BitStudyRequest] = BitStudyRequest(Scheme())
    return found


def honest(kind: type, place: Path, **given: Any) -> Any:
    """An example of a record, of the honest run."""
    run = records.read(RunRecord, place / _RUN / runs.RECORD)
    own = {"run_sha256": run.sha256, "origin_sha256": run.sha256, "schema": records.SCHEMA}
    names = set(kind.__dataclass_fields__)
    values = {name: value for name, value in {**own, **given}.items() if name in names}
    return example(kind, known(place), **values)


def write(kind: type, name: str, given: dict[str, Any], folder: Path) -> None:
    """Writes an example of a record."""
    studio(folder)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    records.write(honest(kind, folder, **given), path)


def read(kind: type, name: str, show: Callable[[Any], object] | None, folder: Path) -> None:
    """Reads a record, and makes the tables of it that people see."""
    found = records.read(kind, folder / name)
    if show is not None:
        show(found)


def report(folder: Path) -> None:
    """Gathers what is known of a run, and makes all sections of its report."""
    data = gather_data(ReportOptions((folder / _RUN,), str(folder), folder / "export", ()))
    for module in SECTIONS:
        module.section(data)


def _show_bench(found: BenchResult) -> None:
    format_bench(found)
    format_markdown(found)
    write_bench(found, Path("results"))


_CANDIDATE = "compressed/search/original/candidate.json"


def _candidate(folder: Path) -> None:
    studio(folder)
    place = (folder / _CANDIDATE).parent
    place.mkdir(parents=True)
    shutil.copy(folder / _RUN / runs.NETWORK, place / runs.NETWORK)
    shutil.copy(folder / "export/tiny/hu/int8/hu.tflite", place / "file.tflite")
    found = honest(
        CompressionCandidate,
        folder,
        step=example(Step, {}, key="original", kind="original", parent=""),
        costs=dict.fromkeys(COSTS, 1.0),
        fidelity=example(Fidelity, {}, accuracy=dict.fromkeys(METRICS, 0.5), metric="oa"),
        sha256=sha256(place / runs.NETWORK),
        file_sha256=sha256(place / "file.tflite"),
    )
    records.write(found, folder / _CANDIDATE)


def read_candidate(folder: Path) -> None:
    """Finds a candidate of an earlier search with its network, and makes the tables of it."""
    files = CandidateFiles(folder / "compressed/search", variant("int8"))
    found = files.find("original")
    if found is None:
        return
    files.network(found)
    files.plan(found)
    accuracy = dict.fromkeys(METRICS, 0.5)
    evaluation = example(FinalEvaluation, {}, before=accuracy, after=accuracy)
    record = honest(
        CompressionRecord,
        folder,
        candidates=(found,),
        front=(found.key,),
        steps=(found.key,),
        chosen=found.key,
        minimized="bytes",
        final_evaluations={found.key: evaluation},
    )
    format_compression(record)
    write_csv(record.candidates, record.front, Path("front.csv"))


def _plan(folder: Path) -> None:
    studio(folder)
    from hsitf.prune import PruningConfig, plan

    network = runs.load_network(folder / _RUN / runs.NETWORK)
    plan(network, "l1", PruningConfig(ratio=0.5)).save(folder / "plan.json")


def read_plan(folder: Path) -> None:
    """Reads a pruning plan, and thins the network that it is of."""
    from hsitf.prune import thin

    plan = PruningPlan.load(folder / "plan.json")
    thin(runs.load_network(folder / _RUN / runs.NETWORK), plan)


# --- studies ----------------------------------------------------------------------------------

_STUDY = """title = "A study"

[common]
scene = "fields"
split = "disjoint"
seeds = [0, 1]
schedule = "short"
epochs = { hu = 4, li = 3 }
fine_tuning_epochs = 2
network = ["hu", "li"]
impossible = "leave out"
max_samples = 400

[[grid]]
name = "reference"

[[grid]]
name = "bands"
bands = ["pca", "nmf"]
components = [4, 8]

[[grid]]
name = "pruned"
criterion = "l1"
ratio = [0, 0.5]
recipe = ["paper", "robust"]

[[grid]]
name = "alphas"
network = "hu"
alpha = [0.5, 1.0]

[[grid]]
name = "bits"
bits = ["none", "8,16,32"]
train = 0.65

[[grid]]
name = "files"
variant = ["none", "int8"]
labelled = [5, "all"]
guard = 4
"""


def study(folder: Path) -> None:
    (folder / "mine.toml").write_text(_STUDY)


def read_study(folder: Path) -> None:
    """Reads a study file and lists its cells."""
    name, written = read_study_text(str(folder / "mine.toml"), quick=False)
    found = parse(name, written)
    choices = {one: SceneChoice(one) for grid in found.grids for one in grid.scenes}
    if set(choices) == {"fields"}:
        expand_cells(found, choices)


def study_folder(folder: Path) -> None:
    """A study with one finished cell."""
    studio(folder)
    cell = honest(CellRecord, folder, settings=_SETTINGS, status="done", message="")
    cells = (StudyCell(_SETTINGS, ("a",)),)
    made = honest(StudyRecord, folder, cells=cells, grids=("a",), left_out=())
    records.write(made, folder / "study/study.json")
    records.write(cell, cell_path(folder / "study", _SETTINGS))


def read_study_folder(folder: Path) -> None:
    """Opens the folder of a study, writes its tables and makes the sections of its report."""
    place = folder / "study"
    found = StudyResults.open(place)
    format_study(found)
    data = gather_data(ReportOptions((place,), str(folder), folder / "export", ()))
    for module in SECTIONS:
        module.section(data)
    tables.write(found, spreadsheet=False)
    differences.write(found)
    learning_curves.write(found)


def claims(folder: Path) -> None:
    from importlib import resources

    text = resources.files("hsitf.literature").joinpath("papers/compression.toml").read_bytes()
    (folder / "claims.toml").write_bytes(text[:6000].rpartition(b"\n\n")[0])


def read_paper(folder: Path) -> None:
    """Reads the claims of a paper."""
    read_claims((folder / "claims.toml").read_bytes().decode("utf-8", "replace"))


def _record(
    kind: type,
    name: str,
    show: Callable[[Any], object] | None = None,
    weight: float = 1.0,
    **given: Any,
) -> InputKind:
    make, reading = partial(write, kind, name, given), partial(read, kind, name, show)
    return InputKind(f"record {kind.__name__}", name, make, reading, JSON, weight)


def _reported(kind: type, name: str, **given: Any) -> InputKind:
    make = partial(write, kind, name, given)
    return InputKind(f"report of {kind.__name__}", name, make, report, JSON, 0.2)


KINDS = [
    _record(BenchResult, "bench.json", _show_bench),
    _record(DeviceResult, "device.json"),
    InputKind("record CompressionCandidate", _CANDIDATE, _candidate, read_candidate, JSON, 0.5),
    _record(SearchStart, "start.json"),
    _record(RunStart, "plan.json"),
    _record(TuningRecord, "tuning.json"),
    _record(PruningStep, "step.json"),
    _record(PruningCurve, "curve.json"),
    _record(SparseCurve, "curve.json"),
    _record(SensitivityAnalysis, "sensitivity.json"),
    _record(CurveRequest, "order.json"),
    _record(BitStudy, "bits.json", format_bit_study),
    _record(SensitivityReport, "layers.json", format_sensitivity),
    _record(ExplanationRecord, "explained.json"),
    _record(RepeatSummary, "summary.json"),
    _record(Comparison, "bands.json"),
    InputKind("pruning plan", "plan.json", _plan, read_plan, JSON, 0.3),
    _reported(BenchResult, "export/results/bench-1.json"),
    _reported(PruningCurve, "models/tiny/hu/curve/curve.json"),
    _reported(SparseCurve, "models/tiny/hu/sparse/curve.json"),
    _reported(BitStudy, "models/tiny/hu/a-quantized/bits.json"),
    _reported(SensitivityReport, "models/tiny/hu/a-quantized/layers.json"),
    _reported(ExplanationRecord, "models/tiny/hu/a-explained/a.json"),
    _reported(RepeatSummary, "models/tiny/hu/seeds/summary.json"),
    _reported(Comparison, "models/tiny/bands/a.json"),
    InputKind("study", "mine.toml", study, read_study, LINES),
    *(
        InputKind(name, path, study_folder, read_study_folder, JSON, 0.5, here=True)
        for name, path in (("record StudyRecord", "study/study.json"), ("record CellRecord", _CELL))
    ),
    InputKind("claims of a paper", "claims.toml", claims, read_paper, LINES),
]
