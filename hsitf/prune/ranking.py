"""Ranks the channels of a network by a criterion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.prune.criteria import ChannelScores, get_criterion
from hsitf.prune.evidence import Samples, gather_evidence
from hsitf.prune.tracing import DependencyGroup, Trace, groups_of, trace

__all__ = ["Ranking", "Samples", "rank"]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The importance of each channel of a network.

    Attributes:
        trace: Trace of the network.
        criterion: Name of the importance criterion.
        groups: Dependency groups that may lose channels.
        importance: For each group, (channels,) float64; the smallest are removed first.
    """

    trace: Trace
    criterion: str
    groups: list[DependencyGroup]
    importance: list[NDArray[np.float64]]


def rank(
    model: keras.Model,
    criterion: str = "l2",
    samples: Samples | None = None,
    prune_io: Sequence[str] = (),
) -> Ranking:
    """Ranks the channels of a network.

    The importance of a channel is the mean over the layers of its dependency group of the
    criterion's score, divided by the mean score of the layer, so that layers of any size can be
    compared. Layers without a score (bn_scale without batch normalization) are ignored; groups of
    such layers lose no channels.

    Args:
        model: A functional model.
        criterion: One of `criteria.CRITERIA`.
        samples: Calibration data, for criteria that need data.
        prune_io: Inputs and output layers that may lose channels too.

    Raises:
        InputError: Unknown criterion, or one that is not defined for this network.
    """
    get_criterion(criterion)
    traced = trace(model, prune_io)
    scores = _scores(model, traced, criterion, samples)
    groups, importance = [], []
    for group in groups_of(traced.graph):
        scored = any(name in scores for name in group.layers)
        if scored and not group.protected:
            groups.append(group)
            importance.append(_group_importance(group, scores))
    return Ranking(traced, criterion, groups, importance)


def _scores(
    model: keras.Model, traced: Trace, criterion: str, samples: Samples | None
) -> dict[str, ChannelScores]:
    """The criterion's score of each channel of each layer, divided by the mean of the layer."""
    chosen = get_criterion(criterion)
    found: dict[str, list[ChannelScores]] = defaultdict(list)
    for batch in gather_evidence(model, traced, chosen, samples):
        for name, evidence in batch.items():
            found[name].append(chosen.score(evidence))
    scores = {name: np.mean(values, axis=0) for name, values in found.items()}
    for name, values in scores.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"the criterion {criterion} gives layer {name!r} no finite scores",
                remedy="see whether the network's weights and the calibration data are finite",
            )
    return {name: values / (values.mean() or 1.0) for name, values in scores.items()}


def _group_importance(
    group: DependencyGroup, scores: dict[str, ChannelScores]
) -> NDArray[np.float64]:
    where = [(at, scores[name]) for at, name in enumerate(group.layers) if name in scores]
    return np.array(
        [
            np.mean([values[list(channel[at])].mean() for at, values in where])
            for channel in group.channels
        ]
    )
