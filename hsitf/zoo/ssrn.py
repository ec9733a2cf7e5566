"""SSRN of Zhong et al.: a residual block along the spectrum, then one across the pixels."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.errors import InputError
from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "Z. Zhong, J. Li, Z. Luo, M. Chapman, Spectral-spatial residual network for hyperspectral "
        "image classification: a 3-D deep learning framework, IEEE Trans. Geoscience and Remote "
        "Sensing 56(2), 2018"
    ),
    patch=7,
    min_patch=3,
    min_bands=7,
    recipe=Recipe(
        optimizer="rmsprop", learning_rate=3e-4, batch_size=16, epochs=200, weight_decay=1e-4
    ),
    short_epochs=20,
)

_FILTERS, _WIDE, _TAPS = 24, 128, 7


def build(bands: int, classes: int, patch: int, blocks: int = 1) -> keras.Model:
    """`(patch, patch, bands)` -> logits.

    Normalization and ReLU stand twice behind the spectral and the spatial blocks, and the shortcut
    of a spatial block is a convolution, as in the authors' Keras code.

    Args:
        bands: Number of input bands.
        classes: Number of logits.
        patch: Side of the patch in pixels.
        blocks: Residual blocks along the spectrum, and as many across the pixels; 1 as in the
            authors' code, 2 as in a variant that later papers compare with.
    """
    if blocks < 1:
        raise InputError("ssrn has no residual block", received=blocks, allowed="1 or more")
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((patch, patch, bands, 1), name="volume")(inputs)
    x = _conv(x, _FILTERS, (1, 1, _TAPS), "conv1", strides=(1, 1, 2))
    x = _normed(x, "conv1")
    for number in range(1, blocks + 1):
        name = f"spectral{number}"
        y = _conv(x, _FILTERS, (1, 1, _TAPS), f"{name}_conv1", padding="same")
        y = _conv(_normed(y, name), _FILTERS, (1, 1, _TAPS), f"{name}_conv2", padding="same")
        x = layers.Add(name=f"{name}_sum")([x, y])
    x = _normed(_normed(x, "spectral_a"), "spectral_b")
    x = _normed(_conv(x, _WIDE, (1, 1, x.shape[3]), "conv2"), "conv2")
    # The filters become the third axis, which the next kernel spans.
    x = layers.Reshape((patch, patch, _WIDE, 1), name="filters_as_bands")(x)
    x = _normed(_conv(x, _FILTERS, (3, 3, _WIDE), "conv3"), "conv3")
    for number in range(1, blocks + 1):
        name = f"spatial{number}"
        y = _conv(x, _FILTERS, (3, 3, 1), f"{name}_conv1", padding="same")
        y = _conv(_normed(y, name), _FILTERS, (3, 3, 1), f"{name}_conv2", padding="same")
        shortcut = _conv(x, _FILTERS, (1, 1, 1), f"{name}_shortcut")
        x = layers.Add(name=f"{name}_sum")([shortcut, y])
    x = _normed(_normed(x, "spatial_a"), "spatial_b")
    x = layers.GlobalAveragePooling3D(name="mean")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.Dense(classes, kernel_initializer="he_normal", name="logits")(x)
    return keras.Model(inputs, x, name="ssrn")


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


def _normed(x: KerasTensor, name: str) -> KerasTensor:
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
