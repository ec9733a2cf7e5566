"""Figures of explanations: patches band by band, and the importance of bands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hsitf.figures import BLUE, GRAY, dress, page, save
from hsitf.runtimes import Floats

# Bands whose maps are drawn where none are named: every tenth, ten at most, as the study has them.
EVERY, MOST = 10, 10


def draw(
    importance: Sequence[float],
    maps: Floats,
    spectrum: Floats,
    wavelengths: Sequence[float],
    shown: Sequence[int],
    title: str,
    path: Path,
) -> None:
    """Draws maps of some bands on one scale, above the importance of all bands.

    Args:
        importance: Of each band.
        maps: (patch, patch, bands) magnitudes.
        spectrum: (bands,) mean of the explained patches, normalized.
        wavelengths: In nanometers; empty where unknown.
        shown: Bands whose maps are drawn.
        title: Of the figure.
        path: .png, .svg or .pdf, by its suffix.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file cannot be written.
    """
    chosen = list(shown) or list(range(0, len(importance), EVERY))[:MOST]
    figure = page(10, 5.4)
    above, below = np.asarray(figure.subfigures(2, 1, height_ratios=(1, 1.9))).tolist()
    parts = np.atleast_1d(np.asarray(above.subplots(1, len(chosen))))
    largest = float(maps[:, :, chosen].max()) or 1.0
    image = None
    for axes, band in zip(parts, chosen, strict=True):
        image = axes.imshow(maps[:, :, band], vmin=0, vmax=largest, cmap="magma")
        axes.set_title(f"band {band}", fontsize="small")
        axes.set_xticks([])
        axes.set_yticks([])
    if image is not None:
        above.colorbar(image, ax=parts, fraction=0.02, pad=0.01)
    axes = below.subplots()
    x = np.asarray(wavelengths) if wavelengths else np.arange(len(importance))
    axes.fill_between(x, 100 * np.asarray(importance), color=BLUE, alpha=0.35, linewidth=0)
    axes.plot(x, 100 * np.asarray(importance), color=BLUE)
    axes.set_xlabel("wavelength, nm" if wavelengths else "band")
    axes.set_ylabel("importance, %", color=BLUE)
    axes.set_ylim(0)
    dress(axes)
    beside = axes.twinx()
    beside.plot(x, spectrum, color=GRAY, linestyle="--", linewidth=1)
    beside.set_ylabel("mean of the patches, deviations (dashed)", color=GRAY)
    beside.spines[["top"]].set_visible(False)
    figure.suptitle(title, fontsize="medium")
    save(figure, path)
