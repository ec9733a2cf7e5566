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
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf import zoo
from hsitf.data import SceneData
from hsitf.errors import DataError, InputError
from hsitf.files import replacing
from hsitf.metrics import Scores, confusion, scores
from hsitf.progress import Progress
from hsitf.records import Epoch, TrainingPlan
from hsitf.train.augment import add_partners
from hsitf.train.augmentations import NEIGHBOR
from hsitf.train.averaging import average_weights, averaged_weights
from hsitf.train.devices import is_out_of_memory
from hsitf.train.gather import PatchChanges, gather_model, patch_views, reconstruction_model
from hsitf.train.normalized_bands import NormalizedBands
from hsitf.train.sampling import balanced_order, draw_mixup, draw_neighbors, mix
from hsitf.zoo import Recipe

# The papers divide the learning rate by this when the validation accuracy stops improving ...
PLATEAU_DIVISOR = 10
# ... for this share of the epochs.
PLATEAU_SHARE = 1 / 4
PREDICT_BATCH_SIZE = 256
# The value of `SceneData.targets` for a pixel without a label.
UNLABELLED = -1
# Saving the state costs seconds for large networks; losing so many seconds of work is fair.
SAVE_EVERY = 15.0


@dataclass
class Checkpoint:
    """The state of a training run between two epochs.

    Attributes:
        history: The epochs done.
        variables: Variables of the network, the optimizer and the random generators; None before
            the first epoch.
        best: The network's weights after its best epoch.
        seconds: Training time so far.
        evaluated_from: Epochs before this one, counted from 0, can only be the best if there is no
            later one.
    """

    history: list[Epoch]
    variables: list[NDArray[np.generic]] | None
    best: list[NDArray[np.generic]]
    seconds: float
    evaluated_from: int = 0

    @property
    def best_epoch(self) -> int:
        """The first evaluated epoch with the highest validation accuracy, counted from 1."""
        accuracies = [epoch.validation_oa for epoch in self.history]
        indices = range(len(accuracies))
        return max(indices, key=lambda at: (at >= self.evaluated_from, accuracies[at])) + 1


@dataclass(frozen=True)
class EpochHook:
    """What else is done to a network while it is trained.

    Attributes:
        before_epoch: Called before every epoch with the index of the epoch from 0; returns whether
            it changed something that the compiled step holds as a constant, such as the constraint
            of a variable. After a resumption, its first call finds the network as it was.
        evaluated_from: Epochs before this one, counted from 0, cannot be the best, and the learning
            rate does not fall in them.
    """

    before_epoch: Callable[[int], bool]
    evaluated_from: int


def next_learning_rate(history: Sequence[Epoch], recipe: Recipe, steps: int = 0) -> float:
    """Learning rate of the next epoch.

    With a warm-up of `w` epochs, epoch `e` (from 0) before its end has `(e + 1) / (w + 1)` of what
    it would have. A cosine decay of `n` epochs gives epoch `e` of those after the warm-up a factor
    of `(1 + cos(pi * (e - w) / (n - w))) / 2`.

    Args:
        history: The epochs done.
        recipe: Recipe of the network. The learning rate is divided by ten at its milestones;
            without milestones, when a quarter of the epochs brought no better validation accuracy.
        steps: Steps per epoch, which the recipe's decay counts.
    """
    warm = round(recipe.warmup * recipe.epochs)
    if len(history) < warm:
        return recipe.learning_rate * (len(history) + 1) / (warm + 1)
    if recipe.cosine_decay:
        done = (len(history) - warm) / max(1, recipe.epochs - warm)
        return recipe.learning_rate * (1 + math.cos(math.pi * min(done, 1.0))) / 2
    decayed = 1 + recipe.learning_rate_decay * steps * len(history)
    if recipe.milestones:
        passed = sum(len(history) >= share * recipe.epochs for share in recipe.milestones)
        return float(recipe.learning_rate / PLATEAU_DIVISOR**passed / decayed)
    patience = max(1, round(recipe.epochs * PLATEAU_SHARE))
    best, waited, value = -1.0, 0, recipe.learning_rate
    for epoch in history:
        if epoch.validation_oa > best:
            best, waited = epoch.validation_oa, 0
        else:
            waited += 1
        if waited == patience:
            value, waited = value / PLATEAU_DIVISOR, 0
    return value / decayed


def is_finished(history: Sequence[Epoch], best_epoch: int, plan: TrainingPlan) -> bool:
    """Whether training has ended: all epochs done, or its patience.

    Args:
        history: The epochs done.
        best_epoch: The best of them, counted from 1.
        plan: Plan of the run.
    """
    waited = len(history) - best_epoch
    return len(history) >= plan.recipe.epochs or 0 < plan.patience <= waited


def optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """The recipe's Keras optimizer.

    Raises:
        InputError: Keras has no such optimizer, or none with momentum.
    """
    options: dict[str, object] = {"learning_rate": recipe.learning_rate}
    if recipe.momentum:
        options["momentum"] = recipe.momentum
    if recipe.decoupled_weight_decay:
        options["weight_decay"] = recipe.decoupled_weight_decay
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
    data: SceneData,
    checkpoint_file: Path,
    progress: Progress,
    network: keras.Model | None = None,
    hook: EpochHook | None = None,
    labelled: bool = False,
) -> FitResult:
    """Trains a network, from the state file where there is one.

    Args:
        plan: The training plan.
        data: The scene; the validation pixels select the best epoch (the training pixels where
            there are none). A network with a decoder also learns from its unlabelled pixels.
        checkpoint_file: Written between epochs; the caller removes it once the run is saved.
        progress: Receives the progress of every batch and epoch.
        network: The network to train, in place; the plan's network with fresh weights where None.
        hook: Called before every epoch, for example to prune.
        labelled: Whether to use labelled pixels only, although the paper's network has a decoder.

    Returns:
        The network with the weights of its best epoch, and how it got there. A decoder serves
        training alone and is not kept.

    Raises:
        DataError: The state file is damaged.
        InputError: The training diverged.
    """
    keras.utils.set_random_seed(plan.seed)
    fresh = network is None
    with _precision_policy(plan.precision if fresh else "float32"):
        network = _build_network(plan, data) if network is None else network
        weight = None if labelled else _decoder_weight(plan.network)
        model = _compile(network, plan, data, weight)
    state = _read_checkpoint(checkpoint_file) or Checkpoint([], None, [], 0.0)
    if state.variables is not None:
        _assign(_variables(model), state.variables, checkpoint_file)
    if hook:
        state.evaluated_from = hook.evaluated_from
    saved = time.monotonic()
    epochs, steps = (
        plan.recipe.epochs,
        -(-len(_training_pixels(model, data)) // plan.recipe.batch_size),
    )
    progress.start(f"training {plan.network}", epochs * steps)
    progress.advance(len(state.history) * steps)
    while not (state.history and is_finished(state.history, state.best_epoch, plan)):
        if hook and hook.before_epoch(len(state.history)):
            model.make_train_function(force=True)
        try:
            _run_epoch((network, model), plan, data, state, progress)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise InputError(
                "there is too little memory for a step of this batch",
                received=f"a batch of {plan.recipe.batch_size}",
                remedy=f"give a smaller one, such as --batch {max(1, plan.recipe.batch_size // 2)}",
            ) from error
        epoch = state.history[-1]
        if not math.isfinite(epoch.loss):
            raise InputError(
                f"training diverged in epoch {len(state.history)}",
                received=f"a loss of {epoch.loss} at a learning rate of {epoch.learning_rate:g}",
                remedy=f"remove {checkpoint_file.parent} and give a smaller --lr",
            )
        unsaved = time.monotonic() - saved > SAVE_EVERY
        if unsaved and not is_finished(state.history, state.best_epoch, plan):
            # Copies: views would share their memory with the steps to come.
            state.variables = [np.array(variable) for variable in _variables(model)]
            _write_checkpoint(state, checkpoint_file)
            saved = time.monotonic()
    network.set_weights(state.best)
    if fresh and plan.precision != "float32":
        # Files and further training are of 32 bits; the weights were all along.
        network = _build_network(plan, data)
        network.set_weights(state.best)
        model = gather_model(network, data.patches)
    # The first batch is compiled, and does not count.
    _logits(model, data.split.test[:PREDICT_BATCH_SIZE])
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


def _decoder_weight(name: str) -> float | None:
    """Weight of the decoder's loss; None where the network has none, or is not known here."""
    facts = zoo.facts(name)
    return None if facts is None else facts.reconstruction_weight


def _build_network(plan: TrainingPlan, data: SceneData) -> keras.Model:
    return zoo.build(plan.network, bands=data.bands, classes=data.scene.classes, patch=plan.patch)


@contextmanager
def _precision_policy(precision: str) -> Iterator[None]:
    """Sets Keras' dtype policy inside the block; weights stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _compile(
    network: keras.Model, plan: TrainingPlan, data: SceneData, weight: float | None
) -> keras.Model:
    """The network behind a gather, ready to be fitted with the recipe's optimizer and decay.

    Where it is trained with a decoder, whose loss has a weight, the model has the error of the
    reconstruction as a second output, and its loss is CE + weight * MSE: the mean cross-entropy
    of a batch's labelled pixels and the mean squared error of the spectra of all its pixels.
    """
    recipe = plan.recipe
    if weight is None:
        model = gather_model(
            network,
            data.patches,
            plan.brightness_noise,
            plan.intra_class_mixup,
            _patch_changes(plan, data),
        )
        loss = (
            keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=recipe.label_smoothing
            )
            if _has_soft_targets(plan)
            else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )
    else:
        if plan.brightness_noise or plan.intra_class_mixup or _has_soft_targets(plan):
            raise _not_with_decoder(plan)
        if plan.augmentations or plan.balanced_sampling:
            raise _not_with_decoder(plan)
        model = reconstruction_model(zoo.semi_supervised(plan.network, network), data.patches)
        loss = [
            keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=UNLABELLED),
            keras.losses.MeanSquaredError(),
        ]
    for variable in model.trainable_variables:
        # The papers' weight decay adds l2 * w to the gradient, that is, l2 / 2 * w^2 to the loss.
        variable.regularizer = (
            keras.regularizers.L2(recipe.weight_decay / 2) if recipe.weight_decay else None
        )
    chosen = optimizer(recipe)
    if recipe.decoupled_weight_decay:
        chosen.exclude_from_weight_decay([v for v in model.trainable_variables if len(v.shape) < 2])
    steps = -(-len(_training_pixels(model, data)) // recipe.batch_size)
    average_weights(chosen, recipe.ema_epochs * steps)
    model.compile(
        chosen,
        loss,
        loss_weights=None if weight is None else [1.0, weight],
        # On CPU, TensorFlow's own kernels beat XLA's: 27 times for the convolutions of he.
        jit_compile=plan.xla if keras.backend.backend() == "tensorflow" else "auto",
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _has_soft_targets(plan: TrainingPlan) -> bool:
    """Whether targets are shares of classes."""
    return plan.mixup > 0 or plan.recipe.label_smoothing > 0


def _patch_changes(plan: TrainingPlan, data: SceneData) -> PatchChanges:
    """How the plan changes patches in training; spectra are changed only where they are whole."""
    strengths = dict(plan.augmentations)
    axis = NormalizedBands.of(data) if strengths else None
    return PatchChanges(strengths, axis, plan.mixup > 0)


def _not_with_decoder(plan: TrainingPlan) -> InputError:
    return InputError(
        f"{plan.network} learns from unlabelled pixels, whose spectra it reconstructs",
        received="--brightness-noise, --intra-class-mixup, --augment, --mixup, --label-smoothing "
        "or --balanced-sampling",
        remedy="leave them out",
    )


def _training_pixels(model: keras.Model, data: SceneData) -> NDArray[np.int64]:
    """The pixels of an epoch: for training, and for a decoder the unlabelled ones too."""
    if len(model.outputs) == 1:
        return data.split.train
    return np.concatenate([data.split.train, data.unlabelled])


def _targets(
    model: keras.Model, data: SceneData, pixels: NDArray[np.int64]
) -> NDArray[np.int32] | list[NDArray[np.generic]]:
    """What the model's outputs should be: the classes, and for a reconstruction no error."""
    classes = data.targets(pixels)
    if len(model.outputs) == 1:
        return classes
    # One zero a pixel serves all its bands.
    return [classes, np.zeros((len(pixels), 1), np.float32)]


def _padded_to_devices(pixels: NDArray[np.int64], batch: int) -> NDArray[np.int64]:
    """Pads the pixels by repetition so that several devices can share each batch equally.

    Raises:
        InputError: A batch cannot be shared equally by the devices.
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


def _sample_weights(
    model: keras.Model, data: SceneData, pixels: NDArray[np.int64]
) -> NDArray[np.float32] | list[NDArray[np.float32]]:
    """What each pixel's loss counts: the median frequency of the classes over its own's."""
    counts = np.bincount(data.targets(data.split.train), minlength=data.scene.classes)
    weights = np.median(counts[counts > 0]) / np.maximum(counts, 1)
    classes = data.targets(pixels)
    of_pixels = np.where(classes == UNLABELLED, 1.0, weights[classes]).astype(np.float32)
    if len(model.outputs) == 1:
        return of_pixels
    return [of_pixels, np.ones(len(pixels), np.float32)]


def _run_epoch(
    networks: tuple[keras.Model, keras.Model],
    plan: TrainingPlan,
    data: SceneData,
    state: Checkpoint,
    progress: Progress,
) -> None:
    """One pass over the training pixels and an evaluation, added to the state.

    Args:
        networks: The network, and the gathering model around it that is compiled.
        plan: The training plan.
        data: The scene; its validation pixels are evaluated.
        state: Receives the epoch and, where it is the best, the weights.
        progress: Receives the progress of every batch.
    """
    network, model = networks
    begin = time.monotonic()
    loss, learning_rate = _train_epoch(model, plan, data, state, progress)
    selection_pixels = data.split.validation if len(data.split.validation) else data.split.train
    with averaged_weights(network, model, data):
        oa = evaluate(model, data, selection_pixels).oa
        state.history.append(Epoch(loss, oa, learning_rate, time.monotonic() - begin))
        state.seconds += state.history[-1].seconds
        if state.best_epoch == len(state.history):
            state.best = network.get_weights()


def _train_epoch(
    model: keras.Model, plan: TrainingPlan, data: SceneData, state: Checkpoint, progress: Progress
) -> tuple[float, float]:
    """One pass over the training pixels: its mean loss and learning rate.

    All that is drawn is drawn from the seed and the epoch's number, so that it does not matter
    whether the epochs before were run in this process.
    """
    history = state.history
    teaching = _training_pixels(model, data)
    steps = -(-len(teaching) // plan.recipe.batch_size)
    learning_rate = next_learning_rate(history[state.evaluated_from :], plan.recipe, steps)
    model.optimizer.learning_rate = learning_rate
    generator = np.random.default_rng((plan.seed, len(history)))
    order = (
        balanced_order(teaching, data.targets(teaching), plan.balanced_sampling, generator)
        if plan.balanced_sampling
        else generator.permutation(teaching)
    )
    order = _padded_to_devices(order, plan.recipe.batch_size)
    views = patch_views(order, generator if plan.flip_rotate else None)
    if plan.intra_class_mixup:
        views = add_partners(views, data.targets(order), generator)
    if NEIGHBOR in dict(plan.augmentations):
        beside = draw_neighbors(
            order, data.split.train, _image_of_row(data), data.scene.labels.shape[1], generator
        )
        views = np.column_stack([views, beside])
    targets: Any = _targets(model, data, order)
    weights: Any = _sample_weights(model, data, order) if plan.class_weights else None
    if _has_soft_targets(plan):
        targets = np.eye(data.scene.classes, dtype=np.float32)[data.targets(order)]
    if plan.mixup:
        rows, parts = draw_mixup(len(views), plan.mixup, generator)
        views = np.column_stack([views, views[rows, 0], parts]).astype(np.int32)
        targets = mix(targets, rows, parts)
        weights = None if weights is None else mix(weights, rows, parts)
    fitted = model.fit(
        views,
        targets,
        sample_weight=weights,
        batch_size=plan.recipe.batch_size,
        shuffle=False,
        verbose=0,
        callbacks=[_BatchProgress(progress, len(history) + 1, plan.recipe.epochs, history)],
    )
    return fitted.history["loss"][0], learning_rate


def _image_of_row(data: SceneData) -> NDArray[np.int64]:
    """(rows,) number of the image that each row belongs to; 0 where the scene is one."""
    rows = np.arange(data.scene.labels.shape[0])
    starts = [image.first_row for image in data.scene.images] or [0]
    return np.asarray(np.searchsorted(starts, rows, side="right"), np.int64)


@dataclass(frozen=True, eq=False)
class FitResult:
    """The result of a training run.

    Attributes:
        network: The network with the weights of its best epoch.
        history: Loss and accuracy of every epoch.
        best_epoch: The best epoch, counted from 1.
        predicted: Classes of the test pixels, (pixels,) int64 from 0.
        seconds: Training time without interruptions.
        predict_us: Inference time per test pixel in batches, in microseconds.
    """

    network: keras.Model
    history: tuple[Epoch, ...]
    best_epoch: int
    predicted: NDArray[np.int64]
    seconds: float
    predict_us: float = 0.0


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
    return np.asarray(_logits(model, pixels).argmax(1), np.int64)


def _logits(model: keras.Model, pixels: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, classes) of a gathering model at `pixels`."""
    views = patch_views(_padded_to_devices(pixels, PREDICT_BATCH_SIZE))
    # What a patch would be mixed with in training plays no part here.
    further = model.inputs[0].shape[1] - views.shape[1]
    if further:
        views = np.column_stack([views, *[views[:, :1]] * further])
    outputs = model.predict(views, batch_size=PREDICT_BATCH_SIZE, verbose=0)
    logits = outputs if len(model.outputs) == 1 else outputs[0]
    return np.asarray(logits)[: len(pixels)]


class _BatchProgress(keras.callbacks.Callback):  # type: ignore[misc]
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


def _write_checkpoint(state: Checkpoint, path: Path) -> None:
    facts = {"history": [asdict(epoch) for epoch in state.history], "seconds": state.seconds}
    arrays = {f"variable{i}": value for i, value in enumerate(state.variables or [])}
    arrays |= {f"best{i}": value for i, value in enumerate(state.best)}
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]


def _read_checkpoint(path: Path) -> Checkpoint | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(str(file["facts"]))
            variables = [file[f"variable{i}"] for i in range(_count(file.files, "variable"))]
            best = [file[f"best{i}"] for i in range(_count(file.files, "best"))]
        history = [Epoch(**epoch) for epoch in facts["history"]]
        return Checkpoint(history, variables, best, facts["seconds"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} is damaged, so the run cannot be resumed",
            received=type(error).__name__,
            remedy="remove the run's folder and train again",
        ) from error


def _count(names: Sequence[str], prefix: str) -> int:
    return sum(name.startswith(prefix) for name in names)
