"""What stages do: train, prune, judge in few bits, judge as files.

Each writes the records of the cells that end with it, finished or failed, so that what is done is
not lost with the process that asked for it.
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

from hsitf import records
from hsitf.errors import HsitfError, InputError
from hsitf.measure import processor
from hsitf.progress import Silent
from hsitf.runs import MODELS, RECORD, Run
from hsitf.sweep.cells import order, plan
from hsitf.sweep.record import DONE, FAILED, CellRecord, Places, Settings, Values, cell_path
from hsitf.sweep.stage import BITS, FILES, PRUNE, TRAIN, Context, Ended, Stage, path

EXPORT = Path("export")


class Clock:
    """Time that a stage takes, of the wall and of this process."""

    def __init__(self) -> None:
        self._begin = time.perf_counter(), time.process_time()
        self.seconds, self.cpu_seconds, self.cells = 0.0, 0.0, 0

    def stop(self, cells: int) -> None:
        """The stage is done and served so many cells."""
        self.seconds = time.perf_counter() - self._begin[0]
        self.cpu_seconds = time.process_time() - self._begin[1]
        self.cells = cells


def perform(context: Context, stage: Stage, before: Ended | None) -> Ended:
    """Does a stage and writes the records of the cells that end with it.

    Args:
        context: Where and of what.
        stage: What to do.
        before: How the stage that it needs ended.
    """
    # Records state the command that a user typed, not that of a process made for it.
    sys.argv = list(context.argv)
    clock = Clock()
    if before is not None and before.message:
        return fail(context, stage, before.message, clock)
    try:
        found = _KINDS[stage.kind](context, stage)
    except HsitfError as error:
        return fail(context, stage, str(error), clock)
    except MemoryError as error:
        return fail(context, stage, f"out of memory: {error}", clock)
    # A sweep goes on whatever goes wrong with one cell; the record names the fault.
    except Exception as error:
        return fail(context, stage, f"{type(error).__name__}: {error}", clock)
    finally:
        _forget()
    clock.stop(len(found))
    for cell, outcome in found.items():
        _write(context, cell, outcome, clock)
    failed = sum(isinstance(outcome, str) for outcome in found.values())
    return Ended("", failed, clock.seconds)


def fail(context: Context, stage: Stage, message: str, clock: Clock | None = None) -> Ended:
    """Writes down that the cells of a stage failed."""
    clock = clock or Clock()
    clock.stop(len(stage.cells))
    for cell in stage.cells:
        _write(context, cell, message, clock)
    return Ended(message, len(stage.cells), clock.seconds)


# What came of the cells of a stage: values and where their details lie, or why they failed.
Outcome = tuple[Values, Places] | str
Outcomes = dict[Settings, Outcome]


def _write(context: Context, cell: Settings, outcome: Outcome, clock: Clock) -> None:
    values, places = (None, Places()) if isinstance(outcome, str) else outcome
    record = CellRecord(
        schema=records.SCHEMA,
        settings=cell,
        status=DONE if values else FAILED,
        message=outcome if isinstance(outcome, str) else "",
        values=values,
        places=places,
        seconds=clock.seconds / max(1, clock.cells),
        cpu_seconds=clock.cpu_seconds / max(1, clock.cells),
        made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        processor=processor(),
    )
    records.write(record, cell_path(context.folder, cell))


def _forget() -> None:
    """Lets go of the networks of a stage, which Keras would keep."""
    if "keras" in sys.modules:
        import keras

        keras.utils.clear_session(free_memory=False)
    gc.collect()


def run_name(settings: Settings) -> str:
    """Name of the run that a training stage makes."""
    reduced = re.sub(r"[^a-z0-9.-]+", "-", settings.reduction)
    if len(reduced) > 40:
        reduced = f"{reduced[:30]}-{_digest(reduced)}"
    split = settings.split + (f"-train{settings.train}" if settings.train else "")
    parts = [split, f"{settings.epochs}epochs", reduced, f"seed{settings.seed}"]
    return "-".join(filter(None, parts))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _pruned_name(settings: Settings) -> str:
    layers = f"-layers{_digest(settings.layers)}" if settings.layers else ""
    how = [settings.criterion, f"{settings.measure}{settings.target:g}{layers}"]
    return "-".join(filter(None, [*how, f"{settings.tuning_epochs}epochs"]))


def _folder(context: Context, settings: Settings) -> Path:
    """Folder of the network of a cell, pruned where the cell prunes."""
    name = run_name(settings)
    if settings.measure:
        name += f"-{_pruned_name(settings)}"
    scene = context.names[settings.scene]
    return context.folder / MODELS / scene / settings.network / name


def _trained_folder(context: Context, settings: Settings) -> Path:
    return _folder(context, path(settings)[0][1])


def _places(context: Context, settings: Settings, **others: Path) -> Places:
    """Where the details of a cell lie, as the study's folder sees it."""
    found = {
        "trained": _trained_folder(context, settings),
        "run": _folder(context, settings),
        **others,
    }
    return Places(
        **{name: path.relative_to(context.folder).as_posix() for name, path in found.items()}
    )


def _train(context: Context, stage: Stage) -> Outcomes:
    from hsitf.train.run import train

    settings, folder = stage.settings, _trained_folder(context, stage.settings)
    if (folder / RECORD).is_file():
        run = Run.open(folder)
    else:
        asked = plan(settings, context.choices[settings.scene])
        run = train(asked, folder.name, Silent(), context.folder / MODELS)
    if not stage.cells:
        return {}
    record = run.record
    values = replace(
        _network(run),
        oa=record.scores.oa,
        aa=record.scores.aa,
        kappa=record.scores.kappa,
        predict_us=record.predict_us,
        train_seconds=record.seconds,
        peak_memory=record.peak_memory,
        gpu_memory=record.gpu_memory,
    )
    return {cell: (values, _places(context, cell)) for cell in stage.cells}


def _prune(context: Context, stage: Stage) -> Outcomes:
    from hsitf.prune.run import prune

    settings, folder = stage.settings, _folder(context, stage.settings)
    if (folder / RECORD).is_file():
        run = Run.open(folder)
    else:
        origin = Run.open(_trained_folder(context, settings))
        wanted = order(settings, origin.record.plan.recipe, _ratios(settings.layers, origin))
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
        oa_before=pruning.before.oa,
        oa_cut=pruning.thinned.oa,
        predict_us=record.predict_us,
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


def _bits(context: Context, stage: Stage) -> Outcomes:
    from hsitf.quantize.report import place
    from hsitf.quantize.request import Order
    from hsitf.quantize.schemes import Bits, Scheme
    from hsitf.quantize.study import study

    settings = stage.settings
    run = Run.open(_folder(context, settings))
    wanted = Order(Scheme(), settings.most)
    path = place(run, "bits", wanted).with_suffix(".json")
    triples = {cell: Bits.parse(cell.bits) for cell in stage.cells}
    found = study(run, [*triples.values()], wanted, path, Silent(), context.choices[settings.scene])
    judged = {one.bits: one for one in found.cells}
    network = _network(run)
    outcomes: Outcomes = {}
    for cell, bits in triples.items():
        one = judged[bits]
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


def _files(context: Context, stage: Stage) -> Outcomes:
    from hsitf.export import bundle
    from hsitf.export.pipeline import export
    from hsitf.export.request import Request
    from hsitf.export.variants import variant
    from hsitf.verify import Bounds

    settings = stage.settings
    run = Run.open(_folder(context, settings))
    root = context.folder / EXPORT / run.folder.name
    # A study measures what is lost; it publishes what it has measured.
    lenient = Bounds(agreement=0.0, relative_error=None, oa_drop=100.0)
    kinds = [replace(variant(cell.variant), bounds=lenient) for cell in stage.cells]
    bundles, refused = export(
        run, Request(tuple(kinds), root=root), Silent(), context.choices[settings.scene]
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
        place = bundle.folder(record.scene, run.label, cell.variant, record.batch, root)
        values = replace(
            network,
            oa=record.oa,
            aa=record.aa,
            kappa=record.kappa,
            oa_before=record.oa_keras,
            agreement=record.agreement,
            file_bytes=record.bytes,
            float_bytes=record.bytes_float32,
            integer_share=record.integer_share,
            ms=record.latency_ms.p50,
        )
        outcomes[cell] = values, _places(context, cell, bundle=place)
    return outcomes


def _network(run: Run) -> Values:
    """What a network costs, whatever it is worth; its accuracies are filled in by others."""
    record = run.record
    if record.pruning is not None:
        after, before = record.pruning.after, record.pruning.before
        nonzero, macs, zipped = after.nonzero, after.macs, after.bytes_zipped
        gone = 1 - nonzero / before.nonzero
    else:
        nonzero, macs, zipped = _counted(run.folder, record.sha256)
        gone = 0.0
    return Values(
        oa=0.0,
        aa=0.0,
        kappa=0.0,
        leakage=record.split.leakage_patch,
        bands=record.components,
        parameters=record.parameters,
        nonzero=nonzero,
        zeros=gone,
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


_KINDS: dict[str, Callable[[Context, Stage], Outcomes]] = {
    TRAIN: _train,
    PRUNE: _prune,
    BITS: _bits,
    FILES: _files,
}
