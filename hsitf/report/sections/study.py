"""A study's grids, drawn as the literature draws them: one line a setting, the reference dashed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from hsitf.metrics import Interval
from hsitf.report import drawing
from hsitf.report.data import ReportData
from hsitf.report.document import Block, Chart, Gallery, Heading, Prose, ReportTable, Section
from hsitf.report.formatting import mean, number, size
from hsitf.report.study_charts import costs, curves, size_of
from hsitf.report.study_grids import SHARES, GridMeans, ReferenceMeans, curve_setting, spelled
from hsitf.sweep.learning_curves import learning_curves
from hsitf.sweep.record import CellMean, StudyResults

# What has a column in tables of grids that vary it.
_FURTHER_COLUMNS = ("scene", "split", "recipe", "labelled")
# Rows of a table on the page; means.csv has all.
_MAX_ROWS = 2_000
# Share of a table's rows that have a value of a column at least.
_LEAST_SHARE = 0.25
# Rows that a table of a grid without curves shows at once; longer ones are opened on demand.
_OPEN_ROWS = 40


def section(data: ReportData) -> Section | None:
    """Each grid of a study as charts or a table."""
    study = data.study
    if study is None:
        return None
    blocks: list[Block] = [
        Prose(
            "Each point is a separate network, evaluated on test pixels; dashed lines are the same "
            "networks with all bands, all weights and 32-bit floats. Shaded areas are 95 % "
            "intervals where there are several seeds. Times and memory are those of the machine "
            "that ran the study, beside whatever else ran there."
        )
    ]
    references = ReferenceMeans(study)
    for name in study.study.grids:
        grid = GridMeans.of(study, name)
        if grid.means:
            blocks += _shown(study, grid, references)
    if study.failed:
        rows = tuple((one.settings.text, one.message) for one in study.failed)
        blocks.append(
            ReportTable("failed", "Cells that failed.", ("cell", "why"), rows, text_columns=2)
        )
    if study.study.left_out:
        blocks.append(_impossible(study))
    return Section("study", "Study", tuple(blocks))


def _impossible(study: StudyResults) -> ReportTable:
    """Reasons why cells are impossible, the most frequent first; study.json has every cell."""
    by_reason = defaultdict(list)
    for one in study.study.left_out:
        by_reason[one.reason].append(one.settings.text)
    found = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    return ReportTable(
        "impossible",
        f"Impossible cells ({len(study.study.left_out):,}) by reason.",
        ("why", "first of them", "cells"),
        tuple((reason, cells[0], number(len(cells))) for reason, cells in found),
        text_columns=2,
        collapsed=True,
    )


def _shown(study: StudyResults, grid: GridMeans, references: ReferenceMeans) -> list[Block]:
    suffix = _suffix(study)
    along = curve_setting(grid, references)
    by_labels = _learning_curves(study, grid, suffix)
    beside = costs(grid, suffix) if along is None and by_labels is None else None
    drawn: tuple[Block, ...] = ()
    if by_labels is not None:
        drawn = (by_labels,)
    elif along is not None:
        drawn = curves(grid, along, references, suffix)
    elif beside is not None:
        drawn = (beside,)
    folded = along is not None or len(grid.means) > _OPEN_ROWS
    return [Heading(grid.title), *drawn, _table(grid, references, folded)]


def _suffix(study: StudyResults) -> str:
    generated = any(scene.synthetic for scene in study.study.scenes.values())
    return " (synthetic scene)" if generated else ""


def _learning_curves(study: StudyResults, grid: GridMeans, suffix: str) -> Gallery | None:
    """Accuracy over the number of labelled pixels; None where the grid has one number of them."""
    with drawing.style():
        figure = dict(learning_curves(study)).get(grid.name)
    if figure is None:
        return None
    slug = re.sub(r"[^a-z0-9]+", "-", f"learning-curves-{grid.name}".lower()).strip("-")
    caption = f"{grid.title}: accuracy over labelled pixels a class{suffix}."
    return Gallery((Chart(slug, caption, figure),))


def _value(name: str, spell: Callable[[Interval], str]) -> Callable[[CellMean], str]:
    """Spells a measured value; "-" where a cell has none."""

    def text(one: CellMean) -> str:
        found = one.values.get(name)
        return "-" if found is None else spell(found)

    return text


def _bytes(found: Interval) -> str:
    return size(found.mean) if found.mean else "-"


def _three_digits(found: Interval) -> str:
    # Pruned networks of Keras are not timed, and have 0.
    if not found.mean:
        return "-"
    return f"{found.mean:.3g}" if found.mean < 1000 else number(found.mean)


def _size(one: CellMean) -> str:
    found = size_of(one)
    return "-" if found is None else size(found)


def _deflated(one: CellMean) -> str:
    """Bytes of deflated weights, where zeroed ones make them fewer."""
    return _value("zipped_bytes", _bytes)(one) if one.settings.measure in SHARES else "-"


# Columns of measured values behind the accuracy and its change.
_VALUES: dict[str, Callable[[CellMean], str]] = {
    "AA, %": _value("aa", mean),
    "kappa": _value("kappa", lambda found: f"{found.mean:.3f}"),
    "leakage, %": _value("leakage", lambda found: mean(found, 1)),
    "agreement, %": _value("agreement", mean),
    "saturated, %": _value("saturated", mean),
    "parameters": _value("parameters", lambda found: number(found.mean)),
    "size": _size,
    "deflated": _deflated,
    "file, ms": _value("ms", _three_digits),
    "pixel, us": _value("predict_us", _three_digits),
    "training, s": _value("train_seconds", _three_digits),
    "memory": _value("peak_memory", _bytes),
    "GPU memory": _value("gpu_memory", _bytes),
    "runs": lambda one: str(len(one.seeds)),
}


def _table(grid: GridMeans, references: ReferenceMeans, folded: bool) -> ReportTable:
    further = [key for key in _FURTHER_COLUMNS if key in grid.varied]
    rows = []
    for one in grid.means[:_MAX_ROWS]:
        own, oa = one.settings, one.values["oa"]
        reference = references.oa(one)
        rows.append(
            (
                own.network,
                own.reduction or "all",
                own.pruning or "-",
                own.quantization or "-",
                *(spelled(key, getattr(own, key)) for key in further),
                mean(oa),
                "-" if reference is None else f"{100 * (oa.mean - reference):+.2f}",
                *(text(one) for text in _VALUES.values()),
            )
        )
    head = ("network", "bands", "pruning", "bits or file", *further, "OA, %", "change", *_VALUES)
    text_columns = 4 + len(further)
    # What a few cells have alone, as the times of the unchanged networks, is in other tables.
    shares = [0.0] * text_columns + [_LEAST_SHARE] * (len(head) - text_columns)
    kept = [
        column
        for column, share in enumerate(shares)
        if column < 1 or _is_informative(rows, column, share)
    ]
    slug = re.sub(r"[^a-z0-9]+", "-", grid.name.lower())
    cells = "all cells" if len(rows) == len(grid.means) else f"the first {len(rows):,} means"
    return ReportTable(
        f"grid-{slug}",
        f"{grid.title}: {cells}.",
        tuple(head[column] for column in kept),
        tuple(tuple(row[column] for column in kept) for row in rows),
        sum(column < text_columns for column in kept),
        folded,
    )


def _is_informative(rows: Sequence[Sequence[str]], column: int, share: float = 0.0) -> bool:
    """Whether a column has values, in so many of the rows."""
    count = sum(row[column] not in ("", "-", "all") for row in rows)
    return count > 0 and count >= share * len(rows)
