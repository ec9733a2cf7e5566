"""Exponential moving average of the weights: what is evaluated and saved in their place.

The averages are variables of the optimizer, updated inside the compiled step, so that a run resumes
with them. Training itself goes on with the weights as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from hsitf.arrays import Float32Array
from hsitf.data import SceneData
from hsitf.tile_networks import is_tile_network
from hsitf.train.tile_inputs import sample_tiles

# The statistics of batch normalization are measured anew on so many training patches, a batch at a
# time: as many as a few steps, and the time of an epoch hardly grows.
STATISTICS_PATCHES = 1024
_BATCH = 128
# The same for networks of tiles, whose pixels are many.
STATISTICS_TILES, _BATCH_OF_TILES = 64, 16


def average_weights(optimizer: keras.optimizers.Optimizer, steps: float) -> None:
    """Makes an optimizer average the weights; before it is built.

    Args:
        optimizer: The optimizer.
        steps: Time constant: a step counts `exp(-1)` after so many; 0 for no average.
    """
    if steps:
        optimizer.use_ema = True
        optimizer.ema_momentum = math.exp(-1 / steps)
        optimizer.ema_overwrite_frequency = None
        # Keras would put the averages in place of the weights at the end of every epoch.
        optimizer.finalize_variable_values = _leave_as_they_are


def _leave_as_they_are(variables: object) -> None:
    del variables


@contextmanager
def averaged_weights(network: keras.Model, model: keras.Model, data: SceneData) -> Iterator[None]:
    """The network has the averaged weights inside the block; nothing changes without an average.

    Batch normalization then has the statistics of its training patches under these weights: those
    that training collected belong to the weights as they were in the steps before.

    Args:
        network: The network.
        model: The compiled model around it.
        data: The scene whose training pixels are measured.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    if not getattr(optimizer, "use_ema", False):
        yield
        return
    variables: list[Any] = model.trainable_variables
    kept = [np.array(ops.convert_to_numpy(one)) for one in variables]
    norms = [
        one
        for one in network._flatten_layers()
        if isinstance(one, keras.layers.BatchNormalization) and one.trainable
    ]
    statistics = [[np.array(ops.convert_to_numpy(v)) for v in _statistics(one)] for one in norms]
    averages = optimizer._model_variables_moving_average
    for variable, average in zip(optimizer._trainable_variables, averages, strict=True):
        # A copy: JAX frees the memory of what a step was given.
        variable.assign(np.array(ops.convert_to_numpy(average)))
    try:
        if norms:
            _measure_statistics(network, norms, data)
        yield
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)
        for layer, values in zip(norms, statistics, strict=True):
            for variable, value in zip(_statistics(layer), values, strict=True):
                variable.assign(value)


def _statistics(layer: keras.layers.BatchNormalization) -> tuple[Any, Any]:
    return layer.moving_mean, layer.moving_variance


def _statistics_batches(
    network: keras.Model, data: SceneData
) -> tuple[Callable[[Any], Float32Array], list[Any]]:
    """Batches of training patches or tiles, and what makes `(n, ...)` float32 of one of them."""
    if is_tile_network(network):
        side = int(network.inputs[0].shape[1])
        tiles, _ = sample_tiles(data, side, STATISTICS_TILES)
        return np.asarray, np.array_split(tiles, STATISTICS_TILES // _BATCH_OF_TILES)
    pixels = np.random.default_rng(data.split.seed).permutation(data.split.train)
    pixels = pixels[:STATISTICS_PATCHES]
    # No small rest: its variance would count like that of a whole batch.
    return data.patches.extract, np.array_split(pixels, max(1, len(pixels) // _BATCH))


def _measure_statistics(
    network: keras.Model, norms: list[keras.layers.BatchNormalization], data: SceneData
) -> None:
    """Means over batches of training patches, unchanged ones as in inference."""
    inputs, parts = _statistics_batches(network, data)
    momenta = [one.momentum for one in norms]
    sums: list[list[Any]] = [[0.0, 0.0] for _ in norms]
    others = [
        v for v in network.variables if not any(v is s for n in norms for s in _statistics(n))
    ]
    before = [np.array(ops.convert_to_numpy(one)) for one in others]
    try:
        for layer in norms:
            # The statistics are then those of the last batch.
            layer.momentum = 0.0
        for part in parts:
            network(inputs(part), training=True)
            for total, layer in zip(sums, norms, strict=True):
                for at, variable in enumerate(_statistics(layer)):
                    total[at] = total[at] + np.array(ops.convert_to_numpy(variable)) / len(parts)
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
        # Dropout has drawn; its generators go on as if it had not.
        for variable, value in zip(others, before, strict=True):
            variable.assign(value)
    for layer, total in zip(norms, sums, strict=True):
        for variable, value in zip(_statistics(layer), total, strict=True):
            variable.assign(value)
