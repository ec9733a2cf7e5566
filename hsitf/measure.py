"""Measures time and memory on this machine."""

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
# A round of a slow engine ends after this time, even if runs are left.
SECONDS_PER_ROUND = 0.3


@dataclass(frozen=True)
class MeasurementSchedule:
    """Number of timed runs.

    Attributes:
        rounds: Rounds in which all actions are run in turn.
        runs: Runs of each action per round, at most.
        warm_up: Runs before the first round, which are not timed.
    """

    rounds: int = ROUNDS
    runs: int = RUNS
    warm_up: int = WARM_UP


DEFAULT_SCHEDULE = MeasurementSchedule()


@dataclass(frozen=True, eq=False)
class Timing:
    """Times of one action, in seconds.

    Attributes:
        first: The very first run, before any warm-up.
        runs: (runs,) float64, the timed runs.
    """

    first: float
    runs: NDArray[np.float64]

    def percentile(self, q: float) -> float:
        """The q-th percentile of the timed runs, in seconds."""
        return float(np.percentile(self.runs, q))


def interleaved(
    actions: Mapping[str, Callable[[], object]], schedule: MeasurementSchedule = DEFAULT_SCHEDULE
) -> dict[str, Timing]:
    """Times several actions in turn, so that load on the machine affects all of them alike.

    Each action runs once (`first`), then warms up, then runs in every round; the garbage collector
    is off meanwhile.

    Args:
        actions: Actions to time, by name.
        schedule: Number of runs.
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
                end = time.perf_counter() + SECONDS_PER_ROUND
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


def reset_peak_memory() -> None:
    """Resets `peak_memory` where the system supports it (Linux)."""
    gc.collect()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Peak resident memory of this process in bytes, since its start or `reset_peak_memory`."""
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
    """Name of the processor as the operating system reports it, with the number of cores."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} cores"
