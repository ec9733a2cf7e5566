"""Parts that the networks of several baselines are made of."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from hsitf.arrays import Float32Array
from hsitf.zoo._baselines.data import BaselineData

# A power of two, which changes no digit of a number that it multiplies.
_STEEP = 2.0**60


def spectrum_input(data: BaselineData) -> tuple[KerasTensor, KerasTensor]:
    """The input of a baseline, (batch, 1, 1, bands), and its spectrum, (batch, bands)."""
    bands = data.spectra.shape[1]
    inputs = keras.Input((1, 1, bands), name="patch")
    return inputs, layers.Reshape((bands,), name="spectrum")(inputs)


def distances(spectrum: KerasTensor, points: Float32Array, name: str) -> KerasTensor:
    """Squared distances to points: `|x|^2 - 2 x.s + |s|^2`, (batch, points).

    One dense layer of the spectrum and its squares.
    """
    both = layers.Concatenate(name=f"{name}_squares")([spectrum, ops.square(spectrum)])
    kernel = np.concatenate([-2 * points.T, np.ones_like(points.T)])
    squares = (points.astype(np.float64) ** 2).sum(axis=1).astype(np.float32)
    # Rounding may leave a distance of nothing a little below it.
    return ops.relu(dense(both, kernel, squares, f"{name}_distances"))


def dense(x: KerasTensor, kernel: Float32Array, bias: Any, name: str) -> KerasTensor:
    """A dense layer with these weights."""
    layer = layers.Dense(kernel.shape[1], name=name)
    result = layer(x)
    layer.set_weights([kernel, bias])
    return result


def step(x: KerasTensor) -> KerasTensor:
    """1 where x is above 0, else 0; exact for every number from 2^-60 on."""
    return ops.clip(_STEEP * x, 0.0, 1.0)
