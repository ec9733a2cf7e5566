"""What a report is made of: sections of text, numbers, tables, charts and images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Prose:
    """A paragraph; `quiet` where it is a remark."""

    text: str
    quiet: bool = False


@dataclass(frozen=True)
class Fact:
    """A number that a reader takes away: what it is, its value, and what belongs to it."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Facts:
    """Numbers side by side."""

    items: tuple[Fact, ...]


@dataclass(frozen=True)
class Table:
    """A table, which is also written as CSV.

    Attributes:
        name: Of its file, without suffix.
        caption: What it shows.
        head: Names of the columns.
        rows: Cells, as many a row as there are names.
        left: So many first columns are text, the others numbers.
        folded: Whether the page shows it only when it is asked for.
    """

    name: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1
    folded: bool = False


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure, which is also written as SVG and PNG.

    Attributes:
        name: Of its files, without suffix.
        caption: What it shows, also for those who cannot see it.
        figure: Drawn with the colors of `hsitf.figures` and `drawing`.
    """

    name: str
    caption: str
    figure: Figure


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels of a scene, which are also written as PNG.

    Attributes:
        name: Of its file, without suffix.
        caption: What it shows.
        pixels: (rows, cols, 3) uint8.
        legend: Colors with their names.
    """

    name: str
    caption: str
    pixels: NDArray[np.uint8]
    legend: tuple[tuple[Color, str], ...] = ()


@dataclass(frozen=True)
class Gallery:
    """Charts and images side by side where there is room."""

    items: tuple[Chart | Image, ...]


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix, which is also written as CSV.

    Attributes:
        name: Of its file, without suffix.
        caption: Whose it is.
        names: Of the classes.
        counts: Pixels; rows are truth.
    """

    name: str
    caption: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Commands:
    """What can be typed to do it again."""

    lines: tuple[str, ...]


Block = Prose | Facts | Table | Chart | Image | Gallery | Confusion | Commands


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        key: Its place in the page's address, such as "scene".
        title: Its headline.
        blocks: What it holds.
    """

    key: str
    title: str
    blocks: tuple[Block, ...] = field(default=())
