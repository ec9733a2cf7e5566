"""What the residual networks of He et al. have in common, as pruning papers use them."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import KerasTensor, layers, ops

from hsitf.zoo import Recipe

PAPER = (
    "K. He, X. Zhang, S. Ren, J. Sun, Deep residual learning for image recognition, IEEE Conf. "
    "Computer Vision and Pattern Recognition, 2016"
)
# As trained in C. Zhang, C. Li, B. Guo, N. Liao, Neural network compression via low frequency
# preference, Remote Sensing 15, 3144, 2023, section 3.1.
RECIPE = Recipe(
    "sgd", learning_rate=0.01, batch_size=256, epochs=300, momentum=0.9, weight_decay=0.005
)

# (what enters a block, its filters, its stride, its name) -> what its convolutions are added to.
Shortcut = Callable[[KerasTensor, int, int, str], KerasTensor]


def cifar(
    name: str, blocks: int, shortcut: Shortcut, *, bands: int, classes: int, patch: int
) -> keras.Model:
    """A residual network for small images: three stages of basic blocks, 16 to 64 filters.

    Args:
        name: Name of the model.
        blocks: A stage; with two convolutions each, the network is 6 * blocks + 2 layers deep.
        shortcut: Shortcut of the first block of the second and the third stage.
        bands: Number of input bands.
        classes: Number of logits.
        patch: Side of the patch in pixels; halved by the second and by the third stage.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = normalized(inputs, 16, 3, "conv")
    x = layers.ReLU(name="relu")(x)
    for stage, filters in enumerate((16, 32, 64), 1):
        for block in range(1, blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = _basic(x, filters, stride, shortcut, f"stage{stage}_block{block}")
    return keras.Model(inputs, classified(x, classes), name=name)


def _basic(x: KerasTensor, filters: int, stride: int, shortcut: Shortcut, name: str) -> KerasTensor:
    y = normalized(x, filters, 3, f"{name}_conv1", stride)
    y = layers.ReLU(name=f"{name}_relu1")(y)
    y = normalized(y, filters, 3, f"{name}_conv2")
    return joined(x if stride == 1 else shortcut(x, filters, stride, name), y, name)


def normalized(x: KerasTensor, filters: int, taps: int, name: str, stride: int = 1) -> KerasTensor:
    """A convolution without bias and its batch normalization; strides alone shrink the image."""
    if stride > 1 and taps > 1:
        # Padded alike on both sides, the kernel is centered on the pixels that a shortcut takes.
        x = layers.ZeroPadding2D(taps // 2, name=f"{name}_zeros")(x)
    x = layers.Conv2D(
        filters,
        taps,
        stride,
        padding="valid" if stride > 1 else "same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(x)


def joined(x: KerasTensor, y: KerasTensor, name: str) -> KerasTensor:
    """The end of a block: adds the shortcut and the output of the convolutions."""
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_sum")([x, y]))


def classified(x: KerasTensor, classes: int) -> KerasTensor:
    """The end of a network: the mean over all pixels, and logits."""
    return layers.Dense(classes, name="logits")(layers.GlobalAveragePooling2D(name="mean")(x))


def padded(x: KerasTensor, filters: int, stride: int, name: str) -> KerasTensor:
    """Shortcut without weights (option A of the paper): pixels left out, channels of zeros added.

    Half of the new channels come before the old ones, half after.
    """
    more = filters - x.shape[-1]
    zeros = [[0, 0], [0, 0], [0, 0], [more // 2, more - more // 2]]
    return ops.pad(x[:, ::stride, ::stride, :], zeros)


def projected(x: KerasTensor, filters: int, stride: int, name: str) -> KerasTensor:
    """Shortcut by a normalized convolution of single pixels (option B of the paper)."""
    return normalized(x, filters, 1, f"{name}_shortcut", stride)
