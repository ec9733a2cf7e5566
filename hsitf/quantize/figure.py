"""Figures of bit studies and layer sensitivities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf.figures import BLUE, GRAY, ORANGE, VERMILION, new_figure, save, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hsitf.quantize.record import BitStudy, SensitivityReport
    from hsitf.quantize.schemes import Bits

# Triples per accumulator width from which on accuracy is shown as a heat map.
CHART = 4


def draw_bit_study(study: BitStudy, path: Path) -> None:
    """Draws accuracy over bit widths: a heat map per accumulator width, or bars for few triples.

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
        f"{study.network} on {study.scene}{synthetic}: overall accuracy over bit widths (%), "
        f"{study.pixels:,} test pixels\nfloat {study.oa:.2%}; weights with a scale per "
        f"{study.request.scheme.weights}, activations {study.request.scheme.activations}, "
        f"ranges by {study.request.scheme.range_estimator}"
    )
    if len(study.cells) >= CHART * len(widths):
        figure = new_figure(1.2 + 2.9 * len(widths), 3.9)
        parts = np.atleast_1d(np.asarray(figure.subplots(1, len(widths), sharey=True)))
        for axes, width in zip(parts, widths, strict=True):
            _squares(axes, study, width)
        parts[0].set_ylabel("bits of activations")
    else:
        figure = new_figure(9, 1.8 + 0.34 * len(study.cells))
        _bars(figure.subplots(), study)
    figure.suptitle(title, fontsize="medium")
    save(figure, path)


def _squares(axes: Axes, study: BitStudy, width: int) -> None:
    accuracies = {
        (c.bits.activations, c.bits.weights): c.oa
        for c in study.cells
        if c.bits.accumulators == width
    }
    rows = sorted({one for one, _ in accuracies}, reverse=True)
    cols = sorted({two for _, two in accuracies})
    values = np.array([[100 * accuracies.get((row, col), np.nan) for col in cols] for row in rows])
    axes.imshow(values, vmin=0, vmax=100, cmap="viridis", aspect="auto")
    for (row, col), value in np.ndenumerate(values):
        if np.isfinite(value):
            color = "black" if value > 60 else "white"
            axes.text(col, row, f"{value:.1f}", ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(len(cols)), [str(col) for col in cols])
    axes.set_yticks(range(len(rows)), [str(row) for row in rows])
    axes.set_xlabel("bits of weights")
    axes.set_title(f"{width}-bit accumulators", fontsize="medium")


def _bars(axes: Axes, study: BitStudy) -> None:
    names = [_name(cell.bits) for cell in study.cells]
    values = [100 * cell.oa for cell in study.cells]
    positions = np.arange(len(names))[::-1]
    axes.barh(positions, values, color=BLUE, height=0.6)
    for position, value in zip(positions, values, strict=True):
        axes.text(value + 0.6, position, f"{value:.2f}", va="center", fontsize=9)
    axes.axvline(100 * study.oa, color=GRAY, linestyle="--", linewidth=1)
    axes.set_yticks(positions, names)
    axes.set_xlim(0, 109)
    axes.set_xlabel("overall accuracy (%); dashed: float")
    axes.set_ylabel("bits of activations, weights, accumulators")
    style_axes(axes)


def _name(bits: Bits) -> str:
    return f"{bits.activations}, {bits.weights}, {bits.accumulators}"


def draw_layers(report: SensitivityReport, path: Path) -> None:
    """Draws where accuracy is lost: noise, ranges and saturation, layer by layer.

    Args:
        report: With one layer or more.
        path: .png, .svg or .pdf, by its suffix.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file cannot be written.
    """
    figure = new_figure(12, 2.2 + 0.3 * len(report.layers))
    synthetic = ", a synthetic scene" if report.synthetic else ""
    figure.suptitle(
        f"{report.network} on {report.scene}{synthetic} in ({_name(report.bits)}) bits: "
        f"OA {report.oa:.2%}, float {report.oa_float:.2%}",
        fontsize="medium",
    )
    noise, ranges, lost = figure.subplots(1, 3, sharey=True, width_ratios=(1.2, 1.2, 1))
    positions = np.arange(len(report.layers))[::-1]
    noise.plot(
        [x.snr_alone for x in report.layers], positions, "o", color=BLUE, label="logits, alone"
    )
    noise.plot(
        [x.snr for x in report.layers], positions, "s", color=ORANGE, label="its output, all"
    )
    noise.axvline(report.snr, color=GRAY, linestyle="--", linewidth=1, label="logits, all")
    noise.set_xlabel("signal to noise (dB)")
    noise.set_yticks(positions, [layer.name for layer in report.layers])
    noise.legend(frameon=False, fontsize="small")
    for position, layer in zip(positions, report.layers, strict=True):
        for (low, high), color, up in (
            (layer.range, BLUE, 0.12),
            (layer.weight_range, VERMILION, -0.12),
        ):
            ranges.plot([low, high], [position + up] * 2, color=color, linewidth=4)
    ranges.set_xscale("symlog", linthresh=0.1)
    ranges.axvline(0, color=GRAY, linewidth=0.6)
    ranges.set_xlabel("range: upper bars outputs, lower bars weights")
    lost.barh(
        positions + 0.15,
        [100 * x.clipped for x in report.layers],
        height=0.28,
        color=BLUE,
        label="outputs clipped",
    )
    lost.barh(
        positions - 0.15,
        [100 * x.saturated for x in report.layers],
        height=0.28,
        color=VERMILION,
        label="sums saturated",
    )
    lost.set_xlabel("share (%)")
    lost.set_xlim(0, max(1.0, 105 * max(max(x.clipped, x.saturated) for x in report.layers)))
    lost.legend(frameon=False, fontsize="small")
    for axes in (noise, ranges, lost):
        style_axes(axes)
    save(figure, path)
