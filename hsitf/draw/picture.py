"""Draws boxes in rows, and the lines between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsitf.draw.boxes import DrawnBox
from hsitf.errors import InputError
from hsitf.figures import (
    BLUE,
    GRAY,
    GREEN,
    ORANGE,
    figure_format,
    new_figure,
    plain_text,
    save,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches: of a box, of a line of text in it, of the gaps around it, and of the margin that long
# lines run in.
WIDTH, PADDING, LINE, ACROSS, DOWN, MARGIN = 3.9, 0.05, 0.19, 0.35, 0.3, 0.45
_TINTS = {"convolution": BLUE, "dense": ORANGE, "pooling": GREEN}
# Inches of the side of a .png, which has at most 2**16 pixels at 160 a inch.
_MAX_PNG = 400


def draw(boxes: Sequence[DrawnBox], title: str, path: Path) -> None:
    """Writes a drawing as .svg, .png or .pdf.

    Args:
        boxes: The boxes, each after those that its lines come from; all of as many lines.
        title: Title above them.
        path: Path of the file.

    Raises:
        InputError: The suffix is another one, or the drawing is too large for a .png.
        OutputError: The file cannot be written.
    """
    most = max(len(box.lines) for box in boxes)
    height = PADDING + LINE * (1 + most)
    corners = _places(boxes, height)
    right = max(x for x, _ in corners) + WIDTH + MARGIN
    left = min(x for x, _ in corners) - MARGIN / 3
    bottom = -(1 + max(box.row for box in boxes)) * (height + DOWN)
    size = max(right - left, 5.5), -bottom + 0.75
    if figure_format(path) == "png" and max(size) > _MAX_PNG:
        raise InputError(
            "the drawing is too large for a .png",
            received=f"{max(size):.0f} inches",
            allowed=f"{_MAX_PNG} inches",
            remedy=f"write {path.with_suffix('.svg')}",
        )
    figure = new_figure(*size)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, DOWN)
    axes.set_title(plain_text(title), fontsize=10)
    for box, corner in zip(boxes, corners, strict=True):
        for number in box.inputs:
            adjacent = box.row == boxes[number].row + 1
            _draw_line(axes, corners[number], corner, height, adjacent)
    for box, corner in zip(boxes, corners, strict=True):
        _draw_box(axes, box, corner, height)
    save(figure, path)


def _places(boxes: Sequence[DrawnBox], height: float) -> list[tuple[float, float]]:
    """Lower left corners of the boxes: those of a row side by side, around the middle."""
    rows: dict[int, list[int]] = {}
    for number, box in enumerate(boxes):
        rows.setdefault(box.row, []).append(number)
    corners = {}
    for row, numbers in rows.items():
        whole = len(numbers) * WIDTH + (len(numbers) - 1) * ACROSS
        for number_in_row, number in enumerate(numbers):
            corners[number] = (
                number_in_row * (WIDTH + ACROSS) - whole / 2,
                -row * (height + DOWN) - height,
            )
    return [corners[number] for number in range(len(boxes))]


def _draw_line(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    height: float,
    adjacent: bool,
) -> None:
    """From the bottom of a box to the top of the next, or around those between."""
    if adjacent:
        xs = [start[0] + WIDTH / 2, end[0] + WIDTH / 2]
        ys = [start[1], end[1] + height]
    else:
        # Lines leave low and arrive high, so that those of one box after the other stay apart.
        edge = max(start[0], end[0]) + WIDTH + MARGIN * 0.6
        xs = [start[0] + WIDTH, edge, edge, end[0] + WIDTH]
        ys = [start[1] + height * 0.25] * 2 + [end[1] + height * 0.75] * 2
    axes.plot(xs[:-1], ys[:-1], color=GRAY, linewidth=1, zorder=1)
    axes.annotate(
        "",
        xy=(xs[-1], ys[-1]),
        xytext=(xs[-2], ys[-2]),
        arrowprops={"arrowstyle": "-|>", "color": GRAY, "linewidth": 1, "shrinkA": 0, "shrinkB": 0},
    )


def _draw_box(axes: Axes, box: DrawnBox, corner: tuple[float, float], height: float) -> None:
    x, y = corner
    share = 1.0
    if box.original_width and box.width is not None:
        # The share of the box that is tinted is the share of the channels that are left.
        share = box.width / box.original_width
    _draw_area(axes, corner, height, _TINTS.get(box.family, "#FFFFFF"), share)
    write: dict[str, Any] = {"va": "center", "fontsize": 7.5, "zorder": 4}
    top = y + height - 0.13
    axes.text(x + 0.07, top, plain_text(box.title), weight="bold", **write)
    axes.text(x + WIDTH - 0.07, top, plain_text(box.corner), ha="right", **write)
    for number, line in enumerate(box.lines, start=1):
        last = number == max(2, len(box.lines))
        axes.text(
            x + 0.07,
            top - LINE * number,
            plain_text(line),
            color=GRAY if last else "black",
            **write,
        )
    if box.original_width and box.width is not None and box.width != box.original_width:
        widths = f"{box.width} of {box.original_width} left"
        axes.text(x + WIDTH - 0.07, top - LINE * len(box.lines), widths, ha="right", **write)


def _draw_area(
    axes: Axes, corner: tuple[float, float], height: float, tint: str, share: float
) -> None:
    """A box with its color on a share of it, and hatches where channels are gone."""
    from matplotlib.patches import Rectangle

    x, y = corner
    axes.add_patch(Rectangle(corner, WIDTH, height, facecolor="white", edgecolor="none", zorder=2))
    alpha = 0.3 if tint != "#FFFFFF" else 1
    axes.add_patch(Rectangle(corner, WIDTH * share, height, facecolor=tint, alpha=alpha, zorder=2))
    if share < 1:
        axes.add_patch(
            Rectangle(
                (x + WIDTH * share, y),
                WIDTH * (1 - share),
                height,
                facecolor="none",
                edgecolor="#DDDDDD",
                hatch="////",
                linewidth=0,
                zorder=2,
            )
        )
    axes.add_patch(Rectangle(corner, WIDTH, height, facecolor="none", edgecolor=GRAY, zorder=3))
