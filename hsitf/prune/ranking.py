"""Ranking the channels of a network by a criterion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.prune.criteria import Scores, known
from hsitf.prune.evidence import Samples, gather
from hsitf.prune.tracing import Group, Trace, grouped, trace

__all__ = ["Ranking", "Samples", "rank"]


@dataclass(frozen=True, eq=False)
class Ranking:
    """How much each channel of a network matters.

    Attributes:
        trace: Of the network.
        criterion: What says so.
        groups: Those that may lose channels.
        worth: For each of them, (channels,) float64; the smallest go first.
    """

    trace: Trace
    criterion: str
    groups: list[Group]
    worth: list[NDArray[np.float64]]


def rank(
    model: keras.Model,
    criterion: str = "l2",
    samples: Samples | None = None,
    free: Sequence[str] = (),
) -> Ranking:
    """Ranks the channels of a network.

    A channel's worth is the mean over the layers it lives in of the criterion's score, divided
    by that layer's mean score, so that layers of any size can be compared. Layers about which a
    criterion knows nothing (bn_scale without batch normalization) have no say; groups of such
    layers lose nothing.

    Args:
        model: A functional model.
        criterion: One of `criteria.CRITERIA`.
        samples: Calibration data, for criteria that look at data.
        free: Inputs and output layers that may lose channels too.

    Raises:
        InputError: Unknown criterion, or it cannot be had for this network.
    """
    known(criterion)
    traced = trace(model, free)
    scores = _scores(model, traced, criterion, samples)
    groups, worth = [], []
    for group in grouped(traced.ledger):
        judged = any(name in scores for name in group.layers)
        if judged and not group.protected:
            groups.append(group)
            worth.append(_worth(group, scores))
    return Ranking(traced, criterion, groups, worth)


def _scores(
    model: keras.Model, traced: Trace, criterion: str, samples: Samples | None
) -> dict[str, Scores]:
    """The criterion's score of each channel of each layer, over the layer's mean."""
    chosen = known(criterion)
    found: dict[str, list[Scores]] = defaultdict(list)
    for batch in gather(model, traced, chosen, samples):
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


def _worth(group: Group, scores: dict[str, Scores]) -> NDArray[np.float64]:
    where = [(at, scores[name]) for at, name in enumerate(group.layers) if name in scores]
    return np.array(
        [
            np.mean([values[list(channel[at])].mean() for at, values in where])
            for channel in group.channels
        ]
    )
