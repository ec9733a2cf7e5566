"""The 3-D CNN of Chen et al.: three large kernels over a wide patch, dropout after each."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers
from keras.initializers import RandomNormal

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "Y. Chen, H. Jiang, C. Li, X. Jia, P. Ghamisi, Deep feature extraction and "
        "classification of hyperspectral images based on convolutional neural networks, IEEE "
        "Trans. Geoscience and Remote Sensing 54(10), 2016"
    ),
    patch=27,
    min_patch=25,
    min_bands=94,
    recipe=Recipe(optimizer="sgd", learning_rate=0.003, epochs=20),
    short_epochs=10,
)

_DEVIATION = 1e-3


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits; 27 x 27 shrinks to 24, 12, 9, 4 and 1."""
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((patch, patch, bands, 1), name="volume")(inputs)
    x = _conv(x, "conv1")
    x = layers.MaxPooling3D((2, 2, 1), name="pool1")(x)
    x = layers.Dropout(0.5, name="dropout1")(x)
    x = _conv(x, "conv2")
    x = layers.MaxPooling3D((2, 2, 1), name="pool2")(x)
    x = layers.Dropout(0.5, name="dropout2")(x)
    x = _conv(x, "conv3")
    x = layers.Dropout(0.5, name="dropout3")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(classes, kernel_initializer=RandomNormal(stddev=_DEVIATION), name="logits")(x)
    return keras.Model(inputs, x, name="chen")


def _conv(x: KerasTensor, name: str) -> KerasTensor:
    # A separate initializer: a shared one initializes kernels of equal shape equally.
    normal = RandomNormal(stddev=_DEVIATION)
    return layers.Conv3D(32, (4, 4, 32), activation="relu", kernel_initializer=normal, name=name)(x)
