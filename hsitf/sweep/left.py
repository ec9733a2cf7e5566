"""How long a sweep will take, from how long its stages took so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from hsitf.sweep.stage import Stage


class Left:
    """Stages that are left, and what they will take.

    A stage is expected to take what others of its kind and network took on average, or those of
    its kind, or all; one that judges several cells, so many times as much.
    """

    def __init__(self, wanted: Sequence[Stage], workers: int) -> None:
        self._open = {stage.name: stage for stage in wanted}
        self._workers = workers
        self._taken: dict[tuple[str, ...], list[float]] = defaultdict(list)

    def end(self, stage: Stage, seconds: float) -> None:
        """A stage is done."""
        del self._open[stage.name]
        each = seconds / max(1, len(stage.cells))
        for key in _keys(stage):
            self._taken[key].append(each)

    @property
    def seconds(self) -> float:
        """That the rest will take, shared among the workers."""
        return sum(map(self._expected, self._open.values())) / self._workers

    def _expected(self, stage: Stage) -> float:
        for key in _keys(stage):
            if taken := self._taken.get(key):
                return sum(taken) / len(taken) * max(1, len(stage.cells))
        return 0.0


def _keys(stage: Stage) -> list[tuple[str, ...]]:
    """What a stage is like, the most particular first."""
    return [(stage.kind, stage.settings.network), (stage.kind,), ()]
