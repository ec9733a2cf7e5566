"""The 1-D CNN of Hu et al.: one convolution along the spectrum of a single pixel."""

from __future__ import annotations

import math

import keras
from keras import layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "W. Hu, Y. Huang, L. Wei, F. Zhang, H. Li, Deep convolutional neural networks for "
        "hyperspectral image classification, Journal of Sensors, 2015"
    ),
    patch=1,
    max_patch=1,
    recipe=Recipe(optimizer="sgd", learning_rate=0.01),
    short_epochs=60,
)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(1, 1, bands)` -> logits; kernel and pool grow with the number of bands."""
    kernel = math.ceil(bands / 9)
    pool = math.ceil(kernel / 5)
    uniform = keras.initializers.RandomUniform(-0.05, 0.05)
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((bands, 1), name="spectrum")(inputs)
    x = layers.Conv1D(20, kernel, kernel_initializer=uniform, name="conv")(x)
    x = layers.MaxPooling1D(pool, name="pool")(x)
    x = layers.Activation("tanh", name="tanh")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(100, activation="tanh", kernel_initializer=uniform, name="dense")(x)
    x = layers.Dense(classes, kernel_initializer=uniform, name="logits")(x)
    return keras.Model(inputs, x, name="hu")
