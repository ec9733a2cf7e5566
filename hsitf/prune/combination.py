"""Criteria as users name them: one, or a weighted sum of several, and the data they look at.

"lfp+l1" is a sum, "0.7*lfp+0.3*l1" a weighted one. Criteria have different units: before they are
added, the scores of each are brought to 0 to 1 within every layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hsitf.errors import InputError
from hsitf.prune.criteria import CRITERIA, ChannelScores, Criterion, get_criterion


class CriterionTerm(NamedTuple):
    """One criterion of a sum.

    Attributes:
        name: Its name.
        criterion: The criterion.
        weight: Its share of the sum; the shares of a sum are 1 together.
    """

    name: str
    criterion: Criterion
    weight: float


@dataclass(frozen=True)
class EvidenceBatches:
    """How many samples criteria look at that need data.

    Attributes:
        count: Number of batches that scores are averaged over; the criterion's own where None.
        size: Samples of a batch; the criterion's own where None.

    Raises:
        InputError: A number is below 1.
    """

    count: int | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        for name, value in {"batches": self.count, "samples of a batch": self.size}.items():
            if value is not None and value < 1:
                raise InputError(
                    f"the number of {name} is out of range", received=value, allowed="1 or more"
                )

    def of(self, criterion: Criterion) -> Criterion:
        """A criterion that looks at so many samples; one that needs none as it is."""
        if not criterion.num_batches:
            return criterion
        return criterion._replace(
            batch_size=self.size or criterion.batch_size,
            num_batches=self.count or criterion.num_batches,
        )


def criterion_terms(text: str) -> tuple[CriterionTerm, ...]:
    """The criteria of a sum, or the one that is named.

    Args:
        text: Such as "l2", "lfp+l1" or "0.7*lfp+0.3*l1".

    Raises:
        InputError: A criterion does not exist or is named twice, or a weight is no number above 0.
    """
    if text in CRITERIA:
        return (CriterionTerm(text, get_criterion(text), 1.0),)
    found = [_term(part, text) for part in text.split("+")]
    names = [term.name for term in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(
            f"the criterion {twice[0]} is named twice",
            received=text,
            remedy="name each once, with its weight, such as 0.7*lfp+0.3*l1",
        )
    total = sum(term.weight for term in found)
    return tuple(term._replace(weight=term.weight / total) for term in found)


def check_evidence(criterion: str, batches: EvidenceBatches) -> None:
    """Refuses numbers of samples for a criterion that looks at none.

    Args:
        criterion: One criterion or a sum.
        batches: What was asked for.

    Raises:
        InputError: A number was given that the criterion has no use for, or it does not exist.
    """
    if batches == EvidenceBatches():
        return
    if not any(term.criterion.num_batches for term in criterion_terms(criterion)):
        raise InputError(
            f"{criterion} is computed from the weights alone and looks at no samples",
            received="--batches or --batch-samples",
            allowed="with a criterion of feature maps or gradients, such as lfp or taylor",
            remedy="leave them out, or give another --criterion",
        )


def _term(part: str, text: str) -> CriterionTerm:
    weight, star, name = part.rpartition("*")
    try:
        value = float(weight) if star else 1.0
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InputError(
            "the weight of a criterion is out of range",
            received=f"{part} in {text}",
            allowed="finite numbers above 0, such as 0.7*lfp+0.3*l1",
        )
    return CriterionTerm(name.strip(), get_criterion(name.strip()), value)


def file_label(text: str) -> str:
    """A criterion's name as part of a file's name, in which no star can be."""
    return text.replace("*", "").replace(" ", "")


def combined(scores: list[ChannelScores], weights: list[float]) -> ChannelScores:
    """The weighted sum of several criteria's scores of one layer, each brought to 0 to 1 before.

    Args:
        scores: (channels,) of each criterion; where all are equal, they count as 0.
        weights: One a criterion.
    """
    total = np.zeros(len(scores[0]))
    for values, weight in zip(scores, weights, strict=True):
        total += weight * (values - values.min()) / (np.ptp(values) or 1.0)
    return total
