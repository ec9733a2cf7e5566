"""What a baseline learns from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.progress import Progress, Silent


@dataclass(frozen=True, eq=False)
class BaselineData:
    """What a baseline learns from.

    Attributes:
        spectra: (n, bands) float32, normalized training pixels.
        classes: (n,) int32 class indices from 0.
        validation_spectra: (m, bands) float32 spectra of the validation pixels, which select the
            hyperparameters; of the training pixels where there are none.
        validation_classes: (m,) int32 classes of the validation pixels.
        num_classes: Number of classes.
        class_weights: Whether classes are weighted by their inverse frequency.
        seed: Seed of all random numbers.
        progress: Receives messages.
    """

    spectra: Float32Array
    classes: NDArray[np.int32]
    validation_spectra: Float32Array
    validation_classes: NDArray[np.int32]
    num_classes: int
    class_weights: bool
    seed: int
    progress: Progress = field(default_factory=Silent)

    @property
    def sklearn_class_weight(self) -> str | None:
        """As scikit-learn calls it."""
        return "balanced" if self.class_weights else None

    def accuracy(self, predicted: NDArray[np.integer]) -> float:
        """Share of the validation pixels whose predicted class, (m,) from 0, is theirs."""
        return float((predicted == self.validation_classes).mean())
