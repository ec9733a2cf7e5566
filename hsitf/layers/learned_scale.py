"""A learned factor, as some attention modules blend in what they have found."""

from __future__ import annotations

from typing import Any

import keras
from keras import KerasTensor


@keras.saving.register_keras_serializable(package="hsitf")
class LearnedScale(keras.layers.Layer):  # type: ignore[misc]
    """Multiplies by one learned number, which is 0 at first.

    Source: J. Fu et al., Dual attention network for scene segmentation, CVPR, 2019, equation 2.

    Args:
        initializer: Initializer of the number.
        options: Options of every Keras layer.
    """

    def __init__(self, initializer: Any = "zeros", **options: Any) -> None:
        super().__init__(**options)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the number."""
        self.factor = self.add_weight(name="factor", shape=(), initializer=self.initializer)

    def call(self, inputs: KerasTensor) -> KerasTensor:
        """`(batch, ...)` -> the same shape."""
        return inputs * keras.ops.cast(self.factor, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Leaves the shape as it is."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """The layer's arguments."""
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "initializer": initializer}
