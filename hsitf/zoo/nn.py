"""The baseline of hyperspectral toolboxes: four dense layers on the spectrum of a single pixel."""

from __future__ import annotations

import keras
from keras import layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "Baseline of the toolbox DeepHyperX: N. Audebert, B. Le Saux, S. Lefèvre, Deep learning "
        "for classification of hyperspectral data: a comparative review, IEEE Geoscience and "
        "Remote Sensing Magazine 7(2), 2019"
    ),
    patch=1,
    max_patch=1,
    recipe=Recipe(optimizer="adam", learning_rate=1e-4),
    short_epochs=20,
)

_UNITS = (2048, 4096, 2048)


def build(bands: int, classes: int, patch: int, dropout: bool = False) -> keras.Model:
    """`(1, 1, bands)` -> logits.

    Args:
        bands: Number of input bands.
        classes: Number of logits.
        patch: Has to be 1.
        dropout: Whether training applies dropout of one half to each hidden layer.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((bands,), name="spectrum")(inputs)
    for number, units in enumerate(_UNITS, 1):
        name = f"dense{number}"
        x = layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=name)(x)
        if dropout:
            x = layers.Dropout(0.5, name=f"dropout{number}")(x)
    x = layers.Dense(classes, kernel_initializer="he_normal", name="logits")(x)
    return keras.Model(inputs, x, name="nn")
