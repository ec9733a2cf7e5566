"""The 2-D CNN of Sharma et al.: a large patch, treated like a color image."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "V. Sharma, A. Diba, T. Tuytelaars, L. Van Gool, Hyperspectral CNN for image "
        "classification and band selection, with application to face recognition, technical "
        "report KUL/ESAT/PSI/1604, KU Leuven and ETH Zurich, 2016"
    ),
    patch=64,
    min_patch=56,
    recipe=Recipe(
        optimizer="sgd",
        learning_rate=0.05,
        batch_size=60,
        epochs=30,
        momentum=0.9,
        weight_decay=5e-4,
        milestones=(15 / 30, 25 / 30),
    ),
    short_epochs=15,
)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits; 64 x 64 shrinks to 30, 15, 7, 3 and 1."""
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = _pooled(inputs, 96, 6, "1")
    x = _pooled(x, 256, 3, "2")
    x = layers.Conv2D(512, 3, activation="relu", kernel_initializer="he_normal", name="conv3")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(1024, kernel_initializer="he_normal", name="dense")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.Dense(classes, kernel_initializer="he_normal", name="logits")(x)
    return keras.Model(inputs, x, name="sharma")


def _pooled(x: KerasTensor, filters: int, taps: int, number: str) -> KerasTensor:
    x = layers.Conv2D(filters, taps, 2, kernel_initializer="he_normal", name=f"conv{number}")(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"norm{number}")(x)
    x = layers.ReLU(name=f"relu{number}")(x)
    return layers.MaxPooling2D(2, name=f"pool{number}")(x)
