"""The recurrent network of Mou et al.: a spectrum is read band by band."""

from __future__ import annotations

import keras
from keras import layers
from keras.initializers import RandomUniform

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "L. Mou, P. Ghamisi, X. X. Zhu, Deep recurrent neural networks for hyperspectral image "
        "classification, IEEE Trans. Geoscience and Remote Sensing 55(7), 2017"
    ),
    patch=1,
    max_patch=1,
    recipe=Recipe(optimizer="adadelta", learning_rate=1.0),
    short_epochs=20,
)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(1, 1, bands)` -> logits; what the unit remembers after each band is normalized and kept."""
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((bands, 1), name="spectrum")(inputs)
    x = layers.GRU(
        64,
        return_sequences=True,
        kernel_initializer=_uniform(),
        recurrent_initializer=_uniform(),
        bias_initializer=_uniform(),
        name="gru",
    )(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm")(x)
    x = layers.Activation("tanh", name="tanh")(x)
    x = layers.Dense(
        classes, kernel_initializer=_uniform(), bias_initializer=_uniform(), name="logits"
    )(x)
    return keras.Model(inputs, x, name="mou")


def _uniform() -> RandomUniform:
    return RandomUniform(-0.1, 0.1)
