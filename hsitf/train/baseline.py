"""Fitting a baseline: the counterpart of the training loop for what scikit-learn fits at once."""

from __future__ import annotations

import time

from hsitf import zoo
from hsitf.data import SceneData
from hsitf.progress import Progress
from hsitf.records import TrainingPlan
from hsitf.train.evaluation import predict, predict_ranked
from hsitf.train.gather import gather_model
from hsitf.train.loop import FitResult


def fit(plan: TrainingPlan, data: SceneData, progress: Progress) -> FitResult:
    """Fits a baseline to the training pixels; validation pixels choose between settings.

    Args:
        plan: The training plan; names the baseline.
        data: The scene to fit to.
        progress: Receives progress messages.
    """
    from hsitf.zoo._baselines import BaselineData

    progress.start(f"fitting {plan.network}", 1)
    begin = time.monotonic()
    selection_pixels = data.split.validation if len(data.split.validation) else data.split.train
    spectra, judging = (
        data.patches.extract(pixels)[:, 0, 0] for pixels in (data.split.train, selection_pixels)
    )
    lesson = BaselineData(
        spectra,
        data.targets(data.split.train),
        judging,
        data.targets(selection_pixels),
        data.scene.classes,
        plan.class_weights,
        plan.seed,
        progress,
    )
    network = zoo.fit(plan.network, lesson)
    seconds = time.monotonic() - begin
    progress.advance(1)
    model = gather_model(network, data.patches)
    predict(model, data.split.test[:1])
    begin = time.monotonic()
    predicted, top5 = predict_ranked(model, data, data.split.test)
    micros = 1e6 * (time.monotonic() - begin) / len(data.split.test)
    return FitResult(network, (), 0, predicted, seconds, micros, top5)
