"""What a network's operations are to a simulation: one row a type in `KERNELS`, sets for the rest.

Kernels multiply and sum; what moves numbers makes no new ones; what follows a kernel is computed
before its sum is rounded, as engines do. Everything else makes numbers that are rounded again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from hsitf.graph import Call, walk
from hsitf.quantize.schemes import Floats

Rows = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Kernel:
    """How a layer's kernel is laid out.

    Attributes:
        rows: The kernel as (output channels, products of one sum).
        back: The inverse; takes the kernel's shape besides.
        channels: Axes of the kernel that count output channels, from the end.
        sums: What a layer of this kind makes of its inputs with a kernel given to it, without
            bias and activation.
    """

    rows: Rows
    back: Callable[[Floats, Sequence[int]], Floats]
    channels: tuple[int, ...]
    sums: Callable[[Any, Any, Any], Any]


def _last(kernel: Floats) -> Floats:
    return np.asarray(kernel.reshape(-1, kernel.shape[-1]).T)


def _last_back(rows: Floats, shape: Sequence[int]) -> Floats:
    return np.asarray(rows.T.reshape(shape))


def _two(kernel: Floats) -> Floats:
    return np.asarray(kernel.reshape(-1, kernel.shape[-2] * kernel.shape[-1]).T)


def _turned(kernel: Floats) -> Floats:
    return np.moveaxis(kernel, -2, 0).reshape(kernel.shape[-2], -1)


def _turned_back(rows: Floats, shape: Sequence[int]) -> Floats:
    aside = (shape[-2], *shape[:-2], shape[-1])
    return np.moveaxis(rows.reshape(aside), 0, -2)


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


_DENSE = Kernel(_last, _last_back, (-1,), _product)
_DIRECT = Kernel(_last, _last_back, (-1,), _convolution)
_DEPTHWISE = Kernel(_two, _last_back, (-2, -1), _by_channel)
_TRANSPOSED = Kernel(_turned, _turned_back, (-2,), _transposed)
KERNELS: dict[type[Any], Kernel] = {
    layers.Dense: _DENSE,
    layers.Conv1D: _DIRECT,
    layers.Conv2D: _DIRECT,
    layers.Conv3D: _DIRECT,
    layers.DepthwiseConv1D: _DEPTHWISE,
    layers.DepthwiseConv2D: _DEPTHWISE,
    layers.Conv1DTranspose: _TRANSPOSED,
    layers.Conv2DTranspose: _TRANSPOSED,
    layers.Conv3DTranspose: _TRANSPOSED,
}

MOVING = (
    layers.Reshape,
    layers.Flatten,
    layers.Permute,
    layers.Dropout,
    layers.RepeatVector,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Cropping3D,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.ZeroPadding3D,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
    layers.UpSampling1D,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.GaussianNoise,
)
_MOVING_OPERATIONS = ("Reshape", "Transpose", "GetItem", "Squeeze", "ExpandDims", "Split")
RECURRENT = (layers.SimpleRNN, layers.GRU, layers.LSTM, layers.Bidirectional)
# Engines compute these together with a rectifier behind them.
_RECTIFIED = (*KERNELS, layers.BatchNormalization, layers.Add)


def moves(operation: Any) -> bool:
    """Whether an operation only moves, copies or chooses numbers."""
    return isinstance(operation, MOVING) or (
        not isinstance(operation, keras.Layer) and type(operation).__name__ in _MOVING_OPERATIONS
    )


def rectifies(operation: Any) -> bool:
    """Whether an operation is a rectifier of its own."""
    if isinstance(operation, layers.ReLU):
        return True
    if isinstance(operation, layers.Activation):
        return operation.activation in (keras.activations.relu, keras.activations.relu6)
    return type(operation).__name__ in ("Relu", "Relu6")


@dataclass(frozen=True, eq=False)
class Reading:
    """Who reads what, so that what belongs together is found.

    Attributes:
        sole: By identity of a tensor, the only operation that reads it.
    """

    sole: dict[int, Any]

    @classmethod
    def of(cls, model: keras.Model) -> Reading:
        """Reads a functional model."""
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

    def reader(self, call: Call) -> Any:
        """The only operation that reads what leaves a call; None where there are others."""
        return self.sole.get(id(call.node.outputs[0]))

    def folds(self, call: Call) -> layers.BatchNormalization | None:
        """The normalization that can be multiplied into a kernel."""
        reader = self.reader(call)
        plain = getattr(call.operation, "activation", None) in (None, keras.activations.linear)
        if not plain or not isinstance(reader, layers.BatchNormalization):
            return None
        rank = len(call.shapes[0])
        axis = reader.axis if isinstance(reader.axis, int) else reader.axis[0]
        return reader if axis % rank == rank - 1 else None

    def rounds(self, call: Call) -> bool:
        """Whether what leaves a call is a number of its own, not only a step to the next."""
        if moves(call.operation):
            return False
        reader = self.reader(call)
        if self.is_kernel(call.operation) and self.folds(call) is not None:
            return False
        plain = getattr(call.operation, "activation", None) in (None, keras.activations.linear)
        return not (isinstance(call.operation, _RECTIFIED) and plain and rectifies(reader))

    @staticmethod
    def is_kernel(operation: Any) -> bool:
        """Whether an operation sums products of a kernel."""
        return type(operation) in KERNELS


@dataclass(frozen=True, eq=False)
class Behind:
    """A batch normalization that is multiplied into the kernel before it.

    Attributes:
        layer: Itself.
        factor: (channels,) float32, what inference multiplies each channel by.
        shift: (channels,) float32, what it adds then.
    """

    layer: layers.BatchNormalization
    factor: Floats
    shift: Floats

    @classmethod
    def of(cls, layer: layers.BatchNormalization) -> Behind:
        """Reads a layer's statistics."""
        read = ops.convert_to_numpy
        mean, variance = read(layer.moving_mean), read(layer.moving_variance)
        factor = 1 / np.sqrt(variance + layer.epsilon)
        if layer.scale:
            factor = factor * read(layer.gamma)
        shift = -mean * factor
        if layer.center:
            shift = shift + read(layer.beta)
        return cls(layer, factor.astype(np.float32), shift.astype(np.float32))
