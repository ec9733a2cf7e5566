"""Estimate of the remaining time of a sweep from the times of its finished stages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from hsitf.sweep.plan import Stage


class EtaEstimator:
    """The pending stages and their expected times.

    The expected time of a stage is the mean over finished stages of its kind and network, or of its
    kind, or of all; it is multiplied by the number of cells that the stage evaluates.
    """

    def __init__(self, wanted: Sequence[Stage], workers: int) -> None:
        self._open = {stage.name: stage for stage in wanted}
        self._workers = workers
        self._taken: dict[tuple[str, ...], list[float]] = defaultdict(list)

    def stage_done(self, stage: Stage, seconds: float) -> None:
        """A stage is done."""
        del self._open[stage.name]
        each = seconds / max(1, len(stage.cells))
        for key in _keys(stage):
            self._taken[key].append(each)

    @property
    def seconds(self) -> float:
        """Expected time of the pending stages, shared among the workers."""
        return sum(map(self._expected, self._open.values())) / self._workers

    def _expected(self, stage: Stage) -> float:
        for key in _keys(stage):
            if taken := self._taken.get(key):
                return sum(taken) / len(taken) * max(1, len(stage.cells))
        return 0.0


def _keys(stage: Stage) -> list[tuple[str, ...]]:
    """What a stage is like, the most particular first."""
    return [(stage.kind, stage.settings.network), (stage.kind,), ()]
