"""Pixels by class and set, as a table in a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hsitf.figures import class_palette, plain_text, rgb_floats
from hsitf.scenes.describe import SETS
from hsitf.scenes.scene import Scene
from hsitf.scenes.splits import Split

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches of a line and of a character.
LINE_HEIGHT, CHARACTER_WIDTH = 0.19, 0.078
# Characters of a class name.
MAX_NAME = 32


@dataclass(frozen=True)
class CountTable:
    """Pixels by class and set: the table below the images, and the one that is printed.

    Attributes:
        head: Names of the columns.
        rows: Class, labelled pixels and, with a split, those of each set; the last row sums up.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def count_table(scene: Scene, split: Split | None) -> CountTable:
    """Counts the labelled pixels of every class, by set where there is a split."""
    flat = scene.labels.ravel()
    groups = [flat, *(flat[pixels] for pixels in (split.sets if split else ()))]
    counts = np.stack([np.bincount(one, minlength=scene.classes + 1)[1:] for one in groups])
    numbers = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
    rows = zip((*scene.class_names, "all"), numbers.T.tolist(), strict=True)
    return CountTable(
        ("class", "labelled", *(SETS if split else ())),
        tuple((name, *(f"{count:,}" for count in line)) for name, line in rows),
    )


def draw_table(axes: Axes, scene: Scene, table: CountTable, width: float, height: float) -> None:
    """Draws the counts, each class behind a square of its color."""
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    widths = _column_widths(table)
    rights = np.cumsum(widths) + 0.35
    colors = class_palette(scene.classes, scene.class_colors)
    for line, row in enumerate((table.head, *table.rows)):
        y = 0.25 + line * LINE_HEIGHT
        bold = "bold" if line in (0, len(table.rows)) else "normal"
        if 0 < line <= scene.classes:
            axes.plot([0.15], [y], "s", color=rgb_floats(colors[line - 1]), markersize=7)
        for column, (cell, right) in enumerate(zip(row, rights, strict=True)):
            axes.text(
                0.3 if column == 0 else right,
                y,
                plain_text(shortened(cell, MAX_NAME)),
                ha="left" if column == 0 else "right",
                va="center_baseline",
                fontsize=8,
                fontweight=bold,
            )


def _column_widths(table: CountTable) -> list[float]:
    """Inches of each column."""
    columns = zip(table.head, *table.rows, strict=True)
    return [
        CHARACTER_WIDTH * (2.5 + max(len(shortened(cell, MAX_NAME)) for cell in column))
        for column in columns
    ]


def table_width(table: CountTable) -> float:
    """Inches that a table takes."""
    return sum(_column_widths(table)) + 0.5


def table_height(table: CountTable) -> float:
    """Inches that a table takes."""
    return LINE_HEIGHT * (len(table.rows) + 1) + 0.4


def shortened(text: str, length: int) -> str:
    """A text that ends in dots where it is too long."""
    return text if len(text) <= length else text[: length - 1] + "…"
