"""The state of a training run between two epochs, and its file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf import records
from hsitf.array_files import read_arrays
from hsitf.errors import DataError
from hsitf.files import replacing
from hsitf.ranges import Amount
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
    _check_values(variables, values, path)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def check_best(network: keras.Model, best: Sequence[NDArray[np.generic]], path: Path) -> None:
    """Compares the weights of the best epoch in a state file with the network.

    Raises:
        DataError: They are of another network.
    """
    _check_values(network.weights, best, path)


def _check_values(
    variables: Sequence[keras.Variable], values: Sequence[NDArray[np.generic]], path: Path
) -> None:
    needed = [(tuple(one.shape), str(one.dtype)) for one in variables]
    held = [(one.shape, str(one.dtype)) for one in values]
    if needed != held:
        other = next((pair for pair in zip(held, needed, strict=False) if pair[0] != pair[1]), None)
        received = f"{len(values)} variables"
        allowed = f"{len(variables)} of the shapes of this version"
        if other is not None and len(values) == len(variables):
            received, allowed = (f"{kind} of shape {shape}" for shape, kind in other)
        raise DataError(
            f"{path} does not fit the network",
            received=received,
            allowed=allowed,
            remedy="remove the run's folder and train again",
        )


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
        facts = records.parse(_Facts, str(file["facts"]).encode(), str(path))
        variables = [file[f"variable{i}"] for i in range(_count(list(file), "variable"))]
        best = [file[f"best{i}"] for i in range(_count(list(file), "best"))]
        return Checkpoint(list(facts.history), variables, best, facts.seconds)


@dataclass(frozen=True)
class _Facts:
    """The part of a state that is no array."""

    history: tuple[Epoch, ...]
    seconds: Amount


def _count(names: Sequence[str], prefix: str) -> int:
    return sum(name.startswith(prefix) for name in names)
