"""What the iterations of channels and those of weights have in common."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf import records
from hsitf.data import SceneData
from hsitf.errors import DataError, VerificationError
from hsitf.files import replacing, sha256
from hsitf.metrics import Scores
from hsitf.prune.job import STEP, PruningJob, PruningStep, network_file
from hsitf.prune.request import PruningRequest
from hsitf.runs import load_network
from hsitf.train.evaluation import evaluate
from hsitf.train.further_fit import fit_further
from hsitf.train.gather import gather_model
from hsitf.train.loop import FitResult


def drop_exceeded(reached: float, floor: float) -> VerificationError:
    """The error of a network that lost more accuracy than it may."""
    return VerificationError(
        "the accuracy drop of pruning exceeds the bound, so nothing was kept",
        received=f"{reached:.2%} on the validation pixels after fine-tuning",
        allowed=f"{floor:.2%} or more",
        remedy="remove less, use more --iterations or --epochs, or allow a larger drop",
    )


def fine_tune(
    network: keras.Model, job: PruningJob, epochs: int, state: Path
) -> tuple[int, float, FitResult]:
    """Fine-tunes a network in place; undone where that makes it worse, as epochs are compared.

    Returns:
        The best epoch, 0 for none; the overall accuracy reached on the validation pixels; and the
        training result.
    """
    plan = job.fine_tuning_plan(epochs)
    fitted, kept = fit_further(network, plan, job.data, state, job.progress, job.guidance)
    return fitted.best_epoch, kept.validation_oa, fitted


def resumed_step(folder: Path, steps: int) -> tuple[PruningStep | None, keras.Model | None]:
    """The last finished iteration, and its network."""
    if not (folder / STEP).is_file():
        return None, None
    step = records.read(PruningStep, folder / STEP)
    if not 1 <= step.number <= steps:
        raise DataError(
            f"{folder / STEP} is of no step of this run",
            received=step.number,
            allowed=f"1 to {steps}",
            remedy=f"remove {folder} and prune again",
        )
    path = network_file(folder, step.number)
    if not path.is_file() or sha256(path) != step.sha256:
        raise DataError(
            f"{path} is not the network that {folder / STEP} describes",
            received="another SHA-256" if path.is_file() else "no such file",
            remedy=f"remove {folder} and prune again",
        )
    return step, load_network(path)


def save_network(network: keras.Model, path: Path) -> str:
    """Writes a network in Keras' format; returns the file's SHA-256."""
    with replacing(path) as temporary:
        saved = temporary.with_suffix(".keras")
        try:
            network.save(saved)
            saved.replace(temporary)
        finally:
            saved.unlink(missing_ok=True)
    return sha256(path)


def min_accuracy(network: keras.Model, request: PruningRequest, data: SceneData) -> float:
    """Overall accuracy on the validation pixels that may not be undercut."""
    if request.max_drop is None:
        return 0.0
    return scores_on(network, data, _selection_pixels(data)).oa - request.max_drop / 100


def scores_on(network: keras.Model, data: SceneData, pixels: NDArray[np.int64]) -> Scores:
    """Scores of a network at pixels (flat indices)."""
    return evaluate(gather_model(network, data.patches), data, pixels)


def _selection_pixels(data: SceneData) -> NDArray[np.int64]:
    """The pixels that choose between networks."""
    return data.split.validation if len(data.split.validation) else data.split.train
