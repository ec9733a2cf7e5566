"""Figures of explanations: patch maps band by band, and importance over wavelength."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.explain import importance
from hsitf.explain.explanation import Explanation, SourceExplanation
from hsitf.explain.outputs import ExplainedOutput
from hsitf.explain.position_figure import draw_positions
from hsitf.figures import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    VERMILION,
    SpectralAxis,
    class_palette,
    new_figure,
    plain_text,
    rgb_floats,
    save,
    style_axes,
)
from hsitf.scenes.spectra import physical, value_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hsitf.records import BandsRecord

COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9")
STYLES = ("-", "--", "-.", ":")
# Maps in a row.
COLUMNS = 10
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
    """Indices of the bands or components that are drawn: those chosen, or ten evenly spread."""
    if chosen:
        return list(chosen)
    spread = np.linspace(0, inputs - 1, COLUMNS).round().astype(int)
    return [int(index) for index in np.unique(spread)]


def rows(explanation: Explanation) -> list[tuple[str, Float32Array]]:
    """Rows of maps, each with its title: networks where there are several, else subjects.

    Of several networks and several subjects, the mean over the subjects. Networks that take other
    inputs than the first (bands, or components of another reduction) have maps of other columns,
    and are left out.
    """
    if len(explanation.explained) > 1:
        return [
            (_title(explanation, one), one.magnitude.mean(axis=0))
            for one in _with_same_inputs(explanation)
        ]
    maps = explanation.explained[0].magnitude
    return [(one.name, found) for one, found in zip(explanation.outputs, maps, strict=True)]


def draw_maps(explanation: Explanation, path: Path) -> None:
    """Draws maps of the patch in a row, column by band, on one shared scale of colors."""
    shown = rows(explanation)
    if not explanation.options.method.spectral:
        draw_positions(shown, f"{_headline(explanation)}{_over(explanation)}", path)
        return
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
        line[0].set_ylabel(
            plain_text(title), rotation=0, ha="right", va="center", fontsize="small", labelpad=10
        )
    for axes, title in zip(parts[0], column_titles(explanation, bands), strict=True):
        axes.set_title(title, fontsize="small")
    if len(explanation.explained) == 1:
        for axes, one in zip(parts[:, 0], explanation.outputs, strict=True):
            _mark_class(axes, explanation, one)
    scale = figure.colorbar(image, ax=parts.ravel().tolist(), fraction=0.03, pad=0.01)
    scale.set_label("mean absolute attribution", fontsize="small")
    figure.suptitle(f"{_headline(explanation)}\n{_axis(explanation)}", fontsize="medium")
    save(figure, path)


def draw_bands(explanation: Explanation, path: Path) -> None:
    """Draws the importance of bands over wavelength, with the mean spectrum of the pixels."""
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
    axis = SpectralAxis.of(scene.wavelengths, scene.bands)
    behind = axes.twinx()
    color = class_color(explanation, subject)
    spectrum = physical(scene, importance.mean_reflectance(scene.cube, subject.pixels))
    axis.fill(behind, np.zeros(scene.bands), spectrum, color=color or GRAY, alpha=0.25)
    behind.set_ylim(bottom=min(0.0, float(spectrum.min())))
    behind.set_ylabel(f"mean, {value_label(scene)}", color=GRAY, fontsize="small")
    behind.tick_params(labelsize="small", colors=GRAY)
    behind.spines["top"].set_visible(False)
    # Curves are drawn in front of the spectrum.
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)
    for index, one in enumerate(explanation.explained):
        if one.bands is not None:
            shares = 100 * one.bands[number] / (one.bands[number].sum() or 1)
            axis.plot(
                axes,
                shares,
                color=COLORS[index % len(COLORS)],
                linestyle=STYLES[index % 4],
                linewidth=1.2,
                label=plain_text(_title(explanation, one)),
            )
    axes.plot([], [], color=GRAY, alpha=0.3, linewidth=6, label="mean spectrum of the pixels")
    axes.set_title(plain_text(subject.name), fontsize="small")
    axes.set_xlabel(axis.label, fontsize="small")
    axes.set_ylabel("importance (% of all)", fontsize="small")
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize="small")
    style_axes(axes)


def class_color(
    explanation: Explanation, subject: ExplainedOutput
) -> tuple[float, float, float] | None:
    """The color of the class that is explained; None for a filter of a hidden layer."""
    scene = explanation.scene
    of_class = len(subject.pixels) or subject.name in scene.class_names
    if not of_class:
        return None
    return rgb_floats(class_palette(scene.classes, scene.class_colors)[subject.output])


def _mark_class(axes: Axes, explanation: Explanation, subject: ExplainedOutput) -> None:
    """A bar in the color of a class beside its first map."""
    from matplotlib.patches import Rectangle

    color = class_color(explanation, subject)
    if color is not None:
        bar = Rectangle(
            (-0.1, 0), 0.06, 1, transform=axes.transAxes, color=color, clip_on=False, linewidth=0
        )
        axes.add_patch(bar)


def column_titles(explanation: Explanation, inputs: Sequence[int]) -> list[str]:
    """Titles of the columns of maps: wavelengths, or numbers from 1.

    Args:
        explanation: The explanation.
        inputs: Indices of bands, or of components, from 0.
    """
    first, wavelengths = explanation.explained[0].source, explanation.scene.wavelengths
    bands: Sequence[int] = inputs
    if first.reduction:
        selected = () if first.run is None else _selected(first.run.record.bands)
        if not selected:
            return [str(number + 1) for number in inputs]
        bands = [selected[number] for number in inputs]
    if wavelengths is None:
        return [str(band + 1) for band in bands]
    return [f"{wavelengths[band]:.0f} nm" for band in bands]


def _selected(reduction: BandsRecord | None) -> tuple[int, ...]:
    return () if reduction is None else reduction.selected


def _with_same_inputs(explanation: Explanation) -> list[SourceExplanation]:
    if not explanation.options.method.spectral:
        return list(explanation.explained)
    first = explanation.explained[0].source.reduction
    return [one for one in explanation.explained if one.source.reduction == first]


def _title(explanation: Explanation, one: SourceExplanation) -> str:
    """What a network is called: by its inputs, too, where they differ."""
    several = len({other.source.reduction for other in explanation.explained}) > 1
    inputs = f", {one.source.reduction or 'all bands'}" if several else ""
    return f"{one.source.label}{inputs}, OA {one.source.oa:.1%}"


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
    (title,) = column_titles(explanation, [0])
    reduced = explanation.explained[0].source.reduction
    what = "bands" if "nm" in title else "components" if reduced else "band numbers"
    return f"columns: {what}{_over(explanation)}"


def _over(explanation: Explanation) -> str:
    """What a mean is over, and what is not shown."""
    subjects = explanation.outputs
    if len(explanation.explained) > 1 and len(subjects) > 1:
        over = f"; mean over {len(subjects)} {'classes' if len(subjects[0].pixels) else 'filters'}"
    else:
        over = f"; {subjects[0].name}" if len(explanation.explained) > 1 else ""
    left_out = len(explanation.explained) - len(_with_same_inputs(explanation))
    others = "; networks of other inputs are not shown" if left_out else ""
    return f"{over}{others}"
