"""What a gathering model says of pixels, and how accurate that is."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.data import SceneData
from hsitf.metrics import Scores, confusion, logit_scores, scores, top5_accuracy
from hsitf.train.devices import padded_to_devices
from hsitf.train.gather import patch_views
from hsitf.train.tile_gather import find_tile_gather

PREDICT_BATCH_SIZE = 256


def evaluate(model: keras.Model, data: SceneData, pixels: NDArray[np.int64]) -> Scores:
    """Scores of a gathering model on `pixels` (flat indices), by its first output."""
    return logit_scores(data.targets(pixels), predict_logits(model, pixels), data.scene.classes)


def score_predictions(
    predicted: NDArray[np.int64],
    data: SceneData,
    pixels: NDArray[np.int64],
    top5: float | None = None,
) -> Scores:
    """Scores of the classes `predicted`, counted from 0, at `pixels` (flat indices).

    Args:
        predicted: (pixels,) int64, classes from 0.
        data: The scene.
        pixels: (pixels,) flat indices.
        top5: Top-5 accuracy at these pixels; None where there is none.
    """
    found = scores(confusion(data.targets(pixels), predicted, data.scene.classes))
    return replace(found, top5=top5)


def predict(model: keras.Model, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Classes from 0 that a gathering model names at `pixels` (flat indices)."""
    return np.asarray(predict_logits(model, pixels).argmax(1), np.int64)


def predict_ranked(
    model: keras.Model, data: SceneData, pixels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], float | None]:
    """Classes as `predict` returns them, and their Top-5 accuracy where there are enough."""
    logits = predict_logits(model, pixels)
    return np.asarray(logits.argmax(1), np.int64), top5_accuracy(data.targets(pixels), logits)


def predict_logits(model: keras.Model, pixels: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, classes) of a gathering model at `pixels`."""
    tiles = find_tile_gather(model)
    if tiles is not None:
        return tiles.logits_of(pixels)
    views = patch_views(padded_to_devices(pixels, PREDICT_BATCH_SIZE))
    # What a patch would be mixed with in training plays no part here.
    further = model.inputs[0].shape[1] - views.shape[1]
    if further:
        views = np.column_stack([views, *[views[:, :1]] * further])
    outputs = model.predict(views, batch_size=PREDICT_BATCH_SIZE, verbose=0)
    logits = outputs if len(model.outputs) == 1 else outputs[0]
    return np.asarray(logits)[: len(pixels)]
