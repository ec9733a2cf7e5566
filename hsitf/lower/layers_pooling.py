"""Lowering of pooling over windows and over whole axes."""

from __future__ import annotations

from itertools import groupby
from math import prod

import numpy as np
from keras import layers, ops

from hsitf.lower.context import LoweringContext
from hsitf.lower.data_movement import MAX_RANK
from hsitf.lower.depthwise import scale_and_shift
from hsitf.lower.layout_tensor import LayoutTensor, dense_layout, logical_order, rearrange
from hsitf.lower.volume import MEMORY_ORDER, VOLUME_AXES, as_volume, from_volume


def pooling(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Max and average pooling in one to three dimensions: down and across, then folded.

    Both are separable, padding included: it is ignored by the maximum and not counted by the mean.
    """
    layer, (value,) = context.layer, inputs
    volume = rearrange(as_volume(value), MEMORY_ORDER)
    spatial = VOLUME_AXES[len(value.shape)][:3]
    window = [1 if axis is None else layer.pool_size[axis] for axis in spatial]
    stride = [1 if axis is None else layer.strides[axis] for axis in spatial]
    kind = layers.MaxPooling2D if "Max" in type(layer).__name__ else layers.AveragePooling2D
    folded, across, down, channels = volume.shape
    tensor = kind(
        (window[2], window[1]), (stride[2], stride[1]), padding=layer.padding, name=context.name
    )(volume.reshaped(down, across, folded * channels))
    down, across = tensor.shape[1:3]
    if window[0] > 1 or stride[0] > 1:
        pooled = LayoutTensor(tensor, dense_layout((folded, across, down, channels), MEMORY_ORDER))
        tensor = kind(
            (1, window[0]), (1, stride[0]), padding=layer.padding, name=f"{context.name}_folded"
        )(pooled.reshaped(down * across, folded, channels))
        folded = tensor.shape[2]
    result = LayoutTensor(tensor, dense_layout((folded, across, down, channels), MEMORY_ORDER))
    return from_volume(result, len(value.shape))


def global_pooling(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """GlobalMaxPooling and GlobalAveragePooling: over all axes but the last."""
    layer, (value,) = context.layer, inputs
    axes = tuple(range(len(value.shape) - 1))
    kind = "Max" if "Max" in type(layer).__name__ else "Mean"
    return _reduced(value, axes, kind, layer.keepdims, context.name)


def reduction(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The operations Max, Mean, Min and Sum."""
    operation, (value,) = context.layer, inputs
    rank = len(value.shape) + 1
    asked = operation.axis if operation.axis is not None else tuple(range(rank))
    axes = tuple(axis % rank - 1 for axis in ((asked,) if isinstance(asked, int) else asked))
    if -1 in axes:
        raise context.error("takes samples together", received=f"axis {operation.axis}")
    kind, keepdims, name = type(operation).__name__, operation.keepdims, context.name
    if kind == "Sum":
        mean = _reduced(value, axes, "Mean", keepdims, f"{name}_mean")
        return scale_and_shift(mean, float(prod(value.shape[axis] for axis in axes)), 0.0, name)
    if kind == "Min":
        opposite = scale_and_shift(value, -1.0, 0.0, f"{name}_opposite")
        largest = _reduced(opposite, axes, "Max", keepdims, f"{name}_max")
        return scale_and_shift(largest, -1.0, 0.0, name)
    return _reduced(value, axes, kind, keepdims, name)


def mean_along(value: LayoutTensor, axes: tuple[int, ...]) -> LayoutTensor:
    """Mean along some axes, which stay with length 1.

    One MEAN of the tensor as it is in memory, seen as at most three runs of axes that are all
    averaged or all kept; in any other order the averaged axes are moved behind the others.

    Args:
        value: Tensor of any shape.
        axes: Axes of the logical shape, without batch.
    """
    order = value.memory_order or logical_order(value)
    runs = _runs(value.shape, order, axes)
    if len(runs) >= MAX_RANK:
        order = (*(axis for axis in order if axis not in axes), *axes)
        runs = _runs(value.shape, order, axes)
    tensor = rearrange(value, order).reshaped(*(size for size, _ in runs))
    averaged = tuple(number for number, (_, together) in enumerate(runs, 1) if together)
    if averaged:
        tensor = ops.mean(tensor, axis=averaged, keepdims=True)
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(value.shape))
    return LayoutTensor(tensor, dense_layout(shape, order))


def _runs(
    shape: tuple[int, ...], order: tuple[int, ...], axes: tuple[int, ...]
) -> list[tuple[int, bool]]:
    """Sizes of neighboring axes in memory that are all averaged or all kept, and which it is."""
    present = [axis for axis in order if shape[axis] > 1]
    return [
        (prod(shape[axis] for axis in run), together)
        for together, run in groupby(present, key=lambda axis: axis in axes)
    ] or [(1, False)]


def _reduced(
    value: LayoutTensor, axes: tuple[int, ...], kind: str, keepdims: bool, name: str
) -> LayoutTensor:
    """Maximum or mean along some axes, which are moved to the front of memory."""
    kept = tuple(axis for axis in range(len(value.shape)) if axis not in axes)
    now = value.memory_order
    order = now if now is not None and set(now[: len(axes)]) == set(axes) else (*axes, *kept)
    value = rearrange(value, order)
    sizes = [value.shape[axis] for axis in order]
    channels = int(np.prod(sizes[len(axes) :]))
    image = value.tensor
    if len(image.shape) != 4 or image.shape[-1] != channels:
        image = value.reshaped(int(np.prod(sizes[: len(axes)])), 1, channels)
    if kind == "Max":
        tensor = layers.MaxPooling2D(image.shape[1:3], name=name)(image)
    else:
        tensor = ops.mean(image, axis=(1, 2))
    left = order[len(axes) :]
    shape = tuple(value.shape[axis] for axis in kept)
    index = dense_layout(shape, tuple(kept.index(axis) for axis in left))
    return LayoutTensor(tensor, np.expand_dims(index, axes) if keepdims else index)
