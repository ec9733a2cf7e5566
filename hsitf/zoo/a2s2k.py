"""A2S2K-ResNet of Roy et al.: two stems, residual blocks, and attention to channels."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers

from hsitf.zoo import Network, Recipe

NETWORK = Network(
    paper=(
        "S. K. Roy, S. Manna, T. Song, L. Bruzzone, Attention-based adaptive spectral-spatial "
        "kernel ResNet for hyperspectral image classification, IEEE Trans. Geoscience and Remote "
        "Sensing 59(9), 2021"
    ),
    patch=7,
    min_patch=3,
    min_bands=7,
    recipe=Recipe(optimizer="adam", learning_rate=1e-3, batch_size=32, epochs=200),
    short_epochs=15,
)

_FILTERS, _WIDE, _TAPS = 24, 128, 7
# Added to variances within the residual blocks; elsewhere the authors have a thousandth.
_EPSILON = 1e-5


def build(bands: int, classes: int, patch: int) -> keras.Model:
    """`(patch, patch, bands)` -> logits.

    The paper turns a scene into as many principal components as it has bands before. As in the
    authors' code, the attention between the two stems takes the softmax of the same numbers twice,
    so that both weights are one half whatever its layers learn.
    """
    inputs = keras.Input((patch, patch, bands), name="patch")
    x = layers.Reshape((patch, patch, bands, 1), name="volume")(inputs)
    narrow = _conv(x, _FILTERS, (1, 1, _TAPS), "stem1", strides=(1, 1, 2))
    padded = layers.ZeroPadding3D((1, 1, 0), name="stem2_zeros")(x)
    wide = _conv(padded, _FILTERS, (3, 3, _TAPS), "stem2", strides=(1, 1, 2))
    x = _selected(_normed(narrow, "stem1"), _normed(wide, "stem2"), bands)
    x = _block(x, (1, 1, _TAPS), "spectral1", first=True)
    x = _block(x, (1, 1, _TAPS), "spectral2")
    x = _normed(_conv(x, _WIDE, (1, 1, x.shape[3]), "conv1"), "conv1")
    # The filters become the third axis, which the next kernel spans.
    x = layers.Reshape((patch, patch, _WIDE, 1), name="filters_as_bands")(x)
    x = _normed(_conv(x, _FILTERS, (3, 3, _WIDE), "conv2"), "conv2")
    x = _block(x, (3, 3, 1), "spatial1")
    x = _normed(_block(x, (3, 3, 1), "spatial2"), "end", _EPSILON)
    x = layers.GlobalAveragePooling3D(name="mean")(x)
    return keras.Model(inputs, layers.Dense(classes, name="logits")(x), name="a2s2k")


def _selected(one: KerasTensor, other: KerasTensor, bands: int) -> KerasTensor:
    """Both stems weighted by attention to their sum."""
    both = layers.Add(name="stems")([one, other])
    x = layers.GlobalAveragePooling3D(name="stems_mean")(both)
    x = layers.Dense(bands // 2, activation="relu", name="stems_dense1")(x)
    x = layers.Dense(_FILTERS, name="stems_dense2")(x)
    x = layers.Reshape((1, _FILTERS), name="stems_scores")(x)
    weights = layers.Softmax(axis=1, name="stems_weights")(
        layers.Concatenate(axis=1, name="stems_twice")([x, x])
    )
    parts = []
    for number, stem in enumerate((one, other)):
        share = layers.Reshape((1, 1, 1, _FILTERS), name=f"stem{number + 1}_share")(
            weights[:, number]
        )
        parts.append(layers.Multiply(name=f"stem{number + 1}_weighted")([stem, share]))
    return layers.Add(name="selected")(parts)


def _block(
    x: KerasTensor, kernel: tuple[int, int, int], name: str, first: bool = False
) -> KerasTensor:
    """A residual block with attention to its channels; normalized elsewhere in the first one."""
    y = x if first else _normed(x, f"{name}_start", _EPSILON)
    y = layers.ReLU(name=f"{name}_relu1")(_conv(y, _FILTERS, kernel, f"{name}_conv1", "same"))
    y = _conv(_normed(y, name, _EPSILON), _FILTERS, kernel, f"{name}_conv2", "same")
    if first:
        y = layers.BatchNormalization(momentum=0.9, epsilon=_EPSILON, name=f"{name}_end_norm")(y)
    return layers.Add(name=f"{name}_sum")([_attended(y, name), x])


def _attended(x: KerasTensor, name: str) -> KerasTensor:
    """Channels times a weight that each computes from itself and its two neighbors."""
    weights = layers.GlobalAveragePooling3D(name=f"{name}_mean")(x)
    weights = layers.Reshape((_FILTERS, 1), name=f"{name}_channels")(weights)
    weights = layers.Conv1D(
        1, 3, padding="same", use_bias=False, activation="sigmoid", name=f"{name}_attention"
    )(weights)
    weights = layers.Reshape((1, 1, 1, _FILTERS), name=f"{name}_weights")(weights)
    return layers.Multiply(name=f"{name}_weighted")([x, weights])


def _conv(
    x: KerasTensor,
    filters: int,
    kernel: tuple[int, int, int],
    name: str,
    padding: str = "valid",
    strides: tuple[int, int, int] = (1, 1, 1),
) -> KerasTensor:
    return layers.Conv3D(filters, kernel, strides, padding, name=name)(x)


def _normed(x: KerasTensor, name: str, epsilon: float = 1e-3) -> KerasTensor:
    x = layers.BatchNormalization(momentum=0.9, epsilon=epsilon, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
