"""The U-Net with pixel-wise layers in front of NTNU's onboard segmentation, in three sizes."""

from __future__ import annotations

from typing import NamedTuple

import keras
from keras import KerasTensor, layers

from hsitf.errors import unknown
from hsitf.zoo import Network, Recipe
from hsitf.zoo._unet import check_side, conv, pooled, raised

NETWORK = Network(
    paper=(
        "NTNU SmallSat Lab, hypso-onboard-segmentation: spectral pointwise U-Net, quantized for "
        "HYPSO-2, https://github.com/NTNU-SmallSat-Lab/hypso-onboard-segmentation, 2026"
    ),
    # A pixel sees 18 pixels to each side, 20 with the pooling grid of 4.
    patch=41,
    min_patch=41,
    max_patch=41,
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


class _Widths(NamedTuple):
    """Filters of a size, in the order of the layers."""

    stem: tuple[int, int, int]
    down: tuple[int, int]
    lower: tuple[int, int]
    upper: tuple[int, int]


SIZES = {
    "s": _Widths((24, 12, 12), (12, 24), (24, 12), (12, 8)),
    "m": _Widths((24, 16, 12), (24, 48), (48, 24), (24, 12)),
    "l": _Widths((32, 16, 16), (32, 64), (64, 32), (32, 16)),
}


def build(bands: int, classes: int, patch: int, size: str = "s") -> keras.Model:
    """Tiles `(patch, patch, bands)` -> logits of their pixels `(patch, patch, classes)`.

    Args:
        bands: Number of input bands.
        classes: Number of logits a pixel.
        patch: Side of the tile in pixels, a multiple of 4.
        size: "s", "m" or "l". The least is what is built where none is named: labelled scenes have
            a few thousand pixels, of which even it has weights for one each, and all three see the
            same window.

    Raises:
        InputError: There is no such size, or the tile cannot be halved twice.
    """
    if size not in SIZES:
        raise unknown("size of spwunet", size, tuple(SIZES))
    check_side("spwunet", patch)
    widths = SIZES[size]
    inputs = keras.Input((patch, patch, bands), name="tile")
    beside = _twice(_stem(inputs, widths.stem), widths.down[0], "down1")
    x = _twice(pooled(beside, "pool1"), widths.down[1], "down2")
    x = pooled(x, "pool2")
    x = conv(raised(x, "raise1"), widths.lower[0], "up1")
    x = _twice(x, widths.lower[1], "lower")
    x = conv(raised(x, "raise2"), widths.upper[0], "up2")
    x = layers.Concatenate(name="skip")([beside, x])
    x = _twice(x, widths.upper[1], "upper")
    return keras.Model(inputs, layers.Conv2D(classes, 1, name="logits")(x), name="spwunet")


def _stem(x: KerasTensor, widths: tuple[int, int, int]) -> KerasTensor:
    """Three dense layers a pixel, of which the first one is normalized."""
    x = layers.Conv2D(widths[0], 1, name="stem1")(x)
    x = layers.BatchNormalization(name="stem1_norm")(x)
    x = layers.ReLU(name="stem1_relu")(x)
    for number, filters in enumerate(widths[1:], 2):
        x = layers.Conv2D(filters, 1, activation="relu", name=f"stem{number}")(x)
    return x


def _twice(x: KerasTensor, filters: int, name: str) -> KerasTensor:
    return conv(conv(x, filters, f"{name}_conv1"), filters, f"{name}_conv2")
