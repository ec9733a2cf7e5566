"""Charts of a report, which follow the light or dark colors of the page."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hsitf.figures import BLUE, GRAY, GREEN, ORANGE, VERMILION, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, PINK, SKY, GRID = "#1b1f24", "#cc79a7", "#56b4e9", "#d8dce1"
COLORS = (BLUE, VERMILION, GREEN, ORANGE, PINK, SKY, GRAY)
MARKERS = "osD^vP*X"
# What the page calls a color; in the dark it has another value for each.
VARIABLES = {
    BLUE: "blue",
    VERMILION: "vermilion",
    GREEN: "green",
    ORANGE: "orange",
    PINK: "pink",
    SKY: "sky",
    GRAY: "muted",
    INK: "ink",
    GRID: "grid",
}
# Inches; a column of the page is about as wide, so that text keeps its size.
WIDTH, HEIGHT = 5.2, 3.5
# Ratio of the largest to the smallest value from which an axis is logarithmic.
_LOG_FROM = 4


@dataclass(frozen=True)
class ChartLine:
    """A line of a chart.

    Attributes:
        label: Label in the legend.
        x: Horizontal positions; `y` are the values, and `half_width` half the width of each one's
            interval (0 where unknown).
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    half_width: Sequence[float] = ()


@contextmanager
def style() -> Iterator[None]:
    """Charts created inside the block use the page's text color and font."""
    import matplotlib

    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "hsitf",
        "font.family": "sans-serif",
        "font.size": 9,
        "legend.fontsize": 8,
        "grid.color": GRID,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "savefig.facecolor": "none",
        "figure.facecolor": "none",
        "axes.facecolor": "none",
    }
    with matplotlib.rc_context(settings):
        yield


def canvas(width: float = WIDTH, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """An empty figure with its axes."""
    from hsitf.figures import new_figure

    figure = new_figure(width, height)
    return figure, figure.subplots()


def lines(
    found: Sequence[ChartLine],
    xlabel: str,
    ylabel: str,
    reference: Sequence[tuple[str, float]] = (),
) -> Figure:
    """Lines with markers, their intervals shaded, and dashed lines of reference.

    Args:
        found: One or more lines; a line and the reference of the same label share a color.
        xlabel: Label of the x axis, with its unit.
        ylabel: Label of the y axis, with its unit.
        reference: Labels and values of horizontal reference lines.
    """
    figure, axes = canvas()
    colors = {line.label: COLORS[n % len(COLORS)] for n, line in enumerate(found)}
    for number, line in enumerate(found):
        color = colors[line.label]
        axes.plot(
            line.x,
            line.y,
            color=color,
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            linewidth=1.4,
            label=line.label,
        )
        if any(line.half_width):
            low, high = (
                [value + sign * half for value, half in zip(line.y, line.half_width, strict=True)]
                for sign in (-1, 1)
            )
            axes.fill_between(line.x, low, high, color=color, alpha=0.15, linewidth=0)
    for label, value in reference:
        color = colors.get(label, GRAY)
        name = None if label in colors else label
        axes.axhline(value, color=color, linestyle="--", linewidth=1, label=name)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    style_axes(axes)
    if len(found) + len(reference) > 1:
        axes.legend(frameon=False, ncols=2 if len(found) > 4 else 1)
    return figure


def scatter(
    groups: Sequence[tuple[str, Sequence[tuple[float, float, str]]]], xlabel: str, ylabel: str
) -> Figure:
    """Points, and the line that no other point is better than.

    The horizontal axis is logarithmic where its values are of different magnitudes.

    Args:
        groups: Names with points (x, y, label): smaller x and larger y are better. An x of 0 is
            one that was not measured, and is left out.
        xlabel: Label of the x axis, with its unit.
        ylabel: Label of the y axis, with its unit.
    """
    figure, axes = canvas()
    measured = [(name, [point for point in points if point[0] > 0]) for name, points in groups]
    every = [point for _, points in measured for point in points]
    for number, (name, points) in enumerate(measured):
        axes.plot(
            [x for x, _, _ in points],
            [y for _, y, _ in points],
            linestyle="none",
            markersize=5,
            color=COLORS[number % len(COLORS)],
            marker=MARKERS[number % len(MARKERS)],
            label=name,
        )
    best = pareto_front([(x, y) for x, y, _ in every])
    axes.step([x for x, _ in best], [y for _, y in best], where="post", color=GRAY, linewidth=1)
    for x, y, label in without_overlaps([point for point in every if point[:2] in best]):
        axes.annotate(
            label, (x, y), xytext=(4, -9), textcoords="offset points", fontsize=6.5, color=GRAY
        )
    _scale_by_magnitude(axes, [x for x, _, _ in every])
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    style_axes(axes)
    axes.legend(frameon=False)
    return figure


def _scale_by_magnitude(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic horizontal axis with plain numbers where values differ much."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if max(values, default=0) < _LOG_FROM * min(values, default=1):
        return
    axes.set_xscale("log")
    wide = max(values) > 1000 * min(values)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points that no other one is better than: less of the first, more of the second."""
    found: list[tuple[float, float]] = []
    for point in sorted(set(points), key=lambda one: (one[0], -one[1])):
        if not found or point[1] > found[-1][1]:
            found.append(point)
    return found


def without_overlaps(points: Sequence[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Points (x, y, label) whose labels do not run into each other, the best of them first.

    Args:
        points: Points on a logarithmic x axis and a linear y axis.
    """
    positions = {point: (math.log(point[0]), point[1]) for point in points}
    spans = [
        max((position[axis] for position in positions.values()), default=0)
        - min((position[axis] for position in positions.values()), default=0)
        for axis in (0, 1)
    ]
    kept: list[tuple[float, float, str]] = []
    for point in sorted(points, key=lambda one: -one[1]):
        near = any(
            all(
                abs(positions[point][axis] - positions[other][axis]) < share * spans[axis]
                for axis, share in enumerate((0.35, 0.06))
            )
            for other in kept
        )
        if not near:
            kept.append(point)
    return kept


def svg(figure: Figure) -> str:
    """A figure as SVG."""
    stream = io.StringIO()
    # What is drawn as pixels is twice as fine as on a usual screen.
    figure.savefig(stream, format="svg", dpi=200, metadata={"Date": None})
    # The layout is computed; computing it again would take as long as drawing.
    figure.set_layout_engine("none")
    return stream.getvalue()


def inline_svg(text: str, name: str, caption: str) -> str:
    """A figure's SVG for a page: its own identifiers, the page's colors, any width.

    Args:
        text: SVG text of `svg`.
        name: A name that no other figure of the page has.
        caption: Text for readers who cannot see it, without HTML markup characters.
    """
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    for color, variable in VARIABLES.items():
        text = re.sub(re.escape(color), f"var(--{variable})", text, flags=re.IGNORECASE)
    head = re.match(r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', text)
    if head is None:
        raise ValueError("matplotlib's SVG has no view box")
    opening = f'<svg viewBox="{head[1]}" role="img" aria-label="{caption}" '
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    return opening + names + text[head.end() :]


def png(figure: Figure) -> bytes:
    """A figure as PNG on white."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=150, facecolor="white")
    return stream.getvalue()


def image(pixels: Any) -> bytes:
    """(rows, cols, 3 or 4) uint8 as PNG, pixel by pixel."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", optimize=True)
    return stream.getvalue()
