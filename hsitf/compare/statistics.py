"""Statistics of paired values: what two networks reach on the same pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hsitf.metrics import interval

# Up to so many pairs, even if all of them agree the signed-rank test is not below 5 %.
FEW_PAIRS = 5


@dataclass(frozen=True)
class PairedDifference:
    """How much a second network is better than a first one, in one measure.

    Attributes:
        pairs: Number of pairs.
        first: Mean of the first network; `second` likewise.
        difference: Mean of second less first.
        half_width: Half the width of its 95 % confidence interval (Student's t over the pairs);
            None for one pair.
        p_value: Of Wilcoxon's signed-rank test, two-sided: of a difference of this kind or a
            clearer one, if neither were better. Exact where no two differences are of one size,
            up to 50 pairs. Pairs without a difference are left out; 1 where all are.
        smallest_p: The smallest that so many pairs can have, 2 / 2^pairs.
        wins: Number of pairs in which the second is better; `losses` and `ties` likewise.
    """

    pairs: int
    first: float
    second: float
    difference: float
    half_width: float | None
    p_value: float
    smallest_p: float
    wins: int
    losses: int
    ties: int


def paired_difference(first: Sequence[float], second: Sequence[float]) -> PairedDifference:
    """Compares two networks.

    Args:
        first: One value a pair.
        second: The same pairs in the same order.
    """
    differences = np.subtract(second, first)
    count = len(differences)
    return PairedDifference(
        pairs=count,
        first=float(np.mean(first)),
        second=float(np.mean(second)),
        difference=float(differences.mean()),
        half_width=interval(differences.tolist()).half_width if count > 1 else None,
        p_value=signed_rank_p(differences.tolist()),
        smallest_p=min(1.0, 2.0 / 2**count),
        wins=int((differences > 0).sum()),
        losses=int((differences < 0).sum()),
        ties=int((differences == 0).sum()),
    )


def signed_rank_p(differences: Sequence[float]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test (F. Wilcoxon, Biometrics Bulletin 1, 1945)."""
    from scipy.stats import wilcoxon

    nonzero = [one for one in differences if one != 0]
    return float(wilcoxon(nonzero).pvalue) if nonzero else 1.0
