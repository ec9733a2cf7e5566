"""Similarity of explanations before and after compression."""

from __future__ import annotations

from hsitf.bands import parse
from hsitf.report.data import ReportData
from hsitf.report.document import Block, ReportTable, Section
from hsitf.report.formatting import percent


def section(data: ReportData) -> Section | None:
    """Similarity of explanations, and the bands that matter most."""
    blocks: list[Block] = []
    for number, (_, record) in enumerate(data.explanations, start=1):
        rows = tuple(
            (
                variant.label,
                percent(variant.oa),
                variant.reduction or "all",
                _mean([one.rank_correlation for one in variant.similarity]),
                _mean([one.ssim for one in variant.similarity]),
            )
            for variant in record.sources
        )
        top = _bands(data, record.top_bands) if record.top_bands else ""
        caption = (
            f"{record.method} of {record.network}: rank correlation of band importance, and "
            "structural similarity of maps, to the first network (1: identical); averaged over "
            f"{len(record.outputs)} output(s).{top}"
        )
        head = ("network or file", "OA", "bands", "rank correlation", "similarity of maps")
        blocks.append(ReportTable(f"explanations-{number}", caption, head, rows))
    return Section("explanations", "Explanations", tuple(blocks)) if blocks else None


def _bands(data: ReportData, selection: str) -> str:
    """A selection of bands, whose numbers count from 0, with their wavelengths."""
    centers = data.scene_record.wavelengths
    where = "counted from 0"
    if centers:
        where = ", ".join(f"{centers[band]:.0f}" for band in parse(selection).bands) + " nm"
    return f" Most important bands: {selection} ({where})."


def _mean(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.3f}" if known else "-"
