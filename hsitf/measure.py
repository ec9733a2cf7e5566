"""Measuring time and memory on this machine."""

from __future__ import annotations

import contextlib
import gc
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROUNDS = 10
RUNS = 20
WARM_UP = 5
# A round of a slow engine ends here, whatever is left of its runs.
SECONDS_A_ROUND = 0.3


@dataclass(frozen=True)
class Schedule:
    """How often an action is timed.

    Attributes:
        rounds: In which all actions take turns.
        runs: Of each action in a round, at most.
        warm_up: Runs before the first round, which do not count.
    """

    rounds: int = ROUNDS
    runs: int = RUNS
    warm_up: int = WARM_UP


USUAL = Schedule()


@dataclass(frozen=True, eq=False)
class Timing:
    """Times of one action, in seconds.

    Attributes:
        first: The very first run, before any warm-up.
        runs: (runs,) float64, those that count.
    """

    first: float
    runs: NDArray[np.float64]

    def percentile(self, q: float) -> float:
        """Seconds within which `q` percent of the runs ended."""
        return float(np.percentile(self.runs, q))


def interleaved(
    actions: Mapping[str, Callable[[], object]], schedule: Schedule = USUAL
) -> dict[str, Timing]:
    """Times several actions in turns, so that a slow moment of the machine strikes them alike.

    Each action runs once (`first`), then warms up, then takes its turn in every round; the
    garbage collector rests meanwhile.

    Args:
        actions: What to time, by name.
        schedule: How often.
    """
    first = {name: _seconds(action) for name, action in actions.items()}
    times: dict[str, list[float]] = {name: [] for name in actions}
    for action in actions.values():
        for _ in range(schedule.warm_up):
            action()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(schedule.rounds):
            for name, action in actions.items():
                end = time.perf_counter() + SECONDS_A_ROUND
                for _ in range(schedule.runs):
                    times[name].append(_seconds(action))
                    if time.perf_counter() > end:
                        break
    finally:
        if collecting:
            gc.enable()
    return {name: Timing(first[name], np.array(times[name])) for name in actions}


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def forget_peak() -> None:
    """Begins to count `peak_memory` anew, where the system lets a process do so (Linux)."""
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Largest resident memory of this process, in bytes, since it began or `forget_peak`."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in kibibytes, macOS in bytes.
    return peak if sys.platform == "darwin" else peak * 1024


def processor() -> str:
    """Name of the processor, as the operating system has it, with the number of its cores."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} cores"
