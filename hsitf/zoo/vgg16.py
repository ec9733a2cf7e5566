"""VGG-16 of Simonyan and Zisserman for small images: batch-normalized, one hidden dense layer."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network
from hsitf.zoo._resnet import RECIPE

NETWORK = Network(
    paper=(
        "K. Simonyan, A. Zisserman, Very deep convolutional networks for large-scale image "
        "recognition, Int. Conf. Learning Representations, 2015"
    ),
    patch=32,
    min_patch=32,
    recipe=RECIPE,
    short_epochs=20,
)

# Filters and convolutions of each stage.
_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits; a side of 32 is halved five times."""
    inputs = x = keras.Input((patch, patch, bands), name="patch")
    for stage, (filters, convolutions) in enumerate(_STAGES, 1):
        for number in range(1, convolutions + 1):
            x = _convolution(x, filters, f"stage{stage}_conv{number}")
        x = layers.MaxPooling2D(2, name=f"stage{stage}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(512, kernel_initializer="he_normal", name="dense")(x)
    x = _activated(x, "dense")
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="vgg16")


def _convolution(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    x = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal", name=name)(x)
    return _activated(x, name)


def _activated(x: KerasTensor, name: str) -> KerasTensor:
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
