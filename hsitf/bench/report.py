"""Benchmark results as tables, JSON, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hsitf import records
from hsitf.bench.compatibility import DelegateCompatibility
from hsitf.bench.emulated import EmulatedRun
from hsitf.bench.measurement import BenchResult, BenchRow
from hsitf.bench.target_costs import TargetMeasurement
from hsitf.files import replacing
from hsitf.tables import format_table, write_csv
from hsitf.targets import format_cost

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
TARGET_HEAD = (
    "file",
    "target",
    "cost",
    "cost a pixel",
    "unit",
    "SRAM",
    "flash or DRAM",
    "moved",
    "on the CPU",
    "basis",
)
EMULATED_HEAD = ("file", "core", "instructions", "/ float32", "spread", "bits as on the host")

# Variant with whose instructions others are compared.
_BASELINE = "float32"

TableCells = tuple[Sequence[str], list[tuple[str, ...]], int]


def format_bench(found: BenchResult) -> str:
    """Formats results: one line per file and engine, then emulated cores and delegates."""
    parts = [format_table(head, rows, left) for head, rows, left in tables_of(found)]
    return "\n".join([parts[0], *notes(found), *parts[1:], *_reasons(found.delegate_compatibility)])


def benchmark_model_lines(found: BenchResult) -> list[str]:
    """Statistics in the format of LiteRT's `benchmark_model`, in microseconds, one line per row.

    `first` is the first timed run after warming up, `curr` the last.
    """
    return [
        f"INFO: {row.name}, {row.engine}, {row.threads} threads: count={row.runs} "
        f"first={1e3 * row.begin_ms:.0f} curr={1e3 * row.last_ms:.0f} "
        f"min={1e3 * row.min_ms:.0f} max={1e3 * row.max_ms:.0f} avg={1e3 * row.mean_ms:.6g} "
        f"std={1e3 * row.std_ms:.0f}"
        for row in found.rows
    ]


def write_bench(found: BenchResult, folder: Path) -> list[Path]:
    """Writes bench-<time>.json, .csv and .md; each table has a CSV file of its own.

    Raises:
        OutputError: They cannot be written.
    """
    stem = f"bench-{found.made[:19].replace(':', '').replace('T', '-')}"
    paths = [folder / f"{stem}.json", folder / f"{stem}.csv"]
    records.write(found, paths[0])
    _csv(paths[1], found.rows)
    for name, rows in (
        ("fitness", found.delegate_compatibility),
        ("arm", found.emulated),
        ("targets", found.target_costs),
    ):
        if rows:
            paths.append(folder / f"{stem}-{name}.csv")
            _csv(paths[-1], rows)
    paths.append(folder / f"{stem}.md")
    with replacing(paths[-1]) as temporary:
        temporary.write_text(format_markdown(found), encoding="utf-8")
    return paths


def format_markdown(found: BenchResult) -> str:
    """Formats the tables in Markdown."""
    first, *others = [markdown_table(head, rows) for head, rows, _ in tables_of(found)]
    parts = [first, "\n".join(notes(found))]
    parts += others
    if found.delegate_compatibility:
        parts.append("\n".join(f"- {line}" for line in _reasons(found.delegate_compatibility)))
    return "\n\n".join([*parts, f"`{found.command}`", ""])


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Formats a table in Markdown."""
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)
    )


def _csv(path: Path, rows: Sequence[Any]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="") as stream:
        flat = [{name: _flat(cell) for name, cell in asdict(row).items()} for row in rows]
        head = list(asdict(rows[0])) if rows else ["name"]
        write_csv([head, *([row[name] for name in head] for row in flat)], stream)


def _flat(cell: object) -> object:
    return "; ".join(map(str, cell)) if isinstance(cell, tuple | list) else cell


def tables_of(found: BenchResult) -> list[TableCells]:
    """Head, rows and number of text columns of each non-empty table."""
    grids: list[TableCells] = [(HEAD, [*map(_cells, found.rows)], 2)]
    if found.emulated:
        grids.append((EMULATED_HEAD, [_emulated(one, found.emulated) for one in found.emulated], 2))
    if found.target_costs:
        grids.append((TARGET_HEAD, [*map(_target_cells, found.target_costs)], 2))
    if found.delegate_compatibility:
        delegates = list(dict.fromkeys(one.delegate for one in found.delegate_compatibility))
        rows = _compatibility_rows(found.delegate_compatibility, delegates)
        grids.append((("file", *delegates), rows, 1))
    return grids


def _cells(row: BenchRow) -> tuple[str, ...]:
    return (
        row.name,
        row.engine_name,
        str(row.threads) if row.threads else "its own",
        f"{row.bytes:,}",
        f"{row.zipped_bytes:,}",
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
        "-" if row.peak_memory_bytes is None else f"{row.peak_memory_bytes / 1e6:.1f}",
    )


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"


def _share(number: float | None, digits: int = 0) -> str:
    return "-" if number is None else f"{number:.{digits}%}"


def _emulated(one: EmulatedRun, others: Sequence[EmulatedRun]) -> tuple[str, ...]:
    yardsticks = [
        other.instructions
        for other in others
        if other.variant == _BASELINE
        and (other.core, other.network, other.scene) == (one.core, one.network, one.scene)
    ]
    ratio = f"{one.instructions / yardsticks[0]:.3f}" if yardsticks else "-"
    same = "equal" if one.bit_exact else f"differ by {one.max_difference:.2g}"
    return (
        one.name,
        one.core,
        f"{one.instructions:,}",
        ratio,
        f"{one.spread:,}",
        f"{same} ({one.inferences} inferences)",
    )


def _target_cells(one: TargetMeasurement) -> tuple[str, ...]:
    cpu = "-" if one.operators is None else f"{len(one.cpu_operators)}/{one.operators}"
    return (
        one.name,
        one.target,
        format_cost(one.cost),
        format_cost(one.cost / one.pixels),
        one.unit,
        _count(one.sram_bytes),
        _count(one.flash_bytes),
        _count(one.bytes_moved),
        cpu,
        one.basis,
    )


def _compatibility_rows(
    found: Sequence[DelegateCompatibility], delegates: Sequence[str]
) -> list[tuple[str, ...]]:
    files = dict.fromkeys((one.file_name, one.path) for one in found)
    taken = {
        (one.path, one.delegate): f"{one.supported_operators}/{one.operators}" for one in found
    }
    return [(name, *(taken[path, one] for one in delegates)) for name, path in files]


def _reasons(found: Sequence[DelegateCompatibility]) -> list[str]:
    return [
        f"{one.file_name}, {one.delegate}: {'; '.join(one.reasons)}."
        for one in found
        if one.reasons
    ]


def notes(found: BenchResult) -> list[str]:
    """Notes below the first table: machine, versions, schedule, date, and what was not measured."""
    scenes = sorted({(row.scene, row.synthetic) for row in found.rows if row.scene})
    named = [f"{name} (synthetic)" if synthetic else name for name, synthetic in scenes]
    machines = ", ".join(dict.fromkeys(row.processor for row in found.rows))
    versions = ", ".join(dict.fromkeys(row.version for row in found.rows))
    return [
        f"{machines}; {versions}; {found.rounds} interleaved rounds after {found.warm_up} warm-up "
        f"runs; {found.made}.",
        *([f"OA and agreement on the test pixels of {', '.join(named)}."] if named else []),
        *found.notes,
    ]
