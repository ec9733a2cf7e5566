"""What a compression says of its result: a table, and all candidates as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from hsitf.compress.bounds import COSTS
from hsitf.compress.losses import METRICS
from hsitf.compress.record import CompressionCandidate, CompressionRecord
from hsitf.export.variants import variant as known_variant
from hsitf.files import replacing
from hsitf.metrics import format_drop
from hsitf.tables import format_table, plain_cell
from hsitf.targets import find_target

_HEAD = (
    "network",
    "how",
    "parameters",
    "MACs",
    "bytes",
    "/ float32",
    "ms",
    "lost in validation",
    "unlabelled alike",
    "expected loss",
    "lost on test",
    "s",
)
_COLUMNS = (
    *("candidate", "parent", "kind", "share", "criterion", "allocation", "parameters"),
    *COSTS,
    *METRICS,
    *("drop", "drop_low", "drop_high", "validation_agreement", "unlabelled_agreement"),
    *("expected_drop", "seconds", "front"),
)


def format_compression(record: CompressionRecord) -> str:
    """The steps from the original to the published file, and what that file lost on test pixels."""
    by_key = {one.key: one for one in record.candidates}
    synthetic = ", a synthetic scene" if record.synthetic else ""
    variant = record.start.options.variant
    title = (
        f"{record.network} on {record.scene}{synthetic}: {record.bounds.text}; "
        f"{record.split.summary}"
    )
    rows = [_row(by_key[key], record) for key in record.steps]
    controls = [one for one in record.candidates if one.step.kind not in ("original", "cut")]
    rows += [_row(one, record) for one in controls]
    head = list(_HEAD)
    head[head.index("ms") + 1 : head.index("ms") + 1] = [
        COSTS[name].title if name != "target_cost" else f"on {record.bounds.target}"
        for name in _further_costs(record)
    ]
    return "\n".join(
        [
            title,
            format_table(head, rows, text_columns=2),
            f"All are {variant} files. On the front: {len(record.front)} of the "
            f"{len(record.candidates) - len(controls)} candidates. Losses in points; in validation "
            "with their 95 % interval over fields.",
            *_verdict(record),
            *_lowering(by_key[record.chosen], record),
        ]
    )


def _further_costs(record: CompressionRecord) -> list[str]:
    """Costs that are shown where they were asked for."""
    asked = {"arena": record.bounds.max_arena, "target_cost": record.bounds.target}
    return [name for name, given in asked.items() if given is not None]


def _verdict(record: CompressionRecord) -> list[str]:
    """What test pixels, which chose nothing, say of the published file."""
    final, metric = record.final_evaluations[record.chosen], record.bounds.metric
    name = metric if metric == "kappa" else metric.upper()
    drop, bound = final.drop, record.bounds.max_drop
    lines = [
        f"On {final.pixels:,} test pixels: {name} {100 * final.before[metric]:.2f} before, "
        f"{100 * final.after[metric]:.2f} after, {format_drop(drop.points)} "
        f"(95 %: {drop.low:.2f} to {drop.high:.2f}, over {drop.fields} fields); "
        f"{final.agreement:.1%} classified alike."
    ]
    if bound is not None and drop.points > bound:
        lines.append(
            f"That is more than the {bound:g} points asked for, which lie within the interval."
        )
    elif bound is not None and drop.high > bound:
        lines.append(
            f"The {bound:g} points asked for are kept here; the interval does not exclude more."
        )
    return lines


def _lowering(chosen: CompressionCandidate, record: CompressionRecord) -> list[str]:
    """How the file was lowered, where that is not the way of its kind of file."""
    usual = known_variant(record.start.options.variant).arithmetic.channel_alignment
    target = record.bounds.target
    tuned = target is not None and find_target(target).cost is not None
    if tuned or chosen.channel_alignment in (None, usual):
        return []
    return [
        f"Lowered with --channel-alignment {chosen.channel_alignment}, as other exports of this "
        "network have to be for the same file."
    ]


def _row(one: CompressionCandidate, record: CompressionRecord) -> tuple[str, ...]:
    found, final = one.fidelity, record.final_evaluations.get(one.key)
    further = [
        f"{one.costs[name]:{COSTS[name].format}}" if name in one.costs else ""
        for name in _further_costs(record)
    ]
    how = {"original": f"{record.start.options.variant} alone"}.get(one.step.kind, one.step.kind)
    if one.step.criterion:
        how = f"{how}: {one.step.criterion}, {one.step.allocation}"
    alike = "" if found.agreement is None else f"{found.agreement:.1%}"
    return (
        one.key,
        how,
        f"{one.parameters:,}",
        f"{one.macs:,}",
        f"{one.costs['bytes']:,.0f}",
        f"{one.costs['bytes'] / record.bytes_float32:.1%}",
        f"{one.costs['latency_ms']:.3f}",
        *further,
        f"{found.drop.points:.2f} ({found.drop.low:.2f} to {found.drop.high:.2f})",
        alike,
        f"{found.expected_drop:.2f}",
        "" if final is None else f"{final.drop.points:.2f}",
        f"{one.seconds:.0f}",
    )


def write_csv(candidates: Sequence[CompressionCandidate], front: Sequence[str], path: Path) -> None:
    """Writes all candidates, one a row.

    Raises:
        OutputError: The file cannot be written.
    """
    with replacing(path) as temporary, temporary.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(_COLUMNS)
        for one in candidates:
            found, step = one.fidelity, one.step
            values = [step.key, step.parent, step.kind, step.share, step.criterion]
            values += [step.allocation, one.parameters]
            values += [one.costs.get(name, "") for name in COSTS]
            values += [found.accuracy[name] for name in METRICS]
            values += [found.drop.points, found.drop.low, found.drop.high]
            values += [found.validation_agreement, found.agreement, found.expected_drop]
            rows.writerow(map(plain_cell, [*values, one.seconds, one.key in front]))
