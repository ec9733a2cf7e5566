"""Truncation of a network at a layer, a filter or a named weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from hsitf.errors import InputError, unknown
from hsitf.graph import Call, functional, unwrap_single, walk


@dataclass(frozen=True, eq=False)
class TruncatedNetwork:
    """A network that ends at one of its layers.

    Attributes:
        name: Name of the layer.
        layer: The layer itself, shared with the network.
        network: From the same input to the output of the layer, at its first call.
    """

    name: str
    layer: Any
    network: keras.Model

    @property
    def filters(self) -> int:
        """Channels that leave the layer."""
        return int(self.network.output_shape[-1])

    def check_filter(self, number: int) -> int:
        """Refuses a filter that the layer does not have.

        Raises:
            InputError: There is no such filter.
        """
        if not 0 <= number < self.filters:
            raise InputError(
                f"layer {self.name!r} has no such filter",
                received=number,
                allowed=f"0 to {self.filters - 1}",
            )
        return number


def truncate(network: keras.Model, name: str) -> TruncatedNetwork:
    """Cuts a functional network behind a layer.

    Raises:
        InputError: There is no such layer; the nearest names are offered.
    """
    leaving: dict[str, tuple[Any, Any]] = {}

    def visit(call: Call, values: list[Any]) -> list[Any]:
        result = call.call_with(call.operation, values)
        several = list(result) if isinstance(result, list | tuple) else [result]
        leaving.setdefault(call.operation.name, (call.operation, several[0]))
        return several

    inputs = [keras.Input(tensor.shape[1:], dtype=tensor.dtype) for tensor in network.inputs]
    walk(network, inputs, visit)
    if name not in leaving:
        raise unknown("layer", name, leaving)
    layer, tensor = leaving[name]
    return TruncatedNetwork(name, layer, keras.Model(unwrap_single(inputs), tensor))


def logits_layer(network: keras.Model) -> str:
    """Name of the layer that the logits leave."""
    names: list[str] = []

    def visit(call: Call, values: list[None]) -> list[None]:
        names.append(call.operation.name)
        return [None] * len(call.node.outputs)

    walk(network, [None] * len(functional(network).inputs), visit)
    return names[-1]


def weight(truncated: TruncatedNetwork, name: str) -> Any:
    """The trainable weight of a layer that a user names, such as "bias".

    Raises:
        InputError: The layer has no such weight.
    """
    named = {
        variable.name: variable for variable in getattr(truncated.layer, "trainable_weights", [])
    }
    if not named:
        raise InputError(
            f"layer {truncated.name!r} has no trainable weights",
            received=f"{truncated.name}/{name}",
            remedy="name a convolution or a dense layer",
        )
    if name not in named:
        raise unknown(f"weight of layer {truncated.name!r},", name, named)
    return named[name]


def split_weight(text: str) -> tuple[str, str]:
    """Layer and weight of a text such as "dense1/bias".

    Raises:
        InputError: It does not name both.
    """
    layer, slash, name = text.rpartition("/")
    if not (layer and slash and name):
        raise InputError(
            "the weight is not named by its layer and its own name",
            received=text,
            allowed="LAYER/WEIGHT such as dense1/bias",
        )
    return layer, name
