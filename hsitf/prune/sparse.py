"""Retraining of a network with zeroed weights: pruned weights stay zero.

Keras applies a variable's constraint after every update of the optimizer, inside the compiled step,
on every backend. Masks are set as constraints during training and removed afterwards, so that
momentum and weight decay cannot restore pruned weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from hsitf.data import SceneData
from hsitf.errors import InputError
from hsitf.progress import Progress
from hsitf.prune.thresholds import Thresholds
from hsitf.prune.weights import (
    Masks,
    apply_masks,
    magnitude_limits,
    masks_by_magnitude,
    nonzero_masks,
    prunable_weights,
)
from hsitf.records import TrainingPlan
from hsitf.train.guidance import Guidance
from hsitf.train.loop import EpochHook, FitResult, fit


@dataclass(frozen=True, eq=False)
class SparsitySchedule:
    """When a network loses weights while it is retrained.

    Attributes:
        steps: For each epoch, counted from 0, before which weights are pruned: a function from the
            current network to the masks of the weights that are kept.
    """

    steps: Mapping[int, Callable[[keras.Model], Masks]]

    @property
    def last(self) -> int:
        """The epoch from which on the network is as sparse as it becomes."""
        return max(self.steps)


def one_shot(model: keras.Model, thresholds: Thresholds) -> SparsitySchedule:
    """Zeroes all weights below the thresholds at once, then retrains the rest."""
    return SparsitySchedule(
        {0: partial(masks_by_magnitude, limits=magnitude_limits(model, thresholds))}
    )


def iterative(
    model: keras.Model, thresholds: Thresholds, stages: int, epochs: int
) -> SparsitySchedule:
    """Alpha rises in equal steps, with equal numbers of retraining epochs between them.

    In stage i of n all weights below i / n of the thresholds are zeroed. Standard deviations are
    those of the network at the start, so that the same alpha means the same magnitude in every
    stage and in `one_shot`.

    Args:
        model: The network before pruning.
        thresholds: Thresholds of the last stage.
        stages: Number of stages.
        epochs: Number of epochs of all stages together.

    Raises:
        InputError: There is not an epoch for each stage.
    """
    if not 1 <= stages <= epochs:
        raise InputError(
            "iterative pruning retrains for an epoch at least in each stage",
            received=f"{stages} stages in {epochs} epochs",
            allowed=f"1 to {epochs} stages",
            remedy="ask for fewer stages or more epochs",
        )
    full = magnitude_limits(model, thresholds)
    return SparsitySchedule(
        {
            (stage - 1) * epochs // stages: partial(
                masks_by_magnitude,
                limits={path: limit * stage / stages for path, limit in full.items()},
            )
            for stage in range(1, stages + 1)
        }
    )


@contextmanager
def hold_zeros(model: keras.Model) -> Iterator[Callable[[Masks], None]]:
    """Holds weights at zero while the network is trained inside the block.

    Yields:
        A function that takes masks, zeroes the weights that they do not keep and holds them at zero
        from then on, in place of the masks before. A step that was compiled before has to be
        compiled again. The network's own constraints are applied first; they alone remain after the
        block.
    """
    variables = {path: weight.variable for path, weight in prunable_weights(model).items()}
    own = {path: variable.constraint for path, variable in variables.items()}

    def hold(masks: Masks) -> None:
        apply_masks(model, masks)
        for path, mask in masks.items():
            variables[path].constraint = MaskConstraint(mask, own[path])

    try:
        yield hold
    finally:
        for path, variable in variables.items():
            variable.constraint = own[path]


class MaskConstraint:
    """The constraint of a variable under a mask."""

    def __init__(self, mask: NDArray[np.bool_], own: Callable[[Any], Any] | None) -> None:
        # A tensor made here is fed to the compiled step; an array would be written into it.
        self._mask, self._own = ops.convert_to_tensor(mask), own

    def __call__(self, value: Any) -> Any:
        """The value with zeros where the mask keeps nothing."""
        free = self._own(value) if self._own else value
        return ops.where(self._mask, ops.convert_to_tensor(free), 0)


def retrain(
    network: keras.Model,
    schedule: SparsitySchedule,
    plan: TrainingPlan,
    data: SceneData,
    checkpoint_file: Path,
    progress: Progress,
    guidance: Guidance | None = None,
) -> FitResult:
    """Prunes a trained network by a schedule while it is trained on.

    Only epochs at the final sparsity can be the best, and the learning rate falls in them only.
    Interrupted, it resumes from the state file: what was zero then is held at zero.

    Args:
        network: The network, trained in place.
        schedule: When which weights are pruned.
        plan: The training plan.
        data: The scene to train on.
        checkpoint_file: See `loop.fit`.
        progress: Receives the progress of every batch and epoch.
        guidance: What it learns from beside labels, as in `loop.fit`.

    Returns:
        The sparse network with the weights of its best epoch, and how it got there.

    Raises:
        InputError: The schedule does not end before the training does; else as `loop.fit`.
        DataError: See `loop.fit`.
    """
    if schedule.last >= plan.recipe.epochs:
        raise InputError(
            "no epoch is left to retrain at the final sparsity",
            received=f"{plan.recipe.epochs} epochs, the last step before epoch {schedule.last + 1}",
            remedy="train for more epochs or prune in fewer steps",
        )
    with hold_zeros(network) as hold:
        held = False

        def before(epoch: int) -> bool:
            nonlocal held
            resumed = not held and epoch > min(schedule.steps)
            if epoch not in schedule.steps and not resumed:
                return False
            # Resumed between two steps, what was held is what is zero.
            hold(schedule.steps.get(epoch, nonzero_masks)(network))
            held = True
            return True

        hook = EpochHook(before, schedule.last)
        return fit(plan, data, checkpoint_file, progress, network, hook, guidance)
