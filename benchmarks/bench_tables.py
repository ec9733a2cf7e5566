"""Writes the tables of a bench into a document.

    PYTHONPATH=. python benchmarks/bench_tables.py export/results/bench-....json docs/bench.md

What stands between the two markers in the document is replaced.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hsitf import records
from hsitf.bench import report
from hsitf.bench.measured import Bench
from hsitf.files import replacing

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
# Of the columns of the table, those that fit on a page.
SHOWN = (
    "file", "engine", "bytes", "OA", "agreement", "delegated", "first ms", "p50 ms", "p99 ms",
    "spread", "pixels/s", "memory MB",
)  # fmt: skip


def tables(found: Bench) -> str:
    """The tables in Markdown."""
    first, *others = report.grids(found)
    head, rows, _ = first
    places = [head.index(name) for name in SHOWN]
    narrow = [tuple(row[place] for place in places) for row in rows]
    parts = [report.marked(SHOWN, narrow), "\n".join(report.notes(found))]
    parts += [report.marked(head, rows) for head, rows, _ in others]
    parts.append(f"`{found.command}`")
    return "\n\n".join(parts)


def main(source: str, document: str) -> None:
    """Replaces the document's tables."""
    path = Path(document)
    text = path.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    made = tables(records.read(Bench, Path(source)))
    with replacing(path) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
