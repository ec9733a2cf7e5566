"""DeepHS-Net of Varga et al.: three depthwise separable convolutions, for fruit and for scenes."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "L. A. Varga, J. Makowski, A. Zell, Measuring the ripeness of fruit with hyperspectral "
        "imaging and deep learning, IJCNN, 2021; layers and recipe as in H. Frank, L. A. Varga, A. "
        "Zell, Hyperspectral benchmark: bridging the gap between HSI applications through "
        "comprehensive dataset and pretraining, arXiv:2309.11122, 2023"
    ),
    patch=9,
    min_patch=4,
    recipe=Recipe(
        optimizer="adam",
        learning_rate=1e-2,
        batch_size=32,
        epochs=50,
        milestones=(0.2, 0.4, 0.6, 0.8),
    ),
    short_epochs=15,
)

FILTERS = (25, 30, 50)
_MULTIPLIER = 3
# Sides of the windows that maps are averaged over: the paper's, and that of maps too small for two
# of these.
_POOLING, _SMALL_POOLING = 4, 2


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits.

    The paper's objects are 63 to 128 pixels across, and its two average poolings have windows of 4
    x 4. A patch of a scene, which names its center, is smaller: below 16 pixels the windows are
    2 x 2 here, and the patch of 9 is ours.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = separable(inputs, FILTERS[0], 1)
    return keras.Model(inputs, behind_first(x, classes), name="deephs")


def behind_first(x: KerasTensor, classes: int) -> KerasTensor:
    """Logits from the maps of the first convolution, before their normalization."""
    side = _POOLING if x.shape[1] >= _POOLING**2 else _SMALL_POOLING
    for number, filters in enumerate(FILTERS[1:], 2):
        x = layers.AveragePooling2D(side, name=f"pool{number - 1}")(x)
        x = separable(_normed(x, f"conv{number - 1}"), filters, number)
    x = layers.GlobalAveragePooling2D(name="mean")(_normed(x, f"conv{len(FILTERS)}"))
    x = layers.Activation("sigmoid", name="mean_sigmoid")(x)
    return layers.Dense(classes, name="logits")(_normed(x, "mean"))


def separable(x: KerasTensor, filters: int, number: int) -> KerasTensor:
    """A depthwise convolution, three maps from each, mixed pixel by pixel."""
    x = layers.DepthwiseConv2D(
        3, padding="same", depth_multiplier=_MULTIPLIER, name=f"depthwise{number}"
    )(x)
    x = layers.Conv2D(filters, 1, kernel_initializer="he_normal", name=f"conv{number}")(x)
    return layers.ReLU(name=f"conv{number}_relu")(x)


def _normed(x: KerasTensor, name: str) -> KerasTensor:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)
