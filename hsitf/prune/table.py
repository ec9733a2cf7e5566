"""The table that ends a pruning run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hsitf.records import ModelStats, RunRecord
from hsitf.tables import format_table

_HEAD = ("measure", "before", "pruned", "fine-tuned", "change")
# Of a network that was pruned before it was trained.
_UNTRAINED_HEAD = ("measure", "untrained", "pruned", "trained", "change")

Stages = tuple[ModelStats, ModelStats, ModelStats]


def format_pruning(record: RunRecord) -> str:
    """What pruning did to a network, line by line.

    Costs change by a share of what they were, accuracies by percentage points.

    Args:
        record: Record of a pruned network.

    Raises:
        ValueError: The network was not pruned.
    """
    pruning = record.pruning
    if pruning is None:
        raise ValueError("the record is of a network that was not pruned")
    stages = (pruning.before, pruning.thinned, pruning.after)
    rows = [*_cost_rows(stages), *_accuracy_rows(stages)]
    scene = record.scene
    synthetic = ", a synthetic scene" if scene.synthetic else ""
    steps = "" if pruning.iterations == 1 else f" in {pruning.iterations} steps"
    title = (
        f"{record.plan.network} on {scene.name}{synthetic}: {pruning.target} by "
        f"{pruning.criterion}, {pruning.schedule}{steps}; {record.split.test:,} test pixels, "
        f"{record.split.summary}"
    )
    threads = "1 thread" if pruning.threads == 1 else f"{pruning.threads} threads"
    notes = [
        f"Latency of one {'tile' if record.tile else 'patch'}, {threads}: {pruning.processor}."
    ]
    notes += [f"Approximate: {reason}." for reason in pruning.approximate]
    if pruning.clusters:
        notes.append(
            f"The weights of each kernel share {pruning.clusters} values at most, zero among them "
            "where a kernel has zeros; see the zipped bytes."
        )
    if (taught := pruning.distillation) is not None:
        pixels = f"{record.split.train:,} training pixels"
        if taught.unlabelled:
            pixels += f" and {taught.unlabelled:,} unlabelled ones"
        notes.append(
            f"Taught by {taught.teacher.folder} on {pixels}: temperature {taught.temperature:g}, "
            f"share beside labels {taught.teacher_weight:g}."
        )
    head = _UNTRAINED_HEAD if pruning.untrained else _HEAD
    return "\n".join([title, format_table(head, rows), *notes])


def _cost_rows(stages: Stages) -> Iterator[tuple[str, ...]]:
    """Counts, sizes and times of every file in the record, with their change in percent."""
    variants = tuple(stages[0].files)

    def row(title: str, spell: str, values: Sequence[float]) -> tuple[str, ...]:
        change = f"{values[2] / values[0] - 1:+.1%}"
        return (title, *(format(one, spell) for one in values), change)

    yield row("parameters", ",", [one.parameters for one in stages])
    yield row("not zero", ",", [one.nonzero for one in stages])
    yield row("multiply-accumulates", ",", [one.macs for one in stages])
    for name in variants:
        yield row(f"{name} file, bytes", ",", [one.files[name].bytes for one in stages])
    yield row("weights zipped, bytes", ",", [one.bytes_zipped for one in stages])
    for name in variants:
        yield row(f"{name}, ms", ".3f", [one.files[name].milliseconds for one in stages])


def _accuracy_rows(stages: Stages) -> Iterator[tuple[str, ...]]:
    """Accuracies, with the change in percentage points; of kappa in its own unit."""
    for title in ("OA", "AA"):
        values = [getattr(one, title.lower()) for one in stages]
        change = f"{100 * (values[2] - values[0]):+.2f} points"
        yield (title, *(f"{one:.2%}" for one in values), change)
    ranked = [one.top5 for one in stages if one.top5 is not None]
    if len(ranked) == len(stages):
        change = f"{100 * (ranked[2] - ranked[0]):+.2f} points"
        yield ("Top-5", *(f"{one:.2%}" for one in ranked), change)
    kappas = [one.kappa for one in stages]
    yield ("kappa", *(f"{one:.4f}" for one in kappas), f"{kappas[2] - kappas[0]:+.4f}")
