"""The parts of a report: sections of text, numbers, tables, charts and images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hsitf.figures import Color

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Prose:
    """A paragraph; `remark` where it is a remark."""

    text: str
    remark: bool = False


@dataclass(frozen=True)
class Heading:
    """A headline below that of the section."""

    text: str


@dataclass(frozen=True)
class Fact:
    """A key number: its label, its value, and a note."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Facts:
    """Numbers side by side."""

    items: tuple[Fact, ...]


@dataclass(frozen=True)
class ReportTable:
    """A table, which is also written as CSV.

    Attributes:
        name: Name of its file, without suffix.
        caption: What it shows.
        head: Names of the columns.
        rows: Rows of cells, as many per row as there are column names.
        text_columns: Number of leading text columns; the others are numbers.
        collapsed: Whether the page shows it only on demand.
        colors: One color per row, such as that of its class; empty for none.
    """

    name: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: int = 1
    collapsed: bool = False
    colors: tuple[Color, ...] = ()


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure, which is also written as SVG and PNG.

    Attributes:
        name: Name of its files, without suffix.
        caption: What it shows, also for readers who cannot see it.
        figure: Figure in the colors of `hsitf.figures` and `drawing`.
    """

    name: str
    caption: str
    figure: Figure


@dataclass(frozen=True, eq=False)
class ReportImage:
    """Pixels of a scene, which are also written as PNG.

    Attributes:
        name: Name of its file, without suffix.
        caption: What it shows.
        pixels: (rows, cols, 3) uint8, or (rows, cols, 4) with opacity.
        legend: Colors with their names.
    """

    name: str
    caption: str
    pixels: NDArray[np.uint8]
    legend: tuple[tuple[Color, str], ...] = ()


@dataclass(frozen=True)
class Gallery:
    """Charts and images side by side where there is room."""

    items: tuple[Chart | ReportImage, ...]


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix, which is also written as CSV.

    Attributes:
        name: Name of its file, without suffix.
        caption: The network of the matrix.
        names: Names of the classes.
        counts: Numbers of pixels; rows are truth.
        colors: One color per class; empty for none.
    """

    name: str
    caption: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    colors: tuple[Color, ...] = ()


@dataclass(frozen=True)
class Commands:
    """What can be typed to do it again."""

    lines: tuple[str, ...]


Block = Prose | Heading | Facts | ReportTable | Chart | ReportImage | Gallery | Confusion | Commands


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        key: Its anchor in the page's address, such as "scene".
        title: Its heading.
        blocks: The blocks of the section.
    """

    key: str
    title: str
    blocks: tuple[Block, ...] = field(default=())
