"""Methods of explanation: one function a row of `METHODS`.

Each gives, for patches and their classes, what every value of a patch has to do with the class's
logit. To add one, write a function `(question) -> (n, patch, patch, bands)` and give it a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import unknown
from hsitf.explain.gradients import gradients
from hsitf.runtimes import Floats

if TYPE_CHECKING:
    import keras

# Points between the baseline and the patch: for relu networks the sum of attributions then
# misses the difference of logits by less than 1 %.
STEPS = 128
# Noisy copies of a patch, and their noise over the spread of its values; Smilkov et al., 2017.
COPIES, NOISE = 32, 0.15
# Patches that are computed at once.
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Question:
    """What is to be explained.

    Attributes:
        network: (n, patch, patch, bands) -> logits.
        patches: (n, patch, patch, bands) float32, normalized bands.
        targets: (n,) class of each patch, from 0.
        seed: Of whatever is drawn.
    """

    network: keras.Model
    patches: Floats
    targets: NDArray[np.int64]
    seed: int = 0

    def logits(self, patches: Floats) -> Floats:
        """The logit of each patch's class, (n,)."""
        found = self.network.predict(patches, batch_size=_BATCH, verbose=0)
        return np.asarray(found[np.arange(len(patches)), self.targets], np.float32)


def _in_batches(question: Question, patches: Floats) -> Floats:
    parts = range(0, len(patches), _BATCH)
    return np.concatenate(
        [
            gradients(
                question.network, patches[at : at + _BATCH], question.targets[at : at + _BATCH]
            )
            for at in parts
        ]
    )


def saliency(question: Question) -> Floats:
    """Magnitude of the gradient (Simonyan et al., ICLR workshop 2014)."""
    return np.abs(_in_batches(question, question.patches))


def gradient_times_input(question: Question) -> Floats:
    """Gradient times patch: exact shares of the logit where the network is linear."""
    return _in_batches(question, question.patches) * question.patches


def integrated_gradients(question: Question) -> Floats:
    """Gradients summed on the way from the mean training spectrum (Sundararajan, ICML 2017).

    The attributions of a patch add up to the difference of its logit to that of the baseline.
    """
    total = np.zeros_like(question.patches)
    # Midpoints of equal steps.
    for share in (np.arange(STEPS) + 0.5) / STEPS:
        total += _in_batches(question, question.patches * np.float32(share))
    return np.asarray(total / STEPS * question.patches, np.float32)


def smoothgrad(question: Question) -> Floats:
    """Saliency, mean over noisy copies (Smilkov et al., 2017)."""
    rng = np.random.default_rng(question.seed)
    patches = question.patches
    spread = np.ptp(patches, axis=(1, 2, 3), keepdims=True) * NOISE
    total = np.zeros_like(patches)
    for _ in range(COPIES):
        noise = rng.standard_normal(patches.shape, dtype=np.float32) * spread
        total += np.abs(_in_batches(question, patches + noise))
    return np.asarray(total / COPIES, np.float32)


def occlusion(question: Question) -> Floats:
    """What the logit loses when a band is the training pixels' mean in the whole patch.

    The loss of a band is shared evenly by the pixels of the patch.
    """
    before = question.logits(question.patches)
    found = np.empty_like(question.patches)
    pixels = question.patches.shape[1] * question.patches.shape[2]
    for band in range(question.patches.shape[3]):
        hidden = question.patches.copy()
        hidden[..., band] = 0
        found[..., band] = ((before - question.logits(hidden)) / pixels)[:, None, None]
    return found


METHODS: dict[str, Callable[[Question], Floats]] = {
    "saliency": saliency,
    "gradient-times-input": gradient_times_input,
    "integrated-gradients": integrated_gradients,
    "smoothgrad": smoothgrad,
    "occlusion": occlusion,
}


def method(name: str) -> Callable[[Question], Floats]:
    """The method `name`.

    Raises:
        InputError: There is none.
    """
    if name not in METHODS:
        raise unknown("method of explanation", name, METHODS)
    return METHODS[name]
