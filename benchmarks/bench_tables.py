r"""Writes the tables of a bench into a document.

    PYTHONPATH=. python benchmarks/bench_tables.py docs/results/bench.md \
        export/results/bench-....json ...

What stands between the two markers in the document is replaced: by all tables of the first bench,
and by those of emulated cores and delegates of the others.
"""

from __future__ import annotations

import sys
from pathlib import Path

from hsitf import records
from hsitf.bench import report
from hsitf.bench.measurement import BenchResult
from hsitf.files import replacing

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
# Of the columns of the table, those that fit on a page.
SHOWN = (
    "file",
    "engine",
    "bytes",
    "OA",
    "agreement",
    "delegated",
    "first ms",
    "p50 ms",
    "p99 ms",
    "spread",
    "pixels/s",
    "memory MB",
)


def tables(found: BenchResult) -> str:
    """The table of times in Markdown, with its notes."""
    head, rows, _ = report.tables_of(found)[0]
    places = [head.index(name) for name in SHOWN]
    narrow = [tuple(row[place] for place in places) for row in rows]
    return "\n\n".join([report.markdown_table(SHOWN, narrow), "\n".join(report.notes(found))])


def others(found: BenchResult) -> list[str]:
    """The other tables in Markdown, each with the command that made it."""
    made = [report.markdown_table(head, rows) for head, rows, _ in report.tables_of(found)[1:]]
    return [*made, f"`{found.command}`"]


def main(document: str, *sources: str) -> None:
    """Replaces the document's tables."""
    path = Path(document)
    text = path.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    benches = [records.read(BenchResult, Path(source)) for source in sources]
    made = "\n\n".join([tables(benches[0]), *(part for one in benches for part in others(one))])
    with replacing(path) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
