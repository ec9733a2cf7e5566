"""Layers of a simulated quantized network: fake quantization and saturating sums of products."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from hsitf.arrays import Float32Array
from hsitf.quantize.roles import KERNELS, FoldedBatchNorm
from hsitf.quantize.schemes import QuantizationParams

_WIDE = float(np.finfo(np.float32).max)
# Quantized values of an 8-bit weight to either side of zero.
_WEIGHT_STEPS = 127


class FakeQuantize(layers.Layer):  # type: ignore[misc]
    """Quantizes and dequantizes a tensor.

    The parameters can be changed without compiling the network again; at first there are none and
    the tensor passes unchanged.

    Attributes:
        accumulator_scale: Scale of sums of products of the tensor; 0 without parameters.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name, trainable=False)
        self._params = [
            self.add_weight(shape=(), initializer=start, name=part, trainable=False)
            for part, start in (
                ("scale", "ones"),
                ("zero", "zeros"),
                ("low", "zeros"),
                ("high", "zeros"),
                ("active", "zeros"),
            )
        ]
        self.accumulator_scale = 0.0

    def set_params(self, params: QuantizationParams | None) -> None:
        """Quantizes with these parameters from now on; None passes tensors unchanged."""
        if params is None:
            self._params[4].assign(0.0)
            self.accumulator_scale = 0.0
            return
        values = (params.scale, params.zero_point, params.qmin, params.qmax, 1.0)
        for variable, value in zip(self._params, values, strict=True):
            variable.assign(np.float32(value))
        self.accumulator_scale = params.accumulator_scale

    def call(self, inputs: Any) -> Any:
        """Returns the nearest representable numbers."""
        scale, zero, low, high, active = self._params
        steps = ops.clip(ops.round(inputs / scale + zero), low, high)
        return ops.where(ops.greater(active, 0.5), (steps - zero) * scale, inputs)


class QuantizedMatmul(layers.Layer):  # type: ignore[misc]
    """Sums of products of a layer with quantized weights, saturated per channel.

    Convolutions, dense layers and depthwise convolutions alike. A processor saturates at every
    addition; here the finished sum does, as in the published studies.

    Attributes:
        batch_norm: Batch normalization folded into the weights; None where there is none.
        kernel_shape: Shape of the kernel.
        kernel_layout: Layout of the kernel; see `roles.KERNELS`.
        weight_matrix: (channels, products) float32, trained weights with the batch normalization
            folded in.
        bias: (channels,) float32, likewise.
    """

    def __init__(self, layer: Any, batch_norm: layers.BatchNormalization | None, name: str) -> None:
        super().__init__(name=name, trainable=False)
        config = {**layer.get_config(), "activation": None, "use_bias": False, "name": "kernel"}
        self.inner = type(layer).from_config(config)
        self.kernel_layout = KERNELS[type(layer)]
        kernel = ops.convert_to_numpy(layer.get_weights()[0])
        self.kernel_shape = kernel.shape
        self.weight_matrix = self.kernel_layout.to_matrix(kernel)
        channels = len(self.weight_matrix)
        self.bias = layer.get_weights()[1] if layer.use_bias else np.zeros(channels, np.float32)
        self.batch_norm = None if batch_norm is None else FoldedBatchNorm.of(batch_norm)
        if self.batch_norm is not None:
            self.weight_matrix = self.weight_matrix * self.batch_norm.factor[:, None]
            self.bias = self.bias * self.batch_norm.factor + self.batch_norm.shift
        self._held = [
            self.add_weight(shape=(channels,), initializer="zeros", name=part, trainable=False)
            for part in ("bias", "low", "high")
        ]

    def build(self, shape: Any) -> None:
        """Creates the kernel and fills it with the trained weights."""
        self.inner.build(shape)
        self.set_quantized_weights(self.weight_matrix, self.bias, None, None)

    def set_quantized_weights(
        self,
        weight_matrix: Float32Array,
        bias: Float32Array,
        low: Float32Array | None,
        high: Float32Array | None,
    ) -> None:
        """Computes with these weights from now on.

        Args:
            weight_matrix: (channels, products) quantized weights.
            bias: (channels,) quantized biases.
            low: (channels,) smallest sums; None for no bound.
            high: (channels,) largest sums; None for no bound.
        """
        self.inner.set_weights([self.kernel_layout.from_matrix(weight_matrix, self.kernel_shape)])
        wide = np.full(len(bias), _WIDE, np.float32)
        values = (bias, -wide if low is None else low, wide if high is None else high)
        for variable, value in zip(self._held, values, strict=True):
            variable.assign(np.asarray(value, np.float32))

    def call(self, inputs: Any) -> Any:
        """Returns the sums, and for each sample the share of them that saturated."""
        bias, low, high = self._held
        sums = self.inner(inputs) + bias
        held = ops.clip(sums, low, high)
        axes = tuple(range(1, len(sums.shape)))
        return held, ops.mean(ops.cast(ops.not_equal(held, sums), "float32"), axis=axes)

    def compute_output_shape(self, shape: Any) -> Any:
        """Returns the shapes of the sums and of the saturated shares."""
        return self.inner.compute_output_shape(shape), (shape[0],)


class TrainableFakeQuantize(FakeQuantize):
    """Fake quantization with a straight-through gradient inside the range.

    Source: B. Jacob et al., Quantization and training of neural networks for efficient
    integer-arithmetic-only inference, CVPR 2018; the straight-through estimator.
    """

    def call(self, inputs: Any) -> Any:
        """Returns the nearest representable numbers, with the gradient of clipping."""
        scale, zero, low, high, _ = self._params
        clipped = ops.clip(inputs, (low - zero) * scale, (high - zero) * scale)
        return clipped + ops.stop_gradient(super().call(inputs) - clipped)


class TrainableMatmul(QuantizedMatmul):
    """Sums of products with trainable weights, quantized per channel to 8 bits when computed."""

    def build(self, shape: Any) -> None:
        """Creates kernel and bias and fills them with the trained weights."""
        self.trainable = True
        self.inner.build(shape)
        self.kernel = self.inner.trainable_weights[0]
        self.kernel.assign(self.kernel_layout.from_matrix(self.weight_matrix, self.kernel_shape))
        self.trained_bias = self.add_weight(
            shape=self.bias.shape, initializer="zeros", name="learned", trainable=True
        )
        self.trained_bias.assign(self.bias)

    def call(self, inputs: Any) -> Any:
        """Returns the sums with quantized weights; gradients pass to the float weights."""
        axes = self.kernel_layout.channel_axes
        rank = len(self.kernel_shape)
        others = tuple(axis for axis in range(rank) if axis - rank not in axes)
        largest = ops.max(ops.abs(self.kernel), axis=others, keepdims=True)
        step = ops.maximum(largest, 1e-12) / _WEIGHT_STEPS
        rounded = ops.round(self.kernel / step) * step
        kernel = self.kernel + ops.stop_gradient(rounded - self.kernel)
        sums = self.kernel_layout.apply(self.inner, inputs, kernel) + self.trained_bias
        return sums, ops.zeros_like(ops.mean(sums, axis=tuple(range(1, len(sums.shape)))))


def activation(layer: Any) -> keras.Layer | None:
    """The activation of a layer as a layer of its own; None where it has none."""
    function = getattr(layer, "activation", None)
    if function in (None, keras.activations.linear):
        return None
    return layers.Activation(function)
