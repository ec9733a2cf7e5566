"""The contextual CNN of Lee and Kwon: neighborhoods and pixels side by side, residual blocks."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.layers import LocalResponseNormalization
from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "H. Lee, H. Kwon, Contextual deep CNN based hyperspectral classification, IEEE Int. "
        "Geoscience and Remote Sensing Symposium, 2016"
    ),
    patch=5,
    recipe=Recipe(optimizer="adam", learning_rate=1e-3),
    short_epochs=20,
)

_WIDTH = 128


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits of the center, through convolutions of single pixels.

    The paper's 3-D kernels span all bands, so they equal 2-D kernels with bands as channels.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    neighbors = layers.Conv2D(_WIDTH, 3, padding="same", name="neighbors")(inputs)
    pixels = layers.Conv2D(_WIDTH, 1, name="pixels")(inputs)
    x = layers.Concatenate(name="both")([neighbors, pixels])
    x = _normalized(x, "1")
    x = layers.Conv2D(_WIDTH, 1, name="conv1")(x)
    x = _normalized(x, "2")
    x = _residual(x, "block1")
    x = _residual(x, "block2")
    for number in (2, 3):
        x = layers.Conv2D(_WIDTH, 1, activation="relu", name=f"conv{number}")(x)
        x = layers.Dropout(0.5, name=f"dropout{number}")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(_center(x)), name="lee")


def _normalized(x: KerasTensor, number: str) -> KerasTensor:
    x = LocalResponseNormalization(x.shape[-1], name=f"norm{number}")(x)
    return layers.ReLU(name=f"relu{number}")(x)


def _residual(x: KerasTensor, name: str) -> KerasTensor:
    y = layers.Conv2D(_WIDTH, 1, activation="relu", name=f"{name}_conv1")(x)
    y = layers.Conv2D(_WIDTH, 1, name=f"{name}_conv2")(y)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_sum")([x, y]))


def _center(x: KerasTensor) -> KerasTensor:
    """The center pixel of a patch; right below and right of the middle of an even patch."""
    before, after = x.shape[1] // 2, (x.shape[1] - 1) // 2
    x = layers.Cropping2D(((before, after), (before, after)), name="center")(x)
    return layers.Flatten(name="flatten")(x)
