"""Means of explanations over the pixels of a subject, some patches at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hsitf.explain.methods import Attribution, Method, Settings
from hsitf.explain.methods.method import block
from hsitf.explain.subject import Subject
from hsitf.explain.view import Floats, View
from hsitf.progress import Progress

# Patches that a method is given at a time, at most.
CHUNK = 16


@dataclass(frozen=True, eq=False)
class Means:
    """What was found of one subject in one network.

    Attributes:
        magnitude: (patch, patch, inputs) or (inputs,) float32, mean over pixels without sign.
        signed: The same with sign.
        figures: What the method tells besides, the largest of all pixels.
        arrays: What else it stores, means over pixels.
    """

    magnitude: Floats
    signed: Floats
    figures: dict[str, float]
    arrays: dict[str, Floats]


@dataclass
class _Sums:
    """Sums over patches, whose number they keep."""

    count: int = 0
    magnitude: NDArray[np.float64] | float = 0.0
    signed: NDArray[np.float64] | float = 0.0
    figures: dict[str, float] = field(default_factory=dict)
    arrays: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def add(self, part: Attribution) -> None:
        """Takes what was found of some patches."""
        self.count += len(part.values)
        self.magnitude = self.magnitude + np.abs(part.values).sum(axis=0, dtype=np.float64)
        self.signed = self.signed + part.values.sum(axis=0, dtype=np.float64)
        for name, number in part.figures.items():
            self.figures[name] = max(number, self.figures.get(name, number))
        for name, array in part.arrays.items():
            before = self.arrays.get(name, np.zeros(array.shape))
            self.arrays[name] = before + len(part.values) * array.astype(np.float64)

    def means(self) -> Means:
        """Over all patches taken."""
        return Means(
            np.asarray(self.magnitude / self.count, np.float32),
            np.asarray(self.signed / self.count, np.float32),
            self.figures,
            {name: np.asarray(a / self.count, np.float32) for name, a in self.arrays.items()},
        )


def means(
    view: View, method: Method, settings: Settings, subject: Subject, progress: Progress
) -> Means:
    """Explains all pixels of a subject, or its filter, in one view of a network.

    Args:
        view: Of the network.
        method: How.
        settings: Of the method.
        subject: What.
        progress: Told of every pixel.
    """
    sums = _Sums()
    if method.sees == "filters":
        none = np.empty((0, 1, 1, 1), np.float32)
        sums.add(method.explain(view, none, subject.output, settings))
        progress.advance(1, subject.name)
        return sums.means()
    # A file takes many inferences a patch: each is told of.
    size = 1 if view.network is None else min(CHUNK, block(view.patches.cut(subject.pixels[:1])))
    for patches in view.patches.batches(subject.pixels, size):
        sums.add(method.explain(view, patches, subject.output, settings))
        progress.advance(len(patches), subject.name)
    return sums.means()
