"""Exported files: size, accuracy and latency."""

from __future__ import annotations

from hsitf.report import drawing
from hsitf.report.data import ReportData
from hsitf.report.document import Block, Chart, Gallery, ReportTable, Section
from hsitf.report.formatting import percent, points, size

Points = dict[str, list[tuple[float, float, str]]]


def section(data: ReportData) -> Section | None:
    """Files, their benchmark, and accuracy against bytes and time."""
    blocks: list[Block] = []
    by_bytes, by_time = _tradeoffs(data)
    if by_bytes:
        with drawing.style():
            charts = [
                Chart(
                    "pareto-bytes",
                    "Accuracy against size, with the Pareto front.",
                    drawing.scatter(
                        [*by_bytes.items()], "bytes of the file", "overall accuracy (%)"
                    ),
                )
            ]
            if by_time:
                charts.append(
                    Chart(
                        "pareto-time",
                        "Accuracy against the time of one patch.",
                        drawing.scatter(
                            [*by_time.items()], "milliseconds a patch", "overall accuracy (%)"
                        ),
                    )
                )
        blocks.append(Gallery(tuple(charts)))
    if data.bundles and data.study is None:
        blocks.append(_bundles(data))
    if data.bench:
        blocks.append(_bench(data))
    return Section("files", "Exported files", tuple(blocks)) if blocks else None


def _tradeoffs(data: ReportData) -> tuple[Points, Points]:
    """Points by network: bytes or milliseconds, accuracy in percent, and a label."""
    by_bytes: Points = {}
    by_time: Points = {}
    if data.study is not None:
        for one in data.study.means:
            own, values = one.settings, one.values
            if "file_bytes" not in values:
                continue
            name = ", ".join(filter(None, [own.reduction, own.pruning, own.variant]))
            accuracy = 100 * values["oa"].mean
            by_bytes.setdefault(own.network, []).append((values["file_bytes"].mean, accuracy, name))
            if "ms" in values:
                by_time.setdefault(own.network, []).append((values["ms"].mean, accuracy, name))
        return by_bytes, by_time
    for bundle in data.bundles:
        record = bundle.record
        accuracy = 100 * record.oa
        by_bytes.setdefault(record.model, []).append((record.bytes, accuracy, record.variant))
        # Files of tiles and batches have another unit of time.
        if record.batch == 1 and not record.tile:
            by_time.setdefault(record.model, []).append(
                (record.latency_ms.p50, accuracy, record.variant)
            )
    return by_bytes, by_time


def _bundles(data: ReportData) -> ReportTable:
    head = (
        "file",
        "variant",
        "size",
        "of float32",
        "OA",
        "change",
        "agreement",
        "integer share",
        "ms a patch",
        "engine",
        "needed",
    )
    rows = tuple(
        (
            record.model,
            record.variant + (f", tile {record.tile}" if record.tile else ""),
            size(record.bytes),
            percent(record.bytes / record.bytes_float32, 1),
            percent(record.oa),
            points(-record.oa_drop / 100),
            percent(record.agreement),
            f"{record.integer_share:.2f}",
            "-" if record.tile else f"{record.latency_ms.p50 / record.batch:.3g}",
            record.latency_ms.engine,
            "; ".join(record.applied_techniques) or "-",
        )
        for record in (bundle.record for bundle in data.bundles)
    )
    return ReportTable(
        "files",
        "Exported files against the network they were made from, on all test pixels.",
        head,
        rows,
        text_columns=2,
    )


def _bench(data: ReportData) -> ReportTable:
    head = (
        "file",
        "engine",
        "threads",
        "size",
        "zipped",
        "OA",
        "first, ms",
        "p50, ms",
        "p90, ms",
        "p99, ms",
        "pixels/s",
        "memory",
    )
    rows = tuple(
        (
            row.name,
            row.engine_name,
            str(row.threads or "its own"),
            size(row.bytes),
            size(row.zipped_bytes),
            "-" if row.oa is None else percent(row.oa),
            f"{row.first_ms:.3f}",
            f"{row.p50_ms:.3f}",
            f"{row.p90_ms:.3f}",
            f"{row.p99_ms:.3f}",
            f"{row.pixels_per_second:,.0f}",
            "-" if row.peak_memory_bytes is None else size(row.peak_memory_bytes),
        )
        for row in data.bench
    )
    return ReportTable(
        "bench", f"Engines in turns on {data.bench[0].processor}.", head, rows, text_columns=2
    )
