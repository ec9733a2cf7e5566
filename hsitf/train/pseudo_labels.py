"""Pseudo-labels: unlabelled pixels that the network itself is sure of, shown with its answer.

The averaged network names them from patches as they are; training shows the patches augmented, so
that the network learns to answer alike under every change of them (consistency). Only pixels whose
patches share no pixel with a validation or test patch are ever shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.data import SceneData
from hsitf.records import TrainingPlan
from hsitf.train.averaging import averaged_weights
from hsitf.train.evaluation import predict_logits

# Unlabelled pixels of an epoch, as a share of its training pixels: its time stays bounded.
EXTRA_SHARE = 0.5
# Share of the epochs before the first one that shows unlabelled pixels.
WARMUP_SHARE = 0.3
# What an unlabelled pixel's loss counts.
EXTRA_WEIGHT = 0.5


@dataclass(frozen=True)
class UnlabelledShare:
    """How many unlabelled pixels an epoch shows, and what they count.

    Attributes:
        count: Unlabelled pixels of an epoch, at most.
        weight: What the loss of one counts, where that of a labelled one counts 1.
        first_epoch: The first epoch that shows them, from 0.
    """

    count: int = 0
    weight: float = 1.0
    first_epoch: int = 0


@dataclass(frozen=True, eq=False)
class NamedPixels:
    """Pixels with a share of each class.

    Attributes:
        pixels: (n,) int64 flat indices, ascending.
        targets: (n, classes) float32, rows of sum 1.
    """

    pixels: NDArray[np.int64]
    targets: Float32Array

    def of(self, pixels: NDArray[np.int64]) -> Float32Array:
        """(m, classes) float32 of some of its pixels, in their order."""
        return self.targets[np.searchsorted(self.pixels, pixels)]

    def sure(self, threshold: float) -> NamedPixels:
        """Those whose largest share is at least the threshold."""
        kept = self.targets.max(axis=1, initial=0.0) >= threshold
        return NamedPixels(self.pixels[kept], self.targets[kept])

    def hard(self) -> NamedPixels:
        """The same pixels, each with its likeliest class alone."""
        classes = np.eye(self.targets.shape[1], dtype=np.float32)
        return NamedPixels(self.pixels, classes[self.targets.argmax(axis=1)])


def extra_count(data: SceneData) -> int:
    """How many pixels an epoch has beside its labelled ones, at most."""
    return int(len(data.split.train) * EXTRA_SHARE)


def first_epoch(plan: TrainingPlan) -> int:
    """The first epoch that shows unlabelled pixels, from 0."""
    return round(plan.recipe.epochs * WARMUP_SHARE)


def eligible_pixels(data: SceneData) -> NDArray[np.int64]:
    """Pixels that may get a pseudo-label: (n,) int64 flat indices, ascending.

    They have data and no label, and their patches share no pixel with the patch of a validation or
    test pixel, whatever the kind of split; of an image that has no training pixels there are none.
    """
    candidates = (data.scene.labels == 0) & data.scene.valid & ~data.near_evaluation()
    trains = data.split.zones() == 1
    for image in data.scene.images:
        candidates[image.block] &= trains[image.block].any()
    return np.flatnonzero(candidates).astype(np.int64)


def drawn_candidates(
    eligible: NDArray[np.int64], count: int, seed: tuple[int, ...]
) -> NDArray[np.int64]:
    """At most `count` of the eligible pixels, drawn by the seed, ascending."""
    return np.sort(np.random.default_rng(seed).permutation(eligible)[:count])


def named_by_network(
    networks: tuple[keras.Model, keras.Model], data: SceneData, pixels: NDArray[np.int64]
) -> NamedPixels:
    """What the averaged network makes of pixels, from their patches as they are.

    Args:
        networks: The network, and the compiled model around it.
        data: The scene.
        pixels: Ascending flat indices.
    """
    network, model = networks
    with averaged_weights(network, model, data):
        return NamedPixels(pixels, softmax(predict_logits(model, pixels)))


def softmax(logits: Float32Array) -> Float32Array:
    """Probabilities of logits, (n, classes) float32 each."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), np.float32)
