"""The multi-scale 3-D CNN of He et al.: parallel spectral kernels of four lengths, summed."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "M. He, B. Li, H. Chen, Multi-scale 3D deep convolutional neural network for "
        "hyperspectral image classification, IEEE Int. Conf. Image Processing, 2017"
    ),
    patch=7,
    min_patch=4,
    min_bands=17,
    recipe=Recipe(optimizer="adagrad", learning_rate=0.01, batch_size=40, weight_decay=0.01),
    short_epochs=20,
)

_SCALES = (1, 3, 5, 11)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits, through a volume `(patch, patch, bands, 1)`."""
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((patch, patch, bands, 1), name="volume")(inputs)
    x = _conv(16, (3, 3, 11), strides=(1, 1, 3), activation="relu", name="conv1")(x)
    x = _multi_scale(x, "block1")
    x = _multi_scale(x, "block2")
    x = _conv(16, (2, 2, 3), activation="relu", name="conv2")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.6, name="dropout")(x)
    x = layers.Dense(classes, kernel_initializer="he_uniform", name="logits")(x)
    return keras.Model(inputs, x, name="he")


def _multi_scale(x: KerasTensor, name: str) -> KerasTensor:
    branches = [
        _conv(16, (1, 1, taps), padding="same", name=f"{name}_conv{taps}")(x) for taps in _SCALES
    ]
    return layers.Activation("relu", name=f"{name}_relu")(layers.Add(name=f"{name}_sum")(branches))


def _conv(filters: int, kernel: tuple[int, int, int], **options: object) -> layers.Conv3D:
    return layers.Conv3D(filters, kernel, kernel_initializer="he_uniform", **options)
