"""1D-Justo-LiuNet: four small convolutions along the spectrum, flown on the HYPSO-1 satellite."""

from __future__ import annotations

import keras
from keras import layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "J. A. Justo, J. L. Garrett, M. I. Georgescu, J. Gonzalez-Llorente, R. T. Ionescu, T. A. "
        "Johansen, Sea-land-cloud segmentation in satellite hyperspectral imagery by deep "
        "learning, arXiv:2310.16210, 2023"
    ),
    patch=1,
    max_patch=1,
    min_bands=91,
    recipe=Recipe(
        optimizer="adam",
        learning_rate=5e-4,
        batch_size=4096,
        epochs=80,
        decoupled_weight_decay=1e-3,
    ),
    short_epochs=80,
)

_FILTERS, _TAPS = (6, 12, 18, 24), 6


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(1, 1, bands)` -> logits; 112 bands shrink to 53, 24, 9 and 2 positions.

    The last layer reads positions with their filters side by side, where the authors' PyTorch code
    has filters with their positions.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((bands, 1), name="spectrum")(inputs)
    for number, filters in enumerate(_FILTERS, 1):
        x = layers.Conv1D(filters, _TAPS, activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling1D(2, name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="justoliunet")
