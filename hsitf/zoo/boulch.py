"""The autoencoder of Boulch et al.: a spectrum in three numbers that separate the classes."""

from __future__ import annotations

import keras
from keras import layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "A. Boulch, N. Audebert, D. Dubucq, Autoencodeurs pour la visualisation d'images "
        "hyperspectrales, GRETSI, 2017"
    ),
    patch=1,
    max_patch=1,
    recipe=Recipe(optimizer="sgd", learning_rate=1e-3),
    short_epochs=60,
    reconstruction_weight=0.1,
)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(1, 1, bands)` -> logits; the spectrum is halved until one position is left.

    The output of the layer "code", three numbers from -1 to 1, can be displayed as a color.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((bands, 1), name="spectrum")(inputs)
    for number in range(1, bands.bit_length()):
        filters = 32 if number == 1 else 16
        x = layers.Conv1D(filters, 3, padding="same", name=f"conv{number}")(x)
        x = layers.MaxPooling1D(2, name=f"pool{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"norm{number}")(x)
    x = layers.Conv1D(3, 3, padding="same", activation="tanh", name="conv")(x)
    x = layers.Flatten(name="code")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="boulch")


def semi_supervised(network: keras.Model) -> keras.Model:
    """`(1, 1, bands)` -> logits and `(bands,)`, the spectrum from its three numbers.

    The paper minimizes the cross-entropy of labelled pixels plus a tenth of the mean squared
    error of the spectra of all pixels, labelled or not.

    Args:
        network: A network returned by `build`, possibly pruned.

    Returns:
        The same layers, with a second output.
    """
    code = network.get_layer("code").output
    spectrum = layers.Dense(network.input_shape[-1], name="reconstruction")(code)
    return keras.Model(network.input, [network.output, spectrum], name="boulch")
