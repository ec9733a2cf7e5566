"""How training went."""

from __future__ import annotations

from hsitf.report import drawing
from hsitf.report.document import Chart, Gallery, Section, Table
from hsitf.report.drawing import Line
from hsitf.report.material import Material
from hsitf.report.words import label, number, size
from hsitf.runs import Run

# Lines that a chart holds before they run into each other.
MOST = 7


def section(material: Material) -> Section | None:
    """Loss and accuracy by epoch, and what training took."""
    if not material.runs:
        return None
    taught = [run for run in material.runs if run.record.history]
    blocks = [_table(material)]
    shown = taught[:MOST]
    if not shown:
        return Section("training", "Training", tuple(blocks))
    more = f" The first {MOST} of {len(taught)} networks." if len(taught) > MOST else ""
    with drawing.style():
        charts = (
            Chart(
                "loss",
                f"Mean loss of an epoch.{more}",
                drawing.lines(_lines(material, shown, "loss"), "epoch", "training loss"),
            ),
            Chart(
                "validation",
                f"Accuracy on the validation pixels after each epoch.{more}",
                drawing.lines(
                    _lines(material, shown, "validation_oa"), "epoch", "validation accuracy (%)"
                ),
            ),
        )
    return Section("training", "Training", (Gallery(charts), *blocks))


def _lines(material: Material, taught: list[Run], name: str) -> list[Line]:
    factor = 100 if name == "validation_oa" else 1
    return [
        Line(
            label(material.names[str(run.folder)]),
            range(1, len(run.record.history) + 1),
            [factor * getattr(epoch, name) for epoch in run.record.history],
        )
        for run in taught
    ]


def _table(material: Material) -> Table:
    head = (
        "network",
        "schedule",
        "recipe",
        "epochs",
        "best",
        "training pixels",
        "seconds",
        "peak memory",
        "backend",
    )
    rows = []
    for run in material.runs:
        record, recipe = run.record, run.record.plan.recipe
        fitted = (
            "fitted by scikit-learn"
            if not record.history
            else (f"{recipe.optimizer}, rate {recipe.learning_rate:g}, batches of {recipe.batch}")
        )
        rows.append(
            (
                material.names[str(run.folder)],
                record.plan.schedule,
                fitted,
                str(len(record.history) or "-"),
                str(record.best_epoch or "-"),
                number(record.split.train),
                f"{record.seconds:.0f}",
                size(record.peak_memory),
                record.backend,
            )
        )
    bands = {run.record.plan.bands for run in material.runs} - {""}
    reduced = f" Bands reduced by {', '.join(sorted(bands))}." if bands else ""
    return Table("training", f"How networks were trained.{reduced}", head, tuple(rows), left=3)
