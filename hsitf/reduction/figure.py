"""Figures of comparisons: accuracy over components, one line a technique."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf.bands import parse
from hsitf.figures import BLUE, GRAY, GREEN, ORANGE, VERMILION, dress, page, save
from hsitf.reduction.study import Cell, Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9", "#F0E442")
MARKERS = "osD^vP*X"
_MOST_COLUMNS = 3


def draw(found: Comparison, texts: Sequence[str], models: Sequence[str], path: Path) -> None:
    """Draws what each model makes of the reductions: curves, or bars where each has one size.

    Args:
        found: With the cells of all of them.
        texts: Reductions such as "pca:30".
        models: Networks or baselines, one or more.
        path: .png, .svg or .pdf, by its suffix.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file cannot be written.
    """
    curves = _curves(texts)
    cols = min(len(models), _MOST_COLUMNS)
    rows = -(-len(models) // cols)
    lines = any(len(members) > 1 for members in curves.values())
    height = 3.4 if lines else 1.4 + 0.3 * len(texts)
    figure = page(max(6, 4.2 * cols), rows * height + 0.6)
    parts = np.atleast_1d(np.asarray(figure.subplots(rows, cols, sharey=lines))).ravel()
    for axes, model in zip(parts, models, strict=False):
        (_lines if lines else _bars)(axes, found, curves, model)
        axes.set_title(model, fontsize="medium")
        dress(axes)
    for axes in parts[len(models) :]:
        axes.remove()
    if lines:
        handles, labels = parts[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    synthetic = ", a synthetic scene" if found.synthetic else ""
    title = (
        f"{found.scene}{synthetic}: overall accuracy on reduced bands (%); all {found.bands} dashed"
    )
    figure.suptitle(title, fontsize="medium")
    save(figure, path)


def _curves(texts: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
    """By technique, its numbers of components in ascending order."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for text in texts:
        request = parse(text)
        count = request.components
        found[request.technique if count else text].append((count or len(request.bands), text))
    return {name: sorted(members) for name, members in found.items()}


def _cells(found: Comparison, model: str, texts: Sequence[str]) -> list[Cell]:
    return [cell for text in texts if (cell := found.cell(model, text)) is not None]


def _lines(
    axes: Axes, found: Comparison, curves: dict[str, list[tuple[int, str]]], model: str
) -> None:
    _reference(axes.axhline, found, model)
    for number, (name, members) in enumerate(curves.items()):
        cells = _cells(found, model, [text for _, text in members])
        color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
        means = np.array([[100 * c.mean.mean, 100 * c.mean.half] for c in cells]).reshape(-1, 2)
        places = [count for count, text in members if found.cell(model, text) is not None]
        axes.plot(places, means[:, 0], color=color, marker=marker, markersize=4, label=name)
        low, high = means[:, 0] - means[:, 1], means[:, 0] + means[:, 1]
        axes.fill_between(places, low, np.minimum(high, 100), color=color, alpha=0.12, linewidth=0)
    axes.set_xlabel("components")


def _bars(
    axes: Axes, found: Comparison, curves: dict[str, list[tuple[int, str]]], model: str
) -> None:
    cells = _cells(found, model, [text for members in curves.values() for _, text in members])
    places = np.arange(len(cells))[::-1]
    means = np.array([100 * cell.mean.mean for cell in cells])
    axes.barh(
        places,
        means,
        xerr=[100 * cell.mean.half for cell in cells],
        color=BLUE,
        height=0.6,
        error_kw={"ecolor": GRAY, "capsize": 2},
    )
    axes.set_yticks(places, [cell.text for cell in cells], fontsize=8)
    axes.set_xlim(max(0, means.min() - 15), 100)
    _reference(axes.axvline, found, model)


def _reference(line: object, found: Comparison, model: str) -> None:
    cell = found.cell(model, "")
    if cell is not None and callable(line):
        line(100 * cell.mean.mean, color=GRAY, linestyle="--", linewidth=1, label="all bands")
