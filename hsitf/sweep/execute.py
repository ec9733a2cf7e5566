"""Execution of stages: training, pruning, simulated bits, exported files.

Each stage writes the records of its finished or failed cells itself, so that no result is lost with
the process that started it.
"""

from __future__ import annotations

import gc
import hashlib
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from hsitf import records, zoo
from hsitf.errors import HsitfError, InputError
from hsitf.measure import processor
from hsitf.progress import Silent
from hsitf.prune.combination import file_label
from hsitf.runs import MODELS, RECORD, Run
from hsitf.sweep.cells import pruning_request_of, training_plan_of
from hsitf.sweep.plan import (
    BITS,
    FILES,
    PRUNE,
    TRAIN,
    Stage,
    StageResult,
    SweepContext,
    stages_of_cell,
)
from hsitf.sweep.record import (
    DONE,
    FAILED,
    CellPaths,
    CellRecord,
    CellSettings,
    CellValues,
    cell_path,
)

EXPORT = Path("export")


class StageTimer:
    """Wall time and processor time of a stage."""

    def __init__(self) -> None:
        self._begin = time.perf_counter(), time.process_time()
        self.seconds, self.cpu_seconds, self.cells = 0.0, 0.0, 0

    def stop(self, cells: int) -> None:
        """Stops the timer; the stage evaluated this number of cells."""
        self.seconds = time.perf_counter() - self._begin[0]
        self.cpu_seconds = time.process_time() - self._begin[1]
        self.cells = cells


def perform(context: SweepContext, stage: Stage, before: StageResult | None) -> StageResult:
    """Does a stage and writes the records of the cells that end with it.

    Args:
        context: The context of all stages.
        stage: The stage to run.
        before: Result of the stage that it depends on.
    """
    # Records state the command that a user typed, not that of a process made for it.
    sys.argv = list(context.argv)
    clock = StageTimer()
    if before is not None and before.message:
        return fail(context, stage, before.message, clock)
    try:
        for path in context.network_files:
            zoo.known(path)
        found = _KINDS[stage.kind](context, stage)
    except HsitfError as error:
        return fail(context, stage, str(error), clock)
    except MemoryError as error:
        return fail(context, stage, f"out of memory: {error}", clock)
    # A sweep continues after any error in a cell; the record has the message.
    except Exception as error:
        return fail(context, stage, f"{type(error).__name__}: {error}", clock)
    finally:
        _clear_session()
    clock.stop(len(found))
    for cell, outcome in found.items():
        _write(context, cell, outcome, clock)
    failed = sum(isinstance(outcome, str) for outcome in found.values())
    return StageResult("", failed, clock.seconds)


def fail(
    context: SweepContext, stage: Stage, message: str, clock: StageTimer | None = None
) -> StageResult:
    """Writes down that the cells of a stage failed."""
    clock = clock or StageTimer()
    clock.stop(len(stage.cells))
    for cell in stage.cells:
        _write(context, cell, message, clock)
    return StageResult(message, len(stage.cells), clock.seconds)


# What came of the cells of a stage: values and where their details lie, or why they failed.
Outcome = tuple[CellValues, CellPaths] | str
Outcomes = dict[CellSettings, Outcome]


def _write(context: SweepContext, cell: CellSettings, outcome: Outcome, clock: StageTimer) -> None:
    values, paths = (None, CellPaths()) if isinstance(outcome, str) else outcome
    record = CellRecord(
        schema=records.SCHEMA,
        settings=cell,
        status=DONE if values else FAILED,
        message=outcome if isinstance(outcome, str) else "",
        values=values,
        paths=paths,
        seconds=clock.seconds / max(1, clock.cells),
        cpu_seconds=clock.cpu_seconds / max(1, clock.cells),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        processor=processor(),
    )
    records.write(record, cell_path(context.folder, cell))


def _clear_session() -> None:
    """Releases the networks of a stage, which Keras would keep in memory."""
    if "keras" in sys.modules:
        import keras

        keras.utils.clear_session(free_memory=False)
    gc.collect()


def run_name(settings: CellSettings) -> str:
    """Name of the run of a training stage."""
    reduced = _file_name(settings.reduction)
    split = settings.split + (f"-train{settings.train}" if settings.train else "")
    recipe = "" if settings.recipe == "paper" else settings.recipe
    labelled = f"labelled{settings.labelled}" if settings.labelled else ""
    parts = [
        split,
        f"{settings.epochs}epochs",
        recipe,
        _file_name(settings.training),
        reduced,
        labelled,
        f"seed{settings.seed}",
    ]
    return "-".join(filter(None, parts))


def _file_name(text: str) -> str:
    """A specification as part of a file's name, cut where it is long."""
    plain = re.sub(r"[^a-z0-9.-]+", "-", text)
    return f"{plain[:30]}-{_digest(plain)}" if len(plain) > 40 else plain


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _pruned_name(settings: CellSettings) -> str:
    layers = f"-layers{_digest(settings.layers)}" if settings.layers else ""
    if settings.layer_alphas:
        layers += f"-alphas{_digest(settings.layer_alphas)}"
    how = [file_label(settings.criterion), f"{settings.measure}{settings.target:g}{layers}"]
    return "-".join(filter(None, [*how, f"{settings.fine_tuning_epochs}epochs"]))


def _folder(context: SweepContext, settings: CellSettings) -> Path:
    """Folder of the network of a cell, pruned where the cell prunes."""
    name = run_name(settings)
    if settings.measure:
        name += f"-{_pruned_name(settings)}"
    scene = context.scene_names[settings.scene]
    return context.folder / MODELS / scene / settings.network / name


def _trained_folder(context: SweepContext, settings: CellSettings) -> Path:
    return _folder(context, stages_of_cell(settings)[0][1])


def _places(context: SweepContext, settings: CellSettings, **others: Path) -> CellPaths:
    """Paths of a cell's details, relative to the study's folder."""
    found = {
        "trained": _trained_folder(context, settings),
        "run": _folder(context, settings),
        **others,
    }
    return CellPaths(
        **{name: path.relative_to(context.folder).as_posix() for name, path in found.items()}
    )


def _train(context: SweepContext, stage: Stage) -> Outcomes:
    from hsitf.train.run import train

    settings, folder = stage.settings, _trained_folder(context, stage.settings)
    if (folder / RECORD).is_file():
        run = Run.open(folder)
    else:
        asked = training_plan_of(settings, context.choices[settings.scene])
        run = train(asked, folder.name, Silent(), context.folder / MODELS)
    if not stage.cells:
        return {}
    record = run.record
    values = replace(
        _network(run),
        oa=record.scores.oa,
        aa=record.scores.aa,
        kappa=record.scores.kappa,
        top5=record.scores.top5,
        predict_us=record.predict_us,
        train_seconds=record.seconds,
        peak_memory=record.peak_memory,
        gpu_memory=record.gpu_memory,
        validation_oa=_validation_oa(run),
    )
    return {cell: (values, _places(context, cell)) for cell in stage.cells}


def _validation_oa(run: Run) -> float | None:
    """Accuracy on validation pixels in the epoch that was kept; None where there is none."""
    record = run.record
    if not record.split.validation or not 0 < record.best_epoch <= len(record.history):
        return None
    return record.history[record.best_epoch - 1].validation_oa


def _prune(context: SweepContext, stage: Stage) -> Outcomes:
    from hsitf.prune.run import prune

    settings, folder = stage.settings, _folder(context, stage.settings)
    if (folder / RECORD).is_file():
        run = Run.open(folder)
    else:
        origin = Run.open(_trained_folder(context, settings))
        wanted = pruning_request_of(
            settings, origin.record.plan.recipe, _ratios(settings.layers, origin)
        )
        choice = context.choices[settings.scene]
        # Where files are wanted, they are cells of their own.
        run = prune(origin, wanted, folder.name, Silent(), choice, threads=None)
    record, pruning = run.record, run.record.pruning
    if pruning is None:
        raise ValueError("a run made by prune has no pruning in its record")
    values = replace(
        _network(run),
        oa=record.scores.oa,
        aa=record.scores.aa,
        kappa=record.scores.kappa,
        top5=record.scores.top5,
        oa_before=pruning.before.oa,
        oa_pruned=pruning.thinned.oa,
        # `prune` does not time the network that is left; its files are timed.
        predict_us=record.predict_us or None,
        train_seconds=record.seconds,
        peak_memory=record.peak_memory,
        gpu_memory=record.gpu_memory,
    )
    return {cell: (values, _places(context, cell)) for cell in stage.cells}


def _ratios(text: str, origin: Run) -> dict[str, float]:
    """Ratios by layer from patterns of their names; a later pattern overrules an earlier one."""
    if not text:
        return {}
    names = [layer.name for layer in origin.network().layers]
    found: dict[str, float] = {}
    for part in text.split(";"):
        pattern, _, ratio = part.rpartition("=")
        fitting = [name for name in names if fnmatchcase(name, pattern)]
        if not fitting:
            raise InputError(
                f"no layer of {origin.record.plan.network} is called so",
                received=pattern,
                allowed=", ".join(names),
            )
        found |= dict.fromkeys(fitting, float(ratio))
    return found


def _bits(context: SweepContext, stage: Stage) -> Outcomes:
    from hsitf.quantize.bit_study import run_bit_study
    from hsitf.quantize.report import study_path
    from hsitf.quantize.request import BitStudyRequest
    from hsitf.quantize.schemes import Bits, Scheme

    settings = stage.settings
    run = Run.open(_folder(context, settings))
    wanted = BitStudyRequest(Scheme(settings.weights), settings.max_samples)
    path = study_path(run, "bits", wanted).with_suffix(".json")
    triples = {cell: Bits.parse(cell.bits) for cell in stage.cells}
    found = run_bit_study(
        run, [*triples.values()], wanted, path, Silent(), context.choices[settings.scene]
    )
    by_bits = {one.bits: one for one in found.cells}
    network = _network(run)
    outcomes: Outcomes = {}
    for cell, bits in triples.items():
        one = by_bits[bits]
        values = replace(
            network,
            oa=one.oa,
            aa=one.aa,
            kappa=one.kappa,
            oa_before=found.oa,
            agreement=one.agreement,
            weight_bytes=one.weight_bytes,
            saturated=one.most_saturated[1],
        )
        outcomes[cell] = values, _places(context, cell, bits=path)
    return outcomes


def _files(context: SweepContext, stage: Stage) -> Outcomes:
    from hsitf.bounds import Bounds
    from hsitf.export import bundle
    from hsitf.export.pipeline import export
    from hsitf.export.request import ExportRequest
    from hsitf.export.variants import variant

    settings = stage.settings
    run = Run.open(_folder(context, settings))
    root = context.folder / EXPORT / run.folder.name
    # A study measures what is lost; it publishes what it has measured.
    lenient = Bounds(agreement=0.0, relative_error=None, oa_drop=100.0)
    kinds = [replace(variant(cell.variant), bounds=lenient) for cell in stage.cells]
    bundles, refused = export(
        run, ExportRequest(tuple(kinds), root=root), Silent(), context.choices[settings.scene]
    )
    made = {one.record.variant: one for one in bundles}
    messages = iter(refused)
    network = _network(run)
    outcomes: Outcomes = {}
    for cell in stage.cells:
        if cell.variant not in made:
            outcomes[cell] = str(next(messages))
            continue
        record = made[cell.variant].record
        position = bundle.bundle_folder(record.scene, run.label, cell.variant, record.batch, root)
        values = replace(
            network,
            oa=record.oa,
            aa=record.aa,
            kappa=record.kappa,
            top5=record.top5,
            oa_before=record.oa_keras,
            agreement=record.agreement,
            file_bytes=record.bytes,
            float_bytes=record.bytes_float32,
            integer_share=record.integer_share,
            ms=record.latency_ms.p50,
        )
        outcomes[cell] = values, _places(context, cell, bundle=position)
    return outcomes


def _network(run: Run) -> CellValues:
    """The cost of a network; its accuracies are filled in by the stages."""
    record = run.record
    if record.pruning is not None:
        after, before = record.pruning.after, record.pruning.before
        nonzero, macs, zipped = after.nonzero, after.macs, after.bytes_zipped
        sparsity = 1 - nonzero / before.nonzero
    else:
        nonzero, macs, zipped = _counted(run.folder, record.sha256)
        sparsity = 0.0
    # A study trains its networks itself, so that their training pixels are known.
    assert record.split.leakage_patch is not None
    return CellValues(
        oa=0.0,
        aa=0.0,
        kappa=0.0,
        leakage=record.split.leakage_patch,
        bands=record.components,
        parameters=record.parameters,
        nonzero=nonzero,
        sparsity=sparsity,
        macs=macs,
        weight_bytes=4 * record.parameters,
        zipped_bytes=zipped,
    )


@lru_cache(maxsize=64)
def _counted(folder: Path, digest: str) -> tuple[int, int, int]:
    """Weights that are not zero, multiply-accumulates, and bytes of the deflated weights."""
    from hsitf.cost import cost
    from hsitf.prune.sparsity import Sparsity

    network = Run.open(folder).network()
    sparsity = Sparsity.of(network)
    return sparsity.nonzero, cost(network).macs, sparsity.bytes_deflated


_KINDS: dict[str, Callable[[SweepContext, Stage], Outcomes]] = {
    TRAIN: _train,
    PRUNE: _prune,
    BITS: _bits,
    FILES: _files,
}
