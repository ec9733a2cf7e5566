"""Sections of a report: one file each, listed in `SECTIONS`.

To add one, write `section(data) -> Section | None` in a file of its own; None for a section without
content.
"""

from __future__ import annotations

from hsitf.report.data import ReportData
from hsitf.report.document import Section
from hsitf.report.sections import (
    accuracy,
    bands,
    bits,
    explanations,
    files,
    literature,
    maps,
    pruning,
    repeat,
    scene,
    study,
    summary,
    training,
)

SECTIONS = (
    summary,
    scene,
    training,
    accuracy,
    maps,
    study,
    literature,
    bands,
    pruning,
    bits,
    files,
    explanations,
    repeat,
)


def sections(data: ReportData) -> list[Section]:
    """All sections with content, in order."""
    made = (module.section(data) for module in SECTIONS)
    return [section for section in made if section is not None]
