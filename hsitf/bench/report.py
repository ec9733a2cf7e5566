"""A bench as table, and as JSON, CSV and Markdown that stay."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path

from hsitf import records
from hsitf.bench.measured import Bench, Row
from hsitf.files import replacing
from hsitf.tables import aligned

HEAD = (
    "file", "engine", "threads", "bytes", "zipped", "OA", "agreement", "integer", "first ms",
    "p50 ms", "p90 ms", "p99 ms", "spread", "pixels/s", "memory MB",
)  # fmt: skip


def table(found: Bench) -> str:
    """One line a file and engine."""
    return "\n".join([aligned(HEAD, [*map(_cells, found.rows)], left=2), *_notes(found)])


def write(found: Bench, folder: Path) -> list[Path]:
    """Writes bench-<time>.json, .csv and .md.

    Raises:
        OutputError: They cannot be written.
    """
    stem = f"bench-{found.made[:19].replace(':', '').replace('T', '-')}"
    paths = [folder / f"{stem}.{kind}" for kind in ("json", "csv", "md")]
    records.write(found, paths[0])
    with replacing(paths[1]) as temporary, temporary.open("w", newline="") as stream:
        rows = [asdict(row) for row in found.rows]
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    with replacing(paths[2]) as temporary:
        lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
        lines += ["| " + " | ".join(_cells(row)) + " |" for row in found.rows]
        lines += ["", *_notes(found), "", f"`{found.command}`", ""]
        temporary.write_text("\n".join(lines), encoding="utf-8")
    return paths


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name, row.engine_name, str(row.threads), f"{row.bytes:,}", f"{row.zipped:,}",
        "-" if row.oa is None else f"{row.oa:.2%}",
        "-" if row.agreement is None else f"{row.agreement:.2%}",
        f"{row.integer_share:.2f}", f"{row.first_ms:.3f}", f"{row.p50_ms:.3f}",
        f"{row.p90_ms:.3f}", f"{row.p99_ms:.3f}", f"{row.spread:.0%}",
        f"{row.pixels_per_second:,.0f}", f"{row.memory / 1e6:.1f}",
    )  # fmt: skip


def _notes(found: Bench) -> list[str]:
    scenes = sorted({(row.scene, row.synthetic) for row in found.rows if row.scene})
    named = [f"{name} (synthetic)" if synthetic else name for name, synthetic in scenes]
    return [
        f"{found.rows[0].processor}; {found.rounds} rounds in turns after {found.warm_up} runs to "
        f"warm up; {found.made}.",
        *([f"OA and agreement on the test pixels of {', '.join(named)}."] if named else []),
    ]
