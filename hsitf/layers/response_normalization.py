"""Normalization by neighboring channels, as papers of 2012 have it."""

from __future__ import annotations

from typing import Any

import keras
from keras import KerasTensor, ops


@keras.saving.register_keras_serializable(package="hsitf")
class LocalResponseNormalization(keras.layers.Layer):  # type: ignore[misc]
    """Divides each channel by what its neighbors among the channels amount to.

    `y[c] = x[c] / (bias + alpha / size * sum(x[n] ** 2)) ** beta`, the sum over the `size`
    channels from `c - size // 2` to `c + (size - 1) // 2`, as far as there are such. Unlike
    TensorFlow's, and like PyTorch's, `alpha` is divided by the size.

    Source: A. Krizhevsky, I. Sutskever, G. E. Hinton, ImageNet classification with deep
    convolutional neural networks, NeurIPS, 2012, section 3.3.

    Args:
        size: Number of neighboring channels, the channel itself included.
        alpha: Weight of their mean square.
        beta: Exponent.
        bias: Constant added to the weighted mean square.
        options: Options of every Keras layer.
    """

    def __init__(
        self, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0, **options: Any
    ) -> None:
        super().__init__(**options)
        self.size, self.alpha, self.beta, self.bias = size, alpha, beta, bias

    def call(self, inputs: KerasTensor) -> KerasTensor:
        """`(..., channels)` -> the same shape."""
        channel = ops.arange(inputs.shape[-1])
        offset = ops.expand_dims(channel, 1) - channel
        near = (offset >= -(self.size // 2)) & (offset <= (self.size - 1) // 2)
        squares = ops.matmul(ops.square(inputs), ops.cast(near, inputs.dtype))
        return inputs / (self.bias + self.alpha / self.size * squares) ** self.beta

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Leaves the shape as it is."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The layer's arguments."""
        own = {"size": self.size, "alpha": self.alpha, "beta": self.beta, "bias": self.bias}
        return {**super().get_config(), **own}
