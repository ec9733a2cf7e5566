"""Times of files in engines, in turns, so that a slow moment of the machine strikes all alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from hsitf import records
from hsitf.bench.engines import ENGINES, Engine
from hsitf.bench.subject import Subject
from hsitf.errors import InputError
from hsitf.measure import ROUNDS, RUNS, WARM_UP, interleaved, processor
from hsitf.progress import Progress

# Opens a file, runs it thrice, and tells how much more memory that took at most.
_PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from hsitf.bench.engines import ENGINES
from hsitf.measure import forget_peak, peak_memory
import ai_edge_litert.interpreter, onnxruntime
name, path, threads = json.loads(sys.argv[1])
forget_peak()
before = peak_memory()
runtime = ENGINES[name].open(Path(path), threads)
action = runtime.action(np.zeros(runtime.input.shape, runtime.input.dtype))
for _ in range(3):
    action()
print(peak_memory() - before)
"""


@dataclass(frozen=True)
class Row:
    """A file in an engine.

    Attributes:
        name: Of the file.
        path: Where it lies.
        format: Its suffix without the dot.
        scene: Name of the scene; empty where unknown.
        synthetic: True where that was generated.
        engine: Name of the engine; `engine_name` as it calls itself, with its delegate.
        threads: That it was given.
        bytes: Of the file; `zipped` in a deflated archive.
        oa: Overall accuracy on the test pixels; None where unknown.
        agreement: Share of the test pixels on which it says what its network says.
        integer_share: Share of the arithmetic operators that compute in integers.
        operators: How many operators it has, those that move numbers included.
        delegates: Parts of its graph that a delegate took over; None where the engine has none.
        first_ms: The first inference.
        p50_ms: Median of an inference; `p90_ms` and `p99_ms` likewise.
        spread: Between the quarters, over the median.
        runs: That count.
        pixels_per_second: At the median.
        memory: Bytes that opening and running it took at most.
        processor: Of this machine.
    """

    name: str
    path: str
    format: str
    scene: str
    synthetic: bool
    engine: str
    engine_name: str
    threads: int
    bytes: int
    zipped: int
    oa: float | None
    agreement: float | None
    integer_share: float
    operators: int
    delegates: int | None
    first_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    spread: float
    runs: int
    pixels_per_second: float
    memory: int
    processor: str


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
    """

    schema: int
    made: str
    rounds: int
    runs_a_round: int
    warm_up: int
    rows: tuple[Row, ...]
    versions: dict[str, str]
    command: str


def measure(
    files: Sequence[Subject], engines: Sequence[Engine], threads: Sequence[int], progress: Progress
) -> Bench:
    """Measures files.

    Args:
        files: What.
        engines: In which; those that do not take a file's format are passed over.
        threads: With how many each.
        progress: Told what happens.

    Raises:
        InputError: No engine takes any of the files, or a number of threads is out of range.
        DataError: An engine cannot run a file.
    """
    if bad := [count for count in threads if not 1 <= count <= 1024]:
        raise InputError("threads are out of range", received=bad[0], allowed="1 to 1024")
    wanted = [
        (file, engine, count)
        for file in files for engine in engines for count in threads
        if file.file.suffix == engine.suffix
    ]  # fmt: skip
    if not wanted:
        raise InputError(
            "no engine takes these files",
            received=", ".join(sorted({file.file.suffix for file in files})),
            allowed=", ".join(f"{one.name}: {one.suffix}" for one in ENGINES.values()),
        )
    progress.start("measuring memory", len(wanted))
    memories = []
    for file, engine, count in wanted:
        memories.append(_memory(file, engine, count))
        progress.advance(1, f"{file.name} in {engine.name}")
    runtimes = [engine.open(file.file, count) for file, engine, count in wanted]
    progress.start("measuring time, in turns", 1)
    timings = interleaved(
        {
            str(number): runtime.action(file.sample)
            for number, (runtime, (file, _, _)) in enumerate(zip(runtimes, wanted, strict=True))
        }
    )
    rows = []
    for number, (file, engine, count) in enumerate(wanted):
        timing, record = timings[str(number)], file.record
        low, middle, high = (timing.percentile(q) for q in (25, 50, 75))
        rows.append(
            Row(
                file.name, str(file.file), file.file.suffix.removeprefix("."),
                record.scene if record else "", bool(record and record.synthetic), engine.name,
                runtimes[number].engine, count, file.bytes, file.zipped,
                record.oa if record else None, record.agreement if record else None,
                file.contents.integer_share, sum(one.count for one in file.contents.operators),
                getattr(runtimes[number], "delegates", None), 1e3 * timing.first, 1e3 * middle,
                1e3 * timing.percentile(90), 1e3 * timing.percentile(99), (high - low) / middle,
                len(timing.runs), file.pixels / middle, memories[number], processor(),
            )
        )  # fmt: skip
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Bench(
        records.SCHEMA, now, ROUNDS, RUNS, WARM_UP, tuple(rows), records.versions(),
        records.command(),
    )  # fmt: skip


def _memory(file: Subject, engine: Engine, threads: int) -> int:
    """In a process of its own, where no other file has left anything behind."""
    words = json.dumps([engine.name, str(file.file.resolve()), threads])
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, words], capture_output=True, text=True, check=True
    )
    return int(np.int64(done.stdout.split()[-1]))
