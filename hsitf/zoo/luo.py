"""HSI-CNN of Luo et al.: what 90 filters find along the spectrum, side by side, is an image."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "Y. Luo, J. Zou, C. Yao, T. Li, G. Bai, HSI-CNN: a novel convolution neural network "
        "for hyperspectral image, Int. Conf. Pattern Recognition, 2018"
    ),
    patch=3,
    min_patch=3,
    max_patch=3,
    min_bands=42,
    recipe=Recipe(optimizer="sgd", learning_rate=0.1, weight_decay=0.09),
    short_epochs=20,
)

_FILTERS = 90


def build(bands: int, classes: int, patch: int, transposed: bool = True) -> keras.Model:
    """`(3, 3, bands)` -> logits; 200 bands make an image of 20 rows and 90 columns.

    Args:
        bands: Number of input bands.
        classes: Number of logits.
        patch: Side of the patch in pixels, 3.
        transposed: Whether a column of the image is a filter, and a row a position along the
            spectrum. Otherwise what each filter finds follows the filter before it, cut into rows
            of 90, as PyTorch toolboxes reshape it.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((patch, patch, bands, 1), name="volume")(inputs)
    conv1 = layers.Conv3D(_FILTERS, (3, 3, 24), (1, 1, 9), activation="relu", name="conv1")
    x = _image(conv1(x), transposed)
    x = layers.Conv2D(64, 3, activation="relu", name="conv2")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(1024, activation="relu", name="dense")(x)
    x = layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, x, name="luo")


def _image(x: KerasTensor, transposed: bool) -> KerasTensor:
    """`(1, 1, rows, filters)` as an image of one channel with a column for each filter."""
    rows = x.shape[3]
    if not transposed:
        x = layers.Permute((1, 2, 4, 3), name="filters_first")(x)
    return layers.Reshape((rows, _FILTERS, 1), name="image")(x)
