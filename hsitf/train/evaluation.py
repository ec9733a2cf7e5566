"""What a gathering model says of pixels, and how accurate that is."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.data import SceneData
from hsitf.metrics import Scores, confusion, scores
from hsitf.train.devices import padded_to_devices
from hsitf.train.gather import patch_views

PREDICT_BATCH_SIZE = 256


def evaluate(model: keras.Model, data: SceneData, pixels: NDArray[np.int64]) -> Scores:
    """Scores of a gathering model on `pixels` (flat indices), by its first output."""
    return score_predictions(predict(model, pixels), data, pixels)


def score_predictions(
    predicted: NDArray[np.int64], data: SceneData, pixels: NDArray[np.int64]
) -> Scores:
    """Scores of the classes `predicted`, counted from 0, at `pixels` (flat indices)."""
    return scores(confusion(data.targets(pixels), predicted, data.scene.classes))


def predict(model: keras.Model, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Classes from 0 that a gathering model names at `pixels` (flat indices)."""
    return np.asarray(predict_logits(model, pixels).argmax(1), np.int64)


def predict_logits(model: keras.Model, pixels: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, classes) of a gathering model at `pixels`."""
    views = patch_views(padded_to_devices(pixels, PREDICT_BATCH_SIZE))
    # What a patch would be mixed with in training plays no part here.
    further = model.inputs[0].shape[1] - views.shape[1]
    if further:
        views = np.column_stack([views, *[views[:, :1]] * further])
    outputs = model.predict(views, batch_size=PREDICT_BATCH_SIZE, verbose=0)
    logits = outputs if len(model.outputs) == 1 else outputs[0]
    return np.asarray(logits)[: len(pixels)]
