"""Comparisons as text tables."""

from __future__ import annotations

from collections.abc import Mapping

from hsitf.compare.comparison import ComparisonRecord, PairComparison
from hsitf.compare.statistics import FEW_PAIRS, PairedDifference
from hsitf.tables import format_table
from hsitf.train.baselines_beside import format_baselines

_LABELS = {"oa": "OA, %", "aa": "AA, %", "kappa": "kappa"}


def format_comparison(record: ComparisonRecord) -> str:
    """A comparison as one table for each pair and scene, and what could not be paired."""
    return "\n\n".join(_format_pair(pair) for pair in record.pairs)


def _format_pair(pair: PairComparison) -> str:
    parts = []
    for scene in pair.scenes:
        kind = " (synthetic scene)" if scene.synthetic else ""
        title = f"{pair.second} against {pair.first} on {scene.scene}{kind}"
        parts.append(_table(title, "splits", pair, scene.measures))
        if not all(split.same_training for split in scene.splits):
            parts.append("Their training pixels differ; their test pixels are the same.")
        if beside := format_baselines(scene.baselines):
            parts.append(beside)
    if pair.mean:
        names = ", ".join(scene.scene for scene in pair.scenes)
        parts.append(
            _table(f"{pair.second} against {pair.first}, {names}", "scenes", pair, pair.mean)
        )
    parts += [f"Not paired: {reason}." for reason in pair.unpaired]
    return "\n".join(parts)


def _table(
    title: str, over: str, pair: PairComparison, measures: Mapping[str, PairedDifference]
) -> str:
    head = ["", over, pair.first, pair.second, "difference", "95 %", "Wilcoxon p", "won", "lost"]
    rows = []
    for name, found in measures.items():
        scale, digits = (1.0, 4) if name == "kappa" else (100.0, 2)
        half = found.half_width
        low_high = "-" if half is None else _interval(found.difference, half, scale, digits)
        rows.append(
            [
                _LABELS[name],
                str(found.pairs),
                f"{scale * found.first:.{digits}f}",
                f"{scale * found.second:.{digits}f}",
                f"{scale * found.difference:+.{digits}f}",
                low_high,
                f"{found.p_value:.3g}",
                str(found.wins),
                str(found.losses),
            ]
        )
    lines = [title, format_table(head, rows)]
    one = measures["oa"]
    if one.pairs <= FEW_PAIRS:
        lines.append(
            f"With {one.pairs} {over if one.pairs > 1 else over[:-1]}, p is never below "
            f"2 / 2^{one.pairs} = {one.smallest_p:g}."
        )
    return "\n".join(lines)


def _interval(mean: float, half: float, scale: float, digits: int) -> str:
    low, high = scale * (mean - half), scale * (mean + half)
    return f"{low:+.{digits}f} to {high:+.{digits}f}"
