"""The table that ends an export."""

from __future__ import annotations

from collections.abc import Sequence

from hsitf.export.bundle import Bundle
from hsitf.records import Micro
from hsitf.tables import aligned

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


def table(bundles: Sequence[Bundle]) -> str:
    """One line a bundle, under a line that says what was measured on what."""
    record = bundles[0].record
    synthetic = ", a synthetic scene" if record.synthetic else ""
    title = (
        f"{record.model} on {record.scene}{synthetic}: {record.test_pixels:,} test pixels, "
        f"{record.split.kind} split, leakage {record.leakage:.1%}, OA of the trained network "
        f"{record.oa_keras:.2%}"
    )
    latency = record.latency_ms
    patches = "one patch" if record.batch == 1 else f"{record.batch} patches"
    if record.tile:
        patches = f"one tile of {record.tile} x {record.tile} pixels"
    threads = "1 thread" if latency.threads == 1 else f"{latency.threads} threads"
    footer = f"Latency of {patches}, {threads}: {latency.processor}."
    places = [f"{bundle.record.variant}: {bundle.file}" for bundle in bundles]
    means = [
        f"{b.record.variant} took {', '.join(b.record.means)}." for b in bundles if b.record.means
    ]
    micro = [_micro(b.record.variant, b.record.micro) for b in bundles if b.record.micro]
    origin = f"Trained network: {record.run}."
    rows = aligned(_HEAD, [*map(_row, bundles)])
    return "\n".join([title, rows, footer, *means, *micro, origin, *places])


def _micro(variant: str, found: Micro) -> str:
    if found.refused:
        return f"{variant} does not run in TensorFlow Lite Micro: {found.refused}."
    return (
        f"{variant} in TensorFlow Lite Micro: {found.arena:,} bytes of arena; outputs differ by "
        f"{found.difference:g} at most."
    )


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
