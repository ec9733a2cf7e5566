"""Measures files in engines in turn, so that load on the machine affects all of them alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from hsitf import records
from hsitf.bench import memory
from hsitf.bench.compatibility import DelegateCompatibility
from hsitf.bench.emulated import EmulatedRun
from hsitf.bench.engines import ENGINES, BenchEngine
from hsitf.bench.subject import BenchSubject
from hsitf.bench.target_costs import TargetMeasurement
from hsitf.compat import formerly
from hsitf.errors import DataError, InputError
from hsitf.measure import DEFAULT_SCHEDULE, MeasurementSchedule, Timing, interleaved, processor
from hsitf.progress import Progress
from hsitf.ranges import Amount, Count, Share
from hsitf.runtimes import Runtime


@formerly(zipped_bytes="zipped", peak_memory_bytes="memory")
@dataclass(frozen=True)
class BenchRow:
    """Measurements of a file in an engine, on this machine or on a device.

    Attributes:
        name: Name of the file in tables.
        path: Path of the file.
        format: Suffix without the dot; saved-model for a folder.
        network: Label of the network, such as cao; empty for a bare file.
        variant: Kind of exported file, such as int8; empty for a bare file.
        scene: Name of the scene; empty where unknown.
        synthetic: True where the scene was generated.
        engine: Name of the engine.
        engine_name: Name that the engine reports, with its delegate.
        version: Package and version of the engine.
        threads: Number of threads; 0 where the engine decides.
        processor: Processor it was measured on.
        bytes: Size of the file.
        zipped_bytes: Size of the file in a deflated archive.
        parameters: Weights of the network; None where unknown.
        macs: Multiply-accumulates of the network for one patch; None where unknown.
        oa: Overall accuracy on the test pixels; None where unknown.
        agreement: Share of test pixels classified as by the network; None where unknown.
        integer_share: Share of arithmetic operators that compute in integers; None where unknown.
        operators: Number of operators, data movement included; None where unknown.
        delegates: Number of subgraphs that a delegate runs; None where the engine has none.
        delegated_share: Share of the operators in these subgraphs.
        first_ms: Time of the first inference; all times in milliseconds.
        p50_ms: Median of the timed inferences.
        p90_ms: 90th percentile.
        p99_ms: 99th percentile.
        min_ms: Shortest.
        max_ms: Longest.
        mean_ms: Mean.
        std_ms: Standard deviation.
        begin_ms: First timed inference.
        last_ms: Last timed inference.
        spread: Interquartile range over the median.
        runs: Number of timed inferences.
        pixels_per_second: Classified pixels per second at the median.
        peak_memory_bytes: Peak memory of opening and running the file; None where not measured.
    """

    name: str
    path: str
    format: str
    network: str
    variant: str
    scene: str
    synthetic: bool
    engine: str
    engine_name: str
    version: str
    threads: Count
    processor: str
    bytes: Count
    zipped_bytes: Count
    parameters: Count | None
    macs: Count | None
    oa: Share | None
    agreement: Share | None
    integer_share: Share | None
    operators: Count | None
    delegates: Count | None
    delegated_share: Share | None
    first_ms: Amount
    p50_ms: Amount
    p90_ms: Amount
    p99_ms: Amount
    min_ms: Amount
    max_ms: Amount
    mean_ms: Amount
    std_ms: Amount
    begin_ms: Amount
    last_ms: Amount
    spread: Amount
    runs: Count
    pixels_per_second: Amount
    peak_memory_bytes: Count | None


@formerly(delegate_compatibility="fitness", runs_per_round="runs_a_round")
@dataclass(frozen=True)
class BenchResult:
    """Results of one benchmark run.

    Attributes:
        schema: Version of the record format.
        made: Date and time in UTC.
        rounds: Rounds in which the files ran in turn.
        runs_per_round: Inferences per round, at most.
        warm_up: Inferences before the first round, which are not timed.
        rows: Measurements of each file in each engine.
        versions: Versions of Python and the relevant packages.
        command: Command line of the benchmark.
        delegate_compatibility: Operators of each .tflite file that delegates support.
        emulated: .tflite files on emulated Arm cores.
        target_costs: .tflite files on other targets, by their cost models.
        notes: Files that could not be measured, with reasons.
    """

    schema: int
    made: str
    rounds: Count
    runs_per_round: Count
    warm_up: Count
    rows: tuple[BenchRow, ...]
    versions: dict[str, str]
    command: str
    delegate_compatibility: tuple[DelegateCompatibility, ...] = ()
    emulated: tuple[EmulatedRun, ...] = ()
    notes: tuple[str, ...] = ()
    target_costs: tuple[TargetMeasurement, ...] = ()

    @classmethod
    def of(
        cls, rows: Sequence[BenchRow], schedule: MeasurementSchedule, notes: Sequence[str] = ()
    ) -> BenchResult:
        """Combines rows with the schedule and environment of their measurement."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return cls(
            records.SCHEMA,
            now,
            schedule.rounds,
            schedule.runs,
            schedule.warm_up,
            tuple(rows),
            records.versions(),
            records.command(),
            notes=tuple(notes),
        )


@dataclass(frozen=True, eq=False)
class _OpenedFile:
    """A file opened in an engine."""

    file: BenchSubject
    engine: BenchEngine
    threads: int
    memory: int
    runtime: Runtime


def measure(
    files: Sequence[BenchSubject],
    engines: Sequence[BenchEngine],
    threads: Sequence[int],
    progress: Progress,
    schedule: MeasurementSchedule = DEFAULT_SCHEDULE,
) -> BenchResult:
    """Measures time and memory of files in engines; what an engine cannot run is noted.

    Args:
        files: Files to measure.
        engines: Engines; files of formats that an engine does not run are skipped.
        threads: Numbers of threads to measure each with.
        progress: Receives progress messages.
        schedule: Number of timed runs.

    Raises:
        InputError: No engine takes any of the files, or a number is out of range.
        DataError: None of them can be run.
    """
    check_schedule(threads, schedule)
    wanted = [
        (file, engine, count)
        for file in files
        for engine in engines
        for count in (threads if engine.threaded else [0])
        if engine.takes(file.file)
    ]
    if not wanted:
        raise InputError(
            "no engine runs files of these formats",
            received=", ".join(sorted({file.file.suffix or "a folder" for file in files})),
            allowed=", ".join(f"{one.name}: {' '.join(one.suffixes)}" for one in ENGINES.values()),
        )
    opened, notes = _open_files(wanted, progress)
    if not opened:
        raise DataError(
            "no engine can run any of these files",
            received=notes[0].rstrip("."),
            remedy="name other files, or another --engine",
        )
    progress.start("measuring latency", 1)
    timings = interleaved(
        {
            str(i): measured_file.runtime.action(measured_file.file.sample)
            for i, measured_file in enumerate(opened)
        },
        schedule,
    )
    rows = [_row(measured_file, timings[str(i)]) for i, measured_file in enumerate(opened)]
    return BenchResult.of(rows, schedule, notes)


def check_schedule(threads: Sequence[int], schedule: MeasurementSchedule) -> None:
    """Checks the numbers of threads and runs.

    Raises:
        InputError: One is out of range.
    """
    given = [("threads", count, 1, 1024) for count in threads]
    given += [("--rounds", schedule.rounds, 1, 10_000), ("--runs", schedule.runs, 1, 10_000)]
    given += [("--warm-up", schedule.warm_up, 0, 10_000)]
    for name, count, smallest, largest in given:
        if not smallest <= count <= largest:
            raise InputError(
                f"{name} are out of range", received=count, allowed=f"{smallest} to {largest:,}"
            )


def _open_files(
    wanted: Sequence[tuple[BenchSubject, BenchEngine, int]], progress: Progress
) -> tuple[list[_OpenedFile], list[str]]:
    """Opens files in engines; returns those that run, and a note for each other."""
    progress.start("measuring memory", len(wanted))
    opened, notes = [], []
    for file, engine, count in wanted:
        try:
            # In a process of its own first: what crashes an engine does not end this one.
            peak = memory.peak_memory_of(file, engine, count)
            runtime = engine.open(file.file, count)
            _check_input(file, runtime)
            opened.append(_OpenedFile(file, engine, count, peak, runtime))
        except DataError as error:
            notes.append(f"{error.what}: {str(error.received).rstrip('.')}.")
        progress.advance(1, f"{file.name} in {engine.name}")
    return opened, list(dict.fromkeys(notes))


def _check_input(file: BenchSubject, runtime: Runtime) -> None:
    """Refuses a file that takes other inputs than those kept beside it.

    Raises:
        DataError: It does.
    """
    given, taken = file.sample, runtime.input
    if str(given.dtype) != taken.dtype or given.shape[1:] != tuple(taken.shape[1:]):
        raise DataError(
            f"{file.file} is not the file that its golden vectors are of",
            received=f"a file that takes {taken.dtype} {tuple(taken.shape)}, "
            f"and vectors of {given.dtype} {given.shape}",
            remedy="export it again",
        )


def _row(measured_file: _OpenedFile, timing: Timing) -> BenchRow:
    file, engine, runtime, summary = (
        measured_file.file,
        measured_file.engine,
        measured_file.runtime,
        measured_file.file.summary,
    )
    low, middle, high = (timing.percentile(q) for q in (25, 50, 75))
    contents = file.contents
    return BenchRow(
        name=file.name,
        path=str(file.file),
        format=file.file.suffix.removeprefix(".") or "saved-model",
        network=summary.network,
        variant=summary.variant,
        scene=summary.scene,
        synthetic=summary.synthetic,
        engine=engine.name,
        engine_name=runtime.engine,
        version=engine.version,
        threads=measured_file.threads,
        processor=processor(),
        bytes=file.bytes,
        zipped_bytes=file.zipped_bytes,
        parameters=summary.parameters,
        macs=summary.macs,
        oa=summary.oa,
        agreement=summary.agreement,
        integer_share=None if contents is None else contents.integer_share,
        operators=None if contents is None else sum(one.count for one in contents.operators),
        delegates=getattr(runtime, "delegates", None),
        delegated_share=getattr(runtime, "delegated_share", None),
        first_ms=1e3 * timing.first,
        p50_ms=1e3 * middle,
        p90_ms=1e3 * timing.percentile(90),
        p99_ms=1e3 * timing.percentile(99),
        min_ms=1e3 * float(timing.runs.min()),
        max_ms=1e3 * float(timing.runs.max()),
        mean_ms=1e3 * float(timing.runs.mean()),
        std_ms=1e3 * float(np.std(timing.runs)),
        begin_ms=1e3 * float(timing.runs[0]),
        last_ms=1e3 * float(timing.runs[-1]),
        spread=(high - low) / middle,
        runs=len(timing.runs),
        pixels_per_second=file.pixels / middle,
        peak_memory_bytes=measured_file.memory,
    )
