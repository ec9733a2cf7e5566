"""Retraining a network that has lost single weights: what is zero stays zero.

Keras applies a variable's constraint after every update of the optimizer, inside the compiled
step, on every backend. Masks are set as constraints for the time of the training and removed
afterwards; momentum and weight decay cannot bring back what they took away.
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

from hsitf.data import Data
from hsitf.errors import InputError
from hsitf.progress import Progress
from hsitf.prune.thresholds import Thresholds
from hsitf.prune.weights import Masks, limits, nonzero, prunable, reaching, to_share, zero
from hsitf.records import TrainingPlan
from hsitf.train.loop import Between, FitResult, fit


@dataclass(frozen=True, eq=False)
class Schedule:
    """When a network loses weights while it is retrained.

    Attributes:
        steps: By the epoch, counted from 0, before which it happens: which weights stay, given
            the network as it is then.
    """

    steps: Mapping[int, Callable[[keras.Model], Masks]]

    @property
    def last(self) -> int:
        """The epoch from which on the network is as sparse as it becomes."""
        return max(self.steps)


def one_shot(model: keras.Model, thresholds: Thresholds) -> Schedule:
    """Everything below the thresholds goes at once, then the rest is retrained."""
    return Schedule({0: partial(reaching, limits=limits(model, thresholds))})


def iterative(model: keras.Model, thresholds: Thresholds, stages: int, epochs: int) -> Schedule:
    """Alpha rises in equal steps, with equal times of retraining between them.

    In stage i of n everything below i / n of the thresholds goes. Standard deviations are those
    of the network at the start, so that the same alpha means the same magnitude in every stage
    and in `one_shot`.

    Args:
        model: As it is before the first weight goes.
        thresholds: Of the last stage.
        stages: How many there are.
        epochs: Of all stages together.

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
    full = limits(model, thresholds)
    return Schedule(
        {
            (stage - 1) * epochs // stages: partial(
                reaching, limits={path: limit * stage / stages for path, limit in full.items()}
            )
            for stage in range(1, stages + 1)
        }
    )


def gradual(
    final: float,
    steps: int,
    every: int = 1,
    start: int = 0,
    initial: float = 0.0,
    choose: Callable[[keras.Model, float], Masks] = to_share,
) -> Schedule:
    """The share of zeros rises fast at first and slowly in the end (`cubic`).

    Args:
        final: Share of zeros after the last step.
        steps: How many there are after the first, which makes `initial` of the weights zeros.
        every: Epochs between steps.
        start: Epoch of the first, counted from 0.
        initial: Share of zeros at the start.
        choose: Which weights make a share: `weights.to_share`, the smallest of the network, or
            `weights.to_share_each`, those of each tensor, as Zhu and Gupta have it.

    Raises:
        InputError: A number is out of range.
    """
    if min(steps, every) < 1 or start < 0 or not 0 <= initial <= final < 1:
        raise InputError(
            "the schedule of gradual pruning cannot be followed",
            received=f"zeros from {initial} to {final} in {steps} steps, every {every} epochs "
            f"from epoch {start}",
            allowed="shares that rise, from 0 to below 1; 1 or more steps and epochs between "
            "them; epochs from 0",
        )
    return Schedule(
        {
            start + step * every: _sharing(choose, cubic(step, steps, initial, final))
            for step in range(steps + 1)
        }
    )


def _sharing(
    choose: Callable[[keras.Model, float], Masks], share: float
) -> Callable[[keras.Model], Masks]:
    return lambda model: choose(model, share)


def cubic(step: int, steps: int, initial: float, final: float) -> float:
    """Share of zeros at a step of gradual pruning.

    s_t = s_f + (s_i - s_f) * (1 - (t - t_0) / (n * dt))^3 with (t - t_0) / dt = `step` and
    n = `steps` (Zhu, Gupta, To prune, or not to prune, ICLR workshop 2018, equation 1).
    """
    return final + (initial - final) * (1 - step / steps) ** 3


@contextmanager
def holding(model: keras.Model) -> Iterator[Callable[[Masks], None]]:
    """Holds weights at zero while the network is trained inside the block.

    Yields:
        A function that takes masks, sets to zero what they do not keep and holds it there from
        then on, in place of what was held before. A step that was compiled before has to be
        compiled anew. Constraints that the network has of its own are applied first; they alone
        are left after the block.
    """
    variables = {path: weight.variable for path, weight in prunable(model).items()}
    own = {path: variable.constraint for path, variable in variables.items()}

    def hold(masks: Masks) -> None:
        zero(model, masks)
        for path, mask in masks.items():
            variables[path].constraint = _Held(mask, own[path])

    try:
        yield hold
    finally:
        for path, variable in variables.items():
            variable.constraint = own[path]


class _Held:
    """The constraint of a variable under a mask."""

    def __init__(self, mask: NDArray[np.bool_], own: Callable[[Any], Any] | None) -> None:
        # A tensor made here is fed to the compiled step; an array would be written into it.
        self._mask, self._own = ops.convert_to_tensor(mask), own

    def __call__(self, value: Any) -> Any:
        free = self._own(value) if self._own else value
        return ops.where(self._mask, ops.convert_to_tensor(free), 0)


def retrain(
    network: keras.Model,
    schedule: Schedule,
    plan: TrainingPlan,
    data: Data,
    state_file: Path,
    progress: Progress,
) -> FitResult:
    """Prunes a trained network by a schedule while it is trained on.

    Only epochs at the final sparsity can be the best, and the learning rate falls in them only.
    Interrupted, it resumes from the state file: what was zero then is held at zero.

    Args:
        network: Trained in place.
        schedule: When it loses what.
        plan: How to train.
        data: To learn from.
        state_file: See `loop.fit`.
        progress: Told of every batch and epoch.

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
    with holding(network) as hold:
        held = False

        def before(epoch: int) -> bool:
            nonlocal held
            resumed = not held and epoch > min(schedule.steps)
            if epoch not in schedule.steps and not resumed:
                return False
            # Resumed between two steps, what was held is what is zero.
            hold(schedule.steps.get(epoch, nonzero)(network))
            held = True
            return True

        return fit(plan, data, state_file, progress, network, Between(before, schedule.last))
