"""Fitting a baseline: the counterpart of the training loop for what scikit-learn fits at once."""

from __future__ import annotations

import time

from hsitf import zoo
from hsitf.data import Data
from hsitf.progress import Progress
from hsitf.records import TrainingPlan
from hsitf.train.gather import gathering
from hsitf.train.loop import FitResult, predict


def fit(plan: TrainingPlan, data: Data, progress: Progress) -> FitResult:
    """Fits a baseline to the training pixels; validation pixels choose between settings.

    Args:
        plan: Names the baseline.
        data: To learn from.
        progress: Told what happens.
    """
    from hsitf.zoo._baselines import Lesson

    progress.start(f"fitting {plan.network}", 1)
    begin = time.monotonic()
    judges = data.split.validation if len(data.split.validation) else data.split.train
    spectra, judging = (data.patches.cut(pixels)[:, 0, 0] for pixels in (data.split.train, judges))
    lesson = Lesson(
        spectra,
        data.targets(data.split.train),
        judging,
        data.targets(judges),
        data.scene.classes,
        plan.balanced,
        plan.seed,
    )
    network = zoo.fit(plan.network, lesson)
    seconds = time.monotonic() - begin
    progress.advance(1)
    model = gathering(network, data.patches)
    predict(model, data.split.test[:1])
    begin = time.monotonic()
    predicted = predict(model, data.split.test)
    micros = 1e6 * (time.monotonic() - begin) / len(data.split.test)
    return FitResult(network, (), 0, predicted, seconds, micros)
