"""Sections of a report: one file each, and a place in `SECTIONS`.

To add one, write `section(material) -> Section | None` in a file of its own; None where there is
nothing to tell.
"""

from __future__ import annotations

from hsitf.report.document import Section
from hsitf.report.material import Material
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


def sections(material: Material) -> list[Section]:
    """All that have something to tell, in order."""
    made = (module.section(material) for module in SECTIONS)
    return [section for section in made if section is not None]
