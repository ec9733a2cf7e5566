"""What a compressed network may lose, and what its file may cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hsitf.compress.losses import METRICS
from hsitf.errors import InputError


@dataclass(frozen=True)
class CostMeasure:
    """One of the costs of a file.

    Attributes:
        title: What it is, with its unit.
        steered_by: The cost of a network that it grows with: parameters or macs.
        format: How a value is written.
    """

    title: str
    steered_by: str
    format: str


# By the name of their bound: `max_bytes`, and so on.
COSTS: Mapping[str, CostMeasure] = {
    "bytes": CostMeasure("file, bytes", "parameters", ",.0f"),
    "macs": CostMeasure("multiply-accumulates", "macs", ",.0f"),
    "latency_ms": CostMeasure("latency, ms", "macs", ".3f"),
    "arena": CostMeasure("arena, bytes", "macs", ",.0f"),
    "target_cost": CostMeasure("cost on the target", "macs", ",.8g"),
}


@dataclass(frozen=True)
class CompressionBounds:
    """Bounds that the published file has to meet; None where there is none.

    Attributes:
        max_drop: Points of accuracy that may be lost, of `metric`.
        metric: oa, aa or kappa.
        max_bytes: Size of the file.
        max_macs: Multiply-accumulates of one patch.
        max_latency_ms: Median latency of one patch on this machine, one thread.
        max_arena: Bytes of the arena of TensorFlow Lite Micro.
        max_target_cost: Cost of one inference on `target`, in the unit of its cost model.
            Candidates are measured as they are lowered by default; the published file is lowered
            for the target, and costs no more.
        target: Name of the target that the file is made for (see `hsitf.targets`).

    Raises:
        InputError: There is no bound, one is out of range, or the metric is unknown.
    """

    max_drop: float | None = None
    metric: str = "oa"
    max_bytes: float | None = None
    max_macs: float | None = None
    max_latency_ms: float | None = None
    max_arena: float | None = None
    max_target_cost: float | None = None
    target: str | None = None

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise InputError(
                "unknown measure of accuracy", received=self.metric, allowed=", ".join(METRICS)
            )
        if self.max_drop is not None and not 0 <= self.max_drop <= 100:
            raise InputError(
                "the accuracy drop is out of range",
                received=self.max_drop,
                allowed="0 to 100 percentage points",
            )
        for name, value in self.costs.items():
            if not 0 < value < math.inf:
                raise InputError(
                    f"the bound of {COSTS[name].title} is out of range",
                    received=value,
                    allowed="above 0",
                )
        if self.max_target_cost is not None and self.target is None:
            raise InputError(
                "a cost is bounded, and no target is named whose it is",
                received="--max-target-cost without --target",
                remedy="add --target, such as ethos-u55-256",
            )
        if self.max_drop is None and not self.costs:
            raise InputError(
                "there is nothing to compress to",
                received="no bound",
                remedy="give --max-drop, such as 0.5, or --max-bytes, --max-macs, "
                "--max-latency-ms, --max-arena or --max-target-cost",
            )

    @property
    def costs(self) -> dict[str, float]:
        """The bounds of costs, by the names of `COSTS`."""
        found = {name: getattr(self, f"max_{name}") for name in COSTS}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def minimized(self) -> str:
        """The cost that is to be as small as possible: the first one bounded, else bytes."""
        return next(iter(self.costs), "bytes")

    @property
    def steered_by(self) -> str:
        """The cost of a network that is reduced step by step: parameters or macs."""
        return COSTS[self.minimized].steered_by

    @property
    def text(self) -> str:
        """The bounds in words, such as "0.5 points of OA, 20,000 bytes"."""
        parts = []
        if self.max_drop is not None:
            name = self.metric if self.metric == "kappa" else self.metric.upper()
            parts.append(f"at most {self.max_drop:g} points of {name} lost")
        for name, value in self.costs.items():
            parts.append(f"{COSTS[name].title} at most {value:{COSTS[name].format}}")
        return "; ".join(parts)

    def excess(self, costs: Mapping[str, float]) -> dict[str, float]:
        """By how much costs exceed their bounds, as shares: 0.1 for a tenth too much.

        Args:
            costs: Measured costs by the names of `COSTS`; one that is bounded but missing counts
                as infinite.
        """
        return {
            name: costs.get(name, math.inf) / limit - 1
            for name, limit in self.costs.items()
            if costs.get(name, math.inf) > limit
        }
