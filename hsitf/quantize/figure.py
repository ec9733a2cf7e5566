"""Figures of bit studies and of layers in few bits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf.figures import BLUE, GRAY, ORANGE, VERMILION, dress, page, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hsitf.quantize.record import Sensitivity, Study
    from hsitf.quantize.schemes import Bits

# From so many triples of one accumulator width on, accuracy is shown as a chart of squares.
CHART = 4


def draw_study(study: Study, path: Path) -> None:
    """Draws accuracy over bits: squares by accumulator width where there is a grid, else bars.

    Args:
        study: With one cell or more.
        path: .png, .svg or .pdf, by its suffix.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file cannot be written.
    """
    widths = sorted({cell.bits.accumulators for cell in study.cells})
    synthetic = ", a synthetic scene" if study.synthetic else ""
    title = (
        f"{study.network} on {study.scene}{synthetic}: overall accuracy in few bits (%), "
        f"{study.pixels:,} test pixels\nfloat {study.oa:.2%}; weights on one grid a "
        f"{study.order.scheme.weights}, activations {study.order.scheme.activations}, "
        f"ranges by {study.order.scheme.method}"
    )
    if len(study.cells) >= CHART * len(widths):
        figure = page(1.2 + 2.9 * len(widths), 3.9)
        parts = np.atleast_1d(np.asarray(figure.subplots(1, len(widths), sharey=True)))
        for axes, width in zip(parts, widths, strict=True):
            _squares(axes, study, width)
        parts[0].set_ylabel("bits of activations")
    else:
        figure = page(9, 1.8 + 0.34 * len(study.cells))
        _bars(figure.subplots(), study)
    figure.suptitle(title, fontsize="medium")
    save(figure, path)


def _squares(axes: Axes, study: Study, width: int) -> None:
    found = {
        (c.bits.activations, c.bits.weights): c.oa
        for c in study.cells
        if c.bits.accumulators == width
    }
    rows = sorted({one for one, _ in found}, reverse=True)
    cols = sorted({two for _, two in found})
    values = np.array([[100 * found.get((row, col), np.nan) for col in cols] for row in rows])
    axes.imshow(values, vmin=0, vmax=100, cmap="viridis", aspect="auto")
    for (row, col), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "black" if value > 60 else "white"
            axes.text(col, row, f"{value:.1f}", ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(len(cols)), [str(col) for col in cols])
    axes.set_yticks(range(len(rows)), [str(row) for row in rows])
    axes.set_xlabel("bits of weights")
    axes.set_title(f"{width}-bit accumulators", fontsize="medium")


def _bars(axes: Axes, study: Study) -> None:
    names = [_name(cell.bits) for cell in study.cells]
    values = [100 * cell.oa for cell in study.cells]
    places = np.arange(len(names))[::-1]
    axes.barh(places, values, color=BLUE, height=0.6)
    for place, value in zip(places, values, strict=True):
        axes.text(value + 0.6, place, f"{value:.2f}", va="center", fontsize=9)
    axes.axvline(100 * study.oa, color=GRAY, linestyle="--", linewidth=1)
    axes.set_yticks(places, names)
    axes.set_xlim(0, 109)
    axes.set_xlabel("overall accuracy (%); dashed: float")
    axes.set_ylabel("bits of activations, weights, accumulators")
    dress(axes)


def _name(bits: Bits) -> str:
    return f"{bits.activations}, {bits.weights}, {bits.accumulators}"


def draw_layers(found: Sensitivity, path: Path) -> None:
    """Draws where accuracy is lost: noise, ranges and saturation, layer by layer.

    Args:
        found: With one layer or more.
        path: .png, .svg or .pdf, by its suffix.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file cannot be written.
    """
    figure = page(12, 2.2 + 0.3 * len(found.layers))
    synthetic = ", a synthetic scene" if found.synthetic else ""
    figure.suptitle(
        f"{found.network} on {found.scene}{synthetic} in ({_name(found.bits)}) bits: "
        f"OA {found.oa:.2%}, float {found.oa_float:.2%}",
        fontsize="medium",
    )
    noise, ranges, lost = figure.subplots(1, 3, sharey=True, width_ratios=(1.2, 1.2, 1))
    places = np.arange(len(found.layers))[::-1]
    noise.plot([x.snr_alone for x in found.layers], places, "o", color=BLUE, label="logits, alone")
    noise.plot([x.snr for x in found.layers], places, "s", color=ORANGE, label="its output, all")
    noise.axvline(found.snr, color=GRAY, linestyle="--", linewidth=1, label="logits, all")
    noise.set_xlabel("signal to noise (dB)")
    noise.set_yticks(places, [layer.name for layer in found.layers])
    noise.legend(frameon=False, fontsize="small")
    for place, layer in zip(places, found.layers, strict=True):
        for (low, high), color, up in (
            (layer.range, BLUE, 0.12),
            (layer.weight_range, VERMILION, -0.12),
        ):
            ranges.plot([low, high], [place + up] * 2, color=color, linewidth=4)
    ranges.set_xscale("symlog", linthresh=0.1)
    ranges.axvline(0, color=GRAY, linewidth=0.6)
    ranges.set_xlabel("range: upper bars outputs, lower bars weights")
    lost.barh(
        places + 0.15,
        [100 * x.clipped for x in found.layers],
        height=0.28,
        color=BLUE,
        label="outputs outside their grid",
    )
    lost.barh(
        places - 0.15,
        [100 * x.saturated for x in found.layers],
        height=0.28,
        color=VERMILION,
        label="sums saturated",
    )
    lost.set_xlabel("share (%)")
    lost.set_xlim(0, max(1.0, 105 * max(max(x.clipped, x.saturated) for x in found.layers)))
    lost.legend(frameon=False, fontsize="small")
    for axes in (noise, ranges, lost):
        dress(axes)
    save(figure, path)
