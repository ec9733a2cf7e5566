"""Walking the graph of a functional Keras model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import keras

V = TypeVar("V")


def walk(
    model: keras.Model, inputs: Sequence[V], visit: Callable[[Any, list[V]], V | list[V]]
) -> list[V]:
    """Carries values of any kind through a functional model, one operation at a time.

    Args:
        model: A functional model.
        inputs: One value for each of the model's inputs, in their order.
        visit: Called in the order of the forward pass with an operation (a layer, or a
            `keras.ops` operation) and the values that enter it in the order of its arguments;
            returns what leaves it, a list where it has several outputs.

    Returns:
        One value for each of the model's outputs.
    """
    values = {id(tensor): value for tensor, value in zip(model.inputs, inputs, strict=True)}
    # Keras keeps the nodes by their distance from the outputs, farthest first in a forward pass.
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            entering = [values[id(tensor)] for tensor in node.arguments.keras_tensors]
            leaving = visit(node.operation, entering)
            results = leaving if isinstance(leaving, list) else [leaving]
            for tensor, value in zip(node.outputs, results, strict=True):
                values[id(tensor)] = value
    return [values[id(tensor)] for tensor in model.outputs]
