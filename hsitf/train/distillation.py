"""Distillation: trained networks teach another one.

Hinton, Vinyals, Dean (Distilling the knowledge in a neural network, 2015): what a network learns
from is a mixture of the label and of its teachers' mean probabilities, which a temperature softens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.data import SceneData, restore
from hsitf.progress import Progress
from hsitf.runs import Run
from hsitf.train.evaluation import predict_logits
from hsitf.train.gather import gather_model
from hsitf.train.pseudo_labels import NamedPixels, softmax


class DistillationLoss(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy with labels, and with what a teacher says at a temperature.

    Of a pixel with the network's logits z and targets (a, b) of `classes` values each,

        loss = - sum(a * log softmax(z)) - T^2 * sum(b * log softmax(z / T))

    where a is the label with its share, and b the teacher's softmax(t / T) with the teacher's. The
    gradient of the second term shrinks with 1 / T^2; times T^2, the shares weight both terms alike
    at every temperature (Hinton et al., 2015, section 2).

    Args:
        temperature: T, 1 or more.
        label_smoothing: Share of a label that is spread over all classes; the teacher's part is
            left as it is.
    """

    def __init__(self, temperature: float, label_smoothing: float = 0.0) -> None:
        super().__init__(name="distillation")
        self._temperature, self._smoothing = temperature, label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """(n,) losses of (n, 2 * classes) targets and (n, classes) logits."""
        classes = y_pred.shape[-1]
        targets, logits = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        labels, taught = targets[:, :classes], targets[:, classes:]
        if self._smoothing:
            spread = ops.sum(labels, axis=-1, keepdims=True) / classes
            labels = (1 - self._smoothing) * labels + self._smoothing * spread
        hard = ops.sum(labels * ops.log_softmax(logits), axis=-1)
        soft = ops.sum(taught * ops.log_softmax(logits / self._temperature), axis=-1)
        return -hard - self._temperature**2 * soft


def named_by_teachers(
    teachers: Sequence[Run],
    data: SceneData,
    pixels: NDArray[np.int64],
    progress: Progress,
    temperature: float = 1.0,
) -> NamedPixels:
    """Mean probabilities of teachers, from patches as they are.

    Args:
        teachers: Trained networks of the same scene and classes.
        data: The scene as the student takes it.
        pixels: Ascending flat indices.
        progress: Receives a message.
        temperature: What the teachers' logits are divided by.

    Raises:
        DataError: A teacher's files are damaged.
    """
    total: Float32Array = np.zeros((len(pixels), data.scene.classes), np.float32)
    for run in teachers:
        progress.say(f"teacher {run.folder}")
        plan_then = run.record.plan
        own = restore(
            data.scene, run.split(), run.record.normalizer, plan_then.patch, run.reducer()
        )
        model = gather_model(run.network(), own.patches)
        logits = predict_logits(model, pixels) / np.float32(temperature)
        total += softmax(logits) / len(teachers)
    return NamedPixels(pixels, total)
