"""Draws the plan of a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsitf.draw.plan import LayerBox, NetworkDiagram
from hsitf.figures import BLUE, GRAY, GREEN, ORANGE, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Inches: of a box, of the gaps around it, and of the margin that long lines run in.
WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 3.9, 0.62, 0.35, 0.3, 0.45
_TINTS = (("Conv", BLUE), ("Dense", ORANGE), ("Pool", GREEN))


def draw(plan: NetworkDiagram, title: str, path: Path) -> None:
    """Writes a drawing as .svg, .png or .pdf.

    Args:
        plan: Diagram of the network.
        title: Title above it.
        path: Path of the file.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file cannot be written.
    """
    corners = _places(plan)
    right = max(x for x, _ in corners) + WIDTH + MARGIN
    left = min(x for x, _ in corners) - MARGIN / 3
    bottom = -plan.rows * (HEIGHT + DOWN)
    figure = new_figure(max(right - left, 5.5), -bottom + 0.75)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, DOWN)
    axes.set_title(title, fontsize=10)
    for box, corner in zip(plan.boxes, corners, strict=True):
        for number in box.inputs:
            _draw_line(axes, plan.boxes[number], corners[number], box, corner)
    for box, corner in zip(plan.boxes, corners, strict=True):
        _draw_box(axes, box, corner)
    save(figure, path)


def _places(plan: NetworkDiagram) -> list[tuple[float, float]]:
    """Lower left corners of the boxes: those of a row side by side, around the middle."""
    rows: dict[int, list[int]] = {}
    for number, box in enumerate(plan.boxes):
        rows.setdefault(box.row, []).append(number)
    corners = {}
    for row, numbers in rows.items():
        whole = len(numbers) * WIDTH + (len(numbers) - 1) * ACROSS
        for number_in_row, number in enumerate(numbers):
            corners[number] = (
                number_in_row * (WIDTH + ACROSS) - whole / 2,
                -row * (HEIGHT + DOWN) - HEIGHT,
            )
    return [corners[number] for number in range(len(plan.boxes))]


def _draw_line(
    axes: Axes,
    above: LayerBox,
    start: tuple[float, float],
    below: LayerBox,
    end: tuple[float, float],
) -> None:
    """From the bottom of a box to the top of the next, or around those between."""
    if below.row == above.row + 1:
        xs = [start[0] + WIDTH / 2, end[0] + WIDTH / 2]
        ys = [start[1], end[1] + HEIGHT]
    else:
        # Lines leave low and arrive high, so that those of one box after the other stay apart.
        edge = max(start[0], end[0]) + WIDTH + MARGIN * 0.6
        xs = [start[0] + WIDTH, edge, edge, end[0] + WIDTH]
        ys = [start[1] + HEIGHT * 0.25] * 2 + [end[1] + HEIGHT * 0.75] * 2
    axes.plot(xs[:-1], ys[:-1], color=GRAY, linewidth=1, zorder=1)
    axes.annotate(
        "",
        xy=(xs[-1], ys[-1]),
        xytext=(xs[-2], ys[-2]),
        arrowprops={"arrowstyle": "-|>", "color": GRAY, "linewidth": 1, "shrinkA": 0, "shrinkB": 0},
    )


def _draw_box(axes: Axes, box: LayerBox, corner: tuple[float, float]) -> None:
    from matplotlib.patches import Rectangle

    x, y = corner
    tint = next((color for part, color in _TINTS if part in box.kind), "#FFFFFF")
    axes.add_patch(Rectangle(corner, WIDTH, HEIGHT, facecolor="white", edgecolor="none", zorder=2))
    if box.original_width and box.width is not None:
        # The share of the box that is tinted is the share of the channels that are left.
        share = box.width / box.original_width
        axes.add_patch(
            Rectangle(corner, WIDTH * share, HEIGHT, facecolor=tint, alpha=0.3, zorder=2)
        )
        axes.add_patch(
            Rectangle(
                (x + WIDTH * share, y),
                WIDTH * (1 - share),
                HEIGHT,
                facecolor="none",
                edgecolor="#DDDDDD",
                hatch="////",
                linewidth=0,
                zorder=2,
            )
        )
    else:
        alpha = 0.3 if tint != "#FFFFFF" else 1
        axes.add_patch(Rectangle(corner, WIDTH, HEIGHT, facecolor=tint, alpha=alpha, zorder=2))
    axes.add_patch(Rectangle(corner, WIDTH, HEIGHT, facecolor="none", edgecolor=GRAY, zorder=3))
    write: dict[str, Any] = {"va": "center", "fontsize": 7.5, "zorder": 4}
    axes.text(x + 0.07, y + 0.49, box.name[:34], weight="bold", **write)
    axes.text(x + WIDTH - 0.07, y + 0.49, " x ".join(map(str, box.shape)), ha="right", **write)
    axes.text(x + 0.07, y + 0.30, ", ".join((box.kind, *box.followers))[:72], **write)
    axes.text(x + 0.07, y + 0.12, _cost(box), color=GRAY, **write)
    if box.original_width and box.width is not None and box.width != box.original_width:
        widths = f"{box.width} of {box.original_width} left"
        axes.text(x + WIDTH - 0.07, y + 0.12, widths, ha="right", **write)


def _cost(box: LayerBox) -> str:
    parts = [f"{box.parameters:,} parameters"] if box.parameters else []
    parts += [f"{box.macs:,} MACs"] if box.macs else []
    return ", ".join(parts)
