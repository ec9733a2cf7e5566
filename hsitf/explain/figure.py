"""Figures of explanations: patch maps band by band, and importance over wavelength."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.explain import importance
from hsitf.explain.explanation import Explanation, SourceExplanation
from hsitf.figures import BLUE, GRAY, GREEN, ORANGE, VERMILION, new_figure, save, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9")
STYLES = ("-", "--", "-.", ":")
# The literature shows bands 0, 10, .., 90.
COLUMNS, TICK_SPACING = 10, 10
_MOST_ACROSS = 3


def draw(explanation: Explanation, stem: Path, suffix: str) -> list[Path]:
    """Draws what there is to draw.

    Args:
        explanation: The explanation.
        stem: Path of the files without suffix.
        suffix: .png, .svg or .pdf.

    Returns:
        The files.

    Raises:
        OutputError: A file cannot be written.
    """
    files = []
    if explanation.options.method.spatial:
        files.append(stem.with_name(f"{stem.name}-maps{suffix}"))
        draw_maps(explanation, files[-1])
    if any(one.bands is not None for one in explanation.explained):
        files.append(stem.with_name(f"{stem.name}-bands{suffix}"))
        draw_bands(explanation, files[-1])
    return files


def columns(chosen: Sequence[int], inputs: int) -> list[int]:
    """Which bands or components are drawn: those chosen, or 0, 10, .., 90, or ten evenly spread."""
    if chosen:
        return list(chosen)
    if inputs > TICK_SPACING * (COLUMNS - 1):
        return list(range(0, TICK_SPACING * COLUMNS, TICK_SPACING))
    spread = np.linspace(0, inputs - 1, COLUMNS).round().astype(int)
    return [int(index) for index in np.unique(spread)]


def rows(explanation: Explanation) -> list[tuple[str, Float32Array]]:
    """Rows of maps, each with its title: networks where there are several, else subjects.

    Of several networks and several subjects, the mean over the subjects.
    """
    if len(explanation.explained) > 1:
        return [(_title(one), one.magnitude.mean(axis=0)) for one in explanation.explained]
    maps = explanation.explained[0].magnitude
    return [(one.name, found) for one, found in zip(explanation.outputs, maps, strict=True)]


def draw_maps(explanation: Explanation, path: Path) -> None:
    """Draws maps of the patch in a row, column by band, on one shared scale of colors."""
    shown = rows(explanation)
    inputs = min(found.shape[-1] for _, found in shown)
    bands = columns(explanation.options.map_bands, inputs)
    height = len(shown) * 0.95 + 1.0
    figure = new_figure(max(6.0, 2.0 + 0.85 * len(bands)), height)
    parts = np.asarray(figure.subplots(len(shown), len(bands), squeeze=False))
    most = max(float(found[..., bands].max()) for _, found in shown) or 1.0
    for line, (title, found) in zip(parts, shown, strict=True):
        for axes, band in zip(line, bands, strict=True):
            image = axes.imshow(found[..., band], cmap="magma", vmin=0, vmax=most)
            axes.set_xticks([])
            axes.set_yticks([])
        line[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize="small")
    for axes, band in zip(parts[0], bands, strict=True):
        axes.set_title(str(band), fontsize="small")
    figure.colorbar(image, ax=parts.ravel().tolist(), fraction=0.03, pad=0.01)
    figure.suptitle(f"{_headline(explanation)}\n{_axis(explanation)}", fontsize="medium")
    save(figure, path)


def draw_bands(explanation: Explanation, path: Path) -> None:
    """Draws the importance of bands over wavelength, with the mean reflectance of the pixels."""
    count = len(explanation.outputs)
    across = min(count, _MOST_ACROSS)
    down = -(-count // across)
    figure = new_figure(max(6.5, 4.0 * across), 2.6 * down + 1.0)
    parts = np.asarray(figure.subplots(down, across, squeeze=False, sharex=True)).ravel()
    for number, axes in enumerate(parts[:count]):
        _draw_subject(axes, explanation, number)
    for axes in parts[count:]:
        axes.remove()
    handles, labels = parts[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    figure.suptitle(_headline(explanation), fontsize="medium")
    save(figure, path)


def _draw_subject(axes: Axes, explanation: Explanation, number: int) -> None:
    scene, subject = explanation.scene, explanation.outputs[number]
    known = scene.wavelengths is not None
    positions = np.asarray(scene.wavelengths if known else np.arange(scene.bands))
    behind = axes.twinx()
    behind.fill_between(
        positions,
        importance.mean_reflectance(scene.cube, subject.pixels),
        color=GRAY,
        alpha=0.15,
        linewidth=0,
    )
    behind.set_ylim(bottom=0)
    behind.set_ylabel("mean spectrum", color=GRAY, fontsize="small")
    behind.tick_params(labelsize="small", colors=GRAY)
    behind.spines["top"].set_visible(False)
    # Curves are drawn in front of the spectrum.
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)
    for index, one in enumerate(explanation.explained):
        if one.bands is not None:
            shares = 100 * one.bands[number] / (one.bands[number].sum() or 1)
            axes.plot(
                positions,
                shares,
                color=COLORS[index % len(COLORS)],
                linestyle=STYLES[index % 4],
                linewidth=1.2,
                label=_title(one),
            )
    axes.plot([], [], color=GRAY, alpha=0.3, linewidth=6, label="mean spectrum of the pixels")
    axes.set_title(subject.name, fontsize="small")
    axes.set_xlabel("wavelength (nm)" if known else "band", fontsize="small")
    axes.set_ylabel("importance (% of all)", fontsize="small")
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize="small")
    style_axes(axes)


def _title(one: SourceExplanation) -> str:
    return f"{one.source.label}, OA {one.source.oa:.1%}"


def _headline(explanation: Explanation) -> str:
    first = explanation.explained[0].source
    synthetic = ", a synthetic scene" if explanation.scene.synthetic else ""
    reduced = f" of {first.reduction}" if first.reduction else ""
    settings = explanation.options.settings
    of = f" of {settings.weight or settings.layer}" if settings.weight or settings.layer else ""
    name = explanation.record.network
    method = explanation.options.method.name
    return f"{name}{reduced} on {explanation.scene.name}{synthetic}: {method}{of}"


def _axis(explanation: Explanation) -> str:
    """What the columns are, and what a mean is over."""
    what = "component" if explanation.explained[0].source.reduction else "band"
    subjects = explanation.outputs
    if len(explanation.explained) > 1 and len(subjects) > 1:
        over = f"; mean over {len(subjects)} {'classes' if len(subjects[0].pixels) else 'filters'}"
    else:
        over = f"; {subjects[0].name}" if len(explanation.explained) > 1 else ""
    return f"columns: {what}{over}"
