"""Lowering of element-wise functions and softmax.

The converter leaves ELU, NEG, SQUARE and POW in float, and EXPM1 of numbers below zero is noise in
its integers. They are computed with operators for which LiteRT has integer kernels; softplus with
operators whose values stay small, because 256 quantized values have to represent all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from hsitf.lower.context import LoweringContext
from hsitf.lower.depthwise import as_channel_image, by_memory_position, scale_and_shift
from hsitf.lower.layout_tensor import LayoutTensor, compact, dense_layout, logical_order, rearrange

# Activations over several elements, which have no rule of their own.
MIXING = frozenset({"glu", "sparsemax"})
SOFTMAX = frozenset({"softmax", "log_softmax"})

# The constants of Klambauer et al., Self-normalizing neural networks, NeurIPS 2017.
_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


def elementwise(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Element-wise layers and operations, applied in any memory layout."""
    value = compact(inputs[0])
    operation = context.layer
    copy = type(operation).from_config({**operation.get_config(), "name": context.name})
    return LayoutTensor(copy(value.tensor), value.layout)


def activation(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Activation: a function of Keras."""
    return apply_activation(inputs[0], context.layer.activation, context)


def apply_activation(value: LayoutTensor, function: Any, context: LoweringContext) -> LayoutTensor:
    """Applies an activation.

    Args:
        value: Input tensor.
        function: Function of `keras.activations`, or a layer; None for no activation.
        context: Gives the name of what is made, and the arithmetic.

    Raises:
        LoweringError: It is not element-wise, or not one of Keras.
    """
    if isinstance(function, keras.Layer) and type(function) in _LAYERS:
        return _LAYERS[type(function)](context.with_layer(function), [value])
    kind = "linear" if function is None else getattr(function, "__name__", str(function))
    if kind in MIXING or function not in (None, *_of_keras(kind)):
        raise context.error(
            "has an activation that cannot be lowered",
            received=kind,
            allowed="Keras' own functions of each element by itself, softmax and log_softmax",
        )
    if kind == "linear":
        return value
    if kind in SOFTMAX:
        return _along(kind, value, (len(value.shape) - 1,), context.name)
    value = compact(value)
    form = _INTEGER_FORMS.get(kind) or layers.Activation(function, name=context.name)
    return LayoutTensor(form(value.tensor), value.layout)


def _of_keras(kind: str) -> list[Any]:
    """Keras' activation of that name, and the operation that it calls."""
    own = getattr(keras.activations, kind, None)
    return [] if own is None else [own, getattr(ops, kind, own)]


def softmax(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Softmax and LogSoftmax, layers and operations, along any axes."""
    (value,) = inputs
    asked = context.layer.axis
    rank = len(value.shape) + 1
    axes = tuple(axis % rank - 1 for axis in ((asked,) if isinstance(asked, int) else asked))
    if -1 in axes:
        raise context.error("takes samples together", received=f"axis {asked}")
    kind = "log_softmax" if type(context.layer).__name__ == "LogSoftmax" else "softmax"
    return _along(kind, value, axes, context.name)


def _along(kind: str, value: LayoutTensor, axes: tuple[int, ...], name: str) -> LayoutTensor:
    """Applies an activation of the last axis along other axes."""
    others = tuple(axis for axis in logical_order(value) if axis not in axes)
    order = (*others, *axes)
    length = int(np.prod([value.shape[axis] for axis in axes]))
    rows = value.layout.size // length
    tensor = rearrange(value, order).reshaped(*((rows,) if rows > 1 else ()), length)
    tensor = layers.Activation(kind, name=name)(tensor)
    return LayoutTensor(tensor, dense_layout(value.shape, order))


def softmax_along(value: LayoutTensor, axes: tuple[int, ...], name: str) -> LayoutTensor:
    """Softmax along axes of the logical shape, without batch."""
    return _along("softmax", value, axes, name)


def prelu(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """PReLU: slopes reordered to memory."""
    value = compact(inputs[0])
    slopes = by_memory_position(value.layout, np.asarray(context.layer.alpha))
    image, (slopes,) = as_channel_image(value, slopes)
    layer = layers.PReLU(shared_axes=[1, 2], name=context.name)
    tensor = layer(image)
    layer.set_weights([slopes.reshape(1, 1, -1)])
    return LayoutTensor(tensor, value.layout)


def rescaling(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Rescaling: one factor and one term, or one for each channel."""
    layer = context.layer
    scale, offset = (np.asarray(value, np.float32) for value in (layer.scale, layer.offset))
    return scale_and_shift(inputs[0], scale, offset, context.name)


def standardization(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Normalization: a factor and a term from means and variances, or back from them."""
    layer = context.layer
    mean, variance = (np.asarray(value)[0] for value in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), keras.backend.epsilon())
    if layer.invert:
        return scale_and_shift(inputs[0], deviation, mean, context.name)
    return scale_and_shift(inputs[0], 1 / deviation, -mean / deviation, context.name)


def layer_scale(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """LayerScale of ConvNeXt: one factor for each channel."""
    return scale_and_shift(inputs[0], np.asarray(context.layer.gamma), 0.0, context.name)


def learned_scale(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """LearnedScale: one factor for all."""
    return scale_and_shift(inputs[0], np.asarray(context.layer.factor), 0.0, context.name)


def position_embedding(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """PositionEmbedding: a term for each number of each token."""
    return scale_and_shift(inputs[0], 1.0, np.asarray(context.layer.positions), context.name)


def exponential(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """ELU, layer and operation."""
    value = compact(inputs[0])
    return LayoutTensor(_elu(value.tensor, context.layer.alpha), value.layout)


def scaled_exponential(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The operation Selu."""
    value = compact(inputs[0])
    return LayoutTensor(_selu(value.tensor), value.layout)


def softplus(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The operation Softplus."""
    value = compact(inputs[0])
    return LayoutTensor(_softplus(value.tensor), value.layout)


def _elu(x: KerasTensor, alpha: float = 1.0) -> KerasTensor:
    below = -1.0 * ops.relu(-1.0 * x)
    return ops.relu(x) + (alpha * ops.exp(below) - alpha)


def _selu(x: KerasTensor) -> KerasTensor:
    return _SELU_SCALE * _elu(x, _SELU_ALPHA)


def _softplus(x: KerasTensor) -> KerasTensor:
    return ops.relu(x) + ops.log(1.0 + ops.exp(-1.0 * ops.abs(x)))


def _mish(x: KerasTensor) -> KerasTensor:
    return x * ops.tanh(_softplus(x))


def _log_sigmoid(x: KerasTensor) -> KerasTensor:
    return -1.0 * _softplus(-1.0 * x)


def _squareplus(x: KerasTensor) -> KerasTensor:
    # Keras adds 4 below the root.
    return 0.5 * (x + ops.sqrt(x * x + 4.0))


def _sparse_sigmoid(x: KerasTensor) -> KerasTensor:
    return 0.5 * ops.hard_tanh(x) + 0.5


def _sparse_plus(x: KerasTensor) -> KerasTensor:
    """A parabola from -1 to 1, the number itself above."""
    inside = _sparse_sigmoid(x)
    return inside * inside + ops.relu(x - 1.0)


def _soft_shrink(x: KerasTensor) -> KerasTensor:
    # Keras' threshold is 0.5.
    return ops.relu(x - 0.5) - ops.relu(-1.0 * x - 0.5)


_INTEGER_FORMS: dict[str, Callable[[KerasTensor], KerasTensor]] = {
    # An activation that is given by its name has an alpha of 1.
    "celu": _elu,
    "elu": _elu,
    "log_sigmoid": _log_sigmoid,
    "mish": _mish,
    "selu": _selu,
    "soft_shrink": _soft_shrink,
    "softplus": _softplus,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _sparse_sigmoid,
    "squareplus": _squareplus,
}


def negation(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The operation Negative."""
    return scale_and_shift(inputs[0], -1.0, 0.0, context.name)


# Layers that are accepted as an activation.
_LAYERS: dict[type[Any], Callable[[LoweringContext, list[LayoutTensor]], LayoutTensor]] = {
    layers.ELU: exponential,
    layers.LeakyReLU: elementwise,
    layers.PReLU: prelu,
    layers.ReLU: elementwise,
    layers.Softmax: softmax,
}
