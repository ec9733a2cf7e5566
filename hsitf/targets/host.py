"""The processor of this machine, by time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

from hsitf.errors import InputError
from hsitf.measure import MeasurementSchedule, interleaved, processor
from hsitf.progress import Progress
from hsitf.runtimes import LiteRT
from hsitf.targets._target import Target, TargetCost

# Files take turns often, so that load on the machine affects all of them alike.
_SCHEDULE = MeasurementSchedule(rounds=15, runs=20, warm_up=3)


@dataclass(frozen=True)
class HostTime:
    """Cost model of this machine: median time of one inference, on one thread."""

    unit: str = "ms"
    basis: str = "measured on this machine, one thread"
    # Differences below this were seen between two measurements of one file.
    noise: float = 0.03
    per_pixel: bool = True

    @property
    def version(self) -> str:
        """Version of LiteRT, and the processor."""
        return f"ai-edge-litert {metadata.version('ai-edge-litert')}, {processor()}"

    def costs(self, files: Sequence[Path], progress: Progress) -> list[TargetCost | InputError]:
        """Times all files in turns; see `CostModel.costs`."""
        actions = {}
        for number, file in enumerate(files):
            runtime = LiteRT(file)
            inputs = np.zeros(runtime.input.shape, runtime.input.dtype)
            actions[str(number)] = runtime.action(inputs)
        timings = interleaved(actions, _SCHEDULE)
        return [
            TargetCost(1e3 * timings[str(number)].percentile(50), tool=self.version)
            for number in range(len(files))
        ]


TARGET = Target(
    title="this machine",
    description="The processor that this command runs on, in LiteRT.",
    variants=("int8", "float32", "float16"),
    cost=HostTime(),
)
