"""What the figures of the house share: colors, a page, spectra, and the way they are saved."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
# Okabe and Ito's colors, which color-blind readers can distinguish; markers differ too.
BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
GRAY = "#555555"

Color = tuple[int, int, int]

# A step between two bands that is so many times the usual one is a gap: bands were removed there,
# as those of water vapor are. Two detectors that sample differently make no gap.
GAP_FACTOR = 3.0
# Steps on either side that show what is usual around a band.
_NEIGHBORS = 4


def new_figure(width: float = 10, height: float = 4.6) -> Figure:
    """An empty figure with sizes in inches and constrained layout."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def style_axes(axes: Axes) -> None:
    """A faint grid, and no frame where no axis is."""
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def figure_format(path: Path) -> str:
    """The format of a figure's file, by its suffix.

    Raises:
        InputError: The suffix is another one than .png, .svg or .pdf.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise InputError(
            "a figure cannot be written in this format",
            received=path.name,
            allowed=", ".join(f".{name}" for name in FORMATS),
        )
    return kind


def save(figure: Figure, path: Path) -> None:
    """Writes a figure in the format of its suffix.

    Raises:
        InputError: The suffix is another one than .png, .svg or .pdf.
        OutputError: The file cannot be written.
    """
    kind = figure_format(path)
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=160)


def palette(count: int) -> list[Color]:
    """Distinct colors: hues in golden-ratio steps, in three shades."""
    from matplotlib.colors import hsv_to_rgb

    hues = (np.arange(count) * 0.618033988749895 + 0.58) % 1
    values = np.array([0.95, 0.70, 0.85])[np.arange(count) % 3]
    saturations = np.array([0.85, 0.60, 0.40])[np.arange(count) // 3 % 3]
    rgb = hsv_to_rgb(np.stack([hues, saturations, values], axis=1))
    return [tuple(color) for color in np.rint(255 * rgb).astype(int).tolist()]


def class_palette(count: int, own: Sequence[Color] = ()) -> list[Color]:
    """One color per class: those that the labels bring, else the project's own."""
    return list(own) if len(own) == count else palette(count)


def plain_text(text: str) -> str:
    """A name for a figure, where a dollar would begin a formula."""
    return text.replace("$", r"\$")


def rgb_floats(color: Color) -> tuple[float, float, float]:
    """A color as matplotlib takes it."""
    red, green, blue = (part / 255 for part in color)
    return red, green, blue


@dataclass(frozen=True, eq=False)
class SpectralAxis:
    """Where the bands of a scene lie on the horizontal axis of a figure.

    Attributes:
        positions: (bands,) float64, ascending: nanometers, or band numbers from 1.
        order: (bands,) indices of the bands in the scene, in the order of their positions.
        label: What the positions are, with their unit.
        gaps: Indices of the positions that a gap lies in front of.
    """

    positions: NDArray[np.float64]
    order: NDArray[np.int64]
    label: str
    gaps: tuple[int, ...]

    @classmethod
    def of(cls, wavelengths: NDArray[np.float64] | None, bands: int) -> SpectralAxis:
        """The axis of a scene.

        Args:
            wavelengths: (bands,) band centers in nanometers, in any order; None where unknown.
            bands: Number of bands.
        """
        if wavelengths is None:
            order = np.arange(bands)
            return cls(np.arange(1.0, bands + 1), order, "band number", ())
        order = np.argsort(wavelengths, kind="stable")
        positions: NDArray[np.float64] = np.asarray(wavelengths, np.float64)[order]
        return cls(positions, order, "wavelength (nm)", gaps(positions))

    def split(self, values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions and values with NaN between the two sides of every gap.

        Args:
            values: (bands,) in the order of the scene.
        """
        ordered = np.asarray(values, np.float64)[self.order]
        return (
            np.insert(self.positions, list(self.gaps), np.nan),
            np.insert(ordered, list(self.gaps), np.nan),
        )

    def plot(self, axes: Axes, values: NDArray[Any], **style: Any) -> None:
        """Draws a line that ends at every gap; a band between two gaps is a point."""
        x, y = self.split(values)
        axes.plot(x, y, **style)
        ends = np.array([0, *self.gaps, len(self.positions)])
        alone = ends[:-1][np.diff(ends) == 1]
        if len(alone):
            dots = {key: style[key] for key in ("color", "alpha", "zorder") if key in style}
            ordered = np.asarray(values)[self.order]
            axes.plot(self.positions[alone], ordered[alone], "o", markersize=2.5, **dots)

    def fill(self, axes: Axes, low: NDArray[Any], high: NDArray[Any], **style: Any) -> None:
        """Fills the range between two spectra, but for the gaps."""
        x, bottom = self.split(low)
        axes.fill_between(x, bottom, self.split(high)[1], linewidth=0, **style)

    def edges(self) -> list[tuple[slice, NDArray[np.float64]]]:
        """For each part without a gap, its bands (in the order of positions) and their borders.

        Borders lie midway between neighboring bands: one more than there are bands.
        """
        ends = [0, *self.gaps, len(self.positions)]
        steps = np.diff(self.positions)
        usual = float(np.median(steps)) if len(steps) else 1.0
        found = []
        for start, stop in itertools.pairwise(ends):
            part = self.positions[start:stop]
            inner = (part[:-1] + part[1:]) / 2
            first = part[0] - (inner[0] - part[0] if len(inner) else usual / 2)
            last = part[-1] + (part[-1] - inner[-1] if len(inner) else usual / 2)
            found.append((slice(start, stop), np.array([first, *inner, last])))
        return found


def gaps(positions: NDArray[np.float64]) -> tuple[int, ...]:
    """Indices of the ascending positions in front of which bands are missing.

    A step is a gap where it is more than `GAP_FACTOR` times the median of all steps, and times the
    smallest of the few steps on its left and on its right, each.
    """
    steps = np.diff(positions)
    if len(steps) < 2:
        return ()
    everywhere = float(np.median(steps))
    found = []
    for index, step in enumerate(steps.tolist()):
        sides = (
            steps[max(0, index - _NEIGHBORS) : index],
            steps[index + 1 : index + 1 + _NEIGHBORS],
        )
        usual = max([everywhere, *(float(side.min()) for side in sides if len(side))])
        if step > GAP_FACTOR * usual:
            found.append(index + 1)
    return tuple(found)
