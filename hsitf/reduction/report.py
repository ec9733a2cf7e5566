"""A comparison as a user gets it: record, figures and table."""

from __future__ import annotations

from hsitf.progress import Progress
from hsitf.reduction.figure import draw
from hsitf.reduction.request import Ask
from hsitf.reduction.study import compare
from hsitf.reduction.table import table

FIGURES = (".png", ".svg")


def report(ask: Ask, name: str, progress: Progress) -> str:
    """Compares reductions, writes record and figures, and returns the table; see `compare`."""
    found, place = compare(ask, name, progress)
    written = [place]
    if ask.models:
        for suffix in FIGURES:
            written.append(place.with_suffix(suffix))
            draw(found, ask.texts, ask.models, written[-1])
    return "\n".join([table(found, ask.texts, ask.models), *(f"Wrote {path}." for path in written)])
