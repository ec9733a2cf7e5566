"""How a training went, and what its network mistakes for what, as figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hsitf.errors import DataError
from hsitf.figures import BLUE, VERMILION, new_figure, plain_text, style_axes
from hsitf.metrics import Scores
from hsitf.records import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Names of more classes than this are written upright under a confusion matrix.
_UPRIGHT = 6


def training_figure(history: Sequence[Epoch], best_epoch: int) -> Figure:
    """Loss and validation accuracy by epoch; the epoch whose weights were kept is marked.

    Args:
        history: One entry an epoch.
        best_epoch: Number of the epoch that was kept, from 1; 0 where none of them was, as of a
            pruned network that fine-tuning made no better.

    Raises:
        DataError: There are no epochs, as of baselines and adopted networks.
    """
    if not history:
        raise DataError(
            "this network has no epochs to draw",
            allowed="networks that were trained here",
            remedy="draw its confusion matrix",
        )
    epochs = np.arange(1, len(history) + 1)
    figure = new_figure(10, 3.4)
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(epochs, [epoch.loss for epoch in history], color=BLUE, marker=".")
    loss.set_ylabel("training loss")
    validation = [100 * epoch.validation_oa for epoch in history]
    accuracy.plot(epochs, validation, color=BLUE, marker=".")
    if best_epoch:
        kept = validation[best_epoch - 1]
        label = f"kept: epoch {best_epoch}, {kept:.1f} %"
        accuracy.plot(best_epoch, kept, "o", color=VERMILION, label=label)
        accuracy.legend(loc="lower right", frameon=False)
    accuracy.set_ylabel("validation OA (%)")
    for axes in (loss, accuracy):
        axes.set_xlabel("epoch")
        style_axes(axes)
    return figure


def confusion_figure(scores: Scores, class_names: Sequence[str]) -> Figure:
    """The confusion matrix: rows are truth, columns what the network says, in % of each row.

    Args:
        scores: Accuracy on the test pixels.
        class_names: Name of each class.

    Raises:
        DataError: The record is of a version that kept no matrix.
    """
    if not scores.matrix:
        raise DataError(
            "the record holds no confusion matrix",
            received="a record of an earlier version",
            remedy="train the network again",
        )
    counts = np.asarray(scores.matrix, np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    side = max(3.6, 0.42 * len(counts) + 2.2)
    figure = new_figure(side + 1.2, side)
    axes = figure.subplots()
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    figure.colorbar(shown, ax=axes, label="share of the class's test pixels (%)", shrink=0.8)
    for (row, col), share in np.ndenumerate(shares):
        if counts[row, col]:
            color = "white" if share > 55 else "black"
            axes.text(col, row, f"{share:.0f}", ha="center", va="center", color=color, fontsize=8)
    names = [plain_text(name) for name in class_names]
    axes.set_xticks(
        range(len(names)),
        names,
        rotation=90 if len(names) > _UPRIGHT else 30,
        ha="center" if len(names) > _UPRIGHT else "right",
    )
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("what the network says")
    axes.set_ylabel("truth")
    axes.set_title(f"OA {scores.oa:.2%}, AA {scores.aa:.2%}, kappa {scores.kappa:.3f}")
    return figure
