"""A pruning run: from a trained network to a smaller one, pruned and fine-tuned iteratively."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf import records, runs
from hsitf.compat import formerly
from hsitf.cost import Cost, cost
from hsitf.data import SceneData
from hsitf.errors import DataError, InputError, VerificationError
from hsitf.export.convert import measure_files
from hsitf.files import replacing, sha256
from hsitf.graph import copy_weights
from hsitf.lower import lower
from hsitf.measure import processor
from hsitf.metrics import Scores
from hsitf.progress import Progress
from hsitf.prune.dead import dead_channels
from hsitf.prune.evidence import Samples
from hsitf.prune.plans import PruningPlan, compose, group_sizes, select
from hsitf.prune.ranking import rank
from hsitf.prune.request import PruningRequest
from hsitf.prune.sparse import retrain
from hsitf.prune.sparsity import Sparsity
from hsitf.prune.target import search_ratio
from hsitf.prune.thinning import thin
from hsitf.prune.tracing import trace
from hsitf.prune.unstructured import final_masks, sparsity_schedule
from hsitf.prune.weights import apply_masks, masked_share
from hsitf.records import Epoch, FileStats, ModelStats, PruningRecord, SceneChoice, TrainingPlan
from hsitf.runs import Run, load_network
from hsitf.train.evaluation import evaluate, predict, score_predictions
from hsitf.train.gather import gather_model
from hsitf.train.loop import FitResult, fit
from hsitf.train.run import check_name, save_run

REQUEST = "order.json"
STEP = "step.json"
CHANNELS = "channels.json"
# Class-balanced training patches that criteria look at.
NUM_SAMPLES = 512


@formerly(request="order")
@dataclass(frozen=True)
class PruningState:
    """The start of a pruning run, kept until its record describes the result."""

    schema: int
    origin_sha256: str
    request: PruningRequest


@formerly(pruned_scores="cut")
@dataclass(frozen=True)
class PruningStep:
    """A finished pruning iteration: the channels kept so far, and how its fine-tuning went.

    Attributes:
        number: Number of the iteration, from 1.
        plan: The channels of the original network that are kept.
        pruned_scores: Accuracy on the test pixels after pruning, before fine-tuning.
        history: Loss and accuracy of every fine-tuning epoch.
        best_epoch: Epoch whose weights were kept, counted from 1; 0 where no epoch was better on
            the validation pixels than the pruned network.
        seconds: Time of all fine-tuning so far.
        sha256: SHA-256 of the network's file.
    """

    schema: int
    number: int
    plan: PruningPlan
    pruned_scores: Scores
    history: tuple[Epoch, ...]
    best_epoch: int
    seconds: float
    sha256: str


def prune(
    origin: Run,
    request: PruningRequest,
    name: str | None,
    progress: Progress,
    choice: SceneChoice | None = None,
    threads: int | None = 1,
) -> Run:
    """Prunes a trained network, or resumes or returns the run of the same request.

    Args:
        origin: The trained network.
        request: What to remove, and how to fine-tune the rest.
        name: Name of the new run's folder, beside the origin's; derived from the request where
            None.
        progress: Receives progress messages.
        choice: Where the scene is now, if not at the path of the record.
        threads: Number of threads of the latency measurement; None to skip the measurement, which
            takes longer than pruning a small network: the record then has no files.

    Returns:
        The finished run.

    Raises:
        InputError: The request is not possible, or a run of another request has that name.
        DataError: The scene or the network is not the one of the origin's record.
        LoweringError: The network cannot be lowered for inference, so its files cannot be measured.
        VerificationError: The accuracy drop is larger than the request allows.
        OutputError: The folder cannot be written.
    """
    if name is not None:
        check_name(name)
    if threads is not None and threads < 1:
        raise InputError("threads is out of range", received=threads, allowed="1 or more")
    folder = origin.folder.parent / (name or f"{origin.folder.name}-{request.label}")
    work = PruningState(records.SCHEMA, origin.record.sha256, request)
    if (folder / runs.RECORD).is_file():
        return _finished(folder, work, progress)
    network, data = origin.network(), origin.data(choice)
    if threads is not None:
        # Refused before hours of fine-tuning rather than after.
        lower(network)
    if request.kind == "channels" and not (folder / STEP).is_file():
        # What cannot be cut is refused before the first file is written.
        plan_iteration(network, request, 1, network, calibration_samples(data))
    _begin(folder, work, progress)
    try:
        prune_by = _iterate if request.kind == "channels" else _prune_weights
        done, small = prune_by(network, origin, request, data, folder, progress)
    except VerificationError:
        _clear(folder)
        (folder / REQUEST).unlink()
        folder.rmdir()
        raise
    predicted = predict(gather_model(small, data.patches), data.split.test)
    scores = score_predictions(predicted, data, data.split.test)
    pruning = _measured(origin, request, network, small, scores, done, data, threads, progress)
    fitted = FitResult(small, done.history, done.best_epoch, predicted, done.seconds)
    done.plan.save(folder / CHANNELS)
    plan = replace(origin.record.plan, recipe=request.recipe, schedule="custom")
    run = save_run(fitted, plan, data, folder, pruning, origin.record)
    _clear(folder)
    return run


def _clear(folder: Path) -> None:
    """Removes what only a run that is not finished needs."""
    for pattern in (STEP, "step-*.keras", "state-*.npz"):
        for leftover in folder.glob(pattern):
            leftover.unlink()


def _network_file(folder: Path, number: int) -> Path:
    return folder / f"step-{number}.keras"


def _state_file(folder: Path, number: int) -> Path:
    return folder / f"state-{number}.npz"


def _finished(folder: Path, work: PruningState, progress: Progress) -> Run:
    run = Run.open(folder)
    if run.record.pruning is None or records.read(PruningState, folder / REQUEST) != work:
        raise _other_request(folder)
    _clear(folder)
    progress.say(f"{folder} is pruned already")
    return run


def _other_request(folder: Path) -> InputError:
    return InputError(
        f"{folder} belongs to another run",
        received="a network pruned from another one, or otherwise",
        remedy="give this run another name with --run, or remove that folder",
    )


def _begin(folder: Path, work: PruningState, progress: Progress) -> None:
    if (folder / REQUEST).is_file():
        if records.read(PruningState, folder / REQUEST) != work:
            raise _other_request(folder)
        progress.say(f"resuming {folder}")
    elif folder.exists() and any(folder.iterdir()):
        raise _other_request(folder)
    records.write(work, folder / REQUEST)


def _iterate(
    network: keras.Model,
    origin: Run,
    request: PruningRequest,
    data: SceneData,
    folder: Path,
    progress: Progress,
) -> tuple[PruningStep, keras.Model]:
    """Prunes and fine-tunes until the target or the largest allowed drop is reached.

    Returns:
        The last iteration within the bound, and its network.
    """
    whole = cost(network)
    step, current = _resumed(folder, request.iterations)
    floor = _min_accuracy(network, request, data)
    if current is None:
        current = network
    for number in range(step.number + 1 if step else 1, request.iterations + 1):
        plan = plan_iteration(current, request, number, network, calibration_samples(data))
        # The seed of a copied dropout is drawn when it is built.
        keras.utils.set_random_seed(origin.record.plan.seed)
        smaller = thin(current, plan)
        scores = _scores(smaller, data, data.split.test)
        training = _fine_tuning_plan(origin, request, number)
        progress.say(_format_iteration(request, number, whole, cost(smaller), scores))
        state = _state_file(folder, number)
        best, reached, fitted = _fine_tuned(smaller, training, data, state, progress)
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
            _saved(smaller, _network_file(folder, number)),
        )
        # From here on the next step is the one to resume.
        records.write(step, folder / STEP)
        state.unlink(missing_ok=True)
        _network_file(folder, number - 1).unlink(missing_ok=True)
        current = smaller
    if step is None:
        raise InputError("nothing was pruned", remedy="take one iteration or more")
    return step, current


def _prune_weights(
    network: keras.Model,
    origin: Run,
    request: PruningRequest,
    data: SceneData,
    folder: Path,
    progress: Progress,
) -> tuple[PruningStep, keras.Model]:
    """Zeroes and retrains single weights, then removes the channels that died of it.

    Returns:
        The whole as one iteration, and its network.
    """
    final = final_masks(network, request)
    current = origin.network()
    apply_masks(current, final)
    pruned_scores = _scores(current, data, data.split.test)
    progress.say(
        f"sparsity {masked_share(final.values()):.1%}, OA before retraining {pruned_scores.oa:.2%}"
    )
    floor = _min_accuracy(network, request, data)
    copy_weights(network, current)
    training = replace(origin.record.plan, recipe=request.recipe, schedule="custom")
    fitted = retrain(
        current,
        sparsity_schedule(network, request),
        training,
        data,
        _state_file(folder, 1),
        progress,
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
    network: keras.Model, plan: TrainingPlan, data: SceneData, state: Path, progress: Progress
) -> tuple[int, float, FitResult]:
    """Fine-tunes a network in place; undone where it lowers the validation accuracy.

    Returns:
        The best epoch, 0 for none; the overall accuracy reached on the validation pixels; and the
        training result.
    """
    weights, start = network.get_weights(), _scores(network, data, _selection_pixels(data)).oa
    fitted = fit(plan, data, state, progress, network)
    tuned = fitted.history[fitted.best_epoch - 1].validation_oa
    if tuned >= start:
        return fitted.best_epoch, tuned, fitted
    network.set_weights(weights)
    return 0, start, fitted


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
    path = _network_file(folder, step.number)
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


def _fine_tuning_plan(origin: Run, request: PruningRequest, number: int) -> TrainingPlan:
    recipe = replace(request.recipe, epochs=request.epochs(number))
    return replace(origin.record.plan, recipe=recipe, schedule="custom")


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


def _measured(
    origin: Run,
    request: PruningRequest,
    network: keras.Model,
    small: keras.Model,
    scores: Scores,
    step: PruningStep,
    data: SceneData,
    threads: int | None,
    progress: Progress,
) -> PruningRecord:
    """What pruning did, both networks measured as files in one run."""
    measured: dict[str, dict[str, FileStats]] = {"before": {}, "after": {}}
    if threads is not None:
        progress.start("measuring the files", 1)
        measured = measure_files({"before": network, "after": small}, data, threads)
    return PruningRecord(
        origin=str(origin.folder),
        origin_sha256=origin.record.sha256,
        kind=request.kind,
        criterion=request.criterion_name,
        target=request.target_text,
        schedule=request.schedule,
        iterations=step.number,
        approximate=step.plan.approximate,
        before=model_stats(network, measured["before"], origin.record.scores),
        thinned=model_stats(small, measured["after"], step.pruned_scores),
        after=model_stats(small, measured["after"], scores),
        threads=threads or 0,
        processor=processor(),
    )


def model_stats(network: keras.Model, files: dict[str, FileStats], scores: Scores) -> ModelStats:
    """Cost and accuracy of a network."""
    sparsity, count = Sparsity.of(network), cost(network)
    return ModelStats(
        parameters=count.parameters,
        nonzero=sparsity.nonzero,
        macs=count.macs,
        files=files,
        bytes_zipped=sparsity.bytes_deflated,
        oa=scores.oa,
        aa=scores.aa,
        kappa=scores.kappa,
    )
