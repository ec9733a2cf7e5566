"""What is computed of each element by itself, and softmax.

The converter leaves ELU, NEG, SQUARE and POW in floating point, where LiteRT has integer kernels
for other operators that compute the same: those are taken, and for softplus such whose values
stay small, since 256 steps have to do for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from hsitf.lower.depthwise import affine, by_position, channelwise
from hsitf.lower.place import Place
from hsitf.lower.value import Value, arranged, natural, positions, solid

# Activations that look at several elements and have no rule of their own.
MIXING = frozenset({"glu", "sparsemax"})
SOFTMAX = frozenset({"softmax", "log_softmax"})

# The constants of Klambauer et al., Self-normalizing neural networks, NeurIPS 2017.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def elementwise(place: Place, inputs: list[Value]) -> Value:
    """Layers and operations of each element by itself: the same, on the memory as it lies."""
    value = solid(inputs[0])
    operation = place.layer
    copy = type(operation).from_config({**operation.get_config(), "name": place.name})
    return Value(copy(value.tensor), value.index)


def activation(place: Place, inputs: list[Value]) -> Value:
    """Activation: a function of Keras."""
    return activated(inputs[0], place.layer.activation, place)


def activated(value: Value, function: Any, place: Place) -> Value:
    """What an activation makes of a value.

    Args:
        value: Any.
        function: Of `keras.activations`, or a layer; None where there is none.
        place: Of it.

    Raises:
        LoweringError: It looks at more than one element, or Keras does not have it.
    """
    if isinstance(function, keras.Layer) and type(function) in _LAYERS:
        return _LAYERS[type(function)](place.with_layer(function), [value])
    kind = "linear" if function is None else getattr(function, "__name__", str(function))
    if kind in MIXING or function not in (None, *_of_keras(kind)):
        raise place.error(
            "has an activation that cannot be lowered",
            received=kind,
            allowed="Keras' own functions of each element by itself, softmax and log_softmax",
        )
    if kind == "linear":
        return value
    if kind in SOFTMAX:
        return _along(kind, value, (len(value.shape) - 1,), place.name)
    value = solid(value)
    form = _FORMS.get(kind) or layers.Activation(function, name=place.name)
    return Value(form(value.tensor), value.index)


def _of_keras(kind: str) -> list[Any]:
    """The activation of that name, and the operation that it stands for."""
    own = getattr(keras.activations, kind, None)
    return [] if own is None else [own, getattr(ops, kind, own)]


def softmax(place: Place, inputs: list[Value]) -> Value:
    """Softmax and LogSoftmax, layers and operations, along any axes."""
    (value,) = inputs
    asked = place.layer.axis
    rank = len(value.shape) + 1
    axes = tuple(axis % rank - 1 for axis in ((asked,) if isinstance(asked, int) else asked))
    if -1 in axes:
        raise place.error("takes samples together", received=f"axis {asked}")
    kind = "log_softmax" if type(place.layer).__name__ == "LogSoftmax" else "softmax"
    return _along(kind, value, axes, place.name)


def _along(kind: str, value: Value, axes: tuple[int, ...], name: str) -> Value:
    """An activation that works along the last axis, applied along others."""
    others = tuple(axis for axis in natural(value) if axis not in axes)
    order = (*others, *axes)
    length = int(np.prod([value.shape[axis] for axis in axes]))
    rows = value.index.size // length
    tensor = arranged(value, order).viewed(*((rows,) if rows > 1 else ()), length)
    tensor = layers.Activation(kind, name=name)(tensor)
    return Value(tensor, positions(value.shape, order))


def prelu(place: Place, inputs: list[Value]) -> Value:
    """PReLU: slopes follow the memory."""
    value = solid(inputs[0])
    slopes = by_position(value.index, np.asarray(place.layer.alpha))
    image, (slopes,) = channelwise(value, slopes)
    layer = layers.PReLU(shared_axes=[1, 2], name=place.name)
    tensor = layer(image)
    layer.set_weights([slopes.reshape(1, 1, -1)])
    return Value(tensor, value.index)


def exponential(place: Place, inputs: list[Value]) -> Value:
    """ELU, layer and operation."""
    value = solid(inputs[0])
    return Value(_elu(value.tensor, place.layer.alpha), value.index)


def scaled_exponential(place: Place, inputs: list[Value]) -> Value:
    """The operation Selu."""
    value = solid(inputs[0])
    return Value(_selu(value.tensor), value.index)


def softplus(place: Place, inputs: list[Value]) -> Value:
    """The operation Softplus."""
    value = solid(inputs[0])
    return Value(_softplus(value.tensor), value.index)


def _elu(x: KerasTensor, alpha: float = 1.0) -> KerasTensor:
    below = -1.0 * ops.relu(-1.0 * x)
    return ops.relu(x) + (alpha * ops.exp(below) - alpha)


def _selu(x: KerasTensor) -> KerasTensor:
    return _SELU_SCALE * _elu(x, _SELU_ALPHA)


def _softplus(x: KerasTensor) -> KerasTensor:
    return ops.relu(x) + ops.log(1.0 + ops.exp(-1.0 * ops.abs(x)))


_FORMS: dict[str, Callable[[KerasTensor], KerasTensor]] = {
    "elu": _elu,
    "selu": _selu,
    "softplus": _softplus,
}


def negation(place: Place, inputs: list[Value]) -> Value:
    """The operation Negative."""
    return affine(inputs[0], -1.0, 0.0, place.name)


# Layers that may stand where an activation is asked for.
_LAYERS: dict[type[Any], Callable[[Place, list[Value]], Value]] = {
    layers.ELU: exponential,
    layers.LeakyReLU: elementwise,
    layers.PReLU: prelu,
    layers.ReLU: elementwise,
    layers.Softmax: softmax,
}
