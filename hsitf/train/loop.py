"""The training loop: epochs, validation, the best weights, and resuming."""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf import zoo
from hsitf.data import Data
from hsitf.errors import DataError, InputError
from hsitf.files import replacing
from hsitf.metrics import Scores, confusion, scores
from hsitf.progress import Progress
from hsitf.records import Epoch, TrainingPlan
from hsitf.train.augment import with_partners
from hsitf.train.devices import out_of_memory
from hsitf.train.gather import gathering, reconstructing, views
from hsitf.zoo import Recipe

# The papers divide the rate by this when the validation accuracy stands still ...
DECAY = 10
# ... for this share of the epochs.
PATIENCE = 1 / 4
PREDICT_BATCH = 256
# What `Data.targets` gives for a pixel without a label.
UNLABELLED = -1
# Saving the state costs seconds for large networks; losing so many seconds of work is fair.
SAVE_EVERY = 15.0


@dataclass
class State:
    """Where a training run stands between two epochs.

    Attributes:
        history: The epochs done.
        variables: Of network, optimizer and random generators; None before the first epoch.
        best: The network's weights after its best epoch.
        seconds: Spent in training so far.
        judged_from: Epochs before this one, counted from 0, are best only where no other is.
    """

    history: list[Epoch]
    variables: list[NDArray[np.generic]] | None
    best: list[NDArray[np.generic]]
    seconds: float
    judged_from: int = 0

    @property
    def best_epoch(self) -> int:
        """The first judged epoch with the highest validation accuracy, counted from 1."""
        accuracies = [epoch.validation_oa for epoch in self.history]
        places = range(len(accuracies))
        return max(places, key=lambda at: (at >= self.judged_from, accuracies[at])) + 1


@dataclass(frozen=True)
class Between:
    """What else is done to a network while it is trained.

    Attributes:
        before: Called before every epoch with the epoch's number from 0; says whether it changed
            what the compiled step holds as a constant, such as a variable's constraint. Called
            for the first time after a resumption, it finds the network as it was.
        judged_from: Epochs before this one, counted from 0, cannot be the best, and the learning
            rate does not fall in them.
    """

    before: Callable[[int], bool]
    judged_from: int


def rate(history: Sequence[Epoch], recipe: Recipe, steps: int = 0) -> float:
    """Learning rate of the next epoch.

    Args:
        history: The epochs done.
        recipe: Of the network. The rate is divided by ten at its milestones; where it has none,
            where a quarter of the epochs brought no better validation accuracy.
        steps: Of an epoch, which the recipe's decay counts.
    """
    decayed = 1 + recipe.decay * steps * len(history)
    if recipe.milestones:
        passed = sum(len(history) >= share * recipe.epochs for share in recipe.milestones)
        return float(recipe.learning_rate / DECAY**passed / decayed)
    patience = max(1, round(recipe.epochs * PATIENCE))
    best, waited, value = -1.0, 0, recipe.learning_rate
    for epoch in history:
        if epoch.validation_oa > best:
            best, waited = epoch.validation_oa, 0
        else:
            waited += 1
        if waited == patience:
            value, waited = value / DECAY, 0
    return value / decayed


def over(history: Sequence[Epoch], best_epoch: int, plan: TrainingPlan) -> bool:
    """Whether training has ended: all epochs done, or its patience.

    Args:
        history: The epochs done.
        best_epoch: The best of them, counted from 1.
        plan: Of the run.
    """
    waited = len(history) - best_epoch
    return len(history) >= plan.recipe.epochs or 0 < plan.patience <= waited


def optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """The recipe's Keras optimizer.

    Raises:
        InputError: Keras has no such optimizer, or not with such a momentum.
    """
    options: dict[str, object] = {"learning_rate": recipe.learning_rate}
    if recipe.momentum:
        options["momentum"] = recipe.momentum
    try:
        return keras.optimizers.get({"class_name": recipe.optimizer, "config": options})
    except ValueError as error:
        raise InputError(
            f"Keras has no such optimizer as {recipe.optimizer!r} with these values",
            received=", ".join(f"{name} {value}" for name, value in options.items()),
            allowed="adadelta, adagrad, adam, adamax, nadam; rmsprop, sgd with a momentum of 0 "
            "to 1",
            remedy="correct --optimizer or --momentum",
        ) from error


def fit(
    plan: TrainingPlan,
    data: Data,
    state_file: Path,
    progress: Progress,
    network: keras.Model | None = None,
    between: Between | None = None,
    labelled: bool = False,
) -> FitResult:
    """Trains a network, from the state file where there is one.

    Args:
        plan: How to train.
        data: To learn from; the validation pixels choose the epoch (the training pixels where
            there are none). A network with a decoder also learns from its unlabelled pixels.
        state_file: Written between epochs, removed by the caller when the run is kept.
        progress: Told of every batch and epoch.
        network: What to train, in place; the plan's network with fresh weights where None.
        between: What else is done to it between epochs.
        labelled: Whether it learns from labelled pixels alone, though its paper gives it a
            decoder.

    Returns:
        The network with the weights of its best epoch, and how it got there. A decoder serves
        training alone and is not kept.

    Raises:
        DataError: The state file is damaged.
        InputError: The training diverged.
    """
    keras.utils.set_random_seed(plan.seed)
    fresh = network is None
    with _computing(plan.precision if fresh else "float32"):
        network = _built(plan, data) if network is None else network
        weight = None if labelled else zoo.network(plan.network).reconstruction
        model = _compiled(network, plan, data, weight)
    state = _read_state(state_file) or State([], None, [], 0.0)
    if state.variables is not None:
        _assign(_variables(model), state.variables, state_file)
    if between:
        state.judged_from = between.judged_from
    saved = time.monotonic()
    epochs, steps = plan.recipe.epochs, -(-len(_teaching(model, data)) // plan.recipe.batch)
    progress.start(f"training {plan.network}", epochs * steps)
    progress.advance(len(state.history) * steps)
    while not (state.history and over(state.history, state.best_epoch, plan)):
        if between and between.before(len(state.history)):
            model.make_train_function(force=True)
        try:
            epoch = _epoch(model, plan, data, state, progress)
        except Exception as error:
            if not out_of_memory(error):
                raise
            raise InputError(
                "there is too little memory for a step of this batch",
                received=f"a batch of {plan.recipe.batch}",
                remedy=f"give a smaller one, such as --batch {max(1, plan.recipe.batch // 2)}",
            ) from error
        if not math.isfinite(epoch.loss):
            raise InputError(
                f"training diverged in epoch {len(state.history) + 1}",
                received=f"a loss of {epoch.loss} at a learning rate of {epoch.learning_rate:g}",
                remedy=f"remove {state_file.parent} and give a smaller --lr",
            )
        state.history.append(epoch)
        state.seconds += epoch.seconds
        if state.best_epoch == len(state.history):
            state.best = network.get_weights()
        unsaved = time.monotonic() - saved > SAVE_EVERY
        if unsaved and not over(state.history, state.best_epoch, plan):
            # Copies: views would share their memory with the steps to come.
            state.variables = [np.array(variable) for variable in _variables(model)]
            _write_state(state, state_file)
            saved = time.monotonic()
    network.set_weights(state.best)
    if fresh and plan.precision != "float32":
        # Files and further training are of 32 bits; the weights were all along.
        network = _built(plan, data)
        network.set_weights(state.best)
        model = gathering(network, data.patches)
    # The first batch is compiled, and does not count.
    _logits(model, data.split.test[:PREDICT_BATCH])
    begin = time.monotonic()
    predicted = predict(model, data.split.test)
    return FitResult(
        network=network,
        history=tuple(state.history),
        best_epoch=state.best_epoch,
        predicted=predicted,
        seconds=state.seconds,
        predict_us=1e6 * (time.monotonic() - begin) / len(data.split.test),
    )


def _built(plan: TrainingPlan, data: Data) -> keras.Model:
    return zoo.build(plan.network, bands=data.bands, classes=data.scene.classes, patch=plan.patch)


@contextmanager
def _computing(precision: str) -> Iterator[None]:
    """Makes what Keras builds inside compute in another precision; weights stay of 32 bits."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _compiled(
    network: keras.Model, plan: TrainingPlan, data: Data, weight: float | None
) -> keras.Model:
    """The network behind a gather, ready to be fitted with the recipe's optimizer and decay.

    Where it is trained with a decoder, whose loss has a weight, the model has the error of the
    reconstruction as a second output, and its loss is CE + weight * MSE: the mean cross-entropy
    of a batch's labelled pixels and the mean squared error of the spectra of all its pixels.
    """
    recipe = plan.recipe
    if weight is None:
        model = gathering(network, data.patches, plan.radiation, plan.mixture)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        if plan.radiation or plan.mixture:
            raise InputError(
                f"{plan.network} learns from unlabelled pixels, whose spectra it reconstructs",
                received="--radiation or --mixture",
                remedy="leave them out",
            )
        model = reconstructing(zoo.semi_supervised(plan.network, network), data.patches)
        loss = [
            keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=UNLABELLED),
            keras.losses.MeanSquaredError(),
        ]
    for variable in model.trainable_variables:
        # The papers' weight decay adds l2 * w to the gradient, that is, l2 / 2 * w^2 to the loss.
        variable.regularizer = keras.regularizers.L2(recipe.l2 / 2) if recipe.l2 else None
    model.compile(
        optimizer(recipe),
        loss,
        loss_weights=None if weight is None else [1.0, weight],
        # On CPU, TensorFlow's own kernels beat XLA's: 27 times for the convolutions of he.
        jit_compile=plan.xla if keras.backend.backend() == "tensorflow" else "auto",
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _teaching(model: keras.Model, data: Data) -> NDArray[np.int64]:
    """The pixels of an epoch: for training, and for a decoder the unlabelled ones too."""
    if len(model.outputs) == 1:
        return data.split.train
    return np.concatenate([data.split.train, data.unlabelled])


def _targets(
    model: keras.Model, data: Data, pixels: NDArray[np.int64]
) -> NDArray[np.int32] | list[NDArray[np.generic]]:
    """What the model's outputs should be: the classes, and for a reconstruction no error."""
    classes = data.targets(pixels)
    if len(model.outputs) == 1:
        return classes
    # One zero a pixel serves all its bands.
    return [classes, np.zeros((len(pixels), 1), np.float32)]


def _shared(pixels: NDArray[np.int64], batch: int) -> NDArray[np.int64]:
    """The pixels, and where several devices share a batch, so many again that each has its part.

    Raises:
        InputError: A batch cannot be shared among the devices.
    """
    spread = keras.distribution.distribution()
    if spread is None:
        return pixels
    among = int(np.prod(spread.device_mesh.shape))
    if batch % among:
        raise InputError(
            f"a batch is shared among {among} devices",
            received=f"a batch of {batch}",
            allowed=f"multiples of {among}",
            remedy=f"give --batch {-(-batch // among) * among}",
        )
    return np.resize(pixels, -(-len(pixels) // among) * among)


def _weights(
    model: keras.Model, data: Data, pixels: NDArray[np.int64]
) -> NDArray[np.float32] | list[NDArray[np.float32]]:
    """What each pixel's loss counts: the median frequency of the classes over its own's."""
    counts = np.bincount(data.targets(data.split.train), minlength=data.scene.classes)
    weights = np.median(counts[counts > 0]) / np.maximum(counts, 1)
    classes = data.targets(pixels)
    of_pixels = np.where(classes == UNLABELLED, 1.0, weights[classes]).astype(np.float32)
    if len(model.outputs) == 1:
        return of_pixels
    return [of_pixels, np.ones(len(pixels), np.float32)]


def _epoch(
    model: keras.Model, plan: TrainingPlan, data: Data, state: State, progress: Progress
) -> Epoch:
    """One pass over the pixels that teach and a look at the validation pixels.

    All that is drawn is drawn from the seed and the epoch's number, so that it does not matter
    whether the epochs before were run in this process.
    """
    begin, history = time.monotonic(), state.history
    teaching = _teaching(model, data)
    steps = -(-len(teaching) // plan.recipe.batch)
    learning_rate = rate(history[state.judged_from :], plan.recipe, steps)
    model.optimizer.learning_rate = learning_rate
    generator = np.random.default_rng((plan.seed, len(history)))
    order = _shared(generator.permutation(teaching), plan.recipe.batch)
    seen = views(order, generator if plan.turn else None)
    if plan.mixture:
        seen = with_partners(seen, data.targets(order), generator)
    fitted = model.fit(
        seen,
        _targets(model, data, order),
        sample_weight=_weights(model, data, order) if plan.balanced else None,
        batch_size=plan.recipe.batch,
        shuffle=False,
        verbose=0,
        callbacks=[_Meter(progress, len(history) + 1, plan.recipe.epochs, history)],
    )
    judges = data.split.validation if len(data.split.validation) else data.split.train
    oa = evaluate(model, data, judges).oa
    return Epoch(fitted.history["loss"][0], oa, learning_rate, time.monotonic() - begin)


@dataclass(frozen=True, eq=False)
class FitResult:
    """What came of a training run.

    Attributes:
        network: With the weights of its best epoch.
        history: By epoch.
        best_epoch: Counted from 1.
        predicted: Classes of the test pixels, (pixels,) int64 from 0.
        seconds: Spent in training, interruptions left out.
        predict_us: Microseconds a test pixel, in batches.
    """

    network: keras.Model
    history: tuple[Epoch, ...]
    best_epoch: int
    predicted: NDArray[np.int64]
    seconds: float
    predict_us: float = 0.0


def evaluate(model: keras.Model, data: Data, pixels: NDArray[np.int64]) -> Scores:
    """Scores of a gathering model on `pixels` (flat indices), by its first output."""
    return judged(predict(model, pixels), data, pixels)


def judged(predicted: NDArray[np.int64], data: Data, pixels: NDArray[np.int64]) -> Scores:
    """Scores of the classes `predicted`, counted from 0, at `pixels` (flat indices)."""
    return scores(confusion(data.targets(pixels), predicted, data.scene.classes))


def predict(model: keras.Model, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Classes from 0 that a gathering model names at `pixels` (flat indices)."""
    return np.asarray(_logits(model, pixels).argmax(1), np.int64)


def _logits(model: keras.Model, pixels: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, classes) of a gathering model at `pixels`."""
    seen = views(_shared(pixels, PREDICT_BATCH))
    if model.inputs[0].shape[1] > seen.shape[1]:
        # What a patch would be mixed with in training plays no part here.
        seen = np.column_stack([seen, seen[:, :1]])
    outputs = model.predict(seen, batch_size=PREDICT_BATCH, verbose=0)
    logits = outputs if len(model.outputs) == 1 else outputs[0]
    return np.asarray(logits)[: len(pixels)]


class _Meter(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells the progress of every batch."""

    def __init__(
        self, progress: Progress, epoch: int, epochs: int, history: Sequence[Epoch]
    ) -> None:
        super().__init__()
        self._progress = progress
        last = f", validation OA {history[-1].validation_oa:.2%}" if history else ""
        self._note = f"epoch {epoch}/{epochs}, loss {{loss:.4f}}{last}"

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._progress.advance(1, self._note.format(**(logs or {})))


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Everything that a later epoch depends on: weights, random generators, optimizer."""
    # A model's own list counts its optimizer and metrics too; each variable once, in order.
    layers = [variable for layer in model.layers for variable in layer.variables]
    return list({id(v): v for v in [*layers, *model.optimizer.variables]}.values())


def _assign(
    variables: Sequence[keras.Variable], values: Sequence[NDArray[np.generic]], path: Path
) -> None:
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [value.shape for value in values]:
        raise DataError(
            f"{path} does not fit the network",
            received=f"{len(values)} variables",
            allowed=f"{len(variables)} of the shapes of this version",
            remedy="remove the run's folder and train again",
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _write_state(state: State, path: Path) -> None:
    facts = {"history": [asdict(epoch) for epoch in state.history], "seconds": state.seconds}
    arrays = {f"variable{i}": value for i, value in enumerate(state.variables or [])}
    arrays |= {f"best{i}": value for i, value in enumerate(state.best)}
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]


def _read_state(path: Path) -> State | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            variables = [file[f"variable{i}"] for i in range(_count(file.files, "variable"))]
            best = [file[f"best{i}"] for i in range(_count(file.files, "best"))]
        history = [Epoch(**epoch) for epoch in facts["history"]]
        return State(history, variables, best, facts["seconds"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} is damaged, so the run cannot be resumed",
            received=type(error).__name__,
            remedy="remove the run's folder and train again",
        ) from error


def _count(names: Sequence[str], prefix: str) -> int:
    return sum(name.startswith(prefix) for name in names)
