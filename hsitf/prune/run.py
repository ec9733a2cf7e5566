"""One pruning run: from a trained network to a smaller one, cut and fine-tuned step by step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf import records, runs
from hsitf.cost import Cost, cost
from hsitf.data import Data
from hsitf.errors import DataError, InputError, VerificationError
from hsitf.export.convert import Trial, trials
from hsitf.files import replacing, sha256
from hsitf.lower import lower
from hsitf.measure import processor
from hsitf.metrics import Scores
from hsitf.progress import Progress
from hsitf.prune.dead import dead
from hsitf.prune.evidence import Samples
from hsitf.prune.order import Order
from hsitf.prune.plans import Plan, choose, compose, sizes
from hsitf.prune.ranking import rank
from hsitf.prune.sparse import retrain
from hsitf.prune.sparsity import Sparsity
from hsitf.prune.target import fitting
from hsitf.prune.thinning import thin
from hsitf.prune.tracing import trace
from hsitf.prune.weights import zero, zeros
from hsitf.prune.zeroing import final_masks, schedule_of
from hsitf.records import Epoch, Pruning, SceneChoice, Standing, TrainingPlan
from hsitf.runs import Run, load_network
from hsitf.train.gather import gathering
from hsitf.train.loop import FitResult, evaluate, fit, judged, predict
from hsitf.train.run import keep

ORDER = "order.json"
STEP = "step.json"
CHANNELS = "channels.json"
_NOT_MEASURED = dict.fromkeys(("float32", "int8"), Trial(0, 0.0))
# Class-balanced training patches that criteria look at.
SAMPLES = 512


@dataclass(frozen=True)
class Work:
    """What a pruning run began with, until its record says how it ended."""

    schema: int
    origin_sha256: str
    order: Order


@dataclass(frozen=True)
class Step:
    """A step that is done: what is cut so far, and how the fine-tuning after it went.

    Attributes:
        number: From 1.
        plan: What is left of the original network's channels.
        cut: Scores on the test pixels after the cut.
        history: Of the fine-tuning, by epoch.
        best_epoch: Whose weights were kept, counted from 1; 0 where none was better on the
            validation pixels than the network as it was cut.
        seconds: Spent in all fine-tuning so far.
        sha256: Of the network's file.
    """

    schema: int
    number: int
    plan: Plan
    cut: Scores
    history: tuple[Epoch, ...]
    best_epoch: int
    seconds: float
    sha256: str


def prune(
    origin: Run,
    order: Order,
    name: str | None,
    progress: Progress,
    choice: SceneChoice | None = None,
    threads: int | None = 1,
) -> Run:
    """Prunes a trained network, or resumes or returns the run that the same order began.

    Args:
        origin: The trained network.
        order: What to remove, and how to fine-tune what is left.
        name: Of the new run's folder, beside the origin's; told from the order where None.
        progress: Told what happens.
        choice: Where the scene is now, if not where the run found it.
        threads: That latency is measured with; None where the files are not to be measured,
            which takes longer than pruning a small network does: their sizes and times are then
            0 in the record.

    Returns:
        The finished run.

    Raises:
        InputError: The order cannot be followed, or another one's run has that name.
        DataError: The scene or the network is not the one of the origin's record.
        LoweringError: The network cannot be rewritten for inference, so its files cannot be
            measured.
        VerificationError: More accuracy was lost than the order allows.
        OutputError: The folder cannot be written.
    """
    folder = origin.folder.parent / (name or f"{origin.folder.name}-{order.label}")
    work = Work(records.SCHEMA, origin.record.sha256, order)
    if (folder / runs.RECORD).is_file():
        return _finished(folder, work, progress)
    network, data = origin.network(), origin.data(choice)
    if threads is not None:
        # Refused before hours of fine-tuning rather than after.
        lower(network)
    if order.kind == "channels" and not (folder / STEP).is_file():
        # What cannot be cut is refused before the first file is written.
        cut(network, order, 1, network, samples(data))
    _begin(folder, work, progress)
    try:
        prune_by = _steps if order.kind == "channels" else _sparse
        done, small = prune_by(network, origin, order, data, folder, progress)
    except VerificationError:
        _clear(folder)
        (folder / ORDER).unlink()
        folder.rmdir()
        raise
    predicted = predict(gathering(small, data.patches), data.split.test)
    scores = judged(predicted, data, data.split.test)
    pruning = _measured(origin, order, network, small, scores, done, data, threads, progress)
    fitted = FitResult(small, done.history, done.best_epoch, predicted, done.seconds)
    done.plan.save(folder / CHANNELS)
    plan = replace(origin.record.plan, recipe=order.recipe, schedule="custom")
    run = keep(fitted, plan, data, folder, pruning)
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


def _finished(folder: Path, work: Work, progress: Progress) -> Run:
    run = Run.open(folder)
    if run.record.pruning is None or records.read(Work, folder / ORDER) != work:
        raise _another(folder)
    _clear(folder)
    progress.say(f"{folder} is pruned already")
    return run


def _another(folder: Path) -> InputError:
    return InputError(
        f"{folder} belongs to another run",
        received="a network pruned from another one, or otherwise",
        remedy="give this run another name with --run, or remove that folder",
    )


def _begin(folder: Path, work: Work, progress: Progress) -> None:
    if (folder / ORDER).is_file():
        if records.read(Work, folder / ORDER) != work:
            raise _another(folder)
        progress.say(f"resuming {folder}")
    elif folder.exists() and any(folder.iterdir()):
        raise _another(folder)
    records.write(work, folder / ORDER)


def _steps(
    network: keras.Model, origin: Run, order: Order, data: Data, folder: Path, progress: Progress
) -> tuple[Step, keras.Model]:
    """Cuts and fine-tunes until all is cut, or until more accuracy is lost than may be.

    Returns:
        The last step that may be kept, and its network.
    """
    whole = cost(network)
    step, current = _resumed(folder, order.steps)
    floor = _floor(network, order, data)
    if current is None:
        current = network
    for number in range(step.number + 1 if step else 1, order.steps + 1):
        plan = cut(current, order, number, network, samples(data))
        # The seed of a copied dropout is drawn when it is built.
        keras.utils.set_random_seed(origin.record.plan.seed)
        smaller = thin(current, plan)
        scores = _scores(smaller, data, data.split.test)
        training = _training(origin, order, number)
        progress.say(_told(order, number, whole, cost(smaller), scores))
        state = _state_file(folder, number)
        best, reached, fitted = _tuned(smaller, training, data, state, progress)
        if reached < floor:
            if step is None:
                raise _too_much(reached, floor)
            progress.say(f"step {number} lost too much; step {step.number} is kept")
            break
        step = Step(
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
        raise InputError("nothing was cut", remedy="take one step or more")
    return step, current


def _sparse(
    network: keras.Model, origin: Run, order: Order, data: Data, folder: Path, progress: Progress
) -> tuple[Step, keras.Model]:
    """Zeroes and retrains single weights, then removes the channels that died of it.

    Returns:
        The whole of it as one step, and its network.
    """
    final = final_masks(network, order)
    current = origin.network()
    zero(current, final)
    cut = _scores(current, data, data.split.test)
    progress.say(
        f"{zeros(final.values()):.1%} of the weights go; OA before retraining {cut.oa:.2%}"
    )
    floor = _floor(network, order, data)
    current.set_weights(network.get_weights())
    training = replace(origin.record.plan, recipe=order.recipe, schedule="custom")
    fitted = retrain(
        current, schedule_of(network, order), training, data, _state_file(folder, 1), progress
    )
    reached = fitted.history[fitted.best_epoch - 1].validation_oa
    if reached < floor:
        raise _too_much(reached, floor)
    plan = dead(current)
    step = Step(
        records.SCHEMA,
        order.steps,
        plan,
        cut,
        fitted.history,
        fitted.best_epoch,
        fitted.seconds,
        sha256="",
    )
    return step, thin(current, plan)


def _too_much(reached: float, floor: float) -> VerificationError:
    return VerificationError(
        "pruning cost more accuracy than it may, so nothing was kept",
        received=f"{reached:.2%} on the validation pixels after fine-tuning",
        allowed=f"{floor:.2%} or more",
        remedy="remove less, take more --steps or --epochs, or allow a larger drop",
    )


def _tuned(
    network: keras.Model, plan: TrainingPlan, data: Data, state: Path, progress: Progress
) -> tuple[int, float, FitResult]:
    """Fine-tunes a network in place, unless that makes it worse on the validation pixels.

    Returns:
        The best epoch, 0 for none; the overall accuracy on the validation pixels that was
        reached; and how training went.
    """
    weights, start = network.get_weights(), _scores(network, data, _judges(data)).oa
    fitted = fit(plan, data, state, progress, network)
    tuned = fitted.history[fitted.best_epoch - 1].validation_oa
    if tuned >= start:
        return fitted.best_epoch, tuned, fitted
    network.set_weights(weights)
    return 0, start, fitted


def _judges(data: Data) -> NDArray[np.int64]:
    """The pixels that choose between networks."""
    return data.split.validation if len(data.split.validation) else data.split.train


def _resumed(folder: Path, steps: int) -> tuple[Step | None, keras.Model | None]:
    """The last step that was finished, and its network."""
    if not (folder / STEP).is_file():
        return None, None
    step = records.read(Step, folder / STEP)
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


def _floor(network: keras.Model, order: Order, data: Data) -> float:
    """Overall accuracy on the validation pixels that may not be undercut."""
    if order.max_drop is None:
        return 0.0
    return _scores(network, data, _judges(data)).oa - order.max_drop / 100


def cut(
    network: keras.Model, order: Order, number: int, origin: keras.Model, given: Samples
) -> Plan:
    """What the network, as it is after the steps before, loses in this step.

    Ratios and counts are of the original network, so that steps end where one cut would.

    Args:
        network: As it is now.
        order: What to remove in the end.
        number: Of the step, from 1.
        origin: The network as it was trained.
        given: For criteria that look at data.

    Raises:
        InputError: See `choose` and `fitting`.
    """
    ranking = rank(network, order.criterion, given, order.cutting.free)
    whole, before, now = cost(origin), sizes(trace(origin)), order.progress(number)
    ratios = {name: ratio * now for name, ratio in order.cutting.ratios.items()}
    cutting = replace(order.cutting, ratio=0.0, ratios=ratios)
    if order.measure == "ratio":
        return choose(ranking, replace(cutting, ratio=order.target * now), before)
    full = getattr(whole, order.measure)
    target = order.target * full if order.target <= 1 else order.target
    # A count, since the network is no longer the one that shares are of.
    limit = max(full - (full - target) * now, 1 + 1e-9)
    return fitting(ranking, order.measure, limit, whole, cutting, before)


def samples(data: Data) -> Samples:
    """Class-balanced training patches with their classes."""
    pixels = data.balanced(SAMPLES)
    return Samples((data.patches.cut(pixels),), data.targets(pixels))


def _training(origin: Run, order: Order, number: int) -> TrainingPlan:
    recipe = replace(order.recipe, epochs=order.epochs(number))
    return replace(origin.record.plan, recipe=recipe, schedule="custom")


def _told(order: Order, number: int, whole: Cost, left: Cost, cut: Scores) -> str:
    step = f"step {number} of {order.steps}: " if order.steps > 1 else ""
    return (
        f"{step}{left.parameters / whole.parameters:.1%} of the parameters and "
        f"{left.macs / whole.macs:.1%} of the multiply-accumulates are left; OA before "
        f"fine-tuning {cut.oa:.2%}"
    )


def _scores(network: keras.Model, data: Data, pixels: NDArray[np.int64]) -> Scores:
    return evaluate(gathering(network, data.patches), data, pixels)


def _measured(
    origin: Run,
    order: Order,
    network: keras.Model,
    small: keras.Model,
    scores: Scores,
    step: Step,
    data: Data,
    threads: int | None,
    progress: Progress,
) -> Pruning:
    """What pruning did, both networks measured as files in one run."""
    measured = dict.fromkeys(("before", "after"), _NOT_MEASURED)
    if threads is not None:
        progress.start("measuring the files", 1)
        measured = trials({"before": network, "after": small}, data, threads)
    return Pruning(
        origin=str(origin.folder),
        origin_sha256=origin.record.sha256,
        kind=order.kind,
        criterion=order.chosen_by,
        target=order.asked,
        schedule=order.schedule,
        steps=step.number,
        approximate=step.plan.approximate,
        before=standing(network, measured["before"], origin.record.scores),
        thinned=standing(small, measured["after"], step.cut),
        after=standing(small, measured["after"], scores),
        threads=threads or 0,
        processor=processor(),
    )


def standing(network: keras.Model, trial: dict[str, Trial], scores: Scores) -> Standing:
    """What a network costs and what it is worth."""
    sparsity, count = Sparsity.of(network), cost(network)
    return Standing(
        parameters=count.parameters,
        nonzero=sparsity.nonzero,
        macs=count.macs,
        bytes_float32=trial["float32"].bytes,
        bytes_int8=trial["int8"].bytes,
        bytes_zipped=sparsity.bytes_deflated,
        ms_float32=trial["float32"].milliseconds,
        ms_int8=trial["int8"].milliseconds,
        oa=scores.oa,
        aa=scores.aa,
        kappa=scores.kappa,
    )
