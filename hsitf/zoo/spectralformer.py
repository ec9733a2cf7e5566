"""SpectralFormer of Hong et al.: a token for each band and its neighbors, five encoders."""

from __future__ import annotations

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from hsitf.layers import LearnedTokens, PositionEmbedding
from hsitf.zoo import Network, Recipe
from hsitf.zoo._transformer import encoder

NETWORK = Network(
    paper=(
        "D. Hong, Z. Han, J. Yao, L. Gao, B. Zhang, A. Plaza, J. Chanussot, SpectralFormer: "
        "rethinking hyperspectral image classification with transformers, IEEE Trans. Geoscience "
        "and Remote Sensing 60, 5518615, 2022"
    ),
    patch=7,
    recipe=Recipe(
        optimizer="adam", learning_rate=5e-4, batch_size=64, epochs=300, weight_decay=5e-3
    ),
    short_epochs=30,
)

_WIDTH, _HEADS, _HIDDEN, _DEPTH, _DROPOUT = 64, 4, 8, 5, 0.1
# Encoders from this one on also read what entered the one two before.
_FUSED_FROM = 2


def build(bands: int, classes: int, patch: int, neighbors: int = 3) -> keras.Model:
    """`(patch, patch, bands)` -> logits of the class token; a patch of 1 is the pixel-wise variant.

    The bands are a ring, as in the authors' code: the neighbors of the first band are the second
    and the last one.

    Args:
        bands: Number of input bands.
        classes: Number of logits.
        patch: Side of the patch in pixels.
        neighbors: Bands that a token holds, odd: the paper has 3 for Indian Pines and 7 for Pavia.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((patch * patch, bands), name="pixels")(inputs)
    x = layers.Permute((2, 1), name="bands")(x)
    around = np.arange(-(neighbors // 2), neighbors // 2 + 1)
    ring = (np.arange(bands)[:, None] + around) % bands
    x = ops.take(x, ring.ravel().tolist(), axis=1)
    x = layers.Reshape((bands, neighbors * patch * patch), name="neighborhoods")(x)
    x = layers.Dense(_WIDTH, name="embedding")(x)
    normal = keras.initializers.RandomNormal()
    x = LearnedTokens(1, normal, name="class_token")(x)
    x = PositionEmbedding(normal, name="positions")(x)
    x = layers.Dropout(_DROPOUT, name="dropout")(x)
    attention = {
        "num_heads": _HEADS,
        "key_dim": _WIDTH // _HEADS,
        "use_bias": False,
        "output_bias": True,
    }
    entered: list[KerasTensor] = []
    for number in range(_DEPTH):
        name = f"encoder{number + 1}"
        entered.append(x)
        if number >= _FUSED_FROM:
            x = _fused(x, entered[number - _FUSED_FROM], name)
        x = encoder(x, attention, _HIDDEN, _DROPOUT, name)
    x = layers.LayerNormalization(epsilon=1e-5, name="norm")(x[:, 0])
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="spectralformer")


def _fused(x: KerasTensor, earlier: KerasTensor, name: str) -> KerasTensor:
    """Two layers' tokens mixed into as many: a convolution across both with tokens as channels."""
    tokens, width = x.shape[1:]
    parts = []
    for number, part in enumerate((x, earlier), 1):
        part = layers.Permute((2, 1), name=f"{name}_tokens{number}")(part)
        parts.append(layers.Reshape((width, 1, tokens), name=f"{name}_layer{number}")(part))
    both = layers.Concatenate(axis=2, name=f"{name}_layers")(parts)
    mixed = layers.Conv2D(tokens, (1, 2), name=f"{name}_fusion")(both)
    mixed = layers.Reshape((width, tokens), name=f"{name}_fused")(mixed)
    return layers.Permute((2, 1), name=f"{name}_again")(mixed)
