"""Products with a matrix of weights, and biases."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers

from hsitf.adopt.onnx.axes import AxisTensor, graph_order, last
from hsitf.adopt.onnx.node import Constant, OnnxNode, in_tensor_order
from hsitf.arrays import Float32Array

# Layers whose bias may stand in a node of its own.
_BIASED = (
    layers.Dense,
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
)


def gemm(node: OnnxNode) -> AxisTensor:
    """Gemm: `alpha * x @ w + beta * c` of vectors."""
    value = node.tensor(0)
    if value.rank != 2 or node.attributes.get("transA", 0):
        raise node.error("multiplies something else than one vector a sample", received=value.sizes)
    kernel = node.weights(1) * np.float32(node.attributes.get("alpha", 1.0))
    if node.attributes.get("transB", 0):
        kernel = kernel.T
    bias = []
    if node.has(2):
        added = node.weights(2) * np.float32(node.attributes.get("beta", 1.0))
        if added.ndim > 1 and added.shape[0] != 1:
            raise node.error("adds one number for each sample", received=added.shape)
        bias = [np.broadcast_to(added.reshape(-1), kernel.shape[1:])]
    return _dense(node, value, 1, kernel, bias)


def matrix_product(node: OnnxNode) -> AxisTensor:
    """MatMul with a constant matrix behind or in front: a dense layer along one axis."""
    first = isinstance(node.inputs[0], AxisTensor)
    if first and isinstance(node.inputs[1], AxisTensor):
        raise node.error(
            "is a product of two tensors of the network, such as attention",
            allowed="one with a matrix of weights",
            remedy="adopt a network without attention",
        )
    value = node.any_tensor(0 if first else 1)
    kernel = node.weights(1 if first else 0)
    while kernel.ndim > 2 and kernel.shape[0] == 1:
        kernel = kernel[0]
    axis = value.axis(-1 if first or value.graph_rank == 1 else -2)
    if kernel.ndim != 2 or axis < 1:
        raise node.error(
            "multiplies with something else than one matrix of weights", received=kernel.shape
        )
    return _dense(node, value, axis, kernel if first else kernel.T, [])


def _dense(
    node: OnnxNode, value: AxisTensor, axis: int, kernel: Float32Array, bias: list[Any]
) -> AxisTensor:
    """A dense layer along an axis of the graph."""
    if value.sizes[axis - 1] != kernel.shape[0]:
        raise node.error(
            "has weights that do not fit its input", received=f"{kernel.shape}, {value.sizes}"
        )
    if value.order[-1] != axis:
        value = node.permuted(value, last(graph_order(value.rank), axis))
    made = node.layer(
        layers.Dense,
        value.tensor,
        [kernel, *bias],
        units=kernel.shape[1],
        use_bias=bool(bias),
    )
    return value.changed(made)


def with_bias(node: OnnxNode, value: AxisTensor, constant: Constant) -> AxisTensor | None:
    """The layer that made a tensor, with a constant that is added to it as its bias.

    Exporters write a dense layer as a product and a sum. None where the tensor was not made by a
    layer without bias, others read it too, or the constant is no bias.
    """
    history = value.tensor._keras_history
    layer = history.operation
    added = in_tensor_order(constant, value)
    if not (node.unshared and isinstance(layer, _BIASED)) or layer.use_bias:
        return None
    if added is None or added.ndim > 1 or added.size not in (1, value.tensor.shape[-1]):
        return None
    (source,) = layer._inbound_nodes[history.node_index].input_tensors
    biased = type(layer).from_config({**layer.get_config(), "use_bias": True})
    made = biased(source)
    bias = np.broadcast_to(added.reshape(-1), (int(made.shape[-1]),))
    biased.set_weights([*layer.get_weights(), bias])
    return value.changed(made)
