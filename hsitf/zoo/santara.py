"""BASS-Net of Santara et al. (configuration 4): groups of bands pass the same short 1-D CNN."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.errors import InputError
from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "A. Santara, K. Mani, P. Hatwar, A. Singh, A. Garg, K. Padia, P. Mitra, BASS Net: "
        "band-adaptive spectral-spatial feature learning neural network for hyperspectral image "
        "classification, IEEE Trans. Geoscience and Remote Sensing 55(9), 2017"
    ),
    patch=3,
    smallest_bands=110,
    recipe=Recipe(optimizer="adam", learning_rate=5e-4, batch=200, epochs=40),
    short=20,
)

# Filters and taps of the convolutions that each group passes.
_CONVOLUTIONS = ((20, 3), (20, 3), (10, 3), (5, 5))
# The paper divides into so many groups, or more where they would not be equal.
_FEWEST = 10
# Bands of a group of which those convolutions leave one position.
_SHORTEST = 1 + sum(taps - 1 for _, taps in _CONVOLUTIONS)


def build(bands: int, classes: int, patch: int, shared: bool = True) -> keras.Model:
    """`(patch, patch, bands)` -> logits; a group is a sequence of bands, its pixels the features.

    Args:
        bands: To be divided into groups of equal length, as few as can be but at least 10.
        classes: Logits.
        patch: Side of the patch in pixels.
        shared: Whether the groups share the weights of their convolutions, as in the paper.

    Raises:
        InputError: No division into groups suits the convolutions.
    """
    groups = _groups(bands)
    if groups is None:
        raise _indivisible(bands)
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Conv2D(bands, 1, activation="relu", name="select")(inputs)
    x = layers.Reshape((patch * patch, bands), name="pixels")(x)
    x = layers.Permute((2, 1), name="sequence")(x)
    x = _together(x, groups) if shared else _apart(x, groups)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(100, activation="relu", name="dense")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="santara")


def _groups(bands: int) -> int | None:
    """How many groups of equal length: as few as can be; None where they would be too short."""
    counts = range(_FEWEST, bands // _SHORTEST + 1)
    return next((groups for groups in counts if bands % groups == 0), None)


def _indivisible(bands: int) -> InputError:
    fitting = [n for n in range(NETWORK.smallest_bands, bands) if _groups(n)]
    nearest = fitting[-1] if fitting else NETWORK.smallest_bands
    return InputError(
        "santara cannot divide its bands into equal groups",
        received=f"{bands} bands",
        allowed=f"{_FEWEST} or more groups of {_SHORTEST} bands or more, such as {nearest} bands",
        remedy=f"reduce the scene to {nearest} bands or choose another network",
    )


def _together(x: KerasTensor, groups: int) -> KerasTensor:
    """Groups are rows of an image, which kernels of one row pass one by one."""
    bands, pixels = x.shape[1:]
    x = layers.Reshape((groups, bands // groups, pixels), name="groups")(x)
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
