"""The CNN of Cao et al.: two wide 2-D convolutions over all bands, three dense layers."""

from __future__ import annotations

import keras
from keras import layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "X. Cao, F. Zhou, L. Xu, D. Meng, Z. Xu, J. Paisley, Hyperspectral image classification "
        "with Markov random fields and a convolutional neural network, IEEE Trans. Image "
        "Processing 27(5), 2018"
    ),
    patch=9,
    min_patch=7,
    recipe=Recipe(optimizer="adam", learning_rate=1e-3),
    short_epochs=12,
)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits; 9 x 9 shrinks to 7, 4, 2 and 1."""
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Conv2D(300, 3, activation="relu", name="conv1")(inputs)
    x = layers.MaxPooling2D(2, padding="same", name="pool1")(x)
    x = layers.Conv2D(200, 3, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(2, padding="same", name="pool2")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(200, activation="relu", name="dense1")(x)
    x = layers.Dense(100, activation="relu", name="dense2")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="cao")
