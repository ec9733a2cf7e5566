"""The 3-D CNN of Ben Hamida et al.: convolutions of stride 2 where others pool the spectrum."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "A. Ben Hamida, A. Benoit, P. Lambert, C. Ben Amar, 3-D deep learning approach for "
        "remote sensing image classification, IEEE Trans. Geoscience and Remote Sensing 56(8), "
        "2018"
    ),
    patch=5,
    min_patch=3,
    min_bands=3,
    recipe=Recipe(optimizer="sgd", learning_rate=0.01, weight_decay=5e-4),
    short_epochs=40,
)

# After the first convolution: filters, kernel, stride along the spectrum, activation.
_CONVOLUTIONS = (
    (20, (1, 1, 3), 2, None),
    (35, (3, 3, 3), 1, "relu"),
    (35, (1, 1, 3), 2, None),
    (35, (1, 1, 3), 1, "relu"),
    (35, (1, 1, 2), 2, "relu"),
)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits; the spectrum is halved three times."""
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((patch, patch, bands, 1), name="volume")(inputs)
    if patch < NETWORK.patch:
        # Two kernels of 3 x 3 pixels need 5 x 5.
        x = layers.ZeroPadding3D(1, name="conv1_zeros")(x)
    x = _conv(x, 20, (3, 3, 3), 1, "relu", "conv1")
    for number, (filters, kernel, stride, activation) in enumerate(_CONVOLUTIONS, 2):
        # Unlike "same", both ends of the spectrum get a zero for any length.
        x = layers.ZeroPadding3D((0, 0, 1), name=f"conv{number}_zeros")(x)
        x = _conv(x, filters, kernel, stride, activation, f"conv{number}")
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(classes, kernel_initializer="he_normal", name="logits")(x)
    return keras.Model(inputs, x, name="hamida")


def _conv(
    x: KerasTensor,
    filters: int,
    kernel: tuple[int, int, int],
    stride: int,
    activation: str | None,
    name: str,
) -> KerasTensor:
    return layers.Conv3D(
        filters,
        kernel,
        (1, 1, stride),
        activation=activation,
        kernel_initializer="he_normal",
        name=name,
    )(x)
