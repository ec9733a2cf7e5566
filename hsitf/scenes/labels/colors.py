"""Pictures of labels whose classes are colors, read by a legend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import DataError
from hsitf.scenes.class_list import ClassEntry
from hsitf.scenes.labels.base import counted

# Colors that a message lists.
MAX_SHOWN = 12


def has_colors(listed: Mapping[int, ClassEntry]) -> bool:
    """Whether a file of classes is a legend: it gives every class a color."""
    return bool(listed) and all(entry.color is not None for entry in listed.values())


def numbers_by_color(
    path: Path,
    pixels: NDArray[np.uint8],
    missing: NDArray[np.bool_],
    listed: Mapping[int, ClassEntry],
    notes: list[str],
) -> NDArray[np.int64]:
    """The class number of each pixel's color; -1 where the legend does not have it.

    Args:
        path: The picture, for messages.
        pixels: (rows, cols, 3) uint8 red, green, blue.
        missing: (rows, cols) bool, pixels without a label, such as transparent ones.
        listed: A legend: classes by number, each with a color.
        notes: Receives what was understood.

    Returns:
        (rows, cols) int64.

    Raises:
        DataError: Two classes have one color, or no color of the picture is in the legend.
    """
    codes = _codes(pixels)
    legend: dict[int, int] = {}
    for number, entry in listed.items():
        assert entry.color is not None
        red, green, blue = entry.color
        code = red << 16 | green << 8 | blue
        if code in legend:
            raise DataError(
                "two classes of the legend have the same color",
                received=f"{listed[legend[code]].name} and {entry.name}, #{code:06x}",
                remedy="give each class its own color",
            )
        legend[code] = number
    present, inverse = np.unique(codes, return_inverse=True)
    table = np.array([legend.get(code, -1) for code in present.tolist()], np.int64)
    found = np.where(missing, -1, table[inverse.reshape(codes.shape)])
    if (found < 0).all():
        raise DataError(
            f"no color of {path} is in the legend",
            received=describe_colors(pixels[~missing]),
            allowed=", ".join(f"#{code:06x}" for code in sorted(legend)),
            remedy="write the colors of the picture into the file of classes",
        )
    notes.append(f"Classes of {path.name} are the colors of the legend.")
    other = (found < 0) & ~missing
    if count := int(np.count_nonzero(other)):
        verb = "has" if count == 1 else "have"
        notes.append(
            f"{counted(count, 'pixel')} of {path.name} {verb} colors that are not in the legend "
            f"({describe_colors(pixels[other])}): unlabelled."
        )
    return found


def describe_colors(pixels: NDArray[np.uint8]) -> str:
    """The colors of (n, 3) uint8 pixels as #rrggbb, the most frequent first."""
    codes, counts = np.unique(_codes(pixels), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shown = [f"#{codes[i]:06x}" for i in order[:MAX_SHOWN]]
    more = f" and {len(codes) - MAX_SHOWN} others" if len(codes) > MAX_SHOWN else ""
    return ", ".join(shown) + more


def _codes(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Red, green and blue of the last axis as one number."""
    wide = pixels.astype(np.int64)
    return np.asarray(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2])
