"""What is printed of an explanation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.bands import parse
from hsitf.explain.record import ExplanationRecord, SourceRecord
from hsitf.tables import format_table

_HEAD = ("network", "kind", "OA", "rank corr.", "structure", "seconds")


def format_summary(
    record: ExplanationRecord,
    written: Sequence[Path],
    wavelengths: NDArray[np.float64] | None = None,
) -> str:
    """Networks and their similarity to the first, the most important bands, and the files.

    Args:
        record: The record of the explanation.
        written: The files that were written.
        wavelengths: (bands,) band centers of the scene in nanometers; None where unknown.
    """
    synthetic = ", a synthetic scene" if record.synthetic else ""
    subjects = record.outputs
    pixels = sum(one.pixels for one in subjects)
    what = subjects[0].name if len(subjects) == 1 else f"{len(subjects)} subjects"
    over = f", {pixels:,} pixels" if pixels > 1 else ""
    title = f"{record.method} of {record.network} on {record.scene}{synthetic}: {what}{over}"
    lines = [title, format_table(_HEAD, [_row(one) for one in record.sources], text_columns=2)]
    lines += [
        f"{one.label}: {name} {value:.3g}, the largest of all."
        for one in record.sources
        for name, value in one.metrics.items()
    ]
    if len(subjects) > 1:
        lines += [
            f"{one.name}: --bands {one.bands}{_centers(one.bands, wavelengths)}"
            for one in subjects
            if one.bands
        ]
    if record.top_bands:
        centers = _centers(record.top_bands, wavelengths)
        lines.append(f"Most important bands: --bands {record.top_bands}{centers}")
    return "\n".join([*lines, *(f"Wrote {path}." for path in written)])


def _centers(selection: str, wavelengths: NDArray[np.float64] | None) -> str:
    """The wavelengths of a selection of bands, whose numbers count from 0."""
    if wavelengths is None:
        return " (counted from 0)"
    return f" ({', '.join(f'{wavelengths[band]:.0f}' for band in parse(selection).bands)} nm)"


def _row(one: SourceRecord) -> tuple[str, ...]:
    ranks = [found.rank_correlation for found in one.similarity]
    structures = [found.ssim for found in one.similarity]
    return (
        one.label,
        one.kind,
        f"{one.oa:.2%}",
        _mean(ranks),
        _mean(structures),
        f"{one.seconds:.1f}",
    )


def _mean(values: Sequence[float | None]) -> str:
    """Mean over the subjects of what is defined."""
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.3f}" if known else "-"
