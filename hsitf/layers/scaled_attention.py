"""Multi-head attention with a scale or biases of its own, as some published networks have it."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="hsitf")
class ScaledAttention(keras.layers.MultiHeadAttention):  # type: ignore[misc]
    """MultiHeadAttention with a scale of its own, and biases of its output alone.

    The scores are `scale * q k^T`, where Keras has the width of a head to the power of -1/2, as the
    published code of some networks takes another number or none.

    Source: A. Vaswani et al., Attention is all you need, NeurIPS, 2017, for the layer itself.

    Args:
        num_heads: Number of heads.
        key_dim: Width of the queries and keys of a head.
        scale: Factor of the scores; that of Keras where None.
        output_bias: Whether the output projection has biases; as the others do where None.
        options: Options of MultiHeadAttention.
    """

    _use_bias: bool

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        scale: float | None = None,
        output_bias: bool | None = None,
        **options: Any,
    ) -> None:
        super().__init__(num_heads, key_dim, **options)
        self.scale, self.output_bias = scale, output_bias
        if scale is not None:
            self._inverse_sqrt_key_dim = scale

    def _make_output_dense(self, *arguments: Any, **named: Any) -> Any:
        """The output projection, with biases of its own choice."""
        biases: bool = self._use_bias
        if self.output_bias is not None:
            self._use_bias = self.output_bias
        try:
            return super()._make_output_dense(*arguments, **named)
        finally:
            self._use_bias = biases

    def get_config(self) -> dict[str, Any]:
        """The layer's arguments."""
        own = {"scale": self.scale, "output_bias": self.output_bias}
        return {**super().get_config(), **own}
