"""Roles of operations in quantization: layers with kernels, data movement, quantized outputs.

Kernels compute sums of products; data movement computes nothing; a rectifier or batch
normalization after a kernel is computed before the sum is quantized, as inference engines do. The
output of every other operation is quantized again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from hsitf.arrays import Float32Array
from hsitf.graph import Call, walk
from hsitf.operators import find, row_of_type

Rows = Callable[[Float32Array], Float32Array]


@dataclass(frozen=True)
class KernelLayout:
    """Layout of a layer type's kernel.

    Attributes:
        to_matrix: Reshapes a kernel to (output channels, products per sum).
        from_matrix: The inverse of `to_matrix`; takes the matrix and the shape of the kernel.
        channel_axes: Output channel axes of the kernel, counted from the end.
        apply: Computes the layer with a given kernel, without bias and activation.
    """

    to_matrix: Rows
    from_matrix: Callable[[Float32Array, Sequence[int]], Float32Array]
    channel_axes: tuple[int, ...]
    apply: Callable[[Any, Any, Any], Any]

    @classmethod
    def of(cls, kind: type[Any], apply: Callable[[Any, Any, Any], Any]) -> KernelLayout:
        """The layout of a layer type, as its row in `hsitf.operators` has it."""
        (axes,) = row_of_type(kind).kernels
        return cls(axes.to_matrix, axes.from_matrix, axes.makes, apply)


def _product(layer: Any, inputs: Any, kernel: Any) -> Any:
    return ops.matmul(inputs, kernel)


def _convolution(layer: Any, inputs: Any, kernel: Any) -> Any:
    return layer.convolution_op(inputs, kernel)


def _by_channel(layer: Any, inputs: Any, kernel: Any) -> Any:
    return ops.depthwise_conv(
        inputs, kernel, layer.strides, layer.padding, layer.data_format, layer.dilation_rate
    )


def _transposed(layer: Any, inputs: Any, kernel: Any) -> Any:
    return ops.conv_transpose(
        inputs,
        kernel,
        layer.strides,
        layer.padding,
        layer.output_padding,
        layer.data_format,
        layer.dilation_rate,
    )


# Computes a layer of each type with a given kernel.
_APPLY: dict[type[Any], Callable[[Any, Any, Any], Any]] = {
    layers.Dense: _product,
    layers.Conv1D: _convolution,
    layers.Conv2D: _convolution,
    layers.Conv3D: _convolution,
    layers.DepthwiseConv1D: _by_channel,
    layers.DepthwiseConv2D: _by_channel,
    layers.Conv1DTranspose: _transposed,
    layers.Conv2DTranspose: _transposed,
    layers.Conv3DTranspose: _transposed,
}
KERNELS = {kind: KernelLayout.of(kind, apply) for kind, apply in _APPLY.items()}

# These only move data, too; quantizing them again with the same scale changes nothing, and keeps
# the numbering of earlier studies.
_ROUNDED_AGAIN = ("Pad", "Take")
# Engines compute a rectifier after one of these together with it.
_RECTIFIED = (*KERNELS, layers.BatchNormalization, layers.Add)


def only_moves_data(operation: Any) -> bool:
    """Whether an operation only moves, copies or selects values."""
    row = find(operation)
    return row is not None and row.keeps_values and type(operation).__name__ not in _ROUNDED_AGAIN


def is_recurrent(operation: Any) -> bool:
    """Whether an operation processes a sequence step by step, in one direction or both."""
    row = find(operation)
    recurrent = row is not None and row.is_recurrent
    return recurrent or isinstance(operation, layers.Bidirectional)


def is_rectifier(operation: Any) -> bool:
    """Whether an operation is a rectifier (ReLU or ReLU6)."""
    if isinstance(operation, layers.ReLU):
        return True
    if isinstance(operation, layers.Activation):
        return operation.activation in (keras.activations.relu, keras.activations.relu6)
    return type(operation).__name__ in ("Relu", "Relu6")


@dataclass(frozen=True, eq=False)
class ConsumerGraph:
    """Consumers of each tensor of a network.

    Attributes:
        single_consumers: The consuming operation by identity of a tensor, for tensors with exactly
            one consumer.
    """

    single_consumers: dict[int, Any]

    @classmethod
    def of(cls, model: keras.Model) -> ConsumerGraph:
        """Collects the consumers in a functional model."""
        counts: Counter[int] = Counter()
        readers: dict[int, Any] = {}

        def visit(call: Call, values: list[None]) -> list[None]:
            for tensor in call.node.arguments.keras_tensors:
                counts[id(tensor)] += 1
                readers[id(tensor)] = call.operation
            return [None] * len(call.node.outputs)

        walk(model, [None] * len(model.inputs), visit)
        for tensor in model.outputs:
            counts[id(tensor)] += 1
        return cls({key: reader for key, reader in readers.items() if counts[key] == 1})

    def single_consumer(self, call: Call) -> Any:
        """The only consumer of a call's first output; None where there are several or none."""
        return self.single_consumers.get(id(call.node.outputs[0]))

    def foldable_batch_norm(self, call: Call) -> layers.BatchNormalization | None:
        """The batch normalization that can be folded into the kernel of a call, or None."""
        reader = self.single_consumer(call)
        plain = getattr(call.operation, "activation", None) in (None, keras.activations.linear)
        if not plain or not isinstance(reader, layers.BatchNormalization):
            return None
        rank = len(call.shapes[0])
        axis = reader.axis if isinstance(reader.axis, int) else reader.axis[0]
        return reader if axis % rank == rank - 1 else None

    def is_quantized_output(self, call: Call) -> bool:
        """Whether the output of a call is quantized, not only an intermediate result."""
        if only_moves_data(call.operation):
            return False
        reader = self.single_consumer(call)
        if self.is_kernel(call.operation) and self.foldable_batch_norm(call) is not None:
            return False
        plain = getattr(call.operation, "activation", None) in (None, keras.activations.linear)
        return not (isinstance(call.operation, _RECTIFIED) and plain and is_rectifier(reader))

    @staticmethod
    def is_kernel(operation: Any) -> bool:
        """Whether an operation is a layer with a kernel."""
        return type(operation) in KERNELS


@dataclass(frozen=True, eq=False)
class FoldedBatchNorm:
    """A batch normalization folded into the kernel before it.

    Attributes:
        layer: The normalization layer.
        factor: (channels,) float32 multiplier of inference.
        shift: (channels,) float32 offset added after multiplying.
    """

    layer: layers.BatchNormalization
    factor: Float32Array
    shift: Float32Array

    @classmethod
    def of(cls, layer: layers.BatchNormalization) -> FoldedBatchNorm:
        """Computes factor and shift from a layer's statistics."""
        read = ops.convert_to_numpy
        mean, variance = read(layer.moving_mean), read(layer.moving_variance)
        factor = 1 / np.sqrt(variance + layer.epsilon)
        if layer.scale:
            factor = factor * read(layer.gamma)
        shift = -mean * factor
        if layer.center:
            shift = shift + read(layer.beta)
        return cls(layer, factor.astype(np.float32), shift.astype(np.float32))
