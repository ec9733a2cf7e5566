"""How training went."""

from __future__ import annotations

from hsitf.figures import plain_text
from hsitf.report import drawing
from hsitf.report.data import ReportData
from hsitf.report.document import Chart, Gallery, ReportTable, Section
from hsitf.report.drawing import ChartLine
from hsitf.report.formatting import number, size
from hsitf.runs import Run

# Lines that a chart holds before they run into each other.
MAX_RUNS = 7


def section(data: ReportData) -> Section | None:
    """Loss and accuracy by epoch, and what training took."""
    if not data.runs:
        return None
    trained = [run for run in data.runs if run.record.history]
    blocks = [_table(data)]
    shown = trained[:MAX_RUNS]
    if not shown:
        return Section("training", "Training", tuple(blocks))
    more = f" The first {MAX_RUNS} of {len(trained)} networks." if len(trained) > MAX_RUNS else ""
    with drawing.style():
        charts = (
            Chart(
                "loss",
                f"Mean loss of an epoch.{more}",
                drawing.lines(_lines(data, shown, "loss"), "epoch", "training loss"),
            ),
            Chart(
                "validation",
                f"Accuracy on the validation pixels after each epoch.{more}",
                drawing.lines(
                    _lines(data, shown, "validation_oa"), "epoch", "validation accuracy (%)"
                ),
            ),
        )
    return Section("training", "Training", (Gallery(charts), *blocks))


def _lines(data: ReportData, trained: list[Run], name: str) -> list[ChartLine]:
    factor = 100 if name == "validation_oa" else 1
    return [
        ChartLine(
            plain_text(data.names[str(run.folder)]),
            range(1, len(run.record.history) + 1),
            [factor * getattr(epoch, name) for epoch in run.record.history],
        )
        for run in trained
    ]


def _table(data: ReportData) -> ReportTable:
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
    for run in data.runs:
        record, recipe = run.record, run.record.plan.recipe
        fitted = (
            "fitted by scikit-learn"
            if not record.history
            else (
                f"{recipe.optimizer}, rate {recipe.learning_rate:g}, batches of {recipe.batch_size}"
            )
        )
        rows.append(
            (
                data.names[str(run.folder)],
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
    bands = {run.record.plan.bands for run in data.runs} - {""}
    reduced = f" Bands reduced by {', '.join(sorted(bands))}." if bands else ""
    return ReportTable(
        "training", f"How networks were trained.{reduced}", head, tuple(rows), text_columns=3
    )
