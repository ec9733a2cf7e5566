"""Charts of a study's grids: accuracy, and beside it bytes, times and memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hsitf.figures import plain_text
from hsitf.report import drawing
from hsitf.report.document import Block, Chart, Gallery, Prose
from hsitf.report.drawing import ChartLine
from hsitf.report.study_grids import (
    COMPONENTS,
    SHARES,
    TARGET,
    GridMeans,
    ReferenceMeans,
    grid_lines,
    line_name,
    named_charts,
)
from hsitf.sweep.record import CellMean

# Charts of accuracy of one grid; what further ones would show is in its table.
MAX_CHARTS = 24
# With more of them, charts of bytes, times and memory would hide those of accuracy.
_MAX_BESIDE = 4
_ACCURACY = "overall accuracy (%)"


@dataclass(frozen=True)
class Quantity:
    """What cells cost, as an axis of a chart.

    Attributes:
        slug: Part of the names of files.
        text: What it is, for captions.
        label: Label of its axis, with the unit.
        value: Its value in that unit; None where a cell has none.
        of_training: Whether it is of the training, or of the fine-tuning of a pruned network.
    """

    slug: str
    text: str
    label: str
    value: Callable[[CellMean], float | None]
    of_training: bool = False


def _measured(name: str, factor: float = 1.0) -> Callable[[CellMean], float | None]:
    def value(one: CellMean) -> float | None:
        found = one.values.get(name)
        return factor * found.mean if found is not None and found.mean > 0 else None

    return value


def size_of(one: CellMean) -> float | None:
    """Bytes of a cell's file, of its simulated bits, or of its float32 weights."""
    found = one.values.get("file_bytes") or one.values.get("weight_bytes")
    return None if found is None else found.mean


def _megabytes(one: CellMean) -> float | None:
    size = size_of(one)
    return None if size is None else size / 1e6


QUANTITIES = (
    Quantity("size", "size", "size (MB)", _megabytes),
    Quantity("latency", "time of one patch", "one patch through the file (ms)", _measured("ms")),
    Quantity(
        "inference", "time of inference", "inference of a pixel (us)", _measured("predict_us")
    ),
    Quantity("training", "time of training", "training (s)", _measured("train_seconds"), True),
    Quantity("memory", "peak memory", "peak memory (GB)", _measured("peak_memory", 1e-9), True),
    Quantity("gpu", "peak GPU memory", "peak GPU memory (GB)", _measured("gpu_memory", 1e-9), True),
)
# All that zeroed weights change: a file that is packed gets smaller.
_PACKED = (
    Quantity("size", "deflated size", "size, deflated (MB)", _measured("zipped_bytes", 1e-6)),
)


def curves(
    grid: GridMeans, along: str, references: ReferenceMeans, suffix: str
) -> tuple[Block, ...]:
    """A grid as lines along a setting: accuracy, then what the cells cost.

    Args:
        grid: A grid with more than one value of the setting.
        along: The setting.
        references: Means of the networks as they are.
        suffix: End of captions, such as " (synthetic scene)".
    """
    lines = grid_lines(grid, along, references)
    keys = [key for key in grid.varied if key != along]
    if along == TARGET:
        keys = [key for key in keys if key not in ("measure", "layers")]
    keys.sort(key=lambda key: (key != "network", key not in ("scene", "split", "variant", "bits")))
    axis = _Axis(grid, along)
    parts = _round_robin(named_charts(lines, keys))
    shown = parts[:MAX_CHARTS]
    charts = [axis.accuracy(name, part, keys, references, suffix) for name, part in shown]
    if len(parts) <= _MAX_BESIDE:
        for quantity in axis.quantities:
            drawn = [axis.cost(quantity, name, part, keys, suffix) for name, part in shown]
            charts += [chart for chart in drawn if chart is not None]
    blocks: list[Block] = [Gallery(tuple(charts))]
    if len(parts) > MAX_CHARTS:
        blocks.append(
            Prose(f"{len(parts) - MAX_CHARTS} more charts are not drawn; the table has all cells.")
        )
    return tuple(blocks)


def _round_robin(
    parts: Sequence[tuple[str, list[tuple[CellMean, ...]]]],
) -> list[tuple[str, list[tuple[CellMean, ...]]]]:
    """The first chart of every network, then the second of every network, and so on."""
    counts: dict[str, int] = {}
    ranks = []
    for _, lines in parts:
        network = lines[0][0].settings.network
        counts[network] = counts.get(network, -1) + 1
        ranks.append(counts[network])
    return [parts[n] for n in sorted(range(len(parts)), key=lambda n: ranks[n])]


class _Axis:
    """The horizontal axis of a grid's curves."""

    def __init__(self, grid: GridMeans, along: str) -> None:
        measures = {one.settings.measure for one in grid.means} - {""}
        self._grid, self._along = grid, along
        self._shares = along == TARGET and bool(measures) and measures <= SHARES
        self.label = "components that are left of a pixel"
        if along == TARGET:
            asked = f"{', '.join(sorted(measures))} asked for"
            self.label = "sparsity of the weights (%)" if self._shares else asked
        self.quantities = _PACKED if self._shares else QUANTITIES

    def accuracy(
        self,
        name: str,
        lines: Sequence[tuple[CellMean, ...]],
        keys: Sequence[str],
        references: ReferenceMeans,
        suffix: str,
    ) -> Chart:
        """Accuracy along the axis, the references dashed."""
        keys = _differing(lines, keys)
        drawn, dashed = [], []
        for line in lines:
            label = plain_text(line_name(line[-1].settings, keys))
            points = sorted(line, key=self._place)
            values = [100 * one.values["oa"].mean for one in points]
            drawn.append(
                ChartLine(label, list(map(self._place, points)), values, list(map(_half, points)))
            )
            reference = references.oa(line[-1])
            if reference is not None and self._along == COMPONENTS:
                dashed.append((label, 100 * reference))
        if len({value for _, value in dashed}) == 1 and len(dashed) > 1:
            dashed = [("all bands", dashed[0][1])]
        with drawing.style():
            figure = drawing.lines(drawn, self.label, _ACCURACY, dashed)
        return Chart(
            _slug("grid", self._grid, name), self._caption("accuracy", name, suffix), figure
        )

    def cost(
        self,
        quantity: Quantity,
        name: str,
        lines: Sequence[tuple[CellMean, ...]],
        keys: Sequence[str],
        suffix: str,
    ) -> Chart | None:
        """What cells cost along the axis; None where fewer than two points have it."""
        keys = _differing(lines, keys)
        drawn = []
        for line in lines:
            # The unpruned network is trained, where the others are fine-tuned.
            like = line if self._along != TARGET else [one for one in line if one.settings.measure]
            costs = [(one, quantity.value(one)) for one in (like if quantity.of_training else line)]
            points = sorted((self._place(one), cost) for one, cost in costs if cost is not None)
            packed = self._shares and line[-1].settings.quantization
            if len(points) > 1 and not packed:
                label = plain_text(line_name(line[-1].settings, keys))
                drawn.append(ChartLine(label, [x for x, _ in points], [y for _, y in points]))
        if not drawn:
            return None
        if len(drawn) == 1 and len(lines) > 1:
            name = ", ".join(filter(None, [name, drawn[0].label]))
        with drawing.style():
            figure = drawing.lines(drawn, self.label, quantity.label)
            # From 0, so that lengths compare, with room above the highest point.
            figure.axes[0].set_ylim(0, 1.08 * max(y for line in drawn for y in line.y))
        caption = self._caption(quantity.text, name, suffix)
        return Chart(_slug(f"grid-{quantity.slug}", self._grid, name), caption, figure)

    def _place(self, one: CellMean) -> float:
        if self._shares:
            return 100 * one.values["sparsity"].mean if "sparsity" in one.values else 0.0
        return float(getattr(one.settings, self._along))

    def _caption(self, what: str, name: str, suffix: str) -> str:
        whose = f", {name}" if name else ""
        return f"{self._grid.title}{whose}: {what} over {self.label}{suffix}."


def costs(grid: GridMeans, suffix: str) -> Gallery | None:
    """A grid without curves as points of accuracy over what cells cost; None without a cost.

    Args:
        grid: A grid.
        suffix: End of captions, such as " (synthetic scene)".
    """
    keys = [key for key in grid.varied if key != "network"]
    charts = []
    for quantity in QUANTITIES:
        groups: dict[str, list[tuple[float, float, str]]] = {}
        for one in grid.means:
            cost = quantity.value(one)
            if cost is not None:
                label = plain_text(line_name(one.settings, keys))
                point = (cost, 100 * one.values["oa"].mean, label)
                groups.setdefault(one.settings.network, []).append(point)
        values = [x for points in groups.values() for x, _, _ in points]
        # Of fewer, it is no quantity of this grid: that of its unchanged networks, for example.
        if len(set(values)) < 2 or 2 * len(values) < len(grid.means):
            continue
        with drawing.style():
            figure = drawing.scatter(list(groups.items()), quantity.label, _ACCURACY)
        caption = f"{grid.title}: accuracy over {quantity.text}{suffix}."
        charts.append(Chart(_slug(f"grid-{quantity.slug}", grid, ""), caption, figure))
    return Gallery(tuple(charts)) if charts else None


def _differing(lines: Sequence[tuple[CellMean, ...]], keys: Sequence[str]) -> list[str]:
    """The settings that tell the lines of one chart apart."""
    return [key for key in keys if len({getattr(line[-1].settings, key) for line in lines}) > 1]


def _half(one: CellMean) -> float:
    half = 100 * one.values["oa"].half_width
    return 0.0 if half != half else half


def _slug(kind: str, grid: GridMeans, name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{kind}-{grid.name}-{name}".lower()).strip("-")
