"""One epoch: a pass over the training pixels, and an evaluation."""

from __future__ import annotations

import time
from collections.abc import Sequence

import keras
from keras import ops

from hsitf.data import SceneData
from hsitf.progress import Progress
from hsitf.records import Epoch, TrainingPlan
from hsitf.train.averaging import averaged_weights
from hsitf.train.checkpoint import Checkpoint
from hsitf.train.epoch_inputs import draw_inputs, epoch_length
from hsitf.train.evaluation import evaluate, predict
from hsitf.train.guidance import Guidance
from hsitf.train.schedule import next_learning_rate


def run_epoch(
    networks: tuple[keras.Model, keras.Model],
    plan: TrainingPlan,
    data: SceneData,
    state: Checkpoint,
    progress: Progress,
    guidance: Guidance,
) -> None:
    """One pass over the training pixels and an evaluation, added to the state.

    Args:
        networks: The network, and the gathering model around it that is compiled.
        plan: The training plan.
        data: The scene; its validation pixels are evaluated.
        state: Receives the epoch and, where it is the best, the weights.
        progress: Receives the progress of every batch.
        guidance: What is learned from beside labels.
    """
    network, model = networks
    begin = time.monotonic()
    loss, learning_rate = _train_epoch(networks, plan, data, state, progress, guidance)
    selection_pixels = data.split.validation if len(data.split.validation) else data.split.train
    with averaged_weights(network, model, data):
        oa = evaluate(model, data, selection_pixels).oa
        alike = agreement(model, guidance)
        state.history.append(Epoch(loss, oa, learning_rate, time.monotonic() - begin, alike))
        state.seconds += state.history[-1].seconds
        if state.best_epoch == len(state.history):
            state.best = network.get_weights()


def agreement(model: keras.Model, guidance: Guidance) -> float | None:
    """Share of the compared pixels that the network classifies as its teacher does."""
    compared = guidance.compared
    if compared is None:
        return None
    return float((predict(model, compared.pixels) == compared.targets.argmax(axis=1)).mean())


def _train_epoch(
    networks: tuple[keras.Model, keras.Model],
    plan: TrainingPlan,
    data: SceneData,
    state: Checkpoint,
    progress: Progress,
    guidance: Guidance,
) -> tuple[float, float]:
    """One pass over the training pixels: its mean loss and first learning rate."""
    history, model = state.history, networks[1]
    steps = -(-epoch_length(model, data) // plan.recipe.batch_size)
    learning_rate = next_learning_rate(history[state.evaluated_from :], plan.recipe, steps)
    model.optimizer.learning_rate = learning_rate
    if plan.recipe.warmup or plan.recipe.cosine_decay:
        # What the first step of the epoch has.
        learning_rate = float(ops.convert_to_numpy(model.optimizer.learning_rate))
    views, targets, weights = draw_inputs(
        model,
        plan,
        data,
        len(history),
        guidance,
        guidance.extra(networks, plan, data, len(history)),
    )
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
