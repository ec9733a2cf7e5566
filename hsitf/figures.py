"""What the figures of the house share: colors, a page, and the way they are saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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


def new_figure(width: float = 10, height: float = 4.6) -> Figure:
    """An empty figure with sizes in inches and constrained layout."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def style_axes(axes: Axes) -> None:
    """A faint grid, and no frame where no axis is."""
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    """Writes a figure in the format of its suffix.

    Raises:
        InputError: The suffix is another one than .png, .svg or .pdf.
        OutputError: The file cannot be written.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise InputError(
            "a figure cannot be written in this format",
            received=path.name,
            allowed=", ".join(f".{name}" for name in FORMATS),
        )
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=160)


def palette(count: int) -> list[Color]:
    """Distinct colors: hues in golden-ratio steps, in three shades."""
    import numpy as np
    from matplotlib.colors import hsv_to_rgb

    hues = (np.arange(count) * 0.618033988749895 + 0.58) % 1
    values = np.array([0.95, 0.70, 0.85])[np.arange(count) % 3]
    saturations = np.array([0.85, 0.60, 0.40])[np.arange(count) // 3 % 3]
    rgb = hsv_to_rgb(np.stack([hues, saturations, values], axis=1))
    return [tuple(color) for color in np.rint(255 * rgb).astype(int).tolist()]
