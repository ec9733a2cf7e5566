"""Parts that several transformers have."""

from __future__ import annotations

from typing import Any

from keras import KerasTensor, layers

from hsitf.layers import ScaledAttention


def encoder(
    x: KerasTensor, attention: dict[str, Any], hidden: int, dropout: float, name: str
) -> KerasTensor:
    """An encoder with normalization in front: `x + attention(norm(x))`, then `x + mlp(norm(x))`.

    Args:
        x: `(batch, tokens, width)`.
        attention: Arguments of `ScaledAttention`.
        hidden: Units of the hidden layer.
        dropout: Share that dropout removes behind each layer.
        name: Prefix of the layers' names.
    """
    normed = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm1")(x)
    seen = ScaledAttention(**attention, name=f"{name}_attention")(normed, normed)
    seen = layers.Dropout(dropout, name=f"{name}_dropout1")(seen)
    x = layers.Add(name=f"{name}_sum1")([x, seen])
    made = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm2")(x)
    made = layers.Dense(hidden, activation="gelu", name=f"{name}_dense1")(made)
    made = layers.Dropout(dropout, name=f"{name}_dropout2")(made)
    made = layers.Dense(x.shape[-1], name=f"{name}_dense2")(made)
    made = layers.Dropout(dropout, name=f"{name}_dropout3")(made)
    return layers.Add(name=f"{name}_sum2")([x, made])
