"""SSFTT of Sun et al.: convolutions, a few learned tokens, and one transformer encoder."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.layers import LearnedTokens, PositionEmbedding
from hsitf.zoo import Network, Recipe
from hsitf.zoo._transformer import encoder

NETWORK = Network(
    paper=(
        "L. Sun, G. Zhao, Y. Zheng, Z. Wu, Spectral-spatial feature tokenization transformer for "
        "hyperspectral image classification, IEEE Trans. Geoscience and Remote Sensing 60, "
        "5522214, 2022"
    ),
    patch=13,
    min_patch=5,
    min_bands=3,
    recipe=Recipe(optimizer="adam", learning_rate=1e-3, batch_size=64, epochs=100),
    short_epochs=20,
)

_WIDTH, _TOKENS, _HEADS, _HIDDEN, _DROPOUT = 64, 4, 8, 8, 0.1


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits of the class token.

    The paper reduces a scene to 30 whitened principal components before (`--bands pca-whiten:30`).
    The scores are scaled by the whole width to the power of -1/2, not by that of a head, as in the
    authors' code.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((patch, patch, bands, 1), name="volume")(inputs)
    x = layers.Conv3D(8, 3, name="conv1")(x)
    x = _normed(x, "conv1")
    rows, cols, depth, filters = x.shape[1:]
    x = layers.Permute((1, 2, 4, 3), name="filters_first")(x)
    x = layers.Reshape((rows, cols, filters * depth), name="image")(x)
    x = layers.Conv2D(_WIDTH, 3, name="conv2")(x)
    x = _normed(x, "conv2")
    x = layers.Reshape((x.shape[1] * x.shape[2], _WIDTH), name="pixels")(x)
    # Each token is a weighted mean of the pixels.
    weights = layers.Dense(_TOKENS, use_bias=False, name="token_scores")(x)
    weights = layers.Softmax(axis=1, name="token_weights")(weights)
    values = layers.Dense(_WIDTH, use_bias=False, name="token_values")(x)
    x = layers.Dot(axes=(1, 1), name="tokens")([weights, values])
    x = LearnedTokens(1, name="class_token")(x)
    x = PositionEmbedding(keras.initializers.RandomNormal(stddev=0.02), name="positions")(x)
    x = layers.Dropout(_DROPOUT, name="dropout")(x)
    attention = {"num_heads": _HEADS, "key_dim": _WIDTH // _HEADS, "scale": _WIDTH**-0.5}
    x = encoder(x, attention | {"dropout": _DROPOUT}, _HIDDEN, _DROPOUT, "encoder")
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x[:, 0]), name="ssftt")


def _normed(x: KerasTensor, name: str) -> KerasTensor:
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
