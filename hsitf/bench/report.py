"""A bench as tables, and as JSON, CSV and Markdown that stay."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hsitf import records
from hsitf.bench.arm.emulated import Emulated
from hsitf.bench.fitness import DELEGATES, Fitness
from hsitf.bench.measured import Bench, Row
from hsitf.files import replacing
from hsitf.tables import aligned

HEAD = (
    "file",
    "engine",
    "threads",
    "bytes",
    "zipped",
    "parameters",
    "MACs",
    "OA",
    "agreement",
    "integer",
    "delegated",
    "first ms",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "spread",
    "pixels/s",
    "memory MB",
)
FITNESS = ("file", *(delegate.name for delegate in DELEGATES))
EMULATED = ("file", "core", "instructions", "/ float32", "spread", "bits as on the host")

# Of a file whose instructions others are compared with.
_YARDSTICK = "float32"

Grid = tuple[Sequence[str], list[tuple[str, ...]], int]


def table(found: Bench) -> str:
    """One line a file and engine, then what delegates and emulated cores make of the files."""
    parts = [aligned(head, rows, left) for head, rows, left in grids(found)]
    return "\n".join([parts[0], *notes(found), *parts[1:], *_reasons(found.fitness)])


def lines(found: Bench) -> list[str]:
    """Statistics as LiteRT's `benchmark_model` prints them, in microseconds, a line a row.

    `first` is the first of the runs that count, after warming up, `curr` the last of them.
    """
    return [
        f"INFO: {row.name}, {row.engine}, {row.threads} threads: count={row.runs} "
        f"first={1e3 * row.begin_ms:.0f} curr={1e3 * row.last_ms:.0f} "
        f"min={1e3 * row.min_ms:.0f} max={1e3 * row.max_ms:.0f} avg={1e3 * row.mean_ms:.6g} "
        f"std={1e3 * row.std_ms:.0f}"
        for row in found.rows
    ]


def write(found: Bench, folder: Path) -> list[Path]:
    """Writes bench-<time>.json, .csv and .md, the parts of the last two in files of their own.

    Raises:
        OutputError: They cannot be written.
    """
    stem = f"bench-{found.made[:19].replace(':', '').replace('T', '-')}"
    paths = [folder / f"{stem}.json", folder / f"{stem}.csv"]
    records.write(found, paths[0])
    _csv(paths[1], found.rows)
    for name, rows in (("fitness", found.fitness), ("arm", found.emulated)):
        if rows:
            paths.append(folder / f"{stem}-{name}.csv")
            _csv(paths[-1], rows)
    paths.append(folder / f"{stem}.md")
    with replacing(paths[-1]) as temporary:
        temporary.write_text(markdown(found), encoding="utf-8")
    return paths


def markdown(found: Bench) -> str:
    """The tables for a document."""
    first, *others = [marked(head, rows) for head, rows, _ in grids(found)]
    parts = [first, "\n".join(notes(found))]
    parts += others
    if found.fitness:
        parts.append("\n".join(f"- {line}" for line in _reasons(found.fitness)))
    return "\n\n".join([*parts, f"`{found.command}`", ""])


def marked(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)
    )


def _csv(path: Path, rows: Sequence[Any]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="") as stream:
        flat = [{name: _flat(cell) for name, cell in asdict(row).items()} for row in rows]
        writer = csv.DictWriter(stream, list(asdict(rows[0])) if rows else ["name"])
        writer.writeheader()
        writer.writerows(flat)


def _flat(cell: object) -> object:
    return "; ".join(map(str, cell)) if isinstance(cell, tuple | list) else cell


def grids(found: Bench) -> list[Grid]:
    """Head, rows and number of text columns of each table that has rows."""
    grids: list[Grid] = [(HEAD, [*map(_cells, found.rows)], 2)]
    if found.emulated:
        grids.append((EMULATED, [_emulated(one, found.emulated) for one in found.emulated], 2))
    if found.fitness:
        grids.append((FITNESS, _fitting(found.fitness), 1))
    return grids


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        row.engine_name,
        str(row.threads) if row.threads else "its own",
        f"{row.bytes:,}",
        f"{row.zipped:,}",
        _count(row.parameters),
        _count(row.macs),
        _share(row.oa, 2),
        _share(row.agreement, 2),
        _share(row.integer_share),
        _share(row.delegated_share),
        f"{row.first_ms:.3f}",
        f"{row.p50_ms:.3f}",
        f"{row.p90_ms:.3f}",
        f"{row.p99_ms:.3f}",
        f"{row.spread:.0%}",
        f"{row.pixels_per_second:,.0f}",
        "-" if row.memory is None else f"{row.memory / 1e6:.1f}",
    )


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _share(number: float | None, digits: int = 0) -> str:
    return "-" if number is None else f"{number:.{digits}%}"


def _emulated(one: Emulated, others: Sequence[Emulated]) -> tuple[str, ...]:
    yardsticks = [
        other.instructions
        for other in others
        if other.variant == _YARDSTICK
        and (other.core, other.network, other.scene) == (one.core, one.network, one.scene)
    ]
    ratio = f"{one.instructions / yardsticks[0]:.3f}" if yardsticks else "-"
    same = "equal" if one.equal else f"differ by {one.difference:.2g}"
    return (
        one.name,
        one.core,
        f"{one.instructions:,}",
        ratio,
        f"{one.spread:,}",
        f"{same} ({one.inferences} inferences)",
    )


def _fitting(found: Sequence[Fitness]) -> list[tuple[str, ...]]:
    files = dict.fromkeys((one.name, one.path) for one in found)
    taken = {(one.path, one.delegate): f"{one.taken}/{one.operators}" for one in found}
    return [(name, *(taken[path, one.name] for one in DELEGATES)) for name, path in files]


def _reasons(found: Sequence[Fitness]) -> list[str]:
    return [
        f"{one.name}, {one.delegate}: {'; '.join(one.reasons)}." for one in found if one.reasons
    ]


def notes(found: Bench) -> list[str]:
    """Lines under the first table: where, when and how it was measured, and what was not."""
    scenes = sorted({(row.scene, row.synthetic) for row in found.rows if row.scene})
    named = [f"{name} (synthetic)" if synthetic else name for name, synthetic in scenes]
    machines = ", ".join(dict.fromkeys(row.processor for row in found.rows))
    versions = ", ".join(dict.fromkeys(row.version for row in found.rows))
    return [
        f"{machines}; {versions}; {found.rounds} rounds in turns after {found.warm_up} runs to "
        f"warm up; {found.made}.",
        *([f"OA and agreement on the test pixels of {', '.join(named)}."] if named else []),
        *found.notes,
    ]
