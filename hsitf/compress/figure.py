"""The front as a figure: accuracy over the size of the file, and over its latency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hsitf.compress.bounds import CompressionBounds
from hsitf.compress.record import CompressionCandidate
from hsitf.figures import BLUE, GRAY, GREEN, VERMILION, new_figure, plain_text, style_axes
from hsitf.records import RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_AXES = {"bytes": ("file (KB)", 1e-3), "latency_ms": ("latency of one patch (ms)", 1.0)}


def front_figure(
    candidates: Sequence[CompressionCandidate],
    front: Sequence[str],
    origin: RunRecord,
    bounds: CompressionBounds,
    chosen: str = "",
) -> Figure:
    """All candidates: validation accuracy, and what is expected on unseen ground.

    Args:
        candidates: All of a search, the original first.
        front: Keys of those that no other surpasses.
        origin: Record of the original network.
        bounds: What the file has to meet.
        chosen: Key of the published one; empty where there is none.
    """
    figure = new_figure(11, 4.8)
    synthetic = ", a synthetic scene" if origin.scene.synthetic else ""
    figure.suptitle(
        f"{plain_text(origin.plan.network)} on {plain_text(origin.scene.name)}{synthetic}: "
        f"candidates of the search\nvalidation pixels, {origin.split.summary}"
    )
    for axes, name in zip(figure.subplots(1, 2), _AXES, strict=True):
        _panel(axes, name, candidates, front, bounds, chosen)
    return figure


def _panel(
    axes: Axes,
    name: str,
    candidates: Sequence[CompressionCandidate],
    front: Sequence[str],
    bounds: CompressionBounds,
    chosen: str,
) -> None:
    from matplotlib.ticker import FuncFormatter

    style_axes(axes)
    label, scale = _AXES[name]
    original = candidates[0].fidelity
    metric = bounds.metric
    before = 100 * original.accuracy[metric] + original.drop.points

    def points(
        some: Sequence[CompressionCandidate], expected: bool
    ) -> tuple[list[float], list[float]]:
        x = [scale * one.costs[name] for one in some]
        lost = [
            one.fidelity.expected_drop if expected else one.fidelity.drop.points for one in some
        ]
        return x, [before - value for value in lost]

    axes.plot(*points(candidates, False), "o", color=BLUE, markersize=5, label="validation pixels")
    axes.plot(
        *points(candidates, True),
        "v",
        color=GREEN,
        markersize=5,
        label="expected on unseen ground",
    )
    on_front = [one for one in candidates if one.key in front]
    on_front.sort(key=lambda one: one.costs[name])
    axes.plot(*points(on_front, True), "-", color=GREEN, linewidth=1, label="front")
    axes.axhline(before, color=GRAY, linestyle="--", linewidth=1, label="original network")
    if bounds.max_drop is not None:
        axes.axhline(
            before - bounds.max_drop,
            color=VERMILION,
            linestyle=":",
            linewidth=1.2,
            label=f"{bounds.max_drop:g} points less",
        )
    limit = bounds.costs.get(name)
    if limit is not None:
        axes.axvline(scale * limit, color=VERMILION, linestyle=":", linewidth=1.2)
    for one in (found for found in candidates if found.key == chosen):
        axes.plot(
            *points([one], True),
            "o",
            color=VERMILION,
            markersize=11,
            fillstyle="none",
            label="published",
        )
    axes.set_xscale("log")
    # Plain numbers: sizes of one search span a decade or two.
    for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:.0e}"[0] in "1235" else ""))
    axes.set_xlabel(label)
    axes.set_ylabel(f"{metric if metric == 'kappa' else metric.upper()} (%)")
    # Over the lines of the bounds, which it does not avoid.
    axes.legend(fontsize="small", edgecolor="none", framealpha=0.9)
