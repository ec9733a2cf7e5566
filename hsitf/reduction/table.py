"""The table that ends a comparison of reductions."""

from __future__ import annotations

from collections.abc import Sequence

from hsitf.reduction.fitting import Fitted
from hsitf.reduction.study import Cell, Comparison
from hsitf.tables import aligned

ALL_BANDS = "all bands"


def table(found: Comparison, texts: Sequence[str], models: Sequence[str]) -> str:
    """One line a reduction, those asked for, under a line that says what was measured on what."""
    synthetic = ", a synthetic scene" if found.synthetic else ""
    title = (
        f"{found.scene}{synthetic}: {found.bands} bands, {found.pixels:,} pixels, reductions "
        f"fitted to {found.training:,} training pixels"
    )
    head = ("bands", "fit s", "transform s", "memory MB", "in the file", *models)
    rows = [_row(one, found, models) for one in found.fitted if one.text in texts]
    rows.sort(key=lambda row: texts.index(row[0]))
    if models:
        accuracies = [_accuracy(found.cell(model, "")) for model in models]
        rows.insert(0, (ALL_BANDS, "", "", "", "", *accuracies))
    remarks = [
        f"{one.text}: {one.remark}" for one in found.fitted if one.text in texts and one.remark
    ]
    note = ["OA in %, with the half-width of its 95 % interval where there are several runs."]
    return "\n".join([title, aligned(head, rows), *(note if models else []), *remarks])


def _row(one: Fitted, found: Comparison, models: Sequence[str]) -> tuple[str, ...]:
    return (
        one.text,
        f"{one.fit_seconds:.2f}",
        f"{one.transform_seconds:.2f}",
        f"{one.memory / 1e6:.0f}",
        "yes" if one.fusable else "no",
        *(_accuracy(found.cell(model, one.text)) for model in models),
    )


def _accuracy(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    mean = cell.mean
    return f"{100 * mean.mean:.2f}" + (f" ± {100 * mean.half:.2f}" if len(cell.oa) > 1 else "")
