"""Layers of a PyTorch checkpoint: arrays by the module that they belong to, whatever its name.

A state_dict names an array by the path of its module and the role that it has there, such as
`features.0.weight`. Paths only tell which arrays are of one layer, and in files without an order,
which layer comes first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hsitf.arrays import Float32Array
from hsitf.errors import InputError

WEIGHT, BIAS, MEAN, VARIANCE = "weight", "bias", "running_mean", "running_var"
# Of a recurrent layer with one direction: kernels and biases of its inputs and of its state.
RECURRENT = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
_COUNTER = "num_batches_tracked"
_ROLES = (WEIGHT, BIAS, MEAN, VARIANCE, *RECURRENT)


@dataclass(frozen=True, eq=False)
class CheckpointLayer:
    """A layer with weights, as PyTorch lays them out.

    Attributes:
        name: Path of its module, for messages.
        arrays: Its arrays by their role: weight (outputs, inputs, ...), bias, running_mean,
            running_var, or those of a recurrent layer.
    """

    name: str
    arrays: Mapping[str, Float32Array]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of its largest array, which tells what it is."""
        first = next((self.arrays[role] for role in _ROLES if role in self.arrays), None)
        return () if first is None else tuple(first.shape)

    @property
    def outputs(self) -> int:
        """Number of its outputs; 0 for a layer without a weight."""
        return self.shape[0] if WEIGHT in self.arrays else 0

    def __str__(self) -> str:
        return f"{self.shape} in {self.name or 'its only layer'}"


def layers_of(arrays: Mapping[str, Float32Array], ordered: bool) -> tuple[CheckpointLayer, ...]:
    """The layers of a checkpoint, in the order of the file or of their names.

    Args:
        arrays: Arrays by their names.
        ordered: Whether they come in the order in which the network defines its layers. Otherwise
            layers are ordered by their names: at each dot by the number in a name, `conv1` before
            `pool1` before `conv2`, then by its letters; names without a number come last.

    Raises:
        InputError: An array has a role that no layer here has.
    """
    found: dict[str, dict[str, Float32Array]] = {}
    for name, array in arrays.items():
        path, _, role = name.rpartition(".")
        if role == _COUNTER:
            continue
        if role not in _ROLES:
            raise _unknown_role(name, tuple(array.shape))
        found.setdefault(path, {})[role] = array
    layers = [CheckpointLayer(path, roles) for path, roles in found.items()]
    if not ordered:
        layers.sort(key=lambda layer: _order_of_names(layer.name))
    return tuple(layers)


def _order_of_names(path: str) -> list[tuple[Sequence[float], str]]:
    keys: list[tuple[Sequence[float], str]] = []
    for part in path.split("."):
        numbers = [float(number) for number in re.findall(r"\d+", part)] or [math.inf]
        keys.append((numbers, re.sub(r"\d+", "", part)))
    return keys


def _unknown_role(name: str, shape: tuple[int, ...]) -> InputError:
    remedies = {
        "weight_g": "undo weight normalization with torch.nn.utils.remove_weight_norm",
        "weight_v": "undo weight normalization with torch.nn.utils.remove_weight_norm",
        "original0": "undo it with torch.nn.utils.parametrize.remove_parametrizations",
        "original1": "undo it with torch.nn.utils.parametrize.remove_parametrizations",
        "weight_orig": "make pruning permanent with torch.nn.utils.prune.remove",
        "weight_mask": "make pruning permanent with torch.nn.utils.prune.remove",
    }
    return InputError(
        "the checkpoint holds an array of a layer that cannot be taken over",
        received=f"{name} of shape {shape}",
        allowed=f"{', '.join(_ROLES)} of dense layers, convolutions, batch normalization and "
        "recurrent layers of one direction",
        remedy=remedies.get(
            name.rpartition(".")[2],
            "export the network to ONNX with torch.onnx.export, and adopt that file",
        ),
    )
