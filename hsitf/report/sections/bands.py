"""Reductions of bands compared."""

from __future__ import annotations

from hsitf.reduction.study import Comparison
from hsitf.report.document import Section, Table
from hsitf.report.material import Material
from hsitf.report.words import mean


def section(material: Material) -> Section | None:
    """Cost of each reduction, and the accuracy of networks on what is left."""
    tables = []
    for number, one in enumerate(material.comparisons, start=1):
        models = list(dict.fromkeys(cell.model for cell in one.cells))
        rows = [("all", "-", "-", "-", *(_worth(one, model, "") for model in models))]
        rows += [
            (
                fit.text,
                f"{fit.fit_seconds:.2f}",
                f"{fit.transform_seconds:.2f}",
                "yes" if fit.fusable else "no",
                *(_worth(one, model, fit.text) for model in models),
            )
            for fit in one.fitted
        ]
        head = (
            "bands",
            "fit, s",
            "transform, s",
            "in the file",
            *(f"OA of {model}, %" for model in models),
        )
        tables.append(
            Table(
                f"bands-{number}",
                f"Reductions of {one.scene}'s {one.bands} bands, fitted to "
                f"{one.training:,} training pixels.",
                head,
                tuple(rows),
            )
        )
    return Section("bands", "Bands", tuple(tables)) if tables else None


def _worth(found: Comparison, model: str, text: str) -> str:
    cell = found.cell(model, text)
    return "-" if cell is None else mean(cell.mean)
