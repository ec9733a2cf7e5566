"""The figure of a comparison: each split as two dots and a line, and the mean difference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf.compare.comparison import ComparisonRecord, PairComparison, SceneDifference
from hsitf.figures import BLUE, GRAY, VERMILION, new_figure, plain_text, save, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Panels of a figure; a page holds no more.
MAX_PANELS = 24
_COLUMNS = 3


def draw_comparison(record: ComparisonRecord, path: Path) -> None:
    """Draws overall accuracies, one panel a pair and scene.

    Args:
        record: A comparison.
        path: Path with the suffix .png, .svg or .pdf.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file cannot be written.
    """
    panels = [(pair, scene) for pair in record.pairs for scene in pair.scenes][:MAX_PANELS]
    columns = min(_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(4.6 * columns, 3.6 * rows + 0.3)
    parts = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (pair, scene) in zip(parts, panels, strict=False):
        _panel(axes, pair, scene)
    for axes in parts[len(panels) :]:
        axes.remove()
    figure.suptitle(
        "Overall accuracy on the same test pixels (%),\n"
        "and the mean difference with its 95 % interval",
        fontsize="medium",
    )
    save(figure, path)


def _panel(axes: Axes, pair: PairComparison, scene: SceneDifference) -> None:
    style_axes(axes)
    for split in scene.splits:
        values = [100 * split.first["oa"], 100 * split.second["oa"]]
        color = BLUE if values[1] >= values[0] else VERMILION
        axes.plot([0, 1], values, color=color, marker="o", markersize=4, linewidth=1, alpha=0.8)
    found = scene.measures["oa"]
    axes.set_xlim(-0.3, 2.4)
    first, second = plain_text(pair.first), plain_text(pair.second)
    axes.set_xticks([0, 1, 2], [first, second, "difference"], fontsize=8)
    axes.set_ylabel("overall accuracy (%)", fontsize=8)
    # Beside, on an axis of its own with the same scale: 0 lies at the first side's mean.
    start = 100 * found.first
    half = None if found.half_width is None else [100 * found.half_width]
    axes.errorbar(
        [2],
        [start + 100 * found.difference],
        half,
        color="black",
        marker="D",
        markersize=5,
        capsize=4,
        linestyle="none",
    )
    axes.hlines(start, 0, 2.3, color=GRAY, linestyle="--", linewidth=1)
    beside = axes.secondary_yaxis(
        "right", functions=(lambda y: np.subtract(y, start), lambda y: np.add(y, start))
    )
    beside.set_ylabel("difference (points)", fontsize=8)
    synthetic = " (synthetic)" if scene.synthetic else ""
    axes.set_title(
        f"{plain_text(scene.scene)}{synthetic}: {100 * found.difference:+.2f}", fontsize="medium"
    )
