"""Walking the graph of a functional Keras model."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import keras

V = TypeVar("V")


@dataclass(frozen=True, eq=False)
class Call:
    """One call of an operation in a network.

    Attributes:
        operation: A layer, or an operation of `keras.ops`.
        node: The Keras node of the call.
    """

    operation: Any
    node: Any

    @property
    def shapes(self) -> tuple[tuple[int | None, ...], ...]:
        """Shapes of the tensors that leave it, batch included."""
        return tuple(tuple(tensor.shape) for tensor in self.node.outputs)

    def call_with(self, operation: Any, values: Sequence[Any]) -> Any:
        """Calls another operation the same way: other tensors, the same further arguments.

        Args:
            operation: The operation to call.
            values: Replacements of the input tensors, in their order.
        """
        given = {
            id(tensor): value
            for tensor, value in zip(self.node.arguments.keras_tensors, values, strict=True)
        }
        positional, named = self.node.arguments.fill_in(given)
        return operation(*positional, **named)


class InnerCall(Call):
    """One call of a layer inside a layer, which is called with tensors alone."""

    def call_with(self, operation: Any, values: Sequence[Any]) -> Any:
        """Calls another operation with these tensors.

        Args:
            operation: The operation to call.
            values: The tensors, in their order.
        """
        return operation(*values)


def functional(model: Any) -> Any:
    """The functional model inside a sequential one; anything else as it is."""
    inside = getattr(model, "_functional", None) if isinstance(model, keras.Sequential) else None
    return model if inside is None else inside


def input_names(model: keras.Model) -> list[str]:
    """Names of the model's inputs, as its layers are named."""
    return [tensor._keras_history.operation.name for tensor in model.inputs]


def walk(
    model: keras.Model, inputs: Sequence[V], visit: Callable[[Call, list[V]], V | list[V]]
) -> list[V]:
    """Carries values of any kind through a functional model, one operation at a time.

    Functional models inside the model are walked through as if their layers stood in it.

    Args:
        model: A functional model.
        inputs: One value for each input of the model, in their order.
        visit: Called in the order of the forward pass with an operation and its input values in the
            order of its arguments; returns its output value, or a list where it has several
            outputs.

    Returns:
        One value for each of the model's outputs.
    """
    model = functional(model)
    values = {id(tensor): value for tensor, value in zip(model.inputs, inputs, strict=True)}
    # Keras keeps the nodes by their distance from the outputs, farthest first in a forward pass.
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            entering = [values[id(tensor)] for tensor in node.arguments.keras_tensors]
            if hasattr(functional(node.operation), "_nodes_by_depth"):
                results = walk(node.operation, entering, visit)
            else:
                leaving = visit(Call(node.operation, node), entering)
                results = leaving if isinstance(leaving, list) else [leaving]
            for tensor, value in zip(node.outputs, results, strict=True):
                values[id(tensor)] = value
    return [values[id(tensor)] for tensor in model.outputs]


def named_values(call: Call, values: Sequence[V]) -> dict[str, V]:
    """The values of a call's tensors by the names of the layer's arguments.

    Args:
        call: A call of a layer that takes its tensors as arguments of their own.
        values: One for each tensor, in the order of the call.
    """
    arguments = call.node.arguments
    by_id = {
        id(tensor): value for tensor, value in zip(arguments.keras_tensors, values, strict=True)
    }
    bound = inspect.signature(call.operation.call).bind(*arguments.args, **arguments.kwargs)
    return {
        name: by_id[id(given)]
        for name, given in bound.arguments.items()
        if isinstance(given, keras.KerasTensor)
    }


def operations(model: keras.Model) -> list[Any]:
    """The operations of a functional model in the order of the forward pass, one for each call."""
    found = []

    def visit(call: Call, values: list[None]) -> list[None]:
        found.append(call.operation)
        return [None] * len(call.node.outputs)

    walk(model, [None] * len(model.inputs), visit)
    return found


def name_operations(model: keras.Model) -> None:
    """Names the operations of `keras.ops` in a network by their kind and order in it.

    Keras numbers them by all that the process has built, so that the same network would be written
    down otherwise the second time. Layers keep their names.
    """
    taken = {layer.name for layer in model.layers}
    for operation in dict.fromkeys(operations(model)):
        if isinstance(operation, keras.Layer):
            continue
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(operation).__name__).lower()
        names = itertools.chain([kind], (f"{kind}_{number}" for number in itertools.count(1)))
        operation.name = next(name for name in names if name not in taken)
        taken.add(operation.name)


def unwrap_single(values: Sequence[V]) -> V | list[V]:
    """Unwraps a single value: Keras takes a tensor for one input or output, a list for several."""
    return values[0] if len(values) == 1 else list(values)


def outputs_like(model: keras.Model, values: Sequence[V]) -> Any:
    """Arranges output values as a model returns them: one, a list of them, or a dict by name.

    Args:
        model: A functional or sequential model.
        values: One for each of its outputs, in the order of `model.outputs`.
    """
    structure = getattr(functional(model), "_outputs_struct", None)
    if structure is None:
        return unwrap_single(values)
    return keras.tree.pack_sequence_as(structure, list(values))


def inputs_like(model: keras.Model, values: Sequence[V]) -> Any:
    """Arranges input values as a model takes them; see `outputs_like`."""
    structure = getattr(functional(model), "_inputs_struct", None)
    if structure is None:
        return unwrap_single(values)
    return keras.tree.pack_sequence_as(structure, list(values))


def copy_weights(source: Any, target: Any) -> None:
    """Copies the weights of a layer, or of a network, to another one that is built alike.

    The layer Normalization computes with constants made of its weights, which Keras makes again
    when it loads a file, but not when weights are set.

    Args:
        source: Has the weights.
        target: Receives them.
    """
    target.set_weights(source.get_weights())
    _update_constants(target)


def _update_constants(layer: Any) -> None:
    if isinstance(layer, keras.layers.Normalization):
        layer.finalize_state()
    for inner in getattr(layer, "layers", ()):
        _update_constants(inner)
