"""Differences of a study's grids to the one that it names as reference, paired by split."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hsitf.compare.statistics import PairedDifference, paired_difference
from hsitf.files import replacing
from hsitf.sweep.record import CellRecord, CellSettings, StudyResults
from hsitf.tables import format_table, plain_cell

DIFFERENCES = "differences.csv"
_MEASURES = {"validation_oa": "validation OA", "oa": "OA"}
_COLUMNS = (
    *("scene", "network", "grid", "labelled", "training", "measure", "splits"),
    *("reference", "mean", "difference", "half_width", "p_value", "won", "lost"),
)


@dataclass(frozen=True)
class ReferenceDifference:
    """How the cells of a grid differ from those of the reference, over splits that both have.

    Attributes:
        grid: Name of the grid.
        settings: Settings of the first of its cells.
        measures: Differences by name of a value, `validation_oa` and `oa`; a measure that a cell
            lacks is missing.
    """

    grid: str
    settings: CellSettings
    measures: dict[str, PairedDifference]


def reference_differences(results: StudyResults) -> list[ReferenceDifference]:
    """Differences of finished cells to those of the reference grid, by network, then by grid.

    Cells are a pair where they differ in how they are trained (recipe, its changes, epochs) and in
    nothing else, the seed of the split included.
    """
    reference = results.study.reference
    if not reference:
        return []
    grids = {cell.settings.id: cell.grids for cell in results.study.cells}
    known = {
        _pair(one.settings): one for one in results.done if reference in grids[one.settings.id]
    }
    groups: dict[tuple[str, CellSettings], list[CellRecord]] = defaultdict(list)
    for record in results.done:
        for grid in grids[record.settings.id]:
            if grid != reference and _pair(record.settings) in known:
                groups[grid, replace(record.settings, seed=0)].append(record)
    order = list(dict.fromkeys(one.settings.network for one in results.done))
    return [
        ReferenceDifference(grid, group[0].settings, _measured(group, known))
        for (grid, settings), group in sorted(
            groups.items(), key=lambda item: order.index(item[0][1].network)
        )
    ]


def _pair(settings: CellSettings) -> CellSettings:
    """What two cells of a pair have in common."""
    return replace(settings, recipe="", training="", schedule="", epochs=0, fine_tuning_epochs=0)


def _measured(
    group: Sequence[CellRecord], known: dict[CellSettings, CellRecord]
) -> dict[str, PairedDifference]:
    found = {}
    for name in _MEASURES:
        pairs = [
            (getattr(known[_pair(one.settings)].values, name), getattr(one.values, name))
            for one in group
        ]
        if all(None not in pair for pair in pairs):
            found[name] = paired_difference(*zip(*pairs, strict=True))
    return found


def write(results: StudyResults) -> list[Path]:
    """Writes the differences beside the study's tables, where it names a reference.

    Returns:
        The files written.

    Raises:
        OutputError: They cannot be written.
    """
    if not results.study.reference:
        return []
    path = results.folder / DIFFERENCES
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(_COLUMNS)
        for one in reference_differences(results):
            own = one.settings
            for name, found in one.measures.items():
                cells: list[object] = [
                    *(own.scene, own.network, one.grid, own.labelled or "all", own.training),
                    *(name, found.pairs, found.first, found.second, found.difference),
                    *(found.half_width, found.p_value, found.wins, found.losses),
                ]
                writer.writerow(map(plain_cell, cells))
    return [path]


def format_differences(results: StudyResults) -> str:
    """The differences as a table; empty where the study names no reference or has none yet."""
    found = reference_differences(results)
    if not found:
        return ""
    head = ["network", "grid", "splits"]
    for label in _MEASURES.values():
        head += [f"{label}, %", "difference", "95 %"]
    several = len({one.settings.scene for one in found}) > 1
    varied = len({(one.grid, one.settings.network, one.settings.scene) for one in found})
    rows = []
    for one in found:
        name = one.grid if varied == len(found) else f"{one.grid}: {_variant(one.settings)}"
        splits = max((d.pairs for d in one.measures.values()), default=0)
        row = [one.settings.network, name, str(splits)]
        for measure in _MEASURES:
            row += _cells(one.measures.get(measure))
        rows.append([one.settings.scene, *row] if several else row)
    head = ["scene", *head] if several else head
    title = f"Differences to the grid {results.study.reference!r}, paired by split"
    return f"{title}\n{format_table(head, rows, text_columns=2 + several)}"


def _variant(settings: CellSettings) -> str:
    labelled = f"{settings.labelled} labelled" if settings.labelled else ""
    return ", ".join(filter(None, [settings.training.replace(";", ", "), labelled])) or "-"


def _cells(found: PairedDifference | None) -> list[str]:
    if found is None:
        return ["", "", ""]
    half = found.half_width
    width = "-" if half is None or math.isnan(half) else f"± {100 * half:.2f}"
    return [f"{100 * found.second:.2f}", f"{100 * found.difference:+.2f}", width]
