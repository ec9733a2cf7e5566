"""A study's grids, drawn as the literature draws them: one line a setting, the reference dashed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from hsitf.report import drawing
from hsitf.report.document import Block, Chart, Gallery, Heading, Prose, Section, Table
from hsitf.report.drawing import Line
from hsitf.report.material import Material
from hsitf.report.words import label, mean, number, size
from hsitf.sweep.record import Mean, Settings, StudyResults

# Lines that a chart holds; more are split by network.
MOST_LINES = 7
_SILENT = {"seed", "epochs", "tuning_epochs", "most", "schedule", "train"}
# What charts go along, by the first of these that a grid varies, with the axis' label.
_ALONG = {"target": "", "components": "components that are left of a pixel"}
_SHARES = {"alpha", "zeros"}


@dataclass(frozen=True)
class _Grid:
    """A grid's means and which settings tell them apart."""

    name: str
    means: tuple[Mean, ...]
    varied: tuple[str, ...]


def section(material: Material) -> Section | None:
    """Each grid of a study as charts or a table."""
    study = material.study
    if study is None:
        return None
    blocks: list[Block] = [
        Prose(
            "Each point is a network of its own, judged on test pixels; dashed lines are the same "
            "networks with all bands, all weights and 32-bit floats. Shades are 95 % intervals "
            "where there are several seeds."
        )
    ]
    for name in study.study.grids:
        grid = _grid(study, name)
        if grid.means:
            blocks += _shown(study, grid)
    if study.failed:
        rows = tuple((one.settings.text, one.message) for one in study.failed)
        blocks.append(Table("failed", "Cells that failed.", ("cell", "why"), rows, left=2))
    if study.study.left_out:
        rows = tuple((one.settings.text, one.reason) for one in study.study.left_out)
        blocks.append(
            Table(
                "impossible",
                f"Cells that cannot be ({len(rows)}).",
                ("cell", "why"),
                rows,
                left=2,
                folded=True,
            )
        )
    return Section("study", "Study", tuple(blocks))


def _grid(study: StudyResults, name: str) -> _Grid:
    means = tuple(one for one in study.means if name in one.grids)
    names = [field.name for field in fields(Settings) if field.name not in _SILENT]
    varied = tuple(key for key in names if len({getattr(one.settings, key) for one in means}) > 1)
    return _Grid(name, means, varied)


def _shown(study: StudyResults, grid: _Grid) -> list[Block]:
    title = Heading(grid.name.replace("-", " ").capitalize())
    along = next((key for key in _ALONG if _ascending(grid, key)), None)
    table = _table(study, grid, folded=along is not None)
    if along is None:
        return [title, table]
    return [title, Gallery(tuple(_charts(study, grid, along))), table]


def _ascending(grid: _Grid, key: str) -> bool:
    """Whether a setting takes several values beside others that stay the same."""
    return max(len({getattr(one.settings, key) for one in line}) for line in _lines(grid, key)) > 1


def _lines(grid: _Grid, along: str) -> list[list[Mean]]:
    """Means that differ in one setting alone.

    A network that is not pruned is the first point of every pruning, by whatever criterion.
    """
    found: dict[Settings, list[Mean]] = {}
    first: dict[Settings, Mean] = {}
    for one in grid.means:
        common = replace(one.settings, seed=0, epochs=0, tuning_epochs=0)
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


def _charts(study: StudyResults, grid: _Grid, along: str) -> list[Chart]:
    found = _lines(grid, along)
    by_network: dict[str, list[list[Mean]]] = {"": found}
    if len(found) > MOST_LINES:
        by_network = {}
        for points in found:
            by_network.setdefault(points[0].settings.network, []).append(points)
    return [_chart(study, grid, along, network, points) for network, points in by_network.items()]


def _chart(
    study: StudyResults, grid: _Grid, along: str, network: str, groups: Sequence[list[Mean]]
) -> Chart:
    measures = {one.settings.measure for group in groups for one in group} - {""}
    shares = along == "target" and bool(measures) and measures <= _SHARES
    made, references = [], []
    for group in groups[: 2 * MOST_LINES]:
        points = sorted(group, key=lambda one: _place(one, along, shares))
        name = _name(group[-1].settings, grid, along, network)
        made.append(
            Line(
                label(name),
                [_place(one, along, shares) for one in points],
                [100 * one.values["oa"].mean for one in points],
                [_half(one) for one in points],
            )
        )
        reference = _reference(study, group[0].settings)
        if reference is not None and along != "target":
            references.append((label(name), 100 * reference))
    xlabel = _ALONG[along]
    if along == "target":
        xlabel = (
            "weights that are gone (%)" if shares else f"{', '.join(sorted(measures))} asked for"
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


def _place(one: Mean, along: str, shares: bool) -> float:
    if shares:
        return 100 * one.values["zeros"].mean if "zeros" in one.values else 0.0
    return float(getattr(one.settings, along))


def _half(one: Mean) -> float:
    half = 100 * one.values["oa"].half
    return 0.0 if half != half else half


def _name(settings: Settings, grid: _Grid, along: str, network: str) -> str:
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
    return str(value)


def _reference(study: StudyResults, settings: Settings) -> float | None:
    """Overall accuracy of the same network with everything left as it is."""
    for one in study.means:
        own = one.settings
        same = (own.network, own.scene, own.split, own.train) == (
            settings.network,
            settings.scene,
            settings.split,
            settings.train,
        )
        if same and not (own.reduction or own.pruning or own.quantization):
            return one.values["oa"].mean
    return None


def _table(study: StudyResults, grid: _Grid, folded: bool) -> Table:
    head = ["network", "bands", "pruning", "bits or file"]
    rows = []
    several = "split" in grid.varied
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
                *((own.split,) if several else ()),
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
    columns = (*head, *(("split",) if several else ()), *tail)
    left = 5 if several else 4
    kept = [place for place in range(len(columns)) if place < 1 or _told(rows, place)]
    text = sum(place < left for place in kept)
    slug = re.sub(r"[^a-z0-9]+", "-", grid.name.lower())
    return Table(
        f"grid-{slug}",
        f"{grid.name.replace('-', ' ').capitalize()}: all cells.",
        tuple(columns[place] for place in kept),
        tuple(tuple(row[place] for place in kept) for row in rows),
        text,
        folded,
    )


def _told(rows: Sequence[Sequence[str]], place: int) -> bool:
    """Whether a column says anything."""
    return any(row[place] not in ("", "-", "all") for row in rows)
