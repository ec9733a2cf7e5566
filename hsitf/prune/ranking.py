"""Ranks the channels of a network by a criterion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.prune.combination import CriterionTerm, EvidenceBatches, combined, criterion_terms
from hsitf.prune.criteria import ChannelScores, Criterion
from hsitf.prune.evidence import Samples, gather_evidence
from hsitf.prune.tracing import DependencyGroup, Trace, groups_of, trace

__all__ = ["Ranking", "Samples", "rank"]

# Scores that differ by no more than this share of the largest are equal but for rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Ranking:
    """The importance of each channel of a network.

    Attributes:
        trace: Trace of the network.
        criterion: Importance criterion, or sum of several.
        groups: Dependency groups that may lose channels.
        importance: For each group, (channels,) float64; the smallest are removed first.
        tied: By criterion, the layers of these groups all of whose channels have the same score:
            there it selects nothing.
    """

    trace: Trace
    criterion: str
    groups: list[DependencyGroup]
    importance: list[NDArray[np.float64]]
    tied: dict[str, tuple[str, ...]]

    @property
    def tie_messages(self) -> list[str]:
        """A message for each criterion that does not distinguish the channels of some layers."""
        return [
            f"{name} gives all channels of {', '.join(layers)} the same score: there, it selects "
            "nothing, and of equal channels the first go"
            for name, layers in self.tied.items()
        ]


def rank(
    model: keras.Model,
    criterion: str = "l2",
    samples: Samples | None = None,
    prune_io: Sequence[str] = (),
    batches: EvidenceBatches | None = None,
) -> Ranking:
    """Ranks the channels of a network.

    The importance of a channel is the mean over the layers of its dependency group of the
    criterion's score, divided by the mean score of the layer, so that layers of any size can be
    compared. Layers without a score (bn_scale without batch normalization) are ignored; groups of
    such layers lose no channels.

    Args:
        model: A functional model.
        criterion: One of `criteria.CRITERIA`, or a sum of several (see `combination`).
        samples: Calibration data, for criteria that need data.
        prune_io: Inputs and output layers that may lose channels too.
        batches: How many of the samples are looked at; as the criterion has it where None.

    Raises:
        InputError: Unknown criterion, or one that is not defined for this network; or batches that
            there are not enough samples for, or that no criterion needs.
    """
    terms = criterion_terms(criterion)
    if batches is not None and batches != EvidenceBatches():
        _check_batches(criterion, terms, batches, samples)
        terms = tuple(one._replace(criterion=batches.of(one.criterion)) for one in terms)
    traced = trace(model, prune_io)
    by_term = [_scores(model, traced, term.name, term.criterion, samples) for term in terms]
    scores = by_term[0] if len(terms) == 1 else _sums(by_term, terms)
    groups, importance = [], []
    for group in groups_of(traced):
        scored = any(name in scores for name in group.layers)
        if scored and not group.protected:
            groups.append(group)
            importance.append(_group_importance(group, scores))
    layers = dict.fromkeys(name for group in groups for name in group.layers)
    tied = {
        term.name: tuple(name for name in layers if name in own and _is_tied(own[name]))
        for term, own in zip(terms, by_term, strict=True)
    }
    return Ranking(
        traced,
        criterion,
        groups,
        importance,
        {name: found for name, found in tied.items() if found},
    )


def _check_batches(
    text: str,
    terms: Sequence[CriterionTerm],
    batches: EvidenceBatches,
    samples: Samples | None,
) -> None:
    if not any(term.criterion.num_batches for term in terms):
        raise InputError(
            f"the criterion {text} looks at no data",
            received="a number or size of batches",
            remedy="leave them out, or choose a criterion that does, such as taylor or lfp",
        )
    most = 0 if samples is None else len(samples.classes)
    if batches.size is not None and most and batches.size > most:
        raise InputError(
            "there are too few training pixels for a batch",
            received=f"batches of {batches.size:,} samples",
            allowed=f"1 to {most:,}, with equally many of each class as far as there are",
        )


def _is_tied(scores: ChannelScores) -> bool:
    return len(scores) > 1 and bool(np.ptp(scores) <= _ROUNDING * np.abs(scores).max())


def _sums(
    by_term: Sequence[dict[str, ChannelScores]], terms: Sequence[CriterionTerm]
) -> dict[str, ChannelScores]:
    """The weighted sums of several criteria's scores, for the layers that all of them score."""
    common = [name for name in by_term[0] if all(name in own for own in by_term)]
    weights = [term.weight for term in terms]
    sums = {name: combined([own[name] for own in by_term], weights) for name in common}
    return {name: values / (values.mean() or 1.0) for name, values in sums.items()}


def _scores(
    model: keras.Model, traced: Trace, name: str, criterion: Criterion, samples: Samples | None
) -> dict[str, ChannelScores]:
    """The criterion's score of each channel of each layer, divided by the mean of the layer."""
    found: dict[str, list[ChannelScores]] = defaultdict(list)
    for batch in gather_evidence(model, traced, criterion, samples):
        for layer, evidence in batch.items():
            found[layer].append(criterion.score(evidence))
    scores = {layer: np.mean(values, axis=0) for layer, values in found.items()}
    for layer, values in scores.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"the criterion {name} gives layer {layer!r} no finite scores",
                remedy="see whether the network's weights and the calibration data are finite",
            )
    return {layer: values / (values.mean() or 1.0) for layer, values in scores.items()}


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
