"""How many channels each dependency group loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.prune.config import PruningConfig
from hsitf.prune.tracing import DependencyGroup

PrunableGroups = Sequence[tuple[DependencyGroup, NDArray[np.float64]]]
GroupSizes = Mapping[tuple[str, ...], int]

# Digits to which a width is computed before it is rounded down: 0.7 * 10 is 6.999... in binary.
_DIGITS = 9


def removal_counts(
    groups: PrunableGroups, config: PruningConfig, original_sizes: GroupSizes
) -> list[int]:
    """Number of channels that each group loses; `original_sizes` as in `select`."""
    own = [own_ratio(group, config) for group, _ in groups]
    kept_counts = [
        _kept_count(original_sizes.get(g.layers, len(g)), config.ratio if ratio is None else ratio)
        for (g, _), ratio in zip(groups, own, strict=True)
    ]
    if config.global_pruning:
        ranked = [at for at, ratio in enumerate(own) if ratio is None]
        total = sum(original_sizes.get(groups[at][0].layers, len(groups[at][0])) for at in ranked)
        order = sorted((value, at) for at in ranked for value in groups[at][1].tolist())
        removed = max(0, len(order) - _kept_count(total, config.ratio))
        for at in ranked:
            kept_counts[at] = len(groups[at][0]) - sum(index == at for _, index in order[:removed])
    return [
        _rounded_removal(group, min(count, len(group)), config)
        for (group, _), count in zip(groups, kept_counts, strict=True)
    ]


def _kept_count(count: int, ratio: float) -> int:
    return int(round(count * (1 - ratio), _DIGITS))


def own_ratio(group: DependencyGroup, config: PruningConfig) -> float | None:
    """The ratio of a group's layers or of its kind; None where it has that of all others."""
    named = {config.ratios[name] for name in group.layers if name in config.ratios}
    if len(named) > 1:
        raise InputError(
            f"layers {', '.join(group.layers)} are coupled and cannot have different ratios",
            received=sorted(named),
            remedy="give one ratio to all of them",
        )
    return named.pop() if named else config.kinds.get(group.kind)


def _rounded_removal(group: DependencyGroup, kept_count: int, config: PruningConfig) -> int:
    kept_count = max(kept_count, min(max(config.min_channels, group.min_channels), len(group)))
    kept_count = min(len(group), -(-kept_count // config.round_to) * config.round_to)
    return len(group) - kept_count
