"""GAHT of Mei et al.: three stages of grouped convolutions and attention over all pixels."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network, Recipe
from hsitf.zoo._transformer import encoder

NETWORK = Network(
    paper=(
        "S. Mei, C. Song, M. Ma, F. Xu, Hyperspectral image classification using group-aware "
        "hierarchical transformer, IEEE Trans. Geoscience and Remote Sensing 60, 5539014, 2022"
    ),
    patch=7,
    recipe=Recipe(
        optimizer="sgd",
        learning_rate=1e-3,
        batch_size=64,
        epochs=300,
        momentum=0.9,
        weight_decay=1e-4,
    ),
    short_epochs=40,
)

# Width and heads of each stage.
_STAGES = ((256, 8), (128, 4), (64, 2))


def build(
    bands: int,
    classes: int,
    patch: int,
    groups: int = 16,
    blocks: tuple[int, int, int] = (2, 1, 1),
) -> keras.Model:
    """`(patch, patch, bands)` -> logits; the defaults are those of the paper for Salinas.

    The last band is repeated to a multiple of the groups, and scores are not scaled, as in the
    authors' code.

    Args:
        bands: Number of input bands.
        classes: Number of logits.
        patch: Side of the patch in pixels.
        groups: Groups of the convolutions; the paper has 16 for Salinas and 2 for Pavia.
        blocks: Encoders of each stage; (1, 2, 1) for Pavia.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    missing = -bands % groups
    x = inputs
    if missing:
        last = [inputs[..., -1:]] * missing
        x = layers.Concatenate(name="repeated_bands")([inputs, *last])
    for number, ((width, heads), count) in enumerate(zip(_STAGES, blocks, strict=True), 1):
        x = _stage(x, width, heads, count, groups, f"stage{number}")
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="gaht")


def _stage(
    x: KerasTensor, width: int, heads: int, count: int, groups: int, name: str
) -> KerasTensor:
    x = layers.Conv2D(width, 3, padding="same", groups=groups, name=f"{name}_conv")(x)
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_conv_norm")(x)
    x = layers.ReLU(name=f"{name}_relu")(x)
    rows, cols, _ = x.shape[1:]
    x = layers.Reshape((rows * cols, width), name=f"{name}_tokens")(x)
    attention = {"num_heads": heads, "key_dim": width // heads, "scale": 1.0}
    for block in range(1, count + 1):
        x = encoder(x, attention, width, 0.0, f"{name}_block{block}")
    x = layers.LayerNormalization(epsilon=1e-5, name=f"{name}_norm")(x)
    return layers.Reshape((rows, cols, width), name=f"{name}_image")(x)
