"""Means of explanations over the pixels of a subject, some patches at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.explain.methods import Attribution, ExplanationMethod, MethodSettings
from hsitf.explain.methods.method import block_size
from hsitf.explain.outputs import ExplainedOutput
from hsitf.explain.view import NetworkView
from hsitf.progress import Progress

# Patches that a method is given at a time, at most.
CHUNK_SIZE = 16


@dataclass(frozen=True, eq=False)
class MeanAttribution:
    """The mean attribution of one output of one network.

    Attributes:
        magnitude: (patch, patch, inputs) or (inputs,) float32, mean over pixels of the absolute
            values.
        signed: The same with sign.
        metrics: Further numbers of the method, the largest over the pixels.
        arrays: Further arrays of the method, means over the pixels.
    """

    magnitude: Float32Array
    signed: Float32Array
    metrics: dict[str, float]
    arrays: dict[str, Float32Array]


@dataclass
class _Sums:
    """Sums over patches and the number of patches."""

    count: int = 0
    magnitude: NDArray[np.float64] | float = 0.0
    signed: NDArray[np.float64] | float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    arrays: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def add(self, part: Attribution) -> None:
        """Adds the attribution of some patches."""
        self.count += len(part.values)
        self.magnitude = self.magnitude + np.abs(part.values).sum(axis=0, dtype=np.float64)
        self.signed = self.signed + part.values.sum(axis=0, dtype=np.float64)
        for name, number in part.metrics.items():
            self.metrics[name] = max(number, self.metrics.get(name, number))
        for name, array in part.arrays.items():
            before = self.arrays.get(name, np.zeros(array.shape))
            self.arrays[name] = before + len(part.values) * array.astype(np.float64)

    def means(self) -> MeanAttribution:
        """The means over all added patches."""
        return MeanAttribution(
            np.asarray(self.magnitude / self.count, np.float32),
            np.asarray(self.signed / self.count, np.float32),
            self.metrics,
            {name: np.asarray(a / self.count, np.float32) for name, a in self.arrays.items()},
        )


def mean_attribution(
    view: NetworkView,
    method: ExplanationMethod,
    settings: MethodSettings,
    subject: ExplainedOutput,
    progress: Progress,
) -> MeanAttribution:
    """Explains all pixels of a subject, or its filter, in one view of a network.

    Args:
        view: View of the network.
        method: The explanation method.
        settings: Settings of the method.
        subject: The output and its pixels.
        progress: Receives the progress of every pixel.
    """
    sums = _Sums()
    if method.explains == "filters":
        none = np.empty((0, 1, 1, 1), np.float32)
        sums.add(method.explain(view, none, subject.output, settings))
        progress.advance(1, subject.name)
        return sums.means()
    # A file takes many inferences per patch: progress is reported for each patch.
    size = (
        1
        if view.network is None
        else min(CHUNK_SIZE, block_size(view.patches.extract(subject.pixels[:1])))
    )
    for patches in view.patches.batches(subject.pixels, size):
        sums.add(method.explain(view, patches, subject.output, settings))
        progress.advance(len(patches), subject.name)
    return sums.means()
