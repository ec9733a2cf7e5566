"""The state of a training run between two epochs, and its file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.array_files import read_arrays
from hsitf.errors import DataError
from hsitf.files import replacing
from hsitf.records import Epoch


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
        """The first evaluated epoch with the highest score, counted from 1."""
        scores = [epoch.score for epoch in self.history]
        indices = range(len(scores))
        return max(indices, key=lambda at: (at >= self.evaluated_from, scores[at])) + 1


def model_variables(model: keras.Model) -> list[keras.Variable]:
    """Everything that a later epoch depends on: weights, random generators, optimizer."""
    # A model's own list counts its optimizer and metrics too; each variable once, in order.
    layers = [variable for layer in model.layers for variable in layer.variables]
    return list({id(v): v for v in [*layers, *model.optimizer.variables]}.values())


def assign_variables(
    variables: Sequence[keras.Variable], values: Sequence[NDArray[np.generic]], path: Path
) -> None:
    """Gives variables the values of a state file.

    Args:
        variables: As `model_variables` lists them.
        values: A value for each.
        path: The file that they were read from.

    Raises:
        DataError: The values are of another network.
    """
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


def write_checkpoint(state: Checkpoint, path: Path) -> None:
    """Writes a state, whole or not at all."""
    facts = {"history": [asdict(epoch) for epoch in state.history], "seconds": state.seconds}
    arrays = {f"variable{i}": value for i, value in enumerate(state.variables or [])}
    arrays |= {f"best{i}": value for i, value in enumerate(state.best)}
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]


def read_checkpoint(path: Path) -> Checkpoint | None:
    """Reads a state; None where there is no file.

    Raises:
        DataError: The file is damaged.
    """
    if not path.is_file():
        return None
    remedy = "remove the run's folder and train again"
    with read_arrays(path, "a state that the run can be resumed from", remedy) as file:
        facts = json.loads(str(file["facts"]))
        variables = [file[f"variable{i}"] for i in range(_count(list(file), "variable"))]
        best = [file[f"best{i}"] for i in range(_count(list(file), "best"))]
        history = [Epoch(**epoch) for epoch in facts["history"]]
        return Checkpoint(history, variables, best, facts["seconds"])


def _count(names: Sequence[str], prefix: str) -> int:
    return sum(name.startswith(prefix) for name in names)
