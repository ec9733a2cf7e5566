"""What the literature found, and whether it holds here."""

from __future__ import annotations

from collections import Counter

from hsitf.report.document import Prose, Section, Table
from hsitf.report.material import Material
from hsitf.sweep.literature import UNKNOWN, judged


def section(material: Material) -> Section | None:
    """The literature's statements, its values, and those of this study."""
    if material.study is None:
        return None
    found = judged(material.study)
    known = [one for one in found if one.verdict != UNKNOWN]
    if not known:
        return None
    counts = Counter(one.verdict for one in found)
    lead = (
        "The study of hyperspectral image classification and compression (Indian Pines, random "
        "split of 80 %, six runs) beside this one: "
        + ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
        + "."
    )
    rows = tuple(
        (one.statement.topic, one.statement.text, one.statement.value, one.verdict, one.measured)
        for one in found
    )
    head = ("topic", "statement", "its figures", "here", "figures here")
    return Section(
        "literature",
        "Literature",
        (Prose(lead), Table("literature", "Statements of the literature.", head, rows, left=5)),
    )
