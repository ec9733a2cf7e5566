"""Functions of an ONNX graph that take each number by itself, and softmax."""

from __future__ import annotations

from collections.abc import Callable
from math import isclose, prod
from typing import Any

import numpy as np
from keras import layers, ops

from hsitf.adopt.onnx.axes import AxisTensor, last
from hsitf.adopt.onnx.node import OnnxNode, in_tensor_order

Convert = Callable[[OnnxNode], AxisTensor]

# The constants of Klambauer et al., Self-normalizing neural networks, NeurIPS 2017, as ONNX has
# them.
_SELU_ALPHA = 1.67326319217681884765625
_SELU_GAMMA = 1.05070102214813232421875
# From this opset on, softmax is along one axis; before, along that axis and all behind it.
_ONE_AXIS = 13


def activation(name: str, *, nonnegative: bool = False) -> Convert:
    """The conversion to an activation of Keras."""

    def convert(node: OnnxNode) -> AxisTensor:
        value = node.any_tensor()
        made = node.layer(layers.Activation, value.tensor, activation=name)
        return value.changed(made, nonnegative=nonnegative)

    return convert


def operation(function: Callable[..., Any], *given: Any) -> Convert:
    """The conversion to an operation of `keras.ops`."""

    def convert(node: OnnxNode) -> AxisTensor:
        value = node.any_tensor()
        return value.changed(node.operation(function, value.tensor, *given))

    return convert


def identity(node: OnnxNode) -> AxisTensor:
    """Identity, and Cast to a type that holds the same numbers."""
    return node.any_tensor()


def cast(node: OnnxNode) -> AxisTensor:
    """Cast between floats, all of which have 32 bits here."""
    from onnx import TensorProto

    if node.attributes["to"] not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        raise node.error(
            "converts to another type",
            received=TensorProto.DataType.keys()[node.attributes["to"]],
            allowed="FLOAT",
            remedy="export the network in 32 bits, up to its logits",
        )
    return node.any_tensor()


def dropout(node: OnnxNode) -> AxisTensor:
    """Dropout, which does nothing in inference."""
    value = node.any_tensor()
    rate = float(np.reshape(node.setting("ratio", 1, 0.5), ()))
    made = node.layer(layers.Dropout, value.tensor, rate=rate)
    return value.changed(made, nonnegative=value.nonnegative)


def relu(node: OnnxNode) -> AxisTensor:
    """Relu."""
    value = node.any_tensor()
    return value.changed(node.layer(layers.ReLU, value.tensor), nonnegative=True)


def leaky_relu(node: OnnxNode) -> AxisTensor:
    """LeakyRelu."""
    value, slope = node.any_tensor(), float(node.attributes.get("alpha", 0.01))
    return value.changed(node.layer(layers.LeakyReLU, value.tensor, negative_slope=slope))


def elu(node: OnnxNode) -> AxisTensor:
    """Elu."""
    value, alpha = node.any_tensor(), float(node.attributes.get("alpha", 1.0))
    return value.changed(node.layer(layers.ELU, value.tensor, alpha=alpha))


def selu(node: OnnxNode) -> AxisTensor:
    """Selu with its own constants."""
    alpha = node.attributes.get("alpha", _SELU_ALPHA)
    gamma = node.attributes.get("gamma", _SELU_GAMMA)
    if not isclose(alpha, _SELU_ALPHA, rel_tol=1e-4) or not isclose(
        gamma, _SELU_GAMMA, rel_tol=1e-4
    ):
        raise node.error("has constants of its own", received=f"alpha {alpha}, gamma {gamma}")
    return activation("selu")(node)


def gelu(node: OnnxNode) -> AxisTensor:
    """Gelu, exact or by tanh."""
    value, tanh = node.any_tensor(), node.attributes.get("approximate", "none") == "tanh"
    return value.changed(node.operation(ops.gelu, value.tensor, approximate=tanh))


def mish(node: OnnxNode) -> AxisTensor:
    """Mish: `x * tanh(softplus(x))`, step by step, since the steps have integer kernels."""
    value = node.any_tensor()
    soft = node.layer(layers.Activation, value.tensor, part="softplus", activation="softplus")
    factor = node.layer(layers.Activation, soft, part="tanh", activation="tanh")
    return value.changed(node.layer(layers.Multiply, [value.tensor, factor]))


def swish(node: OnnxNode) -> AxisTensor:
    """Swish: `x * sigmoid(alpha * x)`, which Keras has for alpha = 1."""
    alpha = float(node.attributes.get("alpha", 1.0))
    if alpha != 1:
        raise node.error("has a slope of its own", received=f"alpha {alpha}", allowed="alpha 1")
    return activation("silu")(node)


def hard_sigmoid(node: OnnxNode) -> AxisTensor:
    """HardSigmoid: `clip(alpha * x + beta, 0, 1)`, which Keras has for alpha = 1 / 6."""
    alpha = float(node.attributes.get("alpha", 0.2))
    beta = float(node.attributes.get("beta", 0.5))
    if isclose(alpha, 1 / 6, rel_tol=1e-5) and beta == 0.5:
        return activation("hard_sigmoid", nonnegative=True)(node)
    value = node.any_tensor()
    scaled = node.layer(layers.Rescaling, value.tensor, part="scale", scale=alpha, offset=beta)
    return value.changed(node.operation(ops.clip, scaled, 0.0, 1.0), nonnegative=True)


def clip(node: OnnxNode) -> AxisTensor:
    """Clip; from 0 on, it is a rectifier."""
    value = node.any_tensor()
    low = _bound(node.setting("min", 1, -np.inf))
    high = _bound(node.setting("max", 2, np.inf))
    if low == 0:
        limit = None if np.isinf(high) else high
        made = node.layer(layers.ReLU, value.tensor, max_value=limit)
    else:
        made = node.operation(ops.clip, value.tensor, low, high)
    return value.changed(made, nonnegative=low >= 0)


def _bound(value: Any) -> float:
    """A bound as a number; exporters write the largest of 32 bits where there is none."""
    found = float(np.reshape(value, ()))
    return found if abs(found) < np.finfo(np.float32).max else float(np.copysign(np.inf, found))


def prelu(node: OnnxNode) -> AxisTensor:
    """PRelu: one slope for all numbers, for each channel, or for each element."""
    value = node.any_tensor()
    slopes = in_tensor_order(node.constant(1), value)
    if slopes is None:
        raise node.error("has slopes that do not fit its input")
    sizes = (*[1] * (value.rank - 1 - slopes.ndim), *slopes.shape)
    slopes = slopes.reshape(sizes)
    shared = [axis for axis, size in enumerate(sizes, 1) if size == 1]
    return value.changed(
        node.layer(layers.PReLU, value.tensor, [slopes], shared_axes=shared or None)
    )


def reciprocal(node: OnnxNode) -> AxisTensor:
    """Reciprocal."""
    value = node.any_tensor()
    return value.changed(node.operation(lambda x: ops.divide(1.0, x), value.tensor))


def softmax(name: str) -> Convert:
    """The conversion of Softmax and LogSoftmax."""

    def convert(node: OnnxNode) -> AxisTensor:
        value = node.any_tensor()
        whole = node.opset >= _ONE_AXIS
        axis = value.axis(node.attributes.get("axis", -1 if whole else 1))
        if axis == 0 or (not whole and prod(value.sizes[axis:]) != 1):
            raise node.error(
                "is along several axes, or along samples",
                received=f"axis {axis} of {value.rank}",
                allowed="one axis of each sample",
                remedy="export the network with opset_version=13 or newer",
            )
        if value.order[-1] != axis:
            value = node.permuted(value, last(value.order, axis))
        made = node.layer(layers.Activation, value.tensor, activation=name)
        return value.changed(made, nonnegative=name == "softmax")

    return convert
