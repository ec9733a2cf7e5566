"""ResNet-50 of He et al. for large images; strides are in the 3 x 3 convolutions of a block."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network, Recipe
from hsitf.zoo._resnet import PAPER, classified, joined, normalized, projected

# As fine-tuned on ImageNet in C. Zhang, C. Li, B. Guo, N. Liao, Neural network compression via low
# frequency preference, Remote Sensing 15, 3144, 2023, section 3.1.
RECIPE = Recipe(
    "sgd", learning_rate=0.1, batch_size=128, epochs=150, momentum=0.99, weight_decay=1e-4
)
NETWORK = Network(paper=PAPER, patch=224, recipe=RECIPE, short_epochs=20)

_BLOCKS = (3, 4, 6, 3)
# A block has so many times the channels of its inner convolutions.
_EXPANSION = 4


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits; 224 x 224 shrinks to 112, 56, 28, 14 and 7."""
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = normalized(inputs, 64, 7, "conv", 2)
    x = layers.ReLU(name="relu")(x)
    # Nothing is below zero here, so that zeros around it are no maximum of their own.
    x = layers.ZeroPadding2D(1, name="pool_zeros")(x)
    x = layers.MaxPooling2D(3, 2, name="pool")(x)
    for stage, blocks in enumerate(_BLOCKS, 1):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = _bottleneck(x, 32 * 2**stage, stride, f"stage{stage}_block{block}")
    return keras.Model(inputs, classified(x, classes), name="resnet50")


def _bottleneck(x: KerasTensor, filters: int, stride: int, name: str) -> KerasTensor:
    y = normalized(x, filters, 1, f"{name}_conv1")
    y = layers.ReLU(name=f"{name}_relu1")(y)
    y = normalized(y, filters, 3, f"{name}_conv2", stride)
    y = layers.ReLU(name=f"{name}_relu2")(y)
    y = normalized(y, _EXPANSION * filters, 1, f"{name}_conv3")
    if x.shape[-1] != y.shape[-1]:
        x = projected(x, _EXPANSION * filters, stride, name)
    return joined(x, y, name)
