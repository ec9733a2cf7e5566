"""HybridSN of Roy et al.: three 3-D convolutions, then a 2-D one with bands as channels."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "S. K. Roy, G. Krishna, S. R. Dubey, B. B. Chaudhuri, HybridSN: exploring 3-D-2-D CNN "
        "feature hierarchy for hyperspectral image classification, IEEE Geoscience and Remote "
        "Sensing Letters 17(2), 2020"
    ),
    patch=25,
    min_patch=9,
    min_bands=13,
    recipe=Recipe(optimizer="adam", learning_rate=1e-3, batch_size=256, learning_rate_decay=1e-6),
    short_epochs=10,
)

# Filters and taps along the spectrum.
_VOLUMES = ((8, 7), (16, 5), (32, 3))
_DENSE = (256, 128)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits; 25 x 25 shrinks to 23, 21, 19 and 17.

    The paper reduces a scene to its first principal components before, 30 for Indian Pines and
    15 for others.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((patch, patch, bands, 1), name="volume")(inputs)
    for number, (filters, taps) in enumerate(_VOLUMES, 1):
        x = layers.Conv3D(filters, (3, 3, taps), activation="relu", name=f"conv{number}")(x)
    x = _image(x)
    x = layers.Conv2D(64, 3, activation="relu", name="conv4")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate(_DENSE, 1):
        x = layers.Dense(units, activation="relu", name=f"dense{number}")(x)
        x = layers.Dropout(0.4, name=f"dropout{number}")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="roy")


def _image(x: KerasTensor) -> KerasTensor:
    """`(rows, cols, bands, filters)` as an image with a channel for each band of each filter."""
    rows, cols, bands, filters = x.shape[1:]
    return layers.Reshape((rows, cols, bands * filters), name="image")(x)
