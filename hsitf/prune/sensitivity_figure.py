"""The figure of a sensitivity analysis: a row a dependency group, a column a ratio."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf.figures import new_figure, plain_text, save

if TYPE_CHECKING:
    from hsitf.prune.record import GroupSensitivity, SensitivityAnalysis

# Inches of a row and of what is around all rows.
_ROW, _AROUND = 0.3, 1.9
# Characters of a group's label; groups of residual networks have a dozen layers.
_LABEL = 34
# A loss from which a cell is dark and its number is written in white, as a share of the largest.
_DARK = 0.6
# Points of the darkest color at least, so that a network that loses nothing looks like it.
_MIN_SPAN = 5.0


def draw_sensitivity(analysis: SensitivityAnalysis, path: Path) -> None:
    """Draws the points of accuracy that are lost, a row a group and a column a ratio.

    Args:
        analysis: An analysis with one group or more.
        path: Path with the suffix .png, .svg or .pdf.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file cannot be written.
    """
    groups = analysis.groups
    losses = np.array([[100 * (analysis.oa - p.oa) for p in group.points] for group in groups])
    # No number of a cell is a negative zero.
    losses = losses.round(1) + 0.0
    figure = new_figure(10, _AROUND + _ROW * len(groups))
    synthetic = ", a synthetic scene" if analysis.synthetic else ""
    figure.suptitle(
        plain_text(
            f"{analysis.network} on {analysis.scene}{synthetic}: one group alone loses channels "
            f"({analysis.criterion})\nwithout retraining; {analysis.oa:.1%} on "
            f"{analysis.split.validation:,} validation pixels before"
        ),
        fontsize="medium",
    )
    axes = figure.subplots()
    span = max(_MIN_SPAN, float(losses.max()))
    image = axes.imshow(losses, cmap="YlOrBr", vmin=0, vmax=span, aspect="auto")
    for (row, column), loss in np.ndenumerate(losses):
        axes.text(
            column,
            row,
            f"{loss:.1f}",
            ha="center",
            va="center",
            fontsize="small",
            color="white" if loss > _DARK * span else "black",
        )
    axes.set_xticks(range(losses.shape[1]), [f"{100 * p.ratio:.0f}" for p in groups[0].points])
    axes.set_yticks(range(len(groups)), [plain_text(_label(group)) for group in groups])
    axes.tick_params(length=0, labelsize="small")
    axes.set_xlabel("channels removed of the group (%)")
    axes.set_ylabel("dependency group (its channels)")
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label="points of OA lost", fraction=0.04, pad=0.02)
    save(figure, path)


def _label(group: GroupSensitivity) -> str:
    """The layers of a group, as many as there is room for."""
    first, *others = group.layers
    text = " + ".join(group.layers)
    if len(text) > _LABEL and others:
        text = f"{first[:_LABEL]} and {len(others)} more"
    elif len(text) > _LABEL:
        text = f"{text[: _LABEL - 1]}…"
    return f"{text} ({group.channels})"
