"""Operators of an ONNX graph that move, repeat or leave out elements."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from keras import layers, ops

from hsitf.adopt.onnx.axes import AxisTensor, sliding_order, without
from hsitf.adopt.onnx.node import SAMPLES_FIRST, Constant, OnnxNode

_ZEROS = {3: layers.ZeroPadding1D, 4: layers.ZeroPadding2D, 5: layers.ZeroPadding3D}


def transpose(node: OnnxNode) -> AxisTensor:
    """Transpose: no element moves, the axes only change their names."""
    value = node.any_tensor()
    asked = node.attributes.get("perm", list(range(value.graph_rank))[::-1])
    if value.axis(asked[0]) != 0 and node.samples == 1:
        value = node.without_samples(value)
    order = [0, *(value.axis(axis) for axis in asked)] if value.sampleless else [*asked]
    if order[0] != 0:
        raise node.error("moves the axis of samples", received=asked, remedy=SAMPLES_FIRST)
    return value.reordered(value.tensor, tuple(order.index(axis) for axis in value.order))


def reshape(node: OnnxNode) -> AxisTensor:
    """Reshape, behind which samples have to be the first axis; or one sample may have none."""
    value = node.any_tensor()
    asked = [int(size) for size in node.setting("shape", 1)]
    now = value.graph_shape(node.samples)
    if not node.attributes.get("allowzero", 0):
        asked = [now[axis] if size == 0 else size for axis, size in enumerate(asked)]
    if asked.count(-1) == 1:
        known = prod(size for size in asked if size != -1)
        asked[asked.index(-1)] = prod(now) // max(known, 1)
    return _to_shape(node, value, tuple(asked))


def flatten(node: OnnxNode) -> AxisTensor:
    """Flatten: two axes are left."""
    value = node.any_tensor()
    axis = int(node.attributes.get("axis", 1))
    now = value.graph_shape(node.samples)
    axis += value.graph_rank if axis < 0 else 0
    return _to_shape(node, value, (prod(now[:axis]), prod(now[axis:])))


def squeeze(node: OnnxNode) -> AxisTensor:
    """Squeeze."""
    value = node.any_tensor()
    now = value.graph_shape(node.samples)
    asked = node.setting("axes", 1)
    if asked is None:
        axes = {axis for axis, size in enumerate(now) if size == 1}
    else:
        axes = {int(axis) % len(now) for axis in np.atleast_1d(asked)}
    return _to_shape(node, value, tuple(size for axis, size in enumerate(now) if axis not in axes))


def unsqueeze(node: OnnxNode) -> AxisTensor:
    """Unsqueeze."""
    value = node.any_tensor()
    asked = np.atleast_1d(node.setting("axes", 1))
    rank = value.graph_rank + len(asked)
    axes = {int(axis) % rank for axis in asked}
    left = iter(value.graph_shape(node.samples))
    return _to_shape(node, value, tuple(1 if axis in axes else next(left) for axis in range(rank)))


def _to_shape(node: OnnxNode, value: AxisTensor, shape: tuple[int, ...]) -> AxisTensor:
    if len(shape) > 1 and shape[0] == node.samples:
        return node.reshaped(value, shape[1:])
    if shape and node.samples == 1:
        return node.reshaped(value, shape, sampleless=True)
    raise node.error(
        "does not keep samples as the first axis",
        received=f"{value.graph_shape(node.samples)} to {shape}",
        allowed=f"shapes that begin with {node.samples}, the number of samples",
        remedy=SAMPLES_FIRST,
    )


def shape_of(node: OnnxNode) -> Constant:
    """Shape, as the graph has it."""
    found = np.array(node.any_tensor().graph_shape(node.samples), np.int64)
    return found[node.attributes.get("start", 0) : node.attributes.get("end", len(found))]


def size_of(node: OnnxNode) -> Constant:
    """Size: the number of elements."""
    return np.array(prod(node.any_tensor().graph_shape(node.samples)), np.int64)


# --- parts ----------------------------------------------------------------------------------


def slicing(node: OnnxNode) -> AxisTensor:
    """Slice: by steps forwards a slice, backwards a choice of positions."""
    value = node.any_tensor()
    starts, ends = (np.atleast_1d(node.setting(*one)) for one in (("starts", 1), ("ends", 2)))
    axes = np.atleast_1d(node.setting("axes", 3, list(range(len(starts)))))
    steps = np.atleast_1d(node.setting("steps", 4, [1] * len(starts)))
    now = (node.samples, *value.sizes)
    key: list[Any] = [slice(None)] * value.rank
    tensor = value.tensor
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        number = value.axis(int(axis))
        chosen = range(now[number])[slice(int(start), int(end), int(step))]
        if len(chosen) == now[number] and step > 0:
            continue
        if number == 0 or not chosen:
            raise node.error(
                "takes some of the samples, or nothing",
                received=f"{start}:{end} of axis {axis}",
                remedy=SAMPLES_FIRST,
            )
        where = value.position(number)
        if step > 0:
            key[where] = slice(chosen.start, chosen[-1] + 1, chosen.step)
        else:
            tensor = node.operation(ops.take, tensor, list(chosen), axis=where)
    if any(one != slice(None) for one in key):
        tensor = node.operation(lambda whole: whole[tuple(key)], tensor)
    return value.changed(tensor, nonnegative=value.nonnegative)


def gather(node: OnnxNode) -> AxisTensor:
    """Gather with constant indices: one position, whose axis goes, or several."""
    value, indices = node.any_tensor(), node.constant(1)
    axis = value.axis(int(node.attributes.get("axis", 0)))
    if axis == 0 and node.samples == 1:
        value, axis = node.without_samples(value), 1
    if axis == 0 or indices.ndim > 1:
        raise node.error(
            "takes some of the samples, or in several axes",
            received=f"axis {axis}, indices of shape {indices.shape}",
            remedy=SAMPLES_FIRST,
        )
    where = value.position(axis)
    chosen = (indices % value.sizes[axis - 1]).tolist()
    if indices.ndim == 1:
        made = node.operation(ops.take, value.tensor, chosen, axis=where)
        return value.changed(made, nonnegative=value.nonnegative)
    key = (*[slice(None)] * where, chosen)
    made = node.operation(lambda whole: whole[key], value.tensor)
    return value.reordered(made, without(value.order, {axis}))


def split(node: OnnxNode) -> list[AxisTensor]:
    """Split into parts of given sizes, or into equal ones."""
    value = node.any_tensor()
    axis = value.axis(int(node.attributes.get("axis", 0)))
    if axis == 0:
        raise node.error("takes some of the samples", received="axis 0", remedy=SAMPLES_FIRST)
    count, length = len(node.outputs), value.sizes[axis - 1]
    sizes = node.setting("split", 1, None)
    if sizes is None:
        each = -(-length // count)
        sizes = [each] * (count - 1) + [length - each * (count - 1)]
    bounds = np.cumsum(sizes)[:-1].tolist()
    parts = node.operation(ops.split, value.tensor, bounds, axis=value.position(axis))
    return [value.changed(part, nonnegative=value.nonnegative) for part in parts]


# --- repetition and padding -----------------------------------------------------------------


def expand(node: OnnxNode) -> AxisTensor:
    """Expand: axes of 1 are repeated."""
    value = node.any_tensor()
    now = value.graph_shape(node.samples)
    shape = np.broadcast_shapes(now, tuple(int(size) for size in node.constant(1)))
    if len(shape) != len(now):
        raise node.error("puts axes in front of the samples", received=shape, remedy=SAMPLES_FIRST)
    return _tiled(node, value, [new // old for new, old in zip(shape, now, strict=True)])


def tile(node: OnnxNode) -> AxisTensor:
    """Tile."""
    repeats = [int(count) for count in node.constant(1)]
    return _tiled(node, node.any_tensor(), repeats)


def _tiled(node: OnnxNode, value: AxisTensor, repeats: list[int]) -> AxisTensor:
    if set(repeats) == {1}:
        return value
    if not value.sampleless and repeats[0] != 1:
        raise node.error("repeats samples", received=repeats, remedy=SAMPLES_FIRST)
    here = [1, *repeats] if value.sampleless else repeats
    along = [here[axis] for axis in value.order]
    made = node.operation(ops.tile, value.tensor, along)
    return value.changed(made, nonnegative=value.nonnegative)


def pad(node: OnnxNode) -> AxisTensor:
    """Pad with zeros; negative padding cuts off."""
    value = node.any_tensor()
    mode = node.attributes.get("mode", "constant")
    number = float(np.reshape(node.setting("value", 2, 0.0), ()))
    if mode != "constant" or number:
        raise node.error(
            "pads with something else than zeros",
            received=f"mode {mode}, value {number}",
            allowed="zeros",
            remedy="write the network with zero padding, and train it again",
        )
    pads = [int(size) for size in np.ravel(node.setting("pads", 1))]
    every = np.arange(value.graph_rank)
    axes = [value.axis(int(axis)) for axis in np.ravel(node.constant(3, every))]
    around = [(0, 0)] * value.rank
    for at, axis in enumerate(axes):
        around[axis] = (pads[at], pads[at + len(axes)])
    if any(around[0]):
        raise node.error("pads samples", received=pads, remedy=SAMPLES_FIRST)
    if min(map(min, around)) < 0:
        raise node.error(
            "pads and cuts off", received=pads, allowed="0 or more", remedy="use slices to cut off"
        )
    if not any(map(any, around)):
        return value
    return _padded(node, value, around)


def _padded(node: OnnxNode, value: AxisTensor, around: list[tuple[int, int]]) -> AxisTensor:
    layer = _ZEROS.get(value.rank)
    if layer is not None and not any(around[1]):
        value = node.permuted(value, sliding_order(value))
        pairs = [around[axis] for axis in value.order[1:-1]]
        padding: Any = pairs[0] if len(pairs) == 1 else pairs
        made = node.layer(layer, value.tensor, padding=padding)
    else:
        made = node.operation(ops.pad, value.tensor, [around[axis] for axis in value.order])
    return value.changed(made, nonnegative=value.nonnegative)
