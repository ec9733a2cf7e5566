"""Pooling: of windows, and of whole axes."""

from __future__ import annotations

import numpy as np
from keras import layers, ops

from hsitf.lower.place import Place
from hsitf.lower.value import Value, arranged, positions
from hsitf.lower.volume import AXES, MEMORY, as_volume, from_volume


def pooling(place: Place, inputs: list[Value]) -> Value:
    """Max and average pooling in one to three dimensions: down and across, then folded.

    Both kinds are separable, zero padding included: it is neither a maximum nor counted.
    """
    layer, (value,) = place.layer, inputs
    volume = arranged(as_volume(value), MEMORY)
    spatial = AXES[len(value.shape)][:3]
    window = [1 if axis is None else layer.pool_size[axis] for axis in spatial]
    stride = [1 if axis is None else layer.strides[axis] for axis in spatial]
    kind = layers.MaxPooling2D if "Max" in type(layer).__name__ else layers.AveragePooling2D
    folded, across, down, channels = volume.shape
    tensor = kind(
        (window[2], window[1]), (stride[2], stride[1]), padding=layer.padding, name=place.name
    )(volume.viewed(down, across, folded * channels))
    down, across = tensor.shape[1:3]
    if window[0] > 1 or stride[0] > 1:
        pooled = Value(tensor, positions((folded, across, down, channels), MEMORY))
        tensor = kind(
            (1, window[0]), (1, stride[0]), padding=layer.padding, name=f"{place.name}_folded"
        )(pooled.viewed(down * across, folded, channels))
        folded = tensor.shape[2]
    result = Value(tensor, positions((folded, across, down, channels), MEMORY))
    return from_volume(result, len(value.shape))


def global_pooling(place: Place, inputs: list[Value]) -> Value:
    """GlobalMaxPooling and GlobalAveragePooling: of all axes but the last."""
    layer, (value,) = place.layer, inputs
    axes = tuple(range(len(value.shape) - 1))
    kind = "Max" if "Max" in type(layer).__name__ else "Mean"
    return _reduced(value, axes, kind, layer.keepdims, place.name)


def reduction(place: Place, inputs: list[Value]) -> Value:
    """The operations Max and Mean."""
    operation, (value,) = place.layer, inputs
    rank = len(value.shape) + 1
    asked = operation.axis if operation.axis is not None else tuple(range(rank))
    axes = tuple(axis % rank - 1 for axis in ((asked,) if isinstance(asked, int) else asked))
    if -1 in axes:
        raise place.error("takes samples together", received=f"axis {operation.axis}")
    return _reduced(value, axes, type(operation).__name__, operation.keepdims, place.name)


def _reduced(value: Value, axes: tuple[int, ...], kind: str, keepdims: bool, name: str) -> Value:
    """The maximum or the mean along some axes, which come first in memory for that."""
    kept = tuple(axis for axis in range(len(value.shape)) if axis not in axes)
    now = value.order
    order = now if now is not None and set(now[: len(axes)]) == set(axes) else (*axes, *kept)
    value = arranged(value, order)
    sizes = [value.shape[axis] for axis in order]
    channels = int(np.prod(sizes[len(axes) :]))
    image = value.tensor
    if len(image.shape) != 4 or image.shape[-1] != channels:
        image = value.viewed(int(np.prod(sizes[: len(axes)])), 1, channels)
    if kind == "Max":
        tensor = layers.MaxPooling2D(image.shape[1:3], name=name)(image)
    else:
        tensor = ops.mean(image, axis=(1, 2))
    left = order[len(axes) :]
    shape = tuple(value.shape[axis] for axis in kept)
    index = positions(shape, tuple(kept.index(axis) for axis in left))
    return Value(tensor, np.expand_dims(index, axes) if keepdims else index)
