"""The claims of the literature, and whether they hold here."""

from __future__ import annotations

from collections import Counter

from hsitf.literature import UNKNOWN, check_claims
from hsitf.report.data import ReportData
from hsitf.report.document import Prose, ReportTable, Section


def section(data: ReportData) -> Section | None:
    """The literature's statements, its values, and those of this study."""
    if data.study is None:
        return None
    found = check_claims(data.study)
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
        (one.claim.topic, one.claim.text, one.claim.value, one.verdict, one.measured)
        for one in found
    )
    head = ("topic", "statement", "its figures", "here", "figures here")
    return Section(
        "literature",
        "Literature",
        (
            Prose(lead),
            ReportTable("literature", "Statements of the literature.", head, rows, text_columns=5),
        ),
    )
