"""How numbers and names are spelled in a report."""

from __future__ import annotations

import math

from hsitf.figures import Color, class_palette
from hsitf.metrics import Interval
from hsitf.records import SceneRecord

UNITS = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def percent(share: float | None, digits: int = 2) -> str:
    """A share in percent; "not known" where it is None."""
    if share is None:
        return "not known"
    return f"{100 * share:.{digits}f} %"


def points(change: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    # Minus zero is spelled as zero.
    return f"{round(100 * change, 2) + 0.0:+.2f}"


def size(count: float) -> str:
    """Bytes in the unit that fits."""
    for unit, factor in UNITS:
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count:.0f} B"


def number(value: float) -> str:
    """A whole number with its thousands."""
    return f"{value:,.0f}"


def mean(found: Interval, digits: int = 2) -> str:
    """A mean in percent with half of its interval, where that is known."""
    half = (
        ""
        if math.isnan(found.half_width) or found.half_width == 0
        else f" ± {100 * found.half_width:.{digits}f}"
    )
    return f"{100 * found.mean:.{digits}f}{half}"


def class_colors(scene: SceneRecord) -> tuple[Color, ...]:
    """One color per class of a scene: those of its labels, else the project's own."""
    return tuple(class_palette(len(scene.class_names), scene.class_colors))
