"""From the axes of PyTorch's arrays to those of Keras.

PyTorch has channels before bands, rows and cols, `(outputs, inputs, bands, rows, cols)`; Keras has
them last, `(rows, cols, bands, inputs, outputs)`. What is flattened before a dense layer comes in
the same order, so that the rows of its kernel move as well.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from hsitf.adopt.pytorch.layers import BIAS, MEAN, RECURRENT, VARIANCE, WEIGHT, CheckpointLayer
from hsitf.arrays import Float32Array

# Axes of a kernel as PyTorch has them, by its spatial rank in Keras, where volumes are
# (rows, cols, bands, inputs, outputs).
_KERNEL_AXES = {0: (1, 0), 1: (2, 1, 0), 2: (3, 2, 0, 1), 3: (4, 3, 2, 0, 1)}
# Axes that bring (channels, ...) to (..., channels), by the number of axes.
_FEATURE_AXES = {1: (0,), 2: (1, 0), 3: (1, 2, 0), 4: (2, 3, 1, 0)}
_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
_ELEMENTWISE = (layers.Dropout, layers.Activation, layers.ReLU, layers.BatchNormalization)
_MATCHED = (layers.Dense, layers.BatchNormalization, layers.GRU, *_CONVOLUTIONS)


def unmatched_layers(model: keras.Model) -> list[str]:
    """Types of a network's layers whose weights cannot be told by the shapes of arrays.

    PyTorch has other arrays for attention and for learned tokens, and other slopes for PReLU.
    """
    others = [layer for layer in weighted_layers(model) if not isinstance(layer, _MATCHED)]
    grouped = [layer for layer in weighted_layers(model) if getattr(layer, "groups", 1) > 1]
    return sorted({type(layer).__name__ for layer in [*others, *grouped]})


def expected_shape(layer: Any) -> tuple[int, ...]:
    """Shape of a layer's largest array as PyTorch has it.

    Args:
        layer: A built layer of Keras with weights.
    """
    if isinstance(layer, layers.BatchNormalization):
        return tuple(layer.gamma.shape)
    if isinstance(layer, layers.GRU):
        return tuple(reversed(layer.cell.kernel.shape))
    shape = tuple(layer.kernel.shape)
    return tuple(shape[axis] for axis in _KERNEL_AXES[len(shape) - 2])


def fits(layer: Any, source: CheckpointLayer) -> bool:
    """Whether a layer of a checkpoint has the arrays that a layer of Keras needs."""
    roles, arrays = set(source.arrays), source.arrays
    expected = expected_shape(layer)
    if isinstance(layer, layers.GRU):
        gates = 3 * layer.units
        shapes = [expected, (gates, layer.units), (gates,), (gates,)]
        wanted = dict(zip(RECURRENT, shapes, strict=True))
        complete = set(RECURRENT[:2]) <= roles <= set(RECURRENT)
        return complete and all(arrays[role].shape == wanted[role] for role in roles)
    if isinstance(layer, layers.BatchNormalization):
        normal = {MEAN, VARIANCE} <= roles <= {MEAN, VARIANCE, WEIGHT, BIAS}
        return normal and all(array.shape == expected for array in arrays.values())
    if not isinstance(layer, (layers.Dense, *_CONVOLUTIONS)) or not {WEIGHT} <= roles <= {
        WEIGHT,
        BIAS,
    }:
        return False
    if BIAS in roles and (not layer.use_bias or arrays[BIAS].shape != expected[:1]):
        return False
    return _spelled(arrays[WEIGHT].shape, expected)


def _spelled(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    """Whether a kernel has the expected shape, give or take axes of one.

    A dense layer may be a convolution of single pixels. A convolution over all bands may be one of
    volumes, `(outputs, 1, bands, rows, cols)`.
    """
    if len(shape) < 2:
        return False
    spellings = [(shape[:2], shape[2:])]
    if len(shape) == 5 and shape[1] == 1:
        spellings.append(((shape[0], shape[2]), shape[3:]))
    spatial = [size for size in expected[2:] if size > 1]
    return any(
        (channels, [size for size in others if size > 1]) == (expected[:2], spatial)
        for channels, others in spellings
    )


def keras_weights(
    layer: Any, source: CheckpointLayer, features: NDArray[np.int64] | None
) -> list[Float32Array]:
    """Weights of a layer, in the order of `layer.weights`.

    Args:
        layer: A layer of Keras that `source` fits.
        source: The layer of the checkpoint.
        features: For each input feature of the layer, its place among those of PyTorch; None where
            they come in the same order.
    """
    arrays = source.arrays
    expected = expected_shape(layer)
    if isinstance(layer, layers.GRU):
        return _gru_weights(layer.units, source)
    if isinstance(layer, layers.BatchNormalization):
        ones, zeros = np.ones(expected, np.float32), np.zeros(expected, np.float32)
        found = [
            arrays.get(WEIGHT, ones),
            arrays.get(BIAS, zeros),
            arrays[MEAN],
            arrays[VARIANCE],
        ]
        return found if features is None else [array[features] for array in found]
    kernel = arrays[WEIGHT].reshape(expected)
    if features is not None:
        kernel = kernel[:, features]
    # The inverse of the axes by which the shape was found.
    kernel = np.transpose(kernel, np.argsort(_KERNEL_AXES[kernel.ndim - 2]).tolist())
    if not layer.use_bias:
        return [kernel]
    return [kernel, arrays.get(BIAS, np.zeros(expected[:1], np.float32))]


def _gru_weights(units: int, source: CheckpointLayer) -> list[Float32Array]:
    """Gates are side by side: PyTorch has reset, update, new; Keras has update, reset, new."""

    def gates(array: Float32Array) -> Float32Array:
        reset, update, new = np.split(array, 3)
        exchanged: Float32Array = np.concatenate([update, reset, new]).T
        return exchanged

    zeros = np.zeros(3 * units, np.float32)
    kernel, recurrent = (gates(source.arrays[role]) for role in RECURRENT[:2])
    biases = [gates(source.arrays.get(role, zeros)) for role in RECURRENT[2:]]
    return [kernel, recurrent, np.stack(biases)]


def feature_order(layer: Any, own_order: bool) -> NDArray[np.int64] | None:
    """For each input feature of a layer, its place among those of PyTorch.

    Features have an order of their own behind a Flatten, and where the bands and filters of a
    volume become the channels of an image.

    Args:
        layer: A layer of Keras with weights.
        own_order: Whether steps of a recurrent layer, and bands of a volume, are laid out as the
            zoo has them rather than as PyTorch toolboxes do, channels first.

    Returns:
        (features,) indices; None where the order is the same.
    """
    before = layer.input._keras_history.operation
    while isinstance(before, _ELEMENTWISE):
        before = before.input._keras_history.operation
    if isinstance(before, layers.Flatten):
        if own_order and isinstance(_source_of(before), layers.GRU):
            return None
        return _moved(before.input.shape[1:])
    image = isinstance(before, layers.Reshape) and isinstance(layer, layers.Conv2D)
    if image and not own_order and len(before.input.shape) == 5:
        bands, filters = before.input.shape[3:]
        if before.output.shape[-1] == bands * filters:
            return _moved((bands, filters))
    return None


def _source_of(layer: Any) -> Any:
    """The operation in front of a layer."""
    return layer.input._keras_history.operation


def _moved(shape: tuple[int, ...]) -> NDArray[np.int64] | None:
    """Places of features `(..., channels)` where channels come first, volumes bands first."""
    axes = _FEATURE_AXES[len(shape)]
    theirs = tuple(shape[axis] for axis in np.argsort(axes))
    places: NDArray[np.int64] = np.arange(math.prod(shape)).reshape(theirs).transpose(axes).ravel()
    return None if np.array_equal(places, np.arange(places.size)) else places


def weighted_layers(model: keras.Model) -> list[Any]:
    """Layers with weights, in the order in which the network calls them."""
    found = [layer for layer in model.layers if layer.weights]
    found = [layer for layer in found if not isinstance(layer, layers.Dropout)]
    # Keras numbers tensors as they are made, and lists layers by their distance from the end,
    # which tells nothing of the order of branches.
    numbers = [layer.output.name.rpartition("_")[2] for layer in found]
    if all(number.isdecimal() for number in numbers):
        order = np.argsort([int(number) for number in numbers], kind="stable")
        return [found[place] for place in order]
    return found
