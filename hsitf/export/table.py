"""The summary table of an export."""

from __future__ import annotations

from collections.abc import Sequence

from hsitf.export.bundle import Bundle
from hsitf.records import TargetRecord, TflmReport
from hsitf.tables import format_table
from hsitf.targets import COMPILED, format_cost

_HEAD = (
    "variant",
    "bytes",
    "/ float32",
    "OA",
    "change",
    "agreement",
    "p50 ms",
    "p99 ms",
    "integer",
)


def format_bundles(bundles: Sequence[Bundle]) -> str:
    """Formats bundles, one line each, with a title, the latency setup and notes."""
    record = bundles[0].record
    synthetic = ", a synthetic scene" if record.synthetic else ""
    title = (
        f"{record.model} on {record.scene}{synthetic}: {record.test_pixels:,} test pixels, "
        f"{record.split.summary}, OA of the trained network "
        f"{record.oa_keras:.2%}" + (", mean over eight sides" if record.tta else "")
    )
    latency = record.latency_ms
    one, several = ("spectrum", "spectra") if record.patch == 1 else ("patch", "patches")
    patches = f"one {one}" if record.batch == 1 else f"{record.batch} {several}"
    if record.tile:
        patches = f"one tile of {record.tile} x {record.tile} pixels"
    if record.tta:
        patches += " with test-time augmentation, eight times the arithmetic"
    threads = "1 thread" if latency.threads == 1 else f"{latency.threads} threads"
    footer = f"Latency of {patches}, {threads}: {latency.processor}."
    files = [f"{bundle.record.variant}: {bundle.file}" for bundle in bundles]
    techniques = [
        f"{b.record.variant} uses {', '.join(b.record.applied_techniques)}."
        for b in bundles
        if b.record.applied_techniques
    ]
    tflm = [_tflm(b.record.variant, b.record.tflm) for b in bundles if b.record.tflm]
    targets = [_target(b.record.variant, b.record.target) for b in bundles if b.record.target]
    source = f"Trained network: {record.run_folder}."
    rows = format_table(_HEAD, [*map(_row, bundles)])
    compiled = [
        f"For the device: {bundle.folder / name}."
        for bundle in bundles
        for name in (bundle.record.target.files if bundle.record.target else ())
        if name.endswith(COMPILED)
    ]
    lines = [title, rows, footer, *techniques, *tflm, *targets, source, *files, *compiled]
    return "\n".join(lines)


def _tflm(variant: str, report: TflmReport) -> str:
    if report.failure:
        return f"{variant} does not run in TensorFlow Lite Micro: {report.failure}."
    return (
        f"{variant} in TensorFlow Lite Micro: {report.arena_bytes:,} bytes of arena; outputs "
        f"differ by {report.max_output_difference:g} at most."
    )


def _target(variant: str, record: TargetRecord) -> str:
    parts = []
    if record.cost is not None and record.default_cost is not None:
        cost, default = format_cost(record.cost), format_cost(record.default_cost)
        parts.append(f"{cost} {record.unit}, {default} without regard to it")
    if record.sram_bytes is not None:
        parts.append(f"{record.sram_bytes:,} bytes of fast memory")
    if record.operators is not None:
        parts.append(f"{len(record.cpu_operators)} of {record.operators} operators on the CPU")
    if record.basis:
        parts.append(record.basis)
    lines = [f"{variant} for {record.name}: {'; '.join(parts) or 'nothing is known'}."]
    return "\n".join([*lines, *(f"  on the CPU: {reason}" for reason in record.cpu_operators)])


def _row(bundle: Bundle) -> tuple[str, ...]:
    record = bundle.record
    return (
        record.variant,
        f"{record.bytes:,}",
        f"{record.bytes / record.bytes_float32:.3f}",
        f"{record.oa:.2%}",
        # Subtracting from 0 turns a negative zero into a plain one.
        f"{0 - record.oa_drop:+.2f}",
        f"{record.agreement:.2%}",
        f"{record.latency_ms.p50:.3f}",
        f"{record.latency_ms.p99:.3f}",
        f"{record.integer_share:.2f}",
    )
