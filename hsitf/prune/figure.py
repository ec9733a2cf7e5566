"""Figures of what pruning does to a network."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsitf.figures import BLUE, GRAY, GREEN, ORANGE, VERMILION, new_figure, save, style_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from hsitf.prune.record import PruningCurve, SparseCurve, SparsePoint
    from hsitf.records import ModelStats

# Share of zeros between two alphas that are written, lest they run into each other.
LABEL_GAP = 0.06
# Colors and markers of the lines of costs, in their order.
COST_STYLES = (
    (GREEN, "v"),
    (BLUE, "o"),
    (ORANGE, "s"),
    (VERMILION, "^"),
    (GRAY, "D"),
    (GREEN, "P"),
    (BLUE, "X"),
)


def draw_sparse(curve: SparseCurve, path: Path) -> None:
    """Draws accuracy and size over the share of zeros.

    Args:
        curve: A curve with one point or more.
        path: Path with the suffix .png, .svg or .pdf.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file cannot be written.
    """
    figure = new_figure()
    synthetic = ", a synthetic scene" if curve.synthetic else ""
    figure.suptitle(
        f"{curve.network} on {curve.scene}{synthetic}: fine-grained pruning\n{curve.split.summary}"
    )
    accuracy, size = figure.subplots(1, 2)
    _draw_accuracy(accuracy, curve)
    _draw_size(size, curve)
    for axes in (accuracy, size):
        _style(axes, curve)
    save(figure, path)


def draw_curve(curve: PruningCurve, path: Path) -> None:
    """Draws accuracy and cost of structurally pruned networks over the pruning target.

    Args:
        curve: A curve with two points or more.
        path: Path with the suffix .png, .svg or .pdf.

    Raises:
        InputError: The suffix is another one.
        OutputError: The file cannot be written.
    """
    figure = new_figure()
    synthetic = ", a synthetic scene" if curve.synthetic else ""
    figure.suptitle(
        f"{curve.network} on {curve.scene}{synthetic}: channels chosen by {curve.criterion}"
    )
    accuracy, cost = figure.subplots(1, 2)
    targets = [point.target for point in curve.points]
    accuracy.axhline(
        100 * curve.before.oa, color=GRAY, linestyle="--", label=f"trained, {curve.before.oa:.1%}"
    )
    lines = {
        "pruned": ([point.thinned.oa for point in curve.points], ORANGE, "s"),
        f"fine-tuned, {curve.epochs} epochs": ([p.after.oa for p in curve.points], BLUE, "o"),
    }
    for label, (values, color, marker) in lines.items():
        accuracy.plot(
            targets,
            [100 * v for v in values],
            color=color,
            marker=marker,
            markersize=5,
            label=label,
        )
    accuracy.set_ylabel("overall accuracy on the test pixels (%)")
    whole = _costs(curve.before)
    left = [_costs(point.after) for point in curve.points]
    for label, (color, marker) in zip(whole, cycle(COST_STYLES), strict=False):
        remaining = [100 * costs[label] / whole[label] for costs in left]
        cost.plot(targets, remaining, color=color, marker=marker, markersize=5, label=label)
    cost.set_ylabel("left of the trained network's (%)")
    cost.set_ylim(bottom=0)
    for axes in (accuracy, cost):
        axes.set_xlabel(f"{curve.measure} asked for")
        style_axes(axes)
        axes.legend(frameon=False, fontsize="small")
    save(figure, path)


def _costs(stats: ModelStats) -> dict[str, float]:
    """What a network costs, by the label of its line."""
    return {
        "parameters": stats.parameters,
        "multiply-accumulates": stats.macs,
        **{f"{name} file": file.bytes for name, file in stats.compressed_files.items()},
        **{f"time, {name}": file.milliseconds for name, file in stats.files.items()},
    }


def _draw_accuracy(axes: Axes, curve: SparseCurve) -> None:
    axes.axhline(100 * curve.oa, color=GRAY, linestyle="--", label=f"trained, {curve.oa:.1%}")
    pruned = [curve.oa, *(point.oa_pruned for point in curve.points)]
    _line(axes, curve, [100 * oa for oa in pruned], "pruned", ORANGE, "s")
    if curve.recipe:
        retrained = [curve.oa, *(point.oa for point in curve.points)]
        label = f"pruned and retrained, {curve.recipe.epochs} epochs"
        _line(axes, curve, [100 * oa for oa in retrained], label, BLUE, "o")
    axes.set_ylabel("overall accuracy on the test pixels (%)")
    axes.set_ylim(0, 102)


def _draw_size(axes: Axes, curve: SparseCurve) -> None:
    unit, factor = ("MB", 1e6) if curve.dense.bytes >= 1e6 else ("kB", 1e3)
    axes.axhline(
        curve.dense.bytes / factor, color=GRAY, linestyle="--", label="float32, zeros stored"
    )
    sparse = [curve.dense, *(point.sparse for point in curve.points)]
    thinned = [curve.dense, *(point.thinned for point in curve.points)]
    sizes = {
        "without dead channels": ([size.bytes for size in thinned], GREEN, "v"),
        "deflated": ([size.bytes_deflated for size in sparse], ORANGE, "s"),
        "without dead channels, deflated": ([s.bytes_deflated for s in thinned], BLUE, "o"),
    }
    for label, (values, color, marker) in sizes.items():
        _line(axes, curve, [value / factor for value in values], label, color, marker)
    axes.set_ylabel(f"size of the weights ({unit})")
    axes.set_ylim(bottom=0)


def _line(
    axes: Axes, curve: SparseCurve, values: list[float], label: str, color: str, marker: str
) -> None:
    """A line from the trained network through all points."""
    sparsities = [
        100 * size.zero_share for size in (curve.dense, *(p.sparse for p in curve.points))
    ]
    # Squares are larger, so that they show behind circles.
    size = 6 if marker == "s" else 4
    axes.plot(sparsities, values, color=color, marker=marker, markersize=size, label=label)


def _style(axes: Axes, curve: SparseCurve) -> None:
    axes.set_xlabel("sparsity of the weights (%)")
    style_axes(axes)
    axes.legend(frameon=False, fontsize="small", loc="lower left")
    marks: list[SparsePoint] = []
    for point in sorted(curve.points, key=lambda point: -point.sparse.zero_share):
        if not marks or marks[-1].sparse.zero_share - point.sparse.zero_share >= LABEL_GAP:
            marks.append(point)
    above: Any = axes.secondary_xaxis("top")
    above.set_xticks(
        [100 * point.sparse.zero_share for point in marks],
        [f"{point.thresholds.alpha:g}" for point in marks],
    )
    above.set_xlabel("alpha (standard deviations)")
