"""Shapes at one place of a network, as multiply-accumulates are counted from them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras

from hsitf.graph import Call

Shape = tuple[int, ...]
# Of an argument: a shape, or several of them where the argument is a list of tensors.
ArgumentShape = Any


class CallShapes(NamedTuple):
    """Shapes of what a layer or an operation takes and makes at one place, for one sample.

    The batch axis comes first where a tensor has one, and counts 1.

    Attributes:
        weights: Of the layer's weights, in its own order.
        inputs: Of the arrays that enter, in the order of the arguments.
        output: Of the first tensor that leaves.
        named: The same as `inputs` by name of the layer's argument, for layers that take several
            tensors.
    """

    weights: Sequence[Shape]
    inputs: Sequence[Shape]
    output: Shape
    named: Mapping[str, ArgumentShape] = {}

    @classmethod
    def of(cls, call: Call) -> CallShapes:
        """The shapes of a call in a functional model of fixed shape."""
        arguments = call.node.arguments
        weights = [tuple(weight.shape) for weight in getattr(call.operation, "weights", [])]
        entering = [_sized(tensor) for tensor in arguments.keras_tensors]
        named: dict[str, ArgumentShape] = {}
        if not isinstance(call.operation, keras.Layer):
            given = keras.tree.flatten((arguments.args, arguments.kwargs))
            entering = [_sized(value) for value in given if len(getattr(value, "shape", ()))]
        elif len(entering) > 1:
            named = _by_argument(call.operation, arguments)
        return cls(weights, entering, _sized(call.node.outputs[0]), named)


def _sized(value: Any) -> Shape:
    """A shape, its batch as 1 and what is not known as 0."""
    shape = tuple(value.shape)
    if not isinstance(value, keras.KerasTensor):
        return tuple(int(size) for size in shape)
    return (1, *(int(size or 0) for size in shape[1:]))


def _by_argument(layer: Any, arguments: Any) -> dict[str, ArgumentShape]:
    bound = inspect.signature(layer.call).bind(*arguments.args, **arguments.kwargs)
    return {
        name: _sized(value)
        if isinstance(value, keras.KerasTensor)
        else [_sized(each) for each in value if isinstance(each, keras.KerasTensor)]
        for name, value in bound.arguments.items()
        if isinstance(value, keras.KerasTensor | list | tuple)
    }
