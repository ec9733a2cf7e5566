"""Figures of explanations: patch maps band by band, and importance over wavelength."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hsitf.explain import importance
from hsitf.explain.explanation import Explained, Explanation
from hsitf.explain.view import Floats
from hsitf.figures import BLUE, GRAY, GREEN, ORANGE, VERMILION, dress, page, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#CC79A7", "#56B4E9")
STYLES = ("-", "--", "-.", ":")
# The literature shows bands 0, 10, .., 90.
COLUMNS, APART = 10, 10
_MOST_ACROSS = 3


def draw(done: Explanation, place: Path, suffix: str) -> list[Path]:
    """Draws what there is to draw.

    Args:
        done: What was found.
        place: Of the files, without suffix.
        suffix: .png, .svg or .pdf.

    Returns:
        The files.

    Raises:
        OutputError: A file cannot be written.
    """
    files = []
    if done.ask.method.maps:
        files.append(place.with_name(f"{place.name}-maps{suffix}"))
        draw_maps(done, files[-1])
    if any(one.bands is not None for one in done.explained):
        files.append(place.with_name(f"{place.name}-bands{suffix}"))
        draw_bands(done, files[-1])
    return files


def columns(chosen: Sequence[int], inputs: int) -> list[int]:
    """Which bands or components are drawn: those chosen, or 0, 10, .., 90, or ten evenly spread."""
    if chosen:
        return list(chosen)
    if inputs > APART * (COLUMNS - 1):
        return list(range(0, APART * COLUMNS, APART))
    spread = np.linspace(0, inputs - 1, COLUMNS).round().astype(int)
    return [int(place) for place in np.unique(spread)]


def rows(done: Explanation) -> list[tuple[str, Floats]]:
    """Rows of maps, each with its title: networks where there are several, else subjects.

    Of several networks and several subjects, the mean over the subjects.
    """
    if len(done.explained) > 1:
        return [(_title(one), one.magnitude.mean(axis=0)) for one in done.explained]
    maps = done.explained[0].magnitude
    return [(one.name, found) for one, found in zip(done.subjects, maps, strict=True)]


def draw_maps(done: Explanation, path: Path) -> None:
    """Draws maps of the patch in a row, column by band, on one shared scale of colors."""
    shown = rows(done)
    inputs = min(found.shape[-1] for _, found in shown)
    bands = columns(done.ask.columns, inputs)
    height = len(shown) * 0.95 + 1.0
    figure = page(max(6.0, 2.0 + 0.85 * len(bands)), height)
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
    figure.suptitle(f"{_headline(done)}\n{_axis(done)}", fontsize="medium")
    save(figure, path)


def draw_bands(done: Explanation, path: Path) -> None:
    """Draws the importance of bands over wavelength, with the mean reflectance of the pixels."""
    count = len(done.subjects)
    across = min(count, _MOST_ACROSS)
    down = -(-count // across)
    figure = page(max(6.5, 4.0 * across), 2.6 * down + 1.0)
    parts = np.asarray(figure.subplots(down, across, squeeze=False, sharex=True)).ravel()
    for number, axes in enumerate(parts[:count]):
        _draw_subject(axes, done, number)
    for axes in parts[count:]:
        axes.remove()
    handles, labels = parts[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    figure.suptitle(_headline(done), fontsize="medium")
    save(figure, path)


def _draw_subject(axes: Axes, done: Explanation, number: int) -> None:
    scene, subject = done.scene, done.subjects[number]
    known = scene.wavelengths is not None
    places = np.asarray(scene.wavelengths if known else np.arange(scene.bands))
    behind = axes.twinx()
    behind.fill_between(
        places,
        importance.mean_reflectance(scene.cube, subject.pixels),
        color=GRAY,
        alpha=0.15,
        linewidth=0,
    )
    behind.set_ylim(bottom=0)
    behind.set_ylabel("mean spectrum", color=GRAY, fontsize="small")
    behind.tick_params(labelsize="small", colors=GRAY)
    behind.spines["top"].set_visible(False)
    # Curves stand before the spectrum.
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)
    for place, one in enumerate(done.explained):
        if one.bands is not None:
            shares = 100 * one.bands[number] / (one.bands[number].sum() or 1)
            axes.plot(
                places,
                shares,
                color=COLORS[place % len(COLORS)],
                linestyle=STYLES[place % 4],
                linewidth=1.2,
                label=_title(one),
            )
    axes.plot([], [], color=GRAY, alpha=0.3, linewidth=6, label="mean spectrum of the pixels")
    axes.set_title(subject.name, fontsize="small")
    axes.set_xlabel("wavelength (nm)" if known else "band", fontsize="small")
    axes.set_ylabel("importance (% of all)", fontsize="small")
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize="small")
    dress(axes)


def _title(one: Explained) -> str:
    return f"{one.source.label}, OA {one.source.oa:.1%}"


def _headline(done: Explanation) -> str:
    first = done.explained[0].source
    synthetic = ", a synthetic scene" if done.scene.synthetic else ""
    reduced = f" of {first.reduction}" if first.reduction else ""
    settings = done.ask.settings
    of = f" of {settings.weight or settings.layer}" if settings.weight or settings.layer else ""
    name = done.record.network
    return f"{name}{reduced} on {done.scene.name}{synthetic}: {done.ask.method.name}{of}"


def _axis(done: Explanation) -> str:
    """What the columns are, and what a mean is over."""
    what = "component" if done.explained[0].source.reduction else "band"
    subjects = done.subjects
    if len(done.explained) > 1 and len(subjects) > 1:
        over = f"; mean over {len(subjects)} {'classes' if len(subjects[0].pixels) else 'filters'}"
    else:
        over = f"; {subjects[0].name}" if len(done.explained) > 1 else ""
    return f"columns: {what}{over}"
