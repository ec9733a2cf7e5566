"""The claims of the literature, and whether they hold here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hsitf.literature import FAILS, REASONS, UNKNOWN, CheckedClaim, check_claims
from hsitf.report.data import ReportData
from hsitf.report.document import Block, Prose, ReportTable, Section


def section(data: ReportData) -> Section | None:
    """The literature's claims, its figures, those of this study, and why they differ."""
    if data.study is None:
        return None
    blocks: list[Block] = []
    by_paper: dict[str, list[CheckedClaim]] = {}
    for one in check_claims(data.study):
        by_paper.setdefault(one.claim.paper.name, []).append(one)
    for number, found in enumerate(by_paper.values(), start=1):
        if any(one.verdict != UNKNOWN for one in found):
            blocks += _paper(number, found)
    return Section("literature", "Literature", tuple(blocks)) if blocks else None


def _paper(number: int, found: Sequence[CheckedClaim]) -> list[Block]:
    """What a study says about the claims of one paper."""
    paper = found[0].claim.paper
    counts = Counter(one.verdict for one in found)
    reasons = Counter(REASONS[one.reason] for one in found if one.verdict == FAILS)
    lead = (
        f"{paper.title} ({paper.scene}, {paper.split} split, {paper.runs} "
        f"{'run' if paper.runs == 1 else 'runs'}) beside this study: "
        + ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
        + "."
    )
    if reasons:
        lead += " Why not: " + ", ".join(f"{n} {name}" for name, n in reasons.most_common()) + "."
    rows = tuple(
        (
            one.claim.topic,
            one.claim.text,
            one.claim.place,
            one.claim.value,
            one.verdict,
            one.measured,
            ": ".join(filter(None, [REASONS.get(one.reason, ""), one.why])),
        )
        for one in found
    )
    head = ("topic", "claim", "place", "its figures", "here", "figures here", "why")
    caption = f"Claims of the {paper.name}."
    return [
        Prose(lead),
        ReportTable(f"literature-{number}", caption, head, rows, text_columns=7),
    ]
