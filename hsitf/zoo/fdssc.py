"""FDSSC of Wang et al.: densely connected convolutions along the spectrum, then across pixels."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "W. Wang, S. Dou, Z. Jiang, L. Sun, A fast dense spectral-spatial convolution network "
        "framework for hyperspectral images classification, Remote Sensing 10(7), 1068, 2018"
    ),
    patch=9,
    min_patch=3,
    min_bands=7,
    recipe=Recipe(
        optimizer="rmsprop", learning_rate=3e-4, batch_size=32, epochs=80, weight_decay=1e-4
    ),
    short_epochs=15,
)

_FILTERS, _GROWTH, _WIDE, _TAPS, _CONNECTED = 24, 12, 200, 7, 3


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits.

    PReLU has one slope for each element, as in the authors' code: more than half of the weights.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((patch, patch, bands, 1), name="volume")(inputs)
    x = _conv(x, _FILTERS, (1, 1, _TAPS), "conv1", strides=(1, 1, 2))
    x = _dense_block(x, (1, 1, _TAPS), "spectral")
    x = _conv(x, _WIDE, (1, 1, x.shape[3]), "conv2")
    x = _active(x, "conv2")
    # The filters become the third axis, which the next kernel spans.
    x = layers.Reshape((patch, patch, _WIDE, 1), name="filters_as_bands")(x)
    x = _conv(x, _FILTERS, (3, 3, _WIDE), "conv3")
    x = _dense_block(x, (3, 3, 1), "spatial")
    x = layers.GlobalAveragePooling3D(name="mean")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.Dense(classes, kernel_initializer="glorot_normal", name="logits")(x)
    return keras.Model(inputs, x, name="fdssc")


def _dense_block(x: KerasTensor, kernel: tuple[int, int, int], name: str) -> KerasTensor:
    """Convolutions each of which reads all before it, and a last normalization."""
    for number in range(1, _CONNECTED + 1):
        y = _active(x, f"{name}{number}")
        y = _conv(y, _GROWTH, kernel, f"{name}{number}_conv", padding="same")
        x = layers.Concatenate(name=f"{name}{number}_all")([x, y])
    return _active(x, name)


def _active(x: KerasTensor, name: str) -> KerasTensor:
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.PReLU(name=f"{name}_prelu")(x)


def _conv(
    x: KerasTensor,
    filters: int,
    kernel: tuple[int, int, int],
    name: str,
    strides: tuple[int, int, int] = (1, 1, 1),
    padding: str = "valid",
) -> KerasTensor:
    return layers.Conv3D(
        filters, kernel, strides, padding, kernel_initializer="he_normal", name=name
    )(x)
