"""1D-Justo-LiuNet's neighbor: a U-Net without skips that labels every pixel of a tile."""

from __future__ import annotations

import keras
from keras import layers

from hsitf.zoo import Network, Recipe
from hsitf.zoo._unet import check_side, conv, pooled, raised

NETWORK = Network(
    paper=(
        "J. A. Justo, J. L. Garrett, M. I. Georgescu, J. Gonzalez-Llorente, R. T. Ionescu, T. A. "
        "Johansen, Sea-land-cloud segmentation in satellite hyperspectral imagery by deep "
        "learning, arXiv:2310.16210, 2023"
    ),
    # A pixel sees 9 pixels to each side, 12 with the pooling grid of 4.
    patch=25,
    min_patch=25,
    max_patch=25,
    tile=32,
    tile_stride=4,
    recipe=Recipe(
        optimizer="adam",
        learning_rate=1e-3,
        batch_size=64,
        epochs=80,
        decoupled_weight_decay=1e-4,
    ),
    short_epochs=40,
)

_FILTERS = (6, 12)


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """Tiles `(patch, patch, bands)` -> logits of their pixels `(patch, patch, classes)`.

    The logits leave a batch normalization, as in the authors' code: scale and shift of each class
    take the place of a bias.

    Args:
        bands: Number of input bands.
        classes: Number of logits a pixel.
        patch: Side of the tile in pixels, a multiple of 4.

    Raises:
        InputError: The tile cannot be halved twice.
    """
    check_side("justounet", patch)
    inputs = keras.Input((patch, patch, bands), name="tile")
    x = inputs
    for number, filters in enumerate(_FILTERS, 1):
        x = pooled(conv(x, filters, f"conv{number}"), f"pool{number}")
    x = conv(raised(x, "raise1"), _FILTERS[0], "conv3")
    x = raised(x, "raise2")
    x = layers.Conv2D(classes, 3, padding="same", use_bias=False, name="conv4")(x)
    return keras.Model(inputs, layers.BatchNormalization(name="logits")(x), name="justounet")
