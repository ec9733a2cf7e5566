"""DBDA of Li et al.: a spectral and a spatial branch, each with attention at its end."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import keras
from keras import KerasTensor, layers, ops

from hsitf.layers import LearnedScale
from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "R. Li, S. Zheng, C. Duan, Y. Yang, X. Wang, Classification of hyperspectral image based "
        "on double-branch dual-attention mechanism network, Remote Sensing 12(3), 582, 2020"
    ),
    patch=9,
    min_bands=7,
    recipe=Recipe(optimizer="adam", learning_rate=5e-4, batch_size=16, epochs=200),
    short_epochs=15,
)

_FILTERS, _GROWTH, _CONNECTED, _TAPS = 24, 12, 3, 7
_WIDTH = _FILTERS + _CONNECTED * _GROWTH
# Width of queries and keys of a position, as 8 divides the channels.
_QUERIES = _WIDTH // 8


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits of both branches side by side.

    As in the authors' code, the kernel that ends the spectral block is half the bands less 3 long,
    rounded down: of an odd number of bands, two positions are left beside each other, not one.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    volume = layers.Reshape((patch, patch, bands, 1), name="volume")(inputs)
    x = layers.Conv3D(_FILTERS, (1, 1, _TAPS), (1, 1, 2), name="spectral_conv1")(volume)
    x = _active(_dense_block(x, (1, 1, _TAPS), "spectral"), "spectral")
    x = layers.Conv3D(_WIDTH, (1, 1, max(1, bands // 2 - 3)), name="spectral_conv2")(x)
    spectral = _branch(x, _channel_attention, "spectral")
    x = layers.Conv3D(_FILTERS, (1, 1, bands), name="spatial_conv1")(volume)
    spatial = _branch(_dense_block(x, (3, 3, 1), "spatial"), _position_attention, "spatial")
    x = layers.Concatenate(name="branches")([spectral, spatial])
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="dbda")


def _dense_block(x: KerasTensor, kernel: tuple[int, int, int], name: str) -> KerasTensor:
    """Convolutions each of which reads all before it."""
    for number in range(1, _CONNECTED + 1):
        y = _active(x, f"{name}{number}")
        y = layers.Conv3D(_GROWTH, kernel, padding="same", name=f"{name}{number}_conv")(y)
        x = layers.Concatenate(name=f"{name}{number}_all")([x, y])
    return x


def _branch(
    x: KerasTensor, attention: Callable[[KerasTensor], KerasTensor], name: str
) -> KerasTensor:
    """Attention to the pixels' channels, multiplied by them, and the mean over pixels."""
    x = layers.Reshape((prod(x.shape[1:-1]), _WIDTH), name=f"{name}_pixels")(x)
    found = LearnedScale(name=f"{name}_blend")(attention(x))
    seen = layers.Add(name=f"{name}_attended")([found, x])
    x = layers.Multiply(name=f"{name}_weighted")([seen, x])
    x = layers.Dropout(0.5, name=f"{name}_dropout")(_active(x, f"{name}_end"))
    return layers.GlobalAveragePooling1D(name=f"{name}_mean")(x)


def _channel_attention(x: KerasTensor) -> KerasTensor:
    """`(pixels, channels)`: each channel as a mean of those that it differs from most."""
    alike = layers.Dot(axes=(1, 1), name="channel_scores")([x, x])
    unlike = ops.max(alike, axis=-1, keepdims=True) - alike
    weights = layers.Softmax(name="channel_weights")(unlike)
    return ops.einsum("bcd,bpd->bpc", weights, x)


def _position_attention(x: KerasTensor) -> KerasTensor:
    """`(pixels, channels)`: each pixel as a mean of those that its query finds."""
    query = layers.Dense(_QUERIES, name="position_query")(x)
    key = layers.Dense(_QUERIES, name="position_key")(x)
    value = layers.Dense(_WIDTH, name="position_value")(x)
    scores = layers.Dot(axes=(2, 2), name="position_scores")([query, key])
    weights = layers.Softmax(name="position_weights")(scores)
    return layers.Dot(axes=(2, 1), name="position_means")([weights, value])


def _active(x: KerasTensor, name: str) -> KerasTensor:
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
    return layers.Activation("mish", name=f"{name}_mish")(x)
