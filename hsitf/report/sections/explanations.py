"""Whether networks look at the same bands and pixels before and after compression."""

from __future__ import annotations

from hsitf.report.document import Block, Section, Table
from hsitf.report.material import Material
from hsitf.report.words import percent


def section(material: Material) -> Section | None:
    """Similarity of explanations, and the bands that matter most."""
    blocks: list[Block] = []
    for place, (_, record) in enumerate(material.explanations, start=1):
        rows = tuple(
            (
                variant.label,
                percent(variant.oa),
                variant.reduction or "all",
                _mean([one.rank for one in variant.similarity]),
                _mean([one.structure for one in variant.similarity]),
            )
            for variant in record.variants
        )
        top = f" Most important bands: {record.top}." if record.top else ""
        caption = (
            f"{record.method} of {record.network}: rank correlation of the importance of bands, "
            "and structural similarity of maps, to the first network (1 is the same); means over "
            f"{len(record.subjects)} subject(s).{top}"
        )
        head = ("network or file", "OA", "bands", "rank correlation", "similarity of maps")
        blocks.append(Table(f"explanations-{place}", caption, head, rows))
    return Section("explanations", "What they look at", tuple(blocks)) if blocks else None


def _mean(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):.3f}" if known else "-"
