"""The recipe's optimizer, its learning rate over the epochs, and when training ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from hsitf.errors import InputError
from hsitf.records import Epoch, TrainingPlan
from hsitf.zoo import Recipe

# The papers divide the learning rate by this when the validation accuracy stops improving ...
PLATEAU_DIVISOR = 10
# ... for this share of the epochs.
PLATEAU_SHARE = 1 / 4


def next_learning_rate(history: Sequence[Epoch], recipe: Recipe, steps: int = 0) -> float:
    """Learning rate of the next epoch, before what `StepFactor` makes of it from step to step.

    Args:
        history: The epochs done.
        recipe: Recipe of the network. Without a cosine decay, the learning rate is divided by ten
            at its milestones; without milestones, when a quarter of the epochs brought no better
            validation accuracy.
        steps: Steps per epoch, which the recipe's decay counts.
    """
    if recipe.cosine_decay:
        return recipe.learning_rate
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


@dataclass(frozen=True)
class EpochLengths:
    """Steps of the epochs of a run, from which an optimizer's steps are counted in epochs.

    Attributes:
        first: Steps of an epoch.
        later: Steps of an epoch once unlabelled pixels are shown, too.
        changes_at: The first epoch with that many, from 0.
        begin: Epochs before this one do not count.
    """

    first: int
    later: int
    changes_at: int
    begin: int = 0

    def steps(self, epochs: int) -> int:
        """The steps of the first epochs."""
        before = min(epochs, self.changes_at)
        return before * self.first + (epochs - before) * self.later

    def epochs(self, step: Any) -> Any:
        """The epochs done before a step, a tensor; a part of the one that it belongs to."""
        before = float(self.first * self.changes_at)
        step = ops.cast(step, "float32")
        done = ops.minimum(step, before) / self.first + ops.maximum(step - before, 0.0) / self.later
        return ops.maximum(done - self.begin, 0.0)


@dataclass(frozen=True)
class StepFactor:
    """Warm-up and cosine decay, step by step: a factor of the learning rate.

    During a warm-up of `w` epochs, a step that follows `e` epochs has `(e + s) / w` of what it
    would have, where `s` is the share of a step in an epoch. A cosine decay of `n` epochs then has
    a factor of `(1 + cos(pi * (e - w) / (n - w))) / 2`.

    Attributes:
        recipe: The recipe.
        lengths: What counts its epochs.
    """

    recipe: Recipe
    lengths: EpochLengths

    def __call__(self, step: Any) -> Any:
        """The factor of a step, a tensor; steps count from 0."""
        recipe, done = self.recipe, self.lengths.epochs(step)
        warm = recipe.warmup * recipe.epochs
        factor: Any = 1.0
        if warm:
            factor = ops.minimum((done + 1 / self.lengths.first) / warm, 1.0)
        if recipe.cosine_decay:
            share = ops.clip((done - warm) / (recipe.epochs - warm), 0.0, 1.0)
            factor = factor * (1 + ops.cos(math.pi * share)) / 2
        return factor

    def apply_to(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Makes an optimizer multiply its rate inside the compiled step.

        The optimizer's own count of steps decides, which is saved with the run.
        """
        if self.recipe.warmup or self.recipe.cosine_decay:
            base = optimizer._get_current_learning_rate
            optimizer._get_current_learning_rate = lambda: base() * self(optimizer.iterations)


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
