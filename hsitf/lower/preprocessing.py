"""Folds preprocessing (normalization and band reduction) into a network.

The network then takes the counts of the sensor. Only band reductions that are affine, or made of
dense layers, can be folded. A network that begins with normalization per pixel undoes the
normalization of bands first; where all bands enter, neither is left.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from hsitf.arrays import Float64Array
from hsitf.bands.reducer import AffineProjection, DenseEncoder, Reducer
from hsitf.errors import InputError
from hsitf.layers import PixelNormalization
from hsitf.scenes.normalize import Normalizer


def fold_preprocessing(
    network: keras.Model,
    normalizer: Normalizer,
    reducer: Reducer | None,
    separate_normalization: bool = False,
) -> keras.Model:
    """Folds normalization and band reduction into a network.

    Args:
        network: `(batch, patch, patch, components)` -> logits.
        normalizer: Normalization of the bands.
        reducer: Reduction of normalized bands; None where the network takes all of them.
        separate_normalization: Whether normalization stays a layer of its own before the
            reduction. A single matrix takes fewer multiplications, but bands with a small
            deviation get large weights in it, and 8-bit quantization then rounds the weights of
            other bands to zero.

    Returns:
        `(batch, patch, patch, bands)` in the sensor's units -> the same logits.

    Raises:
        InputError: The reduction is neither affine nor made of dense layers.
    """
    if reducer is not None and not reducer.foldable:
        raise InputError(
            f"{reducer.spec} cannot be folded into a network",
            received="--fold-preprocessing",
            allowed="reductions that are affine in the bands, and autoencoder",
            remedy="leave it out: bands.npz beside the file holds the reduction",
        )
    offset = np.asarray(normalizer.offset, np.float64)
    scale = np.asarray(normalizer.scale, np.float64)
    side = int(network.input_shape[1])
    inputs = keras.Input((side, side, len(offset)), name="patch")
    x = inputs
    first = _first_layer(network)
    if reducer is None and _undoes(first, scale, offset):
        behind = keras.Model(first.output, network.outputs)
        return keras.Model(inputs, behind(first.in_sensor_units()(x)), name=network.name)
    if reducer is None or separate_normalization:
        x = _normalize(x, scale, offset)
        scale, offset = np.ones_like(scale), np.zeros_like(offset)
    if reducer is not None and reducer.affine is not None:
        x = _project(x, reducer.affine, scale, offset, "front")
    elif reducer is not None:
        x = _encoder(x, reducer, scale, offset)
    return keras.Model(inputs, network(x), name=network.name)


def _first_layer(network: keras.Model) -> Any:
    """The layer that a network's input enters, where it enters a single one."""
    entered = [layer for layer in network.layers if not isinstance(layer, layers.InputLayer)]
    return entered[0] if entered and len(network.inputs) == 1 else None


def _undoes(layer: Any, scale: Float64Array, offset: Float64Array) -> bool:
    """Whether a layer begins by undoing the normalization of bands."""
    return (
        isinstance(layer, PixelNormalization)
        and not layer.sensor_units
        and np.array_equal(layer.scale, scale)
        and np.array_equal(layer.offset, offset)
    )


def _normalize(
    x: keras.KerasTensor, scale: Float64Array, offset: Float64Array
) -> keras.KerasTensor:
    """`(x - offset) / scale`, a depthwise convolution of single pixels."""
    layer = layers.DepthwiseConv2D(1, name="normalized")
    result = layer(x)
    layer.set_weights([(1 / scale).reshape(1, 1, -1, 1), -offset / scale])
    return result


def _project(
    x: keras.KerasTensor,
    affine: AffineProjection,
    scale: Float64Array,
    offset: Float64Array,
    name: str,
    activation: str | None = None,
) -> keras.KerasTensor:
    """`((x - offset) / scale) @ matrix + affine.offset`: one convolution of single pixels."""
    matrix = affine.matrix.astype(np.float64) / scale[:, None]
    layer = layers.Conv2D(matrix.shape[1], 1, activation=activation, name=name)
    result = layer(x)
    layer.set_weights([matrix[None, None], affine.offset - offset @ matrix])
    return result


def _encoder(
    x: keras.KerasTensor, reducer: Reducer, scale: Float64Array, offset: Float64Array
) -> keras.KerasTensor:
    """The dense layers of an encoder, the scale of its components folded into the last."""
    stack = reducer.transform
    assert isinstance(stack, DenseEncoder)
    last = len(stack.kernels) - 1
    for number, (kernel, bias) in enumerate(zip(stack.kernels, stack.biases, strict=True)):
        if number == last:
            kernel = kernel / reducer.scale
            bias = (bias - reducer.shift) / reducer.scale
        # Only the first layer takes bands.
        own = (scale, offset) if number == 0 else (np.ones(len(kernel)), np.zeros(len(kernel)))
        x = _project(
            x,
            AffineProjection(kernel, bias),
            *own,
            f"front{number + 1}",
            "relu" if number < last else None,
        )
    return x
