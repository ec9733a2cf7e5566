"""The semi-supervised CNN of Liu et al.: one convolution, and a decoder to learn it by."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "B. Liu, X. Yu, P. Zhang, X. Tan, A. Yu, Z. Xue, A semi-supervised convolutional neural "
        "network for hyperspectral image classification, Remote Sensing Letters 8(9), 2017"
    ),
    patch=9,
    min_patch=4,
    recipe=Recipe(optimizer="sgd", learning_rate=1e-3, epochs=40),
    short_epochs=20,
    reconstruction_weight=1.0,
)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits; 9 x 9 shrinks to 7 and 3."""
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Conv2D(80, 3, name="conv")(inputs)
    x = _normalized(x, "norm")
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Flatten(name="code")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="liu")


def semi_supervised(network: keras.Model) -> keras.Model:
    """`(patch, patch, bands)` -> logits and `(bands,)`, the spectrum of the patch's center.

    A ladder network: each dense layer of the decoder adds the output of the corresponding
    convolution of the encoder. The paper minimizes the cross-entropy of labelled pixels plus the
    mean squared error of the spectra of all pixels, labelled or not.

    Args:
        network: A network returned by `build`, possibly pruned.

    Returns:
        The same layers, with a second output.
    """
    found, pooled, code = (network.get_layer(name).output for name in ("norm", "pool", "code"))
    x = layers.Dense(code.shape[-1], activation="relu", name="decoder1")(code)
    x = _step(x, pooled, "decoder2")
    x = _step(x, found, "decoder3")
    x = layers.Dense(network.input_shape[-1], name="reconstruction")(x)
    return keras.Model(network.input, [network.output, x], name="liu")


def _step(x: KerasTensor, there: KerasTensor, name: str) -> KerasTensor:
    there = layers.Flatten(name=f"{name}_there")(there)
    x = layers.Dense(there.shape[-1], name=name)(x)
    x = layers.Add(name=f"{name}_sum")([x, there])
    return layers.ReLU(name=f"{name}_relu")(_normalized(x, f"{name}_norm"))


def _normalized(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)
