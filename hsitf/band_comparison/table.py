"""The table that ends a comparison of reductions."""

from __future__ import annotations

from collections.abc import Sequence

from hsitf.band_comparison.comparison import Comparison, ComparisonCell
from hsitf.band_comparison.fitting import FittedReduction
from hsitf.tables import format_table

ALL_BANDS = "all bands"


def format_comparison(comparison: Comparison, specs: Sequence[str], models: Sequence[str]) -> str:
    """One line per requested reduction, under a line that states the scene and the pixels."""
    synthetic = ", a synthetic scene" if comparison.synthetic else ""
    title = (
        f"{comparison.scene}{synthetic}: {comparison.bands} bands, {comparison.pixels:,} pixels, "
        f"reductions fitted to {comparison.training_pixels:,} training pixels"
    )
    head = (
        *("reduction", "fit, s", "transform, s", "memory, MB", "in the file"),
        *(f"OA of {model}, %" for model in models),
    )
    rows = [_row(one, comparison, models) for one in comparison.reductions if one.spec in specs]
    rows.sort(key=lambda row: specs.index(row[0]))
    if models:
        accuracies = [_accuracy(comparison.cell(model, "")) for model in models]
        rows.insert(0, (ALL_BANDS, "-", "-", "-", "-", *accuracies))
    remarks = [
        f"{one.spec}: {one.remark}"
        for one in comparison.reductions
        if one.spec in specs and one.remark
    ]
    note = ["OA on test pixels, with the half-width of its 95 % interval of several runs."]
    return "\n".join([title, format_table(head, rows), *(note if models else []), *remarks])


def _row(one: FittedReduction, comparison: Comparison, models: Sequence[str]) -> tuple[str, ...]:
    return (
        one.spec,
        f"{one.fit_seconds:.2f}",
        f"{one.transform_seconds:.2f}",
        f"{one.peak_memory / 1e6:.0f}",
        "yes" if one.foldable else "no",
        *(_accuracy(comparison.cell(model, one.spec)) for model in models),
    )


def _accuracy(cell: ComparisonCell | None) -> str:
    if cell is None:
        return "-"
    mean = cell.mean
    return f"{100 * mean.mean:.2f}" + (
        f" ± {100 * mean.half_width:.2f}" if len(cell.oa) > 1 else ""
    )
