"""The 3-D CNN of Li et al.: two small convolutions of the volume and no pooling."""

from __future__ import annotations

import keras
from keras import layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "Y. Li, H. Zhang, Q. Shen, Spectral-spatial classification of hyperspectral imagery "
        "with 3D convolutional neural network, Remote Sensing 9(1), 2017"
    ),
    patch=5,
    min_patch=5,
    min_bands=5,
    recipe=Recipe(optimizer="sgd", learning_rate=0.01, momentum=0.9, weight_decay=5e-4),
    short_epochs=15,
)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits; zeros pad both ends of the spectrum."""
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((patch, patch, bands, 1), name="volume")(inputs)
    x = layers.ZeroPadding3D((0, 0, 1), name="conv1_zeros")(x)
    x = layers.Conv3D(16, (3, 3, 7), activation="relu", name="conv1")(x)
    x = layers.ZeroPadding3D((0, 0, 1), name="conv2_zeros")(x)
    x = layers.Conv3D(32, (3, 3, 3), activation="relu", name="conv2")(x)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="li")
