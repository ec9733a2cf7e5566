"""The iterations of a pruning run: what is cut, and how the rest is fine-tuned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf import records
from hsitf.cost import Cost, cost
from hsitf.data import SceneData
from hsitf.errors import DataError, InputError, VerificationError
from hsitf.files import replacing, sha256
from hsitf.graph import copy_weights
from hsitf.metrics import Scores
from hsitf.prune.dead import dead_channels
from hsitf.prune.evidence import Samples
from hsitf.prune.job import STEP, PruningJob, PruningStep, network_file, state_file
from hsitf.prune.plans import PruningPlan, compose, group_sizes, select
from hsitf.prune.ranking import rank
from hsitf.prune.request import PruningRequest
from hsitf.prune.sparse import retrain
from hsitf.prune.target import search_ratio
from hsitf.prune.thinning import thin
from hsitf.prune.tracing import trace
from hsitf.prune.unstructured import final_masks, sparsity_schedule
from hsitf.prune.weights import apply_masks, masked_share
from hsitf.runs import load_network
from hsitf.train.evaluation import evaluate
from hsitf.train.further_fit import fit_further
from hsitf.train.gather import gather_model
from hsitf.train.loop import FitResult

# Class-balanced training patches that criteria look at.
NUM_SAMPLES = 512


def prune_channels(network: keras.Model, job: PruningJob) -> tuple[PruningStep, keras.Model]:
    """Prunes and fine-tunes until the target or the largest allowed drop is reached.

    Returns:
        The last iteration within the bound, and its network.
    """
    request, data, folder, progress = job.request, job.data, job.folder, job.progress
    whole = cost(network)
    step, current = _resumed(folder, request.iterations)
    floor = _min_accuracy(network, request, data)
    if current is None:
        current = network
    for number in range(step.number + 1 if step else 1, request.iterations + 1):
        plan = plan_iteration(current, request, number, network, calibration_samples(data))
        # The seed of a copied dropout is drawn when it is built.
        keras.utils.set_random_seed(job.origin.record.plan.seed)
        smaller = thin(current, plan)
        scores = _scores(smaller, data, data.split.test)
        progress.say(_format_iteration(request, number, whole, cost(smaller), scores))
        state = state_file(folder, number)
        best, reached, fitted = _fine_tuned(smaller, job, request.epochs(number), state)
        if reached < floor:
            if step is None:
                raise _drop_exceeded(reached, floor)
            progress.say(f"step {number} lost too much; step {step.number} is kept")
            break
        step = PruningStep(
            records.SCHEMA,
            number,
            compose(step.plan, plan) if step else plan,
            scores,
            fitted.history,
            best,
            fitted.seconds + (step.seconds if step else 0.0),
            _saved(smaller, network_file(folder, number)),
        )
        # From here on the next step is the one to resume.
        records.write(step, folder / STEP)
        state.unlink(missing_ok=True)
        network_file(folder, number - 1).unlink(missing_ok=True)
        current = smaller
    if step is None:
        raise InputError("nothing was pruned", remedy="take one iteration or more")
    return step, current


def prune_weights(network: keras.Model, job: PruningJob) -> tuple[PruningStep, keras.Model]:
    """Zeroes and retrains single weights, then removes the channels that died of it.

    Returns:
        The whole as one iteration, and its network.
    """
    request, data, progress = job.request, job.data, job.progress
    final = final_masks(network, request)
    current = job.origin.network()
    apply_masks(current, final)
    pruned_scores = _scores(current, data, data.split.test)
    progress.say(
        f"sparsity {masked_share(final.values()):.1%}, OA before retraining {pruned_scores.oa:.2%}"
    )
    floor = _min_accuracy(network, request, data)
    copy_weights(network, current)
    fitted = retrain(
        current,
        sparsity_schedule(network, request),
        job.fine_tuning_plan(request.recipe.epochs),
        data,
        state_file(job.folder, 1),
        progress,
        job.guidance,
    )
    reached = fitted.history[fitted.best_epoch - 1].validation_oa
    if reached < floor:
        raise _drop_exceeded(reached, floor)
    plan = dead_channels(current)
    step = PruningStep(
        records.SCHEMA,
        request.iterations,
        plan,
        pruned_scores,
        fitted.history,
        fitted.best_epoch,
        fitted.seconds,
        sha256="",
    )
    return step, thin(current, plan)


def _drop_exceeded(reached: float, floor: float) -> VerificationError:
    return VerificationError(
        "the accuracy drop of pruning exceeds the bound, so nothing was kept",
        received=f"{reached:.2%} on the validation pixels after fine-tuning",
        allowed=f"{floor:.2%} or more",
        remedy="remove less, use more --iterations or --epochs, or allow a larger drop",
    )


def _fine_tuned(
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


def _selection_pixels(data: SceneData) -> NDArray[np.int64]:
    """The pixels that choose between networks."""
    return data.split.validation if len(data.split.validation) else data.split.train


def _resumed(folder: Path, steps: int) -> tuple[PruningStep | None, keras.Model | None]:
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


def _saved(network: keras.Model, path: Path) -> str:
    with replacing(path) as temporary:
        saved = temporary.with_suffix(".keras")
        try:
            network.save(saved)
            saved.replace(temporary)
        finally:
            saved.unlink(missing_ok=True)
    return sha256(path)


def _min_accuracy(network: keras.Model, request: PruningRequest, data: SceneData) -> float:
    """Overall accuracy on the validation pixels that may not be undercut."""
    if request.max_drop is None:
        return 0.0
    return _scores(network, data, _selection_pixels(data)).oa - request.max_drop / 100


def plan_iteration(
    network: keras.Model,
    request: PruningRequest,
    number: int,
    origin: keras.Model,
    samples: Samples,
) -> PruningPlan:
    """The plan of one iteration for the network as the iterations before left it.

    Ratios and counts refer to the original network, so that the iterations end where one-shot
    pruning would.

    Args:
        network: The current network.
        request: The pruning request.
        number: Number of the iteration, from 1.
        origin: The network as it was trained.
        samples: Calibration data, for criteria that need data.

    Raises:
        InputError: See `select` and `search_ratio`.
    """
    ranking = rank(network, request.criterion, samples, request.config.prune_io)
    whole, before, now = cost(origin), group_sizes(trace(origin)), request.removed_share(number)
    ratios = {name: ratio * now for name, ratio in request.config.ratios.items()}
    config = replace(request.config, ratio=0.0, ratios=ratios)
    if request.measure == "ratio":
        return select(ranking, replace(config, ratio=request.target * now), before)
    full = getattr(whole, request.measure)
    target = request.target * full if request.target <= 1 else request.target
    # A count, since the network is no longer the one that shares are of.
    limit = max(full - (full - target) * now, 1 + 1e-9)
    return search_ratio(ranking, request.measure, limit, whole, config, before)


def calibration_samples(data: SceneData) -> Samples:
    """Class-balanced training patches with their classes."""
    pixels = data.calibration_pixels(NUM_SAMPLES)
    return Samples((data.patches.extract(pixels),), data.targets(pixels))


def _format_iteration(
    request: PruningRequest, number: int, original: Cost, remaining: Cost, pruned_scores: Scores
) -> str:
    step = f"step {number} of {request.iterations}: " if request.iterations > 1 else ""
    return (
        f"{step}{remaining.parameters / original.parameters:.1%} of the parameters and "
        f"{remaining.macs / original.macs:.1%} of the multiply-accumulates are left; OA before "
        f"fine-tuning {pruned_scores.oa:.2%}"
    )


def _scores(network: keras.Model, data: SceneData, pixels: NDArray[np.int64]) -> Scores:
    return evaluate(gather_model(network, data.patches), data, pixels)
