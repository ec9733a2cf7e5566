"""What was found, as figures and tables take it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsitf.explain.means import Means
from hsitf.explain.record import ExplanationRecord
from hsitf.explain.request import Ask
from hsitf.explain.sources import Source
from hsitf.explain.subject import Subject
from hsitf.explain.view import Floats
from hsitf.scenes.scene import Scene


@dataclass(frozen=True, eq=False)
class Explained:
    """A network or file and what was found of every subject.

    Attributes:
        source: What was explained.
        means: By subject.
        bands: (subjects, bands) float32, importance of the scene's bands; None where its inputs
            cannot be followed back to them.
        seconds: That it took.
    """

    source: Source
    means: tuple[Means, ...]
    bands: Floats | None
    seconds: float

    @property
    def magnitude(self) -> Floats:
        """(subjects, patch, patch, inputs) or (subjects, inputs), without sign."""
        return np.stack([one.magnitude for one in self.means])

    @property
    def signed(self) -> Floats:
        """The same with sign."""
        return np.stack([one.signed for one in self.means])


@dataclass(frozen=True, eq=False)
class Explanation:
    """Networks and files explained alike.

    Attributes:
        ask: What was asked for.
        scene: Of all of them.
        subjects: What was explained.
        explained: The networks and files, the first of which the others are held against.
        record: What is written down.
    """

    ask: Ask
    scene: Scene
    subjects: tuple[Subject, ...]
    explained: tuple[Explained, ...]
    record: ExplanationRecord
