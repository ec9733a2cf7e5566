"""A comparison as a user gets it: record, figures and table."""

from __future__ import annotations

from hsitf.band_comparison.comparison import compare
from hsitf.band_comparison.figure import draw
from hsitf.band_comparison.request import ComparisonRequest
from hsitf.band_comparison.table import format_comparison
from hsitf.progress import Progress

FIGURES = (".png", ".svg")


def write_comparison(request: ComparisonRequest, name: str, progress: Progress) -> str:
    """Compares reductions, writes the record and figures, and returns the table; see `compare`."""
    found, record_path = compare(request, name, progress)
    written = [record_path]
    if request.models:
        for suffix in FIGURES:
            written.append(record_path.with_suffix(suffix))
            draw(found, request.specs, request.models, written[-1])
    return "\n".join(
        [
            format_comparison(found, request.specs, request.models),
            *(f"Wrote {path}." for path in written),
        ]
    )
