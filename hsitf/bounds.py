"""How far an exported file may be from its network."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bounds:
    """How far a file may be from its network and still be published.

    Attributes:
        agreement: Least share of test pixels with the same class.
        relative_error: Greatest logit difference over the greatest logit; None where the
            variant quantizes and its logits are steps of their own.
        oa_drop: Greatest loss of overall accuracy, percentage points.
    """

    agreement: float
    relative_error: float | None
    oa_drop: float
