"""Learning curves: overall accuracy over the number of labelled pixels a class."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hsitf.figures import BLUE, GREEN, ORANGE, VERMILION, new_figure, plain_text, save, style_axes
from hsitf.sweep.record import CellMean, CellSettings, StudyResults
from hsitf.zoo import BASELINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9", "#F0E442")
_STYLES = {"paper": ("-", "o"), "robust": ("--", "D")}
_COLUMNS = 2
# Part of the distance between two numbers of pixels that the curves share.
_SPREAD = 0.3
# Of fewer splits, an interval by Student's t is wider than what is known: of two, 9 times their
# difference.
_MIN_INTERVAL_SPLITS = 3

Curves = dict[CellSettings, tuple[CellMean, ...]]


def write(results: StudyResults) -> list[Path]:
    """Writes a figure for each grid whose cells differ in the number of labelled pixels.

    Args:
        results: A study, complete or not.

    Returns:
        The files written.

    Raises:
        OutputError: They cannot be written.
    """
    written = []
    for grid, figure in learning_curves(results):
        name = re.sub(r"[^a-z0-9]+", "-", grid.lower()).strip("-")
        written.append(results.folder / f"learning-curves-{name}.png")
        save(figure, written[-1])
    return written


def learning_curves(results: StudyResults) -> Iterator[tuple[str, Figure]]:
    """The figure of each grid that has curves, by the grid's name."""
    for grid in results.study.grids:
        found = results.curves(grid, "labelled")
        if any(len(points) > 1 for points in found.values()):
            yield grid, draw_learning_curves(found, _titles(results))


def _titles(results: StudyResults) -> dict[str, str]:
    """What each scene is called in figures, by its name in the settings."""
    return {
        name: f"{scene.name} (synthetic)" if scene.synthetic else scene.name
        for name, scene in results.study.scenes.items()
    }


def draw_learning_curves(found: Curves, titles: dict[str, str]) -> Figure:
    """Draws curves, a panel a scene, a color a network and a style a recipe.

    Each split is a small dot; of three splits or more, the mean has its 95 % interval.

    Args:
        found: Points of each curve by rising number of labelled pixels, 0 for all, last.
        titles: Title of each scene.
    """
    scenes = list(dict.fromkeys(settings.scene for settings in found))
    networks = list(dict.fromkeys(settings.network for settings in found))
    columns = min(_COLUMNS, len(scenes))
    rows = -(-len(scenes) // columns)
    figure = new_figure(4.9 * columns + 0.4, 3.4 * rows + 0.9)
    parts = figure.subplots(rows, columns, squeeze=False, sharey=False).ravel()
    counts = {one.settings.labelled for points in found.values() for one in points}
    ticks = [*sorted(counts - {0}), *([0] if 0 in counts else [])]
    for axes, scene in zip(parts, scenes, strict=False):
        here = {key: points for key, points in found.items() if key.scene == scene}
        _panel(axes, here, networks, ticks)
        axes.set_title(plain_text(titles.get(scene, scene)), fontsize="medium")
    for axes in parts[len(scenes) :]:
        axes.remove()
    handles, labels = [], []
    for axes in parts[: len(scenes)]:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            if label not in labels:
                handles.append(handle)
                labels.append(label)
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    return figure


def _panel(axes: Axes, found: Curves, networks: list[str], ticks: list[int]) -> None:
    style_axes(axes)
    for number, (settings, points) in enumerate(found.items()):
        color = _COLORS[networks.index(settings.network) % len(_COLORS)]
        line, marker = _STYLES.get(settings.recipe, (":", "s"))
        if settings.network in BASELINES:
            line, marker = ":", "x"
        # Side by side, so that intervals do not hide each other.
        aside = _SPREAD * (number - (len(found) - 1) / 2) / len(found)
        at = [ticks.index(one.settings.labelled) + aside for one in points]
        for position, one in zip(at, points, strict=True):
            axes.plot(
                [position] * len(one.single_oa),
                [100 * oa for oa in one.single_oa],
                color=color,
                linestyle="none",
                marker=".",
                markersize=3,
                alpha=0.5,
            )
        axes.errorbar(
            at,
            [100 * one.values["oa"].mean for one in points],
            list(map(_half_width, points)),
            color=color,
            linestyle=line,
            linewidth=1.2,
            marker=marker,
            markersize=4,
            elinewidth=0.7,
            capsize=2,
            label=plain_text(_label(settings)),
        )
    axes.set_xticks(range(len(ticks)), [str(count or "all") for count in ticks])
    axes.set_xlabel("labelled pixels a class")
    axes.set_ylabel("overall accuracy (%)")
    # Intervals over few splits reach beyond what an accuracy can be.
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, 0), min(high, 100))


def _half_width(point: CellMean) -> float:
    """Half-width of the interval in percent; 0 where none is drawn."""
    half = point.values["oa"].half_width
    few = len(point.seeds) < _MIN_INTERVAL_SPLITS
    return 0.0 if few or math.isnan(half) else 100 * half


def _label(settings: CellSettings) -> str:
    own = "" if settings.network in BASELINES else settings.recipe
    changed = settings.training.replace(";", ", ")
    return " ".join(filter(None, [settings.network, own, changed, settings.reduction]))
