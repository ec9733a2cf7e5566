"""Figures of methods that attribute to positions only: one map a network or output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.figures import new_figure, plain_text, save

# Maps in a row, and inches of each.
ACROSS, SIDE = 5, 1.7


def draw_positions(rows: Sequence[tuple[str, Float32Array]], headline: str, path: Path) -> None:
    """Draws maps side by side, each on a scale of its own, whose end its title names.

    Args:
        rows: Title and map, (patch, patch, 1) float32, 0 or more, of each network or output.
        headline: Title of the figure.
        path: Path of the figure.

    Raises:
        OutputError: The file cannot be written.
    """
    down = -(-len(rows) // ACROSS)
    across = -(-len(rows) // down)
    figure = new_figure(max(5.5, SIDE * across + 1.3), (SIDE + 0.5) * down + 0.9)
    parts = np.asarray(figure.subplots(down, across, squeeze=False)).ravel()
    for axes, (title, found) in zip(parts, rows, strict=False):
        largest = float(found.max())
        # A map of zeros stays black.
        image = axes.imshow(found[..., 0], cmap="magma", vmin=0, vmax=largest or 1.0)
        axes.set_title(f"{plain_text(title)}\n0 to {largest:.3g}", fontsize=7.5)
        axes.set_xticks([])
        axes.set_yticks([])
    for axes in parts[len(rows) :]:
        axes.remove()
    scale = figure.colorbar(image, ax=parts[: len(rows)].tolist(), fraction=0.04, pad=0.02)
    scale.set_ticks([0, float(image.norm.vmax or 1.0)], labels=["0", "largest"])
    scale.ax.tick_params(labelsize="small")
    figure.suptitle(headline, fontsize="medium")
    save(figure, path)
