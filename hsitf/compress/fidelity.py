"""How far a compressed network is from the original one, evaluated without test pixels.

Validation regions are few, and a network may lose fields that lie elsewhere. So it is also compared
with the original on unlabelled pixels from all over the scene, where no label is needed to see that
the two disagree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.compress.losses import (
    METRICS,
    Fidelity,
    accuracy,
    expected_drop,
    field_matrices,
    paired_drop,
)
from hsitf.data import SceneData
from hsitf.progress import Progress
from hsitf.runtimes import Runtime
from hsitf.train.unseen import unseen_pixels
from hsitf.verify import runtime_logits


@dataclass(frozen=True, eq=False)
class FidelityEvaluator:
    """Compares files with the original network on the same pixels.

    Attributes:
        data: The scene as the network takes it.
        metric: The measure of accuracy that is bounded: oa, aa or kappa.
        unlabelled: Pixels of no set that fine-tuning never sees, ascending flat indices.
        original: (unlabelled + validation, classes) float32, logits of the original network.
        fields: (validation,) int64, the field of each validation pixel.
    """

    data: SceneData
    metric: str
    unlabelled: NDArray[np.int64]
    original: Float32Array
    fields: NDArray[np.int64]

    @classmethod
    def of(
        cls, network: Runtime, data: SceneData, metric: str, progress: Progress
    ) -> FidelityEvaluator:
        """Prepares the comparison with a network."""
        unlabelled = unseen_pixels(data)
        pixels = np.concatenate([unlabelled, data.split.validation])
        original = runtime_logits(network, data, pixels, progress)
        return cls(data, metric, unlabelled, original, fields_of(data, data.split.validation))

    @property
    def unlabelled_logits(self) -> Float32Array:
        """(unlabelled, classes) float32 of the original network."""
        return self.original[: len(self.unlabelled)]

    def fidelity(self, file: Runtime, progress: Progress) -> Fidelity:
        """How far a file with the same inputs is from the original network."""
        split, count = self.data.split, len(self.unlabelled)
        pixels = np.concatenate([self.unlabelled, split.validation])
        found = runtime_logits(file, self.data, pixels, progress).argmax(1)
        before = self.original.argmax(1)
        truth, classes = self.data.targets(split.validation), self.data.scene.classes
        table = field_matrices(truth, found[count:], self.fields, classes).sum(0)
        drop = paired_drop(truth, before[count:], found[count:], self.fields, classes, self.metric)
        differ = int((before[count:] != found[count:]).sum())
        unlike = float((before[:count] != found[:count]).mean()) if count else None
        return Fidelity(
            agreement=None if unlike is None else 1 - unlike,
            unlabelled=count,
            validation_agreement=1 - differ / len(truth),
            accuracy={name: float(accuracy(table, name)) for name in METRICS},
            drop=drop,
            expected_drop=expected_drop(drop, differ, len(truth), unlike),
            metric=self.metric,
        )


def fields_of(data: SceneData, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The field of each pixel: touching pixels of one class and one image are of one field.

    Args:
        data: The scene.
        pixels: (n,) flat indices of labelled pixels.

    Returns:
        (n,) int64, numbers from 0 without gaps.
    """
    from scipy.ndimage import label

    classes = np.zeros(data.split.shape, np.int64)
    classes.flat[pixels] = data.targets(pixels) + 1
    fields = np.zeros(data.split.shape, np.int64)
    count = 0
    for block in data.split.blocks:
        for one in np.unique(classes[block][classes[block] > 0]):
            numbers, more = label(classes[block] == one, structure=np.ones((3, 3)))
            inside = numbers > 0
            fields[block][inside] = numbers[inside] + count
            count += more
    _, numbered = np.unique(fields.flat[pixels], return_inverse=True)
    return np.asarray(numbered, np.int64)
