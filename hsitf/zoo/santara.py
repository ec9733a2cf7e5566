"""BASS-Net of Santara et al. (configuration 4): groups of channels pass the same short 1-D CNN."""

from __future__ import annotations

from itertools import count

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "A. Santara, K. Mani, P. Hatwar, A. Singh, A. Garg, K. Padia, P. Mitra, BASS Net: "
        "band-adaptive spectral-spatial feature learning neural network for hyperspectral image "
        "classification, IEEE Trans. Geoscience and Remote Sensing 55(9), 2017"
    ),
    patch=3,
    recipe=Recipe(optimizer="adam", learning_rate=5e-4, batch_size=200, epochs=40),
    short_epochs=20,
)

# Filters and taps of the convolutions that each group passes.
_CONVOLUTIONS = ((20, 3), (20, 3), (10, 3), (5, 5))
# The paper divides into so many groups, or more where they would not be equal.
_FEWEST = 10
# Channels of a group of which those convolutions leave one position.
_SHORTEST = 1 + sum(taps - 1 for _, taps in _CONVOLUTIONS)


def build(bands: int, classes: int, patch: int, shared: bool = True) -> keras.Model:
    """`(patch, patch, bands)` -> logits; a group is a sequence of channels, pixels its features.

    A convolution of single pixels produces the channels, which are divided into groups of equal
    length, as few as possible but at least 10. There are as many channels as bands, as in the
    paper, or the next larger number that can be divided this way: not every number of bands can,
    and the authors' code takes the number of these filters as an option.

    Args:
        bands: Number of input bands; 200 give 10 groups of 20 channels, 103 give 10 groups of 11.
        classes: Number of logits.
        patch: Side of the patch in pixels.
        shared: Whether the groups share the weights of their convolutions, as in the paper.
    """
    channels, groups = _division(bands)
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Conv2D(channels, 1, activation="relu", name="select")(inputs)
    x = layers.Reshape((patch * patch, channels), name="pixels")(x)
    x = layers.Permute((2, 1), name="sequence")(x)
    x = _together(x, groups) if shared else _apart(x, groups)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(100, activation="relu", name="dense")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="santara")


def _division(bands: int) -> tuple[int, int]:
    """Channels and groups of equal length: the fewest of both that are enough."""
    return next(
        (channels, groups)
        for channels in count(max(bands, _FEWEST * _SHORTEST))
        for groups in range(_FEWEST, channels // _SHORTEST + 1)
        if channels % groups == 0
    )


def _together(x: KerasTensor, groups: int) -> KerasTensor:
    """Groups are rows of an image, which kernels of one row pass one by one."""
    channels, pixels = x.shape[1:]
    x = layers.Reshape((groups, channels // groups, pixels), name="groups")(x)
    for number, (filters, taps) in enumerate(_CONVOLUTIONS, 1):
        x = layers.Conv2D(filters, (1, taps), activation="relu", name=f"conv{number}")(x)
    return x


def _apart(x: KerasTensor, groups: int) -> KerasTensor:
    """Each group has its own convolutions."""
    length = x.shape[1] // groups
    parts = [_group(x[:, n * length : (n + 1) * length], f"group{n + 1}") for n in range(groups)]
    return layers.Concatenate(axis=1, name="groups")(parts)


def _group(x: KerasTensor, name: str) -> KerasTensor:
    for number, (filters, taps) in enumerate(_CONVOLUTIONS, 1):
        x = layers.Conv1D(filters, taps, activation="relu", name=f"{name}_conv{number}")(x)
    return x
