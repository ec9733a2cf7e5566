"""Normalization and band reduction in front of a network, inside it.

A device then feeds what its sensor counts. Only what is affine in the bands, or made of dense
layers, can be written so.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from hsitf.bands.reducer import Affine, Reducer, Stack
from hsitf.errors import InputError
from hsitf.scenes.normalize import Normalizer

Doubles = NDArray[np.float64]


def fused(
    network: keras.Model, normalizer: Normalizer, reducer: Reducer | None, apart: bool = False
) -> keras.Model:
    """A network with what comes before it.

    Args:
        network: `(batch, patch, patch, components)` -> logits.
        normalizer: Of the bands.
        reducer: Of normalized bands; None where the network takes all of them.
        apart: Whether normalization stays a layer of its own before the reduction. As one
            matrix both take fewer multiplications; but bands of small deviation get large
            weights there, beside which integers of 8 bits round those of the others to nothing.

    Returns:
        `(batch, patch, patch, bands)` in the sensor's units -> the same logits.

    Raises:
        InputError: The reduction is neither affine nor of dense layers.
    """
    if reducer is not None and not reducer.fusable:
        raise InputError(
            f"{reducer.text} cannot be written as layers",
            received="--fuse",
            allowed="reductions that are affine in the bands, and autoencoder",
            remedy="leave it out: bands.npz beside the file holds the reduction",
        )
    offset = np.asarray(normalizer.offset, np.float64)
    scale = np.asarray(normalizer.scale, np.float64)
    side = int(network.input_shape[1])
    inputs = keras.Input((side, side, len(offset)), name="patch")
    x = inputs
    if reducer is None or apart:
        x = _by_band(x, scale, offset)
        scale, offset = np.ones_like(scale), np.zeros_like(offset)
    if reducer is not None and reducer.affine is not None:
        x = _projected(x, reducer.affine, scale, offset, "front")
    elif reducer is not None:
        x = _stacked(x, reducer, scale, offset)
    return keras.Model(inputs, network(x), name=network.name)


def _by_band(x: keras.KerasTensor, scale: Doubles, offset: Doubles) -> keras.KerasTensor:
    """`(x - offset) / scale`, a depthwise convolution of single pixels."""
    layer = layers.DepthwiseConv2D(1, name="normalized")
    result = layer(x)
    layer.set_weights([(1 / scale).reshape(1, 1, -1, 1), -offset / scale])
    return result


def _projected(
    x: keras.KerasTensor,
    affine: Affine,
    scale: Doubles,
    offset: Doubles,
    name: str,
    activation: str | None = None,
) -> keras.KerasTensor:
    """`((x - offset) / scale) @ matrix + affine.offset`: one convolution of single pixels."""
    matrix = affine.matrix.astype(np.float64) / scale[:, None]
    layer = layers.Conv2D(matrix.shape[1], 1, activation=activation, name=name)
    result = layer(x)
    layer.set_weights([matrix[None, None], affine.offset - offset @ matrix])
    return result


def _stacked(
    x: keras.KerasTensor, reducer: Reducer, scale: Doubles, offset: Doubles
) -> keras.KerasTensor:
    """The dense layers of an encoder, its components' scale in the last."""
    stack = reducer.map
    assert isinstance(stack, Stack)
    last = len(stack.kernels) - 1
    for number, (kernel, bias) in enumerate(zip(stack.kernels, stack.biases, strict=True)):
        if number == last:
            kernel = kernel / reducer.scale
            bias = (bias - reducer.shift) / reducer.scale
        # Only the first layer sees bands.
        own = (scale, offset) if number == 0 else (np.ones(len(kernel)), np.zeros(len(kernel)))
        x = _projected(
            x, Affine(kernel, bias), *own, f"front{number + 1}", "relu" if number < last else None
        )
    return x
