"""Figures of comparisons: accuracy over components, one line a technique."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf.band_comparison.comparison import Comparison, ComparisonCell
from hsitf.bands import parse
from hsitf.figures import BLUE, GRAY, GREEN, ORANGE, VERMILION, new_figure, save, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9", "#F0E442")
MARKERS = "osD^vP*X"
_MOST_COLUMNS = 3


def draw(comparison: Comparison, specs: Sequence[str], models: Sequence[str], path: Path) -> None:
    """Draws the accuracy of each model: curves, or bars where each reduction has one size.

    Args:
        comparison: A comparison with the cells of all of them.
        specs: Reductions such as "pca:30".
        models: Networks or baselines, one or more.
        path: Path with the suffix .png, .svg or .pdf.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file cannot be written.
    """
    curves = _curves(specs)
    cols = min(len(models), _MOST_COLUMNS)
    rows = -(-len(models) // cols)
    lines = any(len(members) > 1 for members in curves.values())
    height = 3.4 if lines else 1.4 + 0.3 * len(specs)
    figure = new_figure(max(6, 4.2 * cols), rows * height + 0.6)
    parts = np.atleast_1d(np.asarray(figure.subplots(rows, cols, sharey=lines))).ravel()
    for axes, model in zip(parts, models, strict=False):
        (_lines if lines else _bars)(axes, comparison, curves, model)
        axes.set_title(model, fontsize="medium")
        style_axes(axes)
    for axes in parts[len(models) :]:
        axes.remove()
    if lines:
        handles, labels = parts[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    synthetic = ", a synthetic scene" if comparison.synthetic else ""
    title = (
        f"{comparison.scene}{synthetic}: overall accuracy on reduced bands (%); "
        f"all {comparison.bands} dashed"
    )
    figure.suptitle(title, fontsize="medium")
    save(figure, path)


def _curves(specs: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
    """For each technique, its numbers of components in ascending order."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for text in specs:
        request = parse(text)
        count = request.components
        found[request.name if count else text].append((count or len(request.bands), text))
    return {name: sorted(members) for name, members in found.items()}


def _cells(comparison: Comparison, model: str, specs: Sequence[str]) -> list[ComparisonCell]:
    return [cell for text in specs if (cell := comparison.cell(model, text)) is not None]


def _lines(
    axes: Axes, comparison: Comparison, curves: dict[str, list[tuple[int, str]]], model: str
) -> None:
    _reference(axes.axhline, comparison, model)
    for number, (name, members) in enumerate(curves.items()):
        cells = _cells(comparison, model, [text for _, text in members])
        color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
        means = np.array([[100 * c.mean.mean, 100 * c.mean.half_width] for c in cells]).reshape(
            -1, 2
        )
        positions = [count for count, text in members if comparison.cell(model, text) is not None]
        axes.plot(positions, means[:, 0], color=color, marker=marker, markersize=4, label=name)
        low, high = means[:, 0] - means[:, 1], means[:, 0] + means[:, 1]
        axes.fill_between(
            positions, low, np.minimum(high, 100), color=color, alpha=0.12, linewidth=0
        )
    axes.set_xlabel("components")


def _bars(
    axes: Axes, comparison: Comparison, curves: dict[str, list[tuple[int, str]]], model: str
) -> None:
    cells = _cells(comparison, model, [text for members in curves.values() for _, text in members])
    positions = np.arange(len(cells))[::-1]
    means = np.array([100 * cell.mean.mean for cell in cells])
    axes.barh(
        positions,
        means,
        xerr=[100 * cell.mean.half_width for cell in cells],
        color=BLUE,
        height=0.6,
        error_kw={"ecolor": GRAY, "capsize": 2},
    )
    axes.set_yticks(positions, [cell.spec for cell in cells], fontsize=8)
    axes.set_xlim(max(0, means.min() - 15), 100)
    _reference(axes.axvline, comparison, model)


def _reference(line: object, comparison: Comparison, model: str) -> None:
    cell = comparison.cell(model, "")
    if cell is not None and callable(line):
        line(100 * cell.mean.mean, color=GRAY, linestyle="--", linewidth=1, label="all bands")
