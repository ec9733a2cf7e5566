"""A study's grids, drawn as the literature draws them: one line a setting, the reference dashed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from hsitf.figures import plain_text
from hsitf.report import drawing
from hsitf.report.data import ReportData
from hsitf.report.document import Block, Chart, Gallery, Heading, Prose, ReportTable, Section
from hsitf.report.drawing import ChartLine
from hsitf.report.formatting import mean, number, size
from hsitf.sweep.learning_curves import learning_curves
from hsitf.sweep.record import CellMean, CellSettings, StudyResults

# Lines that a chart holds; more are split by network.
MAX_LINES = 7
_SILENT = {"seed", "epochs", "fine_tuning_epochs", "max_samples", "schedule", "train"}
# What charts go along, by the first of these that a grid varies, with the axis' label.
_ALONG = {"target": "", "components": "components that are left of a pixel"}
_SHARES = {"alpha", "sparsity"}
# What has a column in tables of grids that vary it.
_FURTHER_COLUMNS = ("scene", "split", "recipe", "labelled")
# Settings that a pruned or quantized network has in common with the one it is compared with.
_SAME_TRAINING = ("network", "scene", "split", "train", "recipe", "labelled")


@dataclass(frozen=True)
class _GridMeans:
    """The means of a grid and the settings that vary in it."""

    name: str
    means: tuple[CellMean, ...]
    varied: tuple[str, ...]


def section(data: ReportData) -> Section | None:
    """Each grid of a study as charts or a table."""
    study = data.study
    if study is None:
        return None
    blocks: list[Block] = [
        Prose(
            "Each point is a separate network, evaluated on test pixels; dashed lines are the same "
            "networks with all bands, all weights and 32-bit floats. Shaded areas are 95 % "
            "intervals where there are several seeds."
        )
    ]
    for name in study.study.grids:
        grid = _grid(study, name)
        if grid.means:
            blocks += _shown(study, grid)
    if study.failed:
        rows = tuple((one.settings.text, one.message) for one in study.failed)
        blocks.append(
            ReportTable("failed", "Cells that failed.", ("cell", "why"), rows, text_columns=2)
        )
    if study.study.left_out:
        rows = tuple((one.settings.text, one.reason) for one in study.study.left_out)
        blocks.append(
            ReportTable(
                "impossible",
                f"Impossible cells ({len(rows)}).",
                ("cell", "why"),
                rows,
                text_columns=2,
                collapsed=True,
            )
        )
    return Section("study", "Study", tuple(blocks))


def _grid(study: StudyResults, name: str) -> _GridMeans:
    means = tuple(one for one in study.means if name in one.grids)
    names = [field.name for field in fields(CellSettings) if field.name not in _SILENT]
    varied = tuple(key for key in names if len({getattr(one.settings, key) for one in means}) > 1)
    return _GridMeans(name, means, varied)


def _shown(study: StudyResults, grid: _GridMeans) -> list[Block]:
    title = Heading(grid.name.replace("-", " ").capitalize())
    along = next((key for key in _ALONG if _ascending(grid, key)), None)
    table = _table(study, grid, folded=along is not None)
    if curves := _learning_curves(study, grid):
        return [title, curves, table]
    if along is None:
        return [title, table]
    return [title, Gallery(tuple(_charts(study, grid, along))), table]


def _learning_curves(study: StudyResults, grid: _GridMeans) -> Gallery | None:
    """Accuracy over the number of labelled pixels; None where the grid has one number of them."""
    with drawing.style():
        figure = dict(learning_curves(study)).get(grid.name)
    if figure is None:
        return None
    slug = re.sub(r"[^a-z0-9]+", "-", f"learning-curves-{grid.name}".lower()).strip("-")
    generated = any(scene.synthetic for scene in study.study.scenes.values())
    synthetic = " (synthetic scene)" if generated else ""
    name = grid.name.replace("-", " ").capitalize()
    return Gallery(
        (Chart(slug, f"{name}: accuracy over labelled pixels a class{synthetic}.", figure),)
    )


def _ascending(grid: _GridMeans, key: str) -> bool:
    """Whether a setting takes several values while others stay the same."""
    return max(len({getattr(one.settings, key) for one in line}) for line in _lines(grid, key)) > 1


def _lines(grid: _GridMeans, along: str) -> list[list[CellMean]]:
    """Means that differ in one setting alone.

    An unpruned network is the first point of every pruning curve, for any criterion.
    """
    found: dict[CellSettings, list[CellMean]] = {}
    first: dict[CellSettings, CellMean] = {}
    for one in grid.means:
        common = replace(one.settings, seed=0, epochs=0, fine_tuning_epochs=0)
        if along == "components":
            found.setdefault(replace(common, components=0), []).append(one)
        elif common.measure:
            common = replace(common, target=0.0, measure="", layers="")
            found.setdefault(common, []).append(one)
        else:
            first[common] = one
    for common, points in found.items():
        whole = first.get(replace(common, criterion=""))
        if along != "components" and whole is not None:
            points.insert(0, whole)
    return list(found.values()) or [[one] for one in first.values()]


def _charts(study: StudyResults, grid: _GridMeans, along: str) -> list[Chart]:
    found = _lines(grid, along)
    by_network: dict[str, list[list[CellMean]]] = {"": found}
    if len(found) > MAX_LINES:
        by_network = {}
        for points in found:
            by_network.setdefault(points[0].settings.network, []).append(points)
    return [_chart(study, grid, along, network, points) for network, points in by_network.items()]


def _chart(
    study: StudyResults,
    grid: _GridMeans,
    along: str,
    network: str,
    groups: Sequence[list[CellMean]],
) -> Chart:
    measures = {one.settings.measure for group in groups for one in group} - {""}
    shares = along == "target" and bool(measures) and measures <= _SHARES
    made, references = [], []
    for group in groups[: 2 * MAX_LINES]:
        points = sorted(group, key=lambda one: _place(one, along, shares))
        name = _name(group[-1].settings, grid, along, network)
        made.append(
            ChartLine(
                plain_text(name),
                [_place(one, along, shares) for one in points],
                [100 * one.values["oa"].mean for one in points],
                [_half(one) for one in points],
            )
        )
        reference = _reference(study, group[0].settings)
        if reference is not None and along != "target":
            references.append((plain_text(name), 100 * reference))
    xlabel = _ALONG[along]
    if along == "target":
        xlabel = (
            "sparsity of the weights (%)" if shares else f"{', '.join(sorted(measures))} asked for"
        )
    if len({value for _, value in references}) == 1 and len(references) > 1:
        references = [("all bands", references[0][1])]
    with drawing.style():
        figure = drawing.lines(made, xlabel, "overall accuracy (%)", references)
    slug = re.sub(r"[^a-z0-9]+", "-", f"grid-{grid.name}-{network}".lower()).strip("-")
    who = f", {network}" if network else ""
    generated = any(scene.synthetic for scene in study.study.scenes.values())
    synthetic = " (synthetic scene)" if generated else ""
    return Chart(
        slug,
        f"{grid.name.replace('-', ' ').capitalize()}{who}: accuracy over {xlabel}{synthetic}.",
        figure,
    )


def _place(one: CellMean, along: str, shares: bool) -> float:
    if shares:
        return 100 * one.values["sparsity"].mean if "sparsity" in one.values else 0.0
    return float(getattr(one.settings, along))


def _half(one: CellMean) -> float:
    half = 100 * one.values["oa"].half_width
    return 0.0 if half != half else half


def _name(settings: CellSettings, grid: _GridMeans, along: str, network: str) -> str:
    keys = [key for key in grid.varied if key != along and not (key == "network" and network)]
    if along == "target":
        keys = [key for key in keys if key not in ("measure", "layers")]
    found = [_spelled(key, getattr(settings, key)) for key in keys]
    return ", ".join(filter(None, found)) or settings.network


def _spelled(key: str, value: object) -> str:
    if key == "components":
        return f"{value} components" if value else "all bands"
    if key == "bits":
        return f"{value} bits" if value else "floats"
    if key == "variant":
        return str(value) or "Keras"
    if key == "labelled":
        return f"{value} a class" if value else "all labelled"
    return str(value)


def _reference(study: StudyResults, settings: CellSettings) -> float | None:
    """Overall accuracy of the same network with everything left as it is."""
    for one in study.means:
        own = one.settings
        same = all(getattr(own, key) == getattr(settings, key) for key in _SAME_TRAINING)
        if same and not (own.reduction or own.pruning or own.quantization):
            return one.values["oa"].mean
    return None


def _table(study: StudyResults, grid: _GridMeans, folded: bool) -> ReportTable:
    head = ["network", "bands", "pruning", "bits or file"]
    rows = []
    further = [key for key in _FURTHER_COLUMNS if key in grid.varied]
    for one in grid.means:
        own, values = one.settings, one.values
        reference = _reference(study, own)
        change = "" if reference is None else f"{100 * (values['oa'].mean - reference):+.2f}"
        measured = values.get("file_bytes") or values.get("weight_bytes")
        ms = values.get("ms")
        agreement, saturated = values.get("agreement"), values.get("saturated")
        rows.append(
            (
                own.network,
                own.reduction or "all",
                own.pruning or "-",
                own.quantization or "-",
                *(_spelled(key, getattr(own, key)) for key in further),
                mean(values["oa"]),
                change,
                mean(values["aa"]),
                f"{values['kappa'].mean:.3f}",
                mean(values["leakage"], 1),
                "-" if agreement is None else mean(agreement),
                "-" if saturated is None else mean(saturated),
                number(values["parameters"].mean) if "parameters" in values else "-",
                size(measured.mean) if measured else "-",
                f"{ms.mean:.3g}" if ms else "-",
            )
        )
    tail = (
        "OA, %",
        "change",
        "AA, %",
        "kappa",
        "leakage, %",
        "agreement, %",
        "saturated, %",
        "parameters",
        "size",
        "ms",
    )
    columns = (*head, *further, *tail)
    text_columns = 4 + len(further)
    kept = [column for column in range(len(columns)) if column < 1 or _is_informative(rows, column)]
    text = sum(column < text_columns for column in kept)
    slug = re.sub(r"[^a-z0-9]+", "-", grid.name.lower())
    return ReportTable(
        f"grid-{slug}",
        f"{grid.name.replace('-', ' ').capitalize()}: all cells.",
        tuple(columns[column] for column in kept),
        tuple(tuple(row[column] for column in kept) for row in rows),
        text,
        folded,
    )


def _is_informative(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Whether a column has more than one value."""
    return any(row[column] not in ("", "-", "all") for row in rows)
