"""The two layers that a simulation is made of: rounding to a grid, and sums that saturate."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from hsitf.quantize.schemes import Floats, Grid
from hsitf.quantize.stages import KERNELS, Behind

_WIDE = float(np.finfo(np.float32).max)
# Steps of an 8-bit weight to either side of zero.
_WEIGHT_STEPS = 127


class Rounding(layers.Layer):  # type: ignore[misc]
    """Puts a tensor on a grid that can be changed without compiling again; off at first."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, trainable=False)
        self._grid = [
            self.add_weight(shape=(), initializer=start, name=part, trainable=False)
            for part, start in (
                ("scale", "ones"),
                ("zero", "zeros"),
                ("low", "zeros"),
                ("high", "zeros"),
                ("active", "zeros"),
            )
        ]
        # Until a grid is given, sums of what leaves here count in no unit.
        self.unit = 0.0

    def put(self, grid: Grid | None) -> None:
        """Rounds to a grid from now on; None leaves numbers as they are."""
        if grid is None:
            self._grid[4].assign(0.0)
            self.unit = 0.0
            return
        values = (grid.scale, grid.zero, grid.low, grid.high, 1.0)
        for variable, value in zip(self._grid, values, strict=True):
            variable.assign(np.float32(value))
        self.unit = grid.unit

    def call(self, inputs: Any) -> Any:
        """The nearest numbers of the grid."""
        scale, zero, low, high, active = self._grid
        steps = ops.clip(ops.round(inputs / scale + zero), low, high)
        return ops.where(ops.greater(active, 0.5), (steps - zero) * scale, inputs)


class Summing(layers.Layer):  # type: ignore[misc]
    """A kernel's sums of products with the bias, held between two bounds for each channel.

    A processor saturates at every addition; here the finished sum does, as in the studies.

    Attributes:
        behind: The normalization that is multiplied into it; None where there is none.
        shape: Of the kernel.
        layout: Of the kernel; see `stages.KERNELS`.
        rows: (channels, products) float32, trained weights with the normalization behind them.
        bias: (channels,) float32.
    """

    def __init__(self, layer: Any, behind: layers.BatchNormalization | None, name: str) -> None:
        super().__init__(name=name, trainable=False)
        config = {**layer.get_config(), "activation": None, "use_bias": False, "name": "kernel"}
        self.inner = type(layer).from_config(config)
        self.layout = KERNELS[type(layer)]
        kernel = ops.convert_to_numpy(layer.get_weights()[0])
        self.shape = kernel.shape
        self.rows = self.layout.rows(kernel)
        channels = len(self.rows)
        self.bias = layer.get_weights()[1] if layer.use_bias else np.zeros(channels, np.float32)
        self.behind = None if behind is None else Behind.of(behind)
        if self.behind is not None:
            self.rows = self.rows * self.behind.factor[:, None]
            self.bias = self.bias * self.behind.factor + self.behind.shift
        self._held = [
            self.add_weight(shape=(channels,), initializer="zeros", name=part, trainable=False)
            for part in ("bias", "low", "high")
        ]

    def build(self, shape: Any) -> None:
        """Makes the kernel and fills it with the trained weights."""
        self.inner.build(shape)
        self.put(self.rows, self.bias, None, None)

    def put(self, rows: Floats, bias: Floats, low: Floats | None, high: Floats | None) -> None:
        """Computes with these weights from now on.

        Args:
            rows: (channels, products).
            bias: (channels,).
            low: (channels,) least sums; None for no bound.
            high: (channels,) greatest sums; likewise.
        """
        self.inner.set_weights([self.layout.back(rows, self.shape)])
        wide = np.full(len(bias), _WIDE, np.float32)
        values = (bias, -wide if low is None else low, wide if high is None else high)
        for variable, value in zip(self._held, values, strict=True):
            variable.assign(np.asarray(value, np.float32))

    def call(self, inputs: Any) -> Any:
        """The sums, and for each sample the share of them that saturated."""
        bias, low, high = self._held
        sums = self.inner(inputs) + bias
        held = ops.clip(sums, low, high)
        axes = tuple(range(1, len(sums.shape)))
        return held, ops.mean(ops.cast(ops.not_equal(held, sums), "float32"), axis=axes)

    def compute_output_shape(self, shape: Any) -> Any:
        """Of the sums and of the shares."""
        return self.inner.compute_output_shape(shape), (shape[0],)


class AwareRounding(Rounding):
    """Rounds, and lets gradients through where a number is within its grid.

    Source: B. Jacob et al., Quantization and training of neural networks for efficient
    integer-arithmetic-only inference, CVPR 2018; the straight-through estimator.
    """

    def call(self, inputs: Any) -> Any:
        """The nearest numbers of the grid, with the gradient of clipping."""
        scale, zero, low, high, _ = self._grid
        clipped = ops.clip(inputs, (low - zero) * scale, (high - zero) * scale)
        return clipped + ops.stop_gradient(super().call(inputs) - clipped)


class AwareSumming(Summing):
    """Sums whose weights learn, rounded to 8 bits on one grid a channel in the forward pass."""

    def build(self, shape: Any) -> None:
        """Makes kernel and bias and fills them with the trained weights."""
        self.trainable = True
        self.inner.build(shape)
        self.kernel = self.inner.trainable_weights[0]
        self.kernel.assign(self.layout.back(self.rows, self.shape))
        self.learned = self.add_weight(
            shape=self.bias.shape, initializer="zeros", name="learned", trainable=True
        )
        self.learned.assign(self.bias)

    def call(self, inputs: Any) -> Any:
        """The sums with rounded weights, whose gradient is that of the weights themselves."""
        axes = self.layout.channels
        rank = len(self.shape)
        others = tuple(axis for axis in range(rank) if axis - rank not in axes)
        largest = ops.max(ops.abs(self.kernel), axis=others, keepdims=True)
        step = ops.maximum(largest, 1e-12) / _WEIGHT_STEPS
        rounded = ops.round(self.kernel / step) * step
        kernel = self.kernel + ops.stop_gradient(rounded - self.kernel)
        sums = self.layout.sums(self.inner, inputs, kernel) + self.learned
        return sums, ops.zeros_like(ops.mean(sums, axis=tuple(range(1, len(sums.shape)))))


def activation(layer: Any) -> keras.Layer | None:
    """What a layer does to its sums; None where it leaves them."""
    function = getattr(layer, "activation", None)
    if function in (None, keras.activations.linear):
        return None
    return layers.Activation(function)
