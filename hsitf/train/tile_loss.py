"""Cross-entropy of the pixels of tiles."""

from __future__ import annotations

import keras
from keras import ops


class TileCrossentropy(keras.losses.Loss):  # type: ignore[misc]
    """Mean cross-entropy of a batch's pixels by their weights; those of weight 0 do not count.

    Args:
        label_smoothing: Share of a target that is spread over all classes alike.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__(name="tile_crossentropy", reduction="mean_with_sample_weight")
        self._label_smoothing = label_smoothing

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Classes `(batch, tile, tile)` and logits of them -> losses `(batch, tile, tile)`."""
        shares = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1])
        return keras.losses.categorical_crossentropy(
            shares, y_pred, from_logits=True, label_smoothing=self._label_smoothing
        )
