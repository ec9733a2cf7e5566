"""Further training of a network that has learned already: undone where it makes it worse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras

from hsitf.data import SceneData
from hsitf.progress import Progress
from hsitf.records import Epoch, TrainingPlan
from hsitf.train.epoch import agreement
from hsitf.train.evaluation import evaluate
from hsitf.train.gather import gather_model
from hsitf.train.guidance import NO_GUIDANCE, Guidance
from hsitf.train.loop import FitResult, fit


def fit_further(
    network: keras.Model,
    plan: TrainingPlan,
    data: SceneData,
    state: Path,
    progress: Progress,
    guidance: Guidance | None = None,
) -> tuple[FitResult, Epoch]:
    """Trains a network on, in place; as it was where no epoch has a higher score.

    Args:
        network: A trained network, whole or pruned.
        plan: How it is trained on.
        data: The scene.
        state: State file, as in `fit`.
        progress: Receives the progress of every batch and epoch.
        guidance: What it learns from beside labels.

    Returns:
        The result, whose best epoch is 0 where the network is as it was; and the evaluation of what
        was kept.

    Raises:
        DataError: The state file is damaged.
        InputError: The training diverged.
    """
    weights, model = network.get_weights(), gather_model(network, data.patches)
    pixels = data.split.validation if len(data.split.validation) else data.split.train
    alike = agreement(model, guidance or NO_GUIDANCE)
    start = Epoch(0.0, evaluate(model, data, pixels).oa, 0.0, 0.0, alike)
    fitted = fit(plan, data, state, progress, network, guidance=guidance)
    kept = fitted.history[fitted.best_epoch - 1]
    if kept.score >= start.score:
        return fitted, kept
    network.set_weights(weights)
    return replace(fitted, best_epoch=0), start
