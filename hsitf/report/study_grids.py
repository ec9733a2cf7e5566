"""A study's grids as a report shows them: means, the settings that vary, and lines of charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from hsitf.sweep.record import (
    PER_CHANNEL,
    CellMean,
    CellRecord,
    CellSettings,
    StudyResults,
    mean_over_seeds,
)

# Lines that a chart holds.
MAX_LINES = 7
# Settings that follow from others, or that say how a cell is run rather than of what it is.
_SILENT = {"seed", "epochs", "fine_tuning_epochs", "max_samples", "schedule", "train"}
# What charts go along, by the first of these that a grid varies.
TARGET, COMPONENTS = "target", "components"
# Measures of single weights, whose curves go along the share that is zero.
SHARES = {"alpha", "sparsity"}
# Settings that a pruned or quantized network has in common with the one it is compared with.
_SAME_TRAINING = ("network", "scene", "split", "train", "recipe", "labelled")


@dataclass(frozen=True)
class GridMeans:
    """The means of a grid and the settings that vary in it.

    Attributes:
        name: Name of the grid.
        means: Its means, in the order of the study.
        varied: Names of the settings that differ among them.
    """

    name: str
    means: tuple[CellMean, ...]
    varied: tuple[str, ...]

    @classmethod
    def of(cls, study: StudyResults, name: str) -> GridMeans:
        """The means of one grid of a study."""
        means = tuple(one for one in study.means if name in one.grids)
        names = [field.name for field in fields(CellSettings) if field.name not in _SILENT]
        varied = [key for key in names if len({getattr(m.settings, key) for m in means}) > 1]
        # Where one split has a guard and the other has none, the split says it.
        guards = {(one.settings.split, one.settings.guard) for one in means}
        if "guard" in varied and len(guards) == len({split for split, _ in guards}):
            varied.remove("guard")
        return cls(name, means, tuple(varied))

    @property
    def title(self) -> str:
        """Its name as a heading."""
        return self.name.replace("-", " ").capitalize()


class ReferenceMeans:
    """Means of the networks of a study with everything left as it is."""

    def __init__(self, study: StudyResults) -> None:
        self._found: dict[tuple[object, ...], list[CellRecord]] = {}
        self._unpruned = {
            _without_epochs(one.settings): one for one in study.means if not one.settings.pruning
        }
        for one in study.done:
            own = one.settings
            if not (own.reduction or own.pruning or own.quantization):
                self._found.setdefault(self._key(own), []).append(one)

    def of(self, one: CellMean) -> CellMean | None:
        """The mean of the network that another mean is compared with, trained the same way.

        Over the seeds of that mean, where the network has them all: between seeds, and so splits,
        accuracies differ by more than by many prunings and bits. None where it was not measured.
        """
        found = self._found.get(self._key(one.settings), [])
        # With other changes of the recipe or epochs, it is another network.
        found = [record for record in found if record.settings == _as_first(record, found)]
        same = [record for record in found if record.settings.seed in one.seeds]
        group = same if len(same) == len(one.seeds) else found
        return mean_over_seeds(group, one.grids) if group else None

    def unpruned(self, plain: CellSettings, one: CellMean) -> CellMean | None:
        """The mean of a network before pruning; None where it was not measured.

        Args:
            plain: Its settings, without epochs.
            one: The mean of the pruned network, whose seeds it has where possible.
        """
        found = self.of(one)
        if found is not None and _without_epochs(found.settings) == plain:
            return found
        return self._unpruned.get(plain)

    def oa(self, one: CellMean) -> float | None:
        """Its overall accuracy; None where it was not measured."""
        found = self.of(one)
        return None if found is None else found.values["oa"].mean

    def _key(self, settings: CellSettings) -> tuple[object, ...]:
        return tuple(getattr(settings, name) for name in _SAME_TRAINING)


def _as_first(record: CellRecord, found: Sequence[CellRecord]) -> CellSettings:
    return replace(found[0].settings, seed=record.settings.seed)


def curve_setting(grid: GridMeans, references: ReferenceMeans) -> str | None:
    """The setting that charts of a grid go along; None where its cells make no curves."""
    for key in (TARGET, COMPONENTS):
        found = grid_lines(grid, key, references)
        values = [{getattr(one.settings, key) for one in line} for line in found]
        if max(map(len, values), default=0) > 1:
            return key
    return None


def grid_lines(
    grid: GridMeans, along: str, references: ReferenceMeans
) -> list[tuple[CellMean, ...]]:
    """Means that differ in one setting alone, by rising value of it.

    An unpruned network is the first point of every pruning curve, for any criterion.
    """
    found: dict[CellSettings, list[CellMean]] = {}
    for one in grid.means:
        common = _without_epochs(one.settings)
        if along == COMPONENTS:
            found.setdefault(replace(common, components=0), []).append(one)
        elif common.measure:
            common = replace(common, target=0.0, measure="", layers="")
            found.setdefault(common, []).append(one)
    if along == COMPONENTS:
        return [_rising(points, along) for points in found.values()]
    for common, points in found.items():
        plain = replace(common, criterion="", layer_alphas="")
        whole = references.unpruned(plain, points[0])
        if whole is not None:
            points.insert(0, whole)
    return [_rising(points, along) for points in found.values()]


def _without_epochs(settings: CellSettings) -> CellSettings:
    return replace(settings, seed=0, epochs=0, fine_tuning_epochs=0)


def _rising(points: Sequence[CellMean], along: str) -> tuple[CellMean, ...]:
    return tuple(sorted(points, key=lambda one: float(getattr(one.settings, along))))


def named_charts(
    lines: Sequence[tuple[CellMean, ...]], keys: Sequence[str]
) -> list[tuple[str, list[tuple[CellMean, ...]]]]:
    """Lines in charts of at most `MAX_LINES`, each with what its lines alone have in common.

    Args:
        lines: Lines of a grid.
        keys: Settings by which lines are told apart, the first one first.

    Returns:
        Names, such as "cao, int8", with lines; no name for a single chart.
    """
    parts = _split(lines, keys)
    if len(parts) == 1:
        return [("", parts[0])]
    names = []
    for part in parts:
        common = [key for key in keys if len({getattr(x[-1].settings, key) for x in part}) == 1]
        names.append(line_name(part[0][-1].settings, common))
    return [
        (name if names.count(name) == 1 else f"{name}, {names[:n].count(name) + 1}", part)
        for n, (name, part) in enumerate(zip(names, parts, strict=True))
    ]


def _split(
    lines: Sequence[tuple[CellMean, ...]], keys: Sequence[str]
) -> list[list[tuple[CellMean, ...]]]:
    """Lines in groups of at most `MAX_LINES`."""
    if len(lines) <= MAX_LINES:
        return [list(lines)]
    for number, key in enumerate(keys):
        groups: dict[object, list[tuple[CellMean, ...]]] = {}
        for line in lines:
            groups.setdefault(getattr(line[-1].settings, key), []).append(line)
        # Single lines are easier to compare in one chart than each in a chart of its own.
        if len(groups) == 1 or len(lines) < 2 * len(groups):
            continue
        if key != "network" and len(lines) <= 2 * MAX_LINES:
            continue
        return [part for group in groups.values() for part in _split(group, keys[number + 1 :])]
    count = math.ceil(len(lines) / MAX_LINES)
    size = math.ceil(len(lines) / count)
    return [list(lines[start : start + size]) for start in range(0, len(lines), size)]


def line_name(settings: CellSettings, keys: Sequence[str]) -> str:
    """What distinguishes a line of a chart from the others.

    Args:
        settings: Settings of a point of the line.
        keys: The settings that differ between lines.
    """
    found = [spelled(key, getattr(settings, key)) for key in keys]
    return ", ".join(filter(None, found)) or settings.network


def spelled(key: str, value: object) -> str:
    """The value of a setting as people call it."""
    if key == COMPONENTS:
        return f"{value} components" if value else ""
    if key == "bands":
        return str(value) or "all bands"
    if key == "bits":
        return f"{value} bits" if value else "floats"
    if key == "variant":
        return str(value) or "Keras"
    if key == "labelled":
        return f"{value} a class" if value else "all labelled"
    if key == "guard":
        return "" if value is None else f"guard {value}"
    if key == "weights":
        return "" if value == PER_CHANNEL else f"per {value}"
    return str(value)
