"""Reductions of bands compared."""

from __future__ import annotations

from hsitf.band_comparison.comparison import Comparison
from hsitf.report.data import ReportData
from hsitf.report.document import ReportTable, Section
from hsitf.report.formatting import mean


def section(data: ReportData) -> Section | None:
    """Cost of each reduction, and the accuracy of networks on what is left."""
    tables = []
    for number, one in enumerate(data.comparisons, start=1):
        models = list(dict.fromkeys(cell.model for cell in one.cells))
        rows = [("all bands", "-", "-", "-", *(_accuracy(one, model, "") for model in models))]
        rows += [
            (
                fit.spec,
                f"{fit.fit_seconds:.2f}",
                f"{fit.transform_seconds:.2f}",
                "yes" if fit.foldable else "no",
                *(_accuracy(one, model, fit.spec) for model in models),
            )
            for fit in one.reductions
        ]
        head = (
            "reduction",
            "fit, s",
            "transform, s",
            "in the file",
            *(f"OA of {model}, %" for model in models),
        )
        tables.append(
            ReportTable(
                f"bands-{number}",
                f"Reductions of {one.scene}'s {one.bands} bands, fitted to "
                f"{one.training_pixels:,} training pixels.",
                head,
                tuple(rows),
            )
        )
    return Section("bands", "Band reduction", tuple(tables)) if tables else None


def _accuracy(found: Comparison, model: str, text: str) -> str:
    cell = found.cell(model, text)
    return "-" if cell is None else mean(cell.mean)
