"""Learned tokens and learned positions of transformers."""

from __future__ import annotations

from typing import Any

import keras
from keras import KerasTensor, ops


@keras.saving.register_keras_serializable(package="hsitf")
class LearnedTokens(keras.layers.Layer):  # type: ignore[misc]
    """Puts learned tokens in front of the tokens of each sample, such as a class token.

    Source: A. Dosovitskiy et al., An image is worth 16 x 16 words, ICLR, 2021.

    Args:
        count: Number of learned tokens.
        initializer: Initializer of their values.
        options: Options of every Keras layer.
    """

    def __init__(self, count: int = 1, initializer: Any = "zeros", **options: Any) -> None:
        super().__init__(**options)
        self.count, self.initializer = count, keras.initializers.get(initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the tokens, `(count, width)`."""
        self.tokens = self.add_weight(
            name="tokens", shape=(self.count, input_shape[-1]), initializer=self.initializer
        )

    def call(self, inputs: KerasTensor) -> KerasTensor:
        """`(batch, tokens, width)` -> `(batch, count + tokens, width)`."""
        shape = (ops.shape(inputs)[0], self.count, inputs.shape[-1])
        learned = ops.broadcast_to(ops.cast(self.tokens, inputs.dtype), shape)
        return ops.concatenate([learned, inputs], axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As many tokens more as there are learned ones."""
        batch, tokens, width = input_shape
        return batch, None if tokens is None else tokens + self.count, width

    def get_config(self) -> dict[str, Any]:
        """The layer's arguments."""
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "count": self.count, "initializer": initializer}


@keras.saving.register_keras_serializable(package="hsitf")
class PositionEmbedding(keras.layers.Layer):  # type: ignore[misc]
    """Adds a learned vector to the token at each position.

    Source: A. Dosovitskiy et al., An image is worth 16 x 16 words, ICLR, 2021.

    Args:
        initializer: Initializer of the vectors.
        options: Options of every Keras layer.
    """

    def __init__(self, initializer: Any = "zeros", **options: Any) -> None:
        super().__init__(**options)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the vectors, `(tokens, width)`."""
        self.positions = self.add_weight(
            name="positions", shape=tuple(input_shape[1:]), initializer=self.initializer
        )

    def call(self, inputs: KerasTensor) -> KerasTensor:
        """`(batch, tokens, width)` -> the same shape."""
        return inputs + ops.cast(self.positions, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Leaves the shape as it is."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The layer's arguments."""
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "initializer": initializer}
