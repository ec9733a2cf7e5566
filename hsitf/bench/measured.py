"""Times of files in engines, in turns, so that a slow moment of the machine strikes all alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from hsitf import records
from hsitf.bench import memory
from hsitf.bench.arm.emulated import Emulated
from hsitf.bench.engines import ENGINES, Engine
from hsitf.bench.fitness import Fitness
from hsitf.bench.subject import Subject
from hsitf.errors import DataError, InputError
from hsitf.measure import USUAL, Schedule, Timing, interleaved, processor
from hsitf.progress import Progress
from hsitf.runtimes import Runtime


@dataclass(frozen=True)
class Row:
    """A file in an engine, on this machine or on another.

    Attributes:
        name: Of the file.
        path: Where it lies.
        format: Its suffix without the dot; saved-model of a folder.
        network: Its label, such as cao; `variant` such as int8; empty of a bare file.
        scene: Name of the scene; empty where unknown.
        synthetic: True where that was generated.
        engine: Name of the engine; `engine_name` as it calls itself, with its delegate.
        version: Of the engine's package.
        threads: That it was given; 0 where it takes what it likes.
        processor: That it ran on.
        bytes: Of the file; `zipped` in a deflated archive.
        parameters: Weights of the network that it was made of; None where unknown.
        macs: Multiply-accumulates of that network for one patch.
        oa: Overall accuracy on the test pixels; None where unknown.
        agreement: Share of the test pixels on which it says what its network says.
        integer_share: Share of the arithmetic operators that compute in integers; None where
            they are not known.
        operators: How many operators it has, those that move numbers included.
        delegates: Parts of its graph that a delegate took over; None where the engine has none.
        delegated_share: Share of its operators in these parts.
        first_ms: The first inference.
        p50_ms: Median of an inference; `p90_ms` and `p99_ms` likewise.
        min_ms: The shortest; `max_ms` the longest, `mean_ms` their mean, `std_ms` their standard
            deviation.
        begin_ms: The first of the runs that count; `last_ms` the last.
        spread: Between the quarters, over the median.
        runs: That count.
        pixels_per_second: At the median.
        memory: Bytes that opening and running it took at most; None where not measured.
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
    threads: int
    processor: str
    bytes: int
    zipped: int
    parameters: int | None
    macs: int | None
    oa: float | None
    agreement: float | None
    integer_share: float | None
    operators: int | None
    delegates: int | None
    delegated_share: float | None
    first_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    min_ms: float
    max_ms: float
    mean_ms: float
    std_ms: float
    begin_ms: float
    last_ms: float
    spread: float
    runs: int
    pixels_per_second: float
    memory: int | None


@dataclass(frozen=True)
class Bench:
    """Rows measured in one run.

    Attributes:
        made: When, in coordinated universal time.
        rounds: In which the rows took turns; each of `runs_a_round` inferences at most, after
            `warm_up` that do not count.
        rows: Each file in each engine.
        versions: Of Python and the packages that matter.
        command: As typed.
        fitness: What delegates would take of each .tflite file.
        emulated: .tflite files on emulated Arm cores.
        notes: What could not be measured, and why.
    """

    schema: int
    made: str
    rounds: int
    runs_a_round: int
    warm_up: int
    rows: tuple[Row, ...]
    versions: dict[str, str]
    command: str
    fitness: tuple[Fitness, ...] = ()
    emulated: tuple[Emulated, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Sequence[Row], schedule: Schedule, notes: Sequence[str] = ()) -> Bench:
        """Rows with what they were measured by, wherever that was."""
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
class _Trial:
    """A file that an engine can run."""

    file: Subject
    engine: Engine
    threads: int
    memory: int
    runtime: Runtime


def measure(
    files: Sequence[Subject],
    engines: Sequence[Engine],
    threads: Sequence[int],
    progress: Progress,
    schedule: Schedule = USUAL,
) -> Bench:
    """Measures files; what an engine cannot run is noted.

    Args:
        files: What.
        engines: In which; those that do not take a file's format are passed over.
        threads: With how many each.
        progress: Told what happens.
        schedule: How often.

    Raises:
        InputError: No engine takes any of the files, or a number is out of range.
        DataError: None of them can be run.
    """
    check(threads, schedule)
    wanted = [
        (file, engine, count)
        for file in files
        for engine in engines
        for count in (threads if engine.threaded else [0])
        if engine.takes(file.file)
    ]
    if not wanted:
        raise InputError(
            "no engine takes these files",
            received=", ".join(sorted({file.file.suffix or "a folder" for file in files})),
            allowed=", ".join(f"{one.name}: {' '.join(one.suffixes)}" for one in ENGINES.values()),
        )
    trials, notes = _tried(wanted, progress)
    if not trials:
        raise DataError(
            "no engine can run any of these files",
            received=notes[0].rstrip("."),
            remedy="name other files, or another --engine",
        )
    progress.start("measuring time, in turns", 1)
    timings = interleaved(
        {str(i): trial.runtime.action(trial.file.sample) for i, trial in enumerate(trials)},
        schedule,
    )
    rows = [_row(trial, timings[str(i)]) for i, trial in enumerate(trials)]
    return Bench.of(rows, schedule, notes)


def check(threads: Sequence[int], schedule: Schedule) -> None:
    """Checks the numbers that a user gives.

    Raises:
        InputError: One is out of range.
    """
    given = [("threads", count, 1, 1024) for count in threads]
    given += [("--rounds", schedule.rounds, 1, 10_000), ("--runs", schedule.runs, 1, 10_000)]
    given += [("--warm-up", schedule.warm_up, 0, 10_000)]
    for what, count, least, most in given:
        if not least <= count <= most:
            raise InputError(
                f"{what} are out of range", received=count, allowed=f"{least} to {most:,}"
            )


def _tried(
    wanted: Sequence[tuple[Subject, Engine, int]], progress: Progress
) -> tuple[list[_Trial], list[str]]:
    """Opens the files, and says which an engine cannot run."""
    progress.start("measuring memory", len(wanted))
    trials, notes = [], []
    for file, engine, count in wanted:
        try:
            taken = memory.peak(file, engine, count)
            trials.append(_Trial(file, engine, count, taken, engine.open(file.file, count)))
        except DataError as error:
            notes.append(f"{error.what}: {str(error.received).rstrip('.')}.")
        progress.advance(1, f"{file.name} in {engine.name}")
    return trials, list(dict.fromkeys(notes))


def _row(trial: _Trial, timing: Timing) -> Row:
    file, engine, runtime, worth = trial.file, trial.engine, trial.runtime, trial.file.worth
    low, middle, high = (timing.percentile(q) for q in (25, 50, 75))
    made_of = file.contents
    return Row(
        name=file.name,
        path=str(file.file),
        format=file.file.suffix.removeprefix(".") or "saved-model",
        network=worth.network,
        variant=worth.variant,
        scene=worth.scene,
        synthetic=worth.synthetic,
        engine=engine.name,
        engine_name=runtime.engine,
        version=engine.version,
        threads=trial.threads,
        processor=processor(),
        bytes=file.bytes,
        zipped=file.zipped,
        parameters=worth.parameters,
        macs=worth.macs,
        oa=worth.oa,
        agreement=worth.agreement,
        integer_share=None if made_of is None else made_of.integer_share,
        operators=None if made_of is None else sum(one.count for one in made_of.operators),
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
        memory=trial.memory,
    )
