"""Convolutions: of spectra, images and volumes, in groups, depthwise, separable."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hsitf.lower.convolution import Axis, Convolution, same
from hsitf.lower.depthwise import filtered
from hsitf.lower.layers_elementwise import activated
from hsitf.lower.layers_moving import concatenated
from hsitf.lower.place import Place
from hsitf.lower.value import Floats, Value, arranged, positions
from hsitf.lower.volume import AXES, MEMORY, as_volume, convolve, from_volume


def convolution(place: Place, inputs: list[Value]) -> Value:
    """Conv1D, Conv2D and Conv3D: one 2-D convolution, or one for each group."""
    layer, (value,) = place.layer, inputs
    value, axes = _sliding(layer, value)
    kernel, bias = np.asarray(layer.kernel), bias_of(layer, layer.filters)
    if layer.groups == 1:
        result = convolved(value, kernel, bias, axes, place)
    elif layer.groups == value.shape[-1] and len(value.shape) < 4:
        alone = kernel.reshape(*kernel.shape[:-2], layer.groups, -1)
        result = _depthwise(value, alone, bias, axes, place.name)
    else:
        result = _in_groups(value, kernel, bias, axes, place)
    return activated(result, layer.activation, place.named("activation"))


def depthwise(place: Place, inputs: list[Value]) -> Value:
    """DepthwiseConv1D and DepthwiseConv2D: a depthwise 2-D convolution."""
    layer = place.layer
    value, axes = _sliding(layer, inputs[0])
    kernel = np.asarray(layer.kernel)
    bias = bias_of(layer, kernel.shape[-2] * kernel.shape[-1])
    result = _depthwise(value, kernel, bias, axes, place.name)
    return activated(result, layer.activation, place.named("activation"))


def separable(place: Place, inputs: list[Value]) -> Value:
    """SeparableConv1D and SeparableConv2D: a depthwise convolution, then one of single pixels."""
    layer = place.layer
    value, axes = _sliding(layer, inputs[0])
    first, second = np.asarray(layer.depthwise_kernel), np.asarray(layer.pointwise_kernel)
    none = np.zeros(first.shape[-2] * first.shape[-1], np.float32)
    value = _depthwise(value, first, none, axes, f"{place.name}_depthwise")
    still = [Axis()] * len(axes)
    result = convolved(value, second, bias_of(layer, layer.filters), still, place)
    return activated(result, layer.activation, place.named("activation"))


def bias_of(layer: Any, filters: int) -> Floats:
    """The biases of a layer, zeros where it has none."""
    return np.asarray(layer.bias) if layer.use_bias else np.zeros(filters, np.float32)


def convolved(value: Value, kernel: Floats, bias: Floats, axes: list[Axis], place: Place) -> Value:
    """One 2-D convolution for a convolution of a value.

    Args:
        value: (..., channels), of at most four axes.
        kernel: (taps along each axis of the value, channels, filters).
        bias: (filters,).
        axes: How the kernel slides along each axis.
        place: Where it stands.
    """
    rank = len(value.shape)
    spatial = AXES[rank][:3]
    present = [axis for axis in spatial if axis is not None]
    missing = [number for number, axis in enumerate(spatial) if axis is None]
    moved = np.expand_dims(kernel.transpose([*present, kernel.ndim - 2, kernel.ndim - 1]), missing)
    folded, across, down = (Axis() if axis is None else axes[axis] for axis in spatial)
    conv = Convolution(moved, bias, (folded, across, down))
    return from_volume(convolve(as_volume(value), conv, place.name, place.target), rank)


def _in_groups(value: Value, kernel: Floats, bias: Floats, axes: list[Axis], place: Place) -> Value:
    groups = place.layer.groups
    split = zip(
        np.split(value.index, groups, axis=-1),
        np.split(kernel, groups, axis=-1),
        np.split(bias, groups),
        strict=True,
    )
    parts = []
    for number, (index, weights, terms) in enumerate(split, 1):
        part = place.named(f"group{number}")
        parts.append(convolved(replace(value, index=index), weights, terms, axes, part))
    return concatenated(parts, -1, place.name)


def _depthwise(value: Value, kernel: Floats, bias: Floats, axes: list[Axis], name: str) -> Value:
    """A depthwise convolution of an image or a spectrum.

    Args:
        value: (rows, cols, channels) or (positions, channels).
        kernel: (taps along each axis, channels, multiplier).
        bias: (channels * multiplier,).
        axes: How the kernel slides along each axis.
        name: Of the layer.
    """
    rank = len(value.shape)
    volume = arranged(as_volume(value), MEMORY)
    _, across, down, channels = volume.shape
    if rank == 2:
        # TensorFlow wants one stride for both axes; along a single element it does nothing.
        kernel, axes = kernel[:, None], [axes[0], Axis(axes[0].stride)]
    image = volume.viewed(down, across, channels)
    result = filtered(image, kernel, bias, (axes[0], axes[1]), name)
    down, across, channels = result.shape
    index = positions((1, across, down, channels), MEMORY)
    return from_volume(replace(result, index=index), rank)


def _sliding(layer: Any, value: Value) -> tuple[Value, list[Axis]]:
    """What a layer slides over without the zeros around it, and how, with those zeros."""
    inner, zeros = _stripped(value)
    axes = []
    for axis, (before, after) in enumerate(zeros):
        own = _axis(layer, axis, value.shape[axis])
        axes.append(own._replace(before=own.before + before, after=own.after + after))
    return inner, axes


def _stripped(value: Value) -> tuple[Value, list[tuple[int, int]]]:
    """The value without the zeros around it, and how many there are along each axis."""
    present = value.index >= 0
    zeros, slices = [], []
    for axis, size in enumerate(value.shape[:-1]):
        others = tuple(other for other in range(present.ndim) if other != axis)
        (there,) = np.nonzero(present.any(axis=others))
        first, end = (int(there[0]), int(there[-1]) + 1) if len(there) else (0, size)
        zeros.append((first, size - end))
        slices.append(slice(first, end))
    return replace(value, index=value.index[tuple(slices)]), zeros


def _axis(layer: Any, axis: int, size: int) -> Axis:
    taps, stride, dilation = (
        _along(option, axis) for option in (layer.kernel_size, layer.strides, layer.dilation_rate)
    )
    if layer.padding == "same":
        return same(size, taps, stride, dilation)
    if layer.padding == "causal":
        return Axis(stride, dilation, (taps - 1) * dilation, 0)
    return Axis(stride, dilation)


def _along(option: int | tuple[int, ...], axis: int) -> int:
    """Of an option that some layers have once and others for each axis."""
    return option if isinstance(option, int) else option[axis]
