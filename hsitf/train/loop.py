"""The training loop: epochs, validation, the best weights, and resuming."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.data import SceneData
from hsitf.errors import InputError
from hsitf.progress import Progress
from hsitf.records import Epoch, TrainingPlan
from hsitf.seeding import seeded
from hsitf.train.checkpoint import (
    Checkpoint,
    assign_variables,
    check_best,
    model_variables,
    read_checkpoint,
    write_checkpoint,
)
from hsitf.train.compilation import build_network, compile_model, decoder_weight, precision_policy
from hsitf.train.devices import is_out_of_memory
from hsitf.train.epoch import run_epoch
from hsitf.train.epoch_inputs import epoch_length
from hsitf.train.evaluation import PREDICT_BATCH_SIZE, predict_logits, predict_ranked
from hsitf.train.gather import gather_model
from hsitf.train.guidance import NO_GUIDANCE, Guidance
from hsitf.train.schedule import is_finished

# Saving the state costs seconds for large networks; losing so many seconds of work is fair.
SAVE_EVERY = 15.0


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
        top5: Top-5 accuracy on the test pixels; None for five classes or fewer.
    """

    network: keras.Model
    history: tuple[Epoch, ...]
    best_epoch: int
    predicted: NDArray[np.int64]
    seconds: float
    predict_us: float = 0.0
    top5: float | None = None


def fit(
    plan: TrainingPlan,
    data: SceneData,
    checkpoint_file: Path,
    progress: Progress,
    network: keras.Model | None = None,
    hook: EpochHook | None = None,
    guidance: Guidance | None = None,
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
        guidance: What it learns from beside labels, in place of a decoder and of what the plan
            says. Where None, a network with fresh weights has the guidance of the plan, one that is
            trained on has none, and either is trained with the decoder of its paper.

    Returns:
        The network with the weights of its best epoch, and how it got there. A decoder serves
        training alone and is not kept.

    Raises:
        DataError: The state file is damaged.
        InputError: The training diverged, or a teacher does not fit.
    """
    fresh = network is None
    weight = decoder_weight(plan.network) if guidance is None else None
    if guidance is None:
        guidance = Guidance.of(plan, data, progress) if fresh else NO_GUIDANCE
    with seeded(plan.seed), precision_policy(plan.precision if fresh else "float32"):
        network = build_network(plan, data) if network is None else network
        first = hook.evaluated_from if hook else 0
        model = compile_model(network, plan, data, weight, guidance, first)
    state = read_checkpoint(checkpoint_file) or Checkpoint([], None, [], 0.0)
    if state.variables is not None:
        assign_variables(model_variables(model), state.variables, checkpoint_file)
        check_best(network, state.best, checkpoint_file)
    if hook:
        state.evaluated_from = hook.evaluated_from
    saved = time.monotonic()
    lengths = guidance.lengths(plan, data, epoch_length(model, data))
    progress.start(f"training {plan.network}", lengths.steps(plan.recipe.epochs))
    progress.advance(lengths.steps(len(state.history)))
    while not (state.history and is_finished(state.history, state.best_epoch, plan)):
        if hook and hook.before_epoch(len(state.history)):
            model.make_train_function(force=True)
        try:
            run_epoch((network, model), plan, data, state, progress, guidance)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise InputError(
                "there is too little memory for a step of this batch",
                received=f"a batch of {plan.recipe.batch_size}",
                remedy=f"give a smaller one: --batch-size {max(1, plan.recipe.batch_size // 2)}",
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
            state.variables = [np.array(variable) for variable in model_variables(model)]
            write_checkpoint(state, checkpoint_file)
            saved = time.monotonic()
    network.set_weights(state.best)
    if fresh and plan.precision != "float32":
        # Files and further training are of 32 bits; the weights were all along.
        network = build_network(plan, data)
        network.set_weights(state.best)
        model = gather_model(network, data.patches)
    # The first batch is compiled, and does not count.
    predict_logits(model, data.split.test[:PREDICT_BATCH_SIZE])
    begin = time.monotonic()
    predicted, top5 = predict_ranked(model, data, data.split.test)
    return FitResult(
        network=network,
        history=tuple(state.history),
        best_epoch=state.best_epoch,
        predicted=predicted,
        seconds=state.seconds,
        predict_us=1e6 * (time.monotonic() - begin) / len(data.split.test),
        top5=top5,
    )
