"""The table that ends a pruning run."""

from __future__ import annotations

from collections.abc import Callable

from hsitf.records import ModelStats, RunRecord
from hsitf.tables import format_table

_HEAD = ("", "before", "cut", "fine-tuned", "ratio")

_COUNTS = {
    "parameters": "parameters",
    "not zero": "nonzero",
    "multiply-accumulates": "macs",
    "float32 file, bytes": "bytes_float32",
    "int8 file, bytes": "bytes_int8",
    "weights zipped, bytes": "bytes_zipped",
}
_TIMES = {"float32, ms": "ms_float32", "int8, ms": "ms_int8"}
_SHARES = {"OA": "oa", "AA": "aa"}


def format_pruning(record: RunRecord) -> str:
    """What pruning did to a network, line by line; accuracies differ by percentage points.

    Args:
        record: Record of a pruned network.

    Raises:
        ValueError: The network was not pruned.
    """
    pruning = record.pruning
    if pruning is None:
        raise ValueError("the record is of a network that was not pruned")
    stages = (pruning.before, pruning.thinned, pruning.after)
    rows = [_row(title, stages, name, "{:,}".format) for title, name in _COUNTS.items()]
    rows += [_row(title, stages, name, "{:.3f}".format) for title, name in _TIMES.items()]
    rows += [
        _row(title, stages, name, "{:.2%}".format, points=True) for title, name in _SHARES.items()
    ]
    rows.append(_row("kappa", stages, "kappa", "{:.4f}".format, points=True))
    scene = record.scene
    synthetic = ", a synthetic scene" if scene.synthetic else ""
    steps = "" if pruning.iterations == 1 else f" in {pruning.iterations} steps"
    title = (
        f"{record.plan.network} on {scene.name}{synthetic}: {pruning.target} by "
        f"{pruning.criterion}, {pruning.schedule}{steps}; {record.split.test:,} test pixels, "
        f"{record.split.kind} split, leakage {record.split.leakage_patch:.1%}"
    )
    threads = "1 thread" if pruning.threads == 1 else f"{pruning.threads} threads"
    notes = [f"Latency of one patch, {threads}: {pruning.processor}."]
    notes += [f"Approximate: {reason}." for reason in pruning.approximate]
    return "\n".join([title, format_table(_HEAD, rows), *notes])


def _row(
    title: str,
    stages: tuple[ModelStats, ModelStats, ModelStats],
    name: str,
    spell: Callable[[float], str],
    points: bool = False,
) -> tuple[str, ...]:
    values = [getattr(stage, name) for stage in stages]
    if points:
        change = f"{(values[2] - values[0]) * (1 if name == 'kappa' else 100):+.2f}"
    else:
        change = f"{values[2] / values[0]:.3f}"
    return (title, *map(spell, values), change)
