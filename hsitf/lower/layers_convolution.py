"""Lowering of convolutions: 1-D to 3-D, grouped, depthwise, separable and transposed."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.lower.context import LoweringContext
from hsitf.lower.convolution import SlidingAxis, VolumeConvolution, same_padding
from hsitf.lower.depthwise import depthwise_convolution
from hsitf.lower.layers_elementwise import apply_activation
from hsitf.lower.layers_moving import concatenated
from hsitf.lower.layout_tensor import LayoutTensor, dense_layout, rearrange
from hsitf.lower.strided_layout import Layout
from hsitf.lower.volume import MEMORY_ORDER, VOLUME_AXES, as_volume, convolve, from_volume


def convolution(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Conv1D, Conv2D and Conv3D: one 2-D convolution, or one for each group."""
    layer, (value,) = context.layer, inputs
    value, axes = _sliding_axes(layer, value)
    kernel, bias = np.asarray(layer.kernel), bias_of(layer, layer.filters)
    if layer.groups == 1:
        result = apply_convolution(value, kernel, bias, axes, context)
    elif layer.groups == value.shape[-1] and len(value.shape) < 4:
        alone = kernel.reshape(*kernel.shape[:-2], layer.groups, -1)
        result = _depthwise(value, alone, bias, axes, context.name)
    else:
        result = _in_groups(value, kernel, bias, axes, context)
    return apply_activation(result, layer.activation, context.for_part("activation"))


def depthwise(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """DepthwiseConv1D and DepthwiseConv2D: a depthwise 2-D convolution."""
    layer = context.layer
    value, axes = _sliding_axes(layer, inputs[0])
    kernel = np.asarray(layer.kernel)
    bias = bias_of(layer, kernel.shape[-2] * kernel.shape[-1])
    result = _depthwise(value, kernel, bias, axes, context.name)
    return apply_activation(result, layer.activation, context.for_part("activation"))


def separable(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """SeparableConv1D and SeparableConv2D: a depthwise and a pointwise convolution."""
    layer = context.layer
    value, axes = _sliding_axes(layer, inputs[0])
    first, second = np.asarray(layer.depthwise_kernel), np.asarray(layer.pointwise_kernel)
    none = np.zeros(first.shape[-2] * first.shape[-1], np.float32)
    value = _depthwise(value, first, none, axes, f"{context.name}_depthwise")
    still = [SlidingAxis()] * len(axes)
    result = apply_convolution(value, second, bias_of(layer, layer.filters), still, context)
    return apply_activation(result, layer.activation, context.for_part("activation"))


def transposed(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Conv1DTranspose to Conv3DTranspose: one convolution that makes all outputs of a stride.

    With stride s, tap t of dilation d reads input i for output i * s + t * d. Outputs q * s + r
    with the same phase r read the taps with t * d = u * s + r, each from input q - u: a
    convolution of its own for each phase. All of them are filters of one convolution, whose
    outputs are put side by side. It multiplies no zeros where s divides the number of taps.
    """
    layer, (value,) = context.layer, inputs
    phases = [_phase_axis(layer, axis, size) for axis, size in enumerate(value.shape[:-1])]
    kernel = _kernel_by_phase(np.asarray(layer.kernel), phases)
    count = prod(phase.stride for phase in phases)
    bias = np.tile(bias_of(layer, layer.filters), count)
    axes = [phase.sliding for phase in phases]
    result = apply_convolution(value, kernel, bias, axes, context)
    spread = replace(result, layout=_spread_phases(result.layout, phases, layer.filters))
    return apply_activation(spread, layer.activation, context.for_part("activation"))


class _PhaseAxis(NamedTuple):
    """One axis of a transposed convolution, as a convolution of each phase.

    Attributes:
        taps: Taps of the transposed convolution.
        stride: Its stride, the number of phases.
        dilation: Its dilation.
        first: Position of the first output, counted from where the first tap puts the first input.
        size: Number of outputs.
        sliding: Padding of the convolution.
    """

    taps: int
    stride: int
    dilation: int
    first: int
    size: int
    sliding: SlidingAxis

    @property
    def reach(self) -> int:
        """Number of inputs before its own that an output reads."""
        return (self.taps - 1) * self.dilation // self.stride

    @property
    def skipped(self) -> int:
        """Outputs of the convolution, each of which has all phases, before the first one."""
        return self.first // self.stride


def _phase_axis(layer: Any, axis: int, size: int) -> _PhaseAxis:
    taps, stride, dilation = (
        _along(option, axis) for option in (layer.kernel_size, layer.strides, layer.dilation_rate)
    )
    extent = (taps - 1) * dilation + 1
    whole = [1, *[size] * layer.rank, 1]
    outputs = layer.compute_output_shape(whole)[axis + 1]
    # TensorFlow cuts as much as the convolution from the outputs to the inputs would pad.
    cut = max((size - 1) * stride + extent - outputs, 0)
    first = cut // 2 if layer.padding == "same" else 0
    found = _PhaseAxis(taps, stride, dilation, first, outputs, SlidingAxis())
    last = (first + outputs - 1) // stride
    before = found.reach - found.skipped
    return found._replace(sliding=SlidingAxis(1, 1, before, last + 1 - size))


def _kernel_by_phase(kernel: Float32Array, phases: list[_PhaseAxis]) -> Float32Array:
    """(taps of the convolution along each axis, in, phases * filters)."""
    *_, filters, inputs = kernel.shape
    strides = [phase.stride for phase in phases]
    result = np.zeros(
        (*(phase.reach + 1 for phase in phases), inputs, *strides, filters), np.float32
    )
    for tap in np.ndindex(*(phase.taps for phase in phases)):
        own, which = [], []
        for position, each in zip(tap, phases, strict=True):
            step, phase = divmod(position * each.dilation, each.stride)
            own.append(each.reach - step)
            which.append(phase)
        place = (*own, slice(None), *which)
        result[place] = kernel[tap].T
    return result.reshape(*result.shape[: len(phases) + 1], -1)


def _spread_phases(layout: Layout, phases: list[_PhaseAxis], filters: int) -> Layout:
    """Puts the phases of each output side by side and cuts what is not asked for."""
    rank = len(phases)
    layout = layout.reshape(*layout.shape[:-1], *(phase.stride for phase in phases), filters)
    order = [axis for pair in zip(range(rank), range(rank, 2 * rank), strict=True) for axis in pair]
    layout = layout.transpose(*order, 2 * rank)
    sizes = [layout.shape[2 * axis] * phase.stride for axis, phase in enumerate(phases)]
    starts = [phase.first - phase.skipped * phase.stride for phase in phases]
    kept = tuple(
        slice(start, start + phase.size) for start, phase in zip(starts, phases, strict=True)
    )
    return layout.reshape(*sizes, filters)[kept]


def bias_of(layer: Any, filters: int) -> Float32Array:
    """The biases of a layer, zeros where it has none."""
    return np.asarray(layer.bias) if layer.use_bias else np.zeros(filters, np.float32)


def apply_convolution(
    value: LayoutTensor,
    kernel: Float32Array,
    bias: Float32Array,
    axes: list[SlidingAxis],
    context: LoweringContext,
) -> LayoutTensor:
    """Lowers a convolution to one 2-D convolution.

    Args:
        value: (..., channels), of at most four axes.
        kernel: (taps along each axis of the value, channels, filters).
        bias: (filters,).
        axes: Stride, dilation and padding along each axis.
        context: The layer, its name and its arithmetic.
    """
    rank = len(value.shape)
    spatial = VOLUME_AXES[rank][:3]
    present = [axis for axis in spatial if axis is not None]
    missing = [number for number, axis in enumerate(spatial) if axis is None]
    moved = np.expand_dims(kernel.transpose([*present, kernel.ndim - 2, kernel.ndim - 1]), missing)
    folded, across, down = (SlidingAxis() if axis is None else axes[axis] for axis in spatial)
    conv = VolumeConvolution(moved, bias, (folded, across, down))
    return from_volume(convolve(as_volume(value), conv, context.name, context.arithmetic), rank)


def _in_groups(
    value: LayoutTensor,
    kernel: Float32Array,
    bias: Float32Array,
    axes: list[SlidingAxis],
    context: LoweringContext,
) -> LayoutTensor:
    groups = context.layer.groups
    split = zip(
        np.split(value.layout, groups, axis=-1),
        np.split(kernel, groups, axis=-1),
        np.split(bias, groups),
        strict=True,
    )
    parts = []
    for number, (index, weights, terms) in enumerate(split, 1):
        part = context.for_part(f"group{number}")
        parts.append(apply_convolution(replace(value, layout=index), weights, terms, axes, part))
    return concatenated(parts, -1, context.name)


def _depthwise(
    value: LayoutTensor,
    kernel: Float32Array,
    bias: Float32Array,
    axes: list[SlidingAxis],
    name: str,
) -> LayoutTensor:
    """A depthwise convolution of an image or a spectrum.

    Args:
        value: (rows, cols, channels) or (positions, channels).
        kernel: (taps along each axis, channels, multiplier).
        bias: (channels * multiplier,).
        axes: Stride, dilation and padding along each axis.
        name: Name of the layer.
    """
    rank = len(value.shape)
    volume = rearrange(as_volume(value), MEMORY_ORDER)
    _, across, down, channels = volume.shape
    if rank == 2:
        # TensorFlow requires equal strides along both axes; a single element has no use for them.
        kernel, axes = kernel[:, None], [axes[0], SlidingAxis(axes[0].stride)]
    image = volume.reshaped(down, across, channels)
    result = depthwise_convolution(image, kernel, bias, (axes[0], axes[1]), name)
    down, across, channels = result.shape
    index = dense_layout((1, across, down, channels), MEMORY_ORDER)
    return from_volume(replace(result, layout=index), rank)


def _sliding_axes(layer: Any, value: LayoutTensor) -> tuple[LayoutTensor, list[SlidingAxis]]:
    """The input of a layer without zero padding, and axes that include this padding."""
    inner, zeros = _strip_padding(value)
    axes = []
    for axis, (before, after) in enumerate(zeros):
        own = _axis(layer, axis, value.shape[axis])
        axes.append(
            own._replace(pad_before=own.pad_before + before, pad_after=own.pad_after + after)
        )
    return inner, axes


def _strip_padding(value: LayoutTensor) -> tuple[LayoutTensor, list[tuple[int, int]]]:
    """The tensor without its zero padding, and the padding along each axis."""
    present = value.layout >= 0
    zeros, slices = [], []
    for axis, size in enumerate(value.shape[:-1]):
        others = tuple(other for other in range(present.ndim) if other != axis)
        (there,) = np.nonzero(present.any(axis=others))
        first, end = (int(there[0]), int(there[-1]) + 1) if len(there) else (0, size)
        zeros.append((first, size - end))
        slices.append(slice(first, end))
    return replace(value, layout=value.layout[tuple(slices)]), zeros


def _axis(layer: Any, axis: int, size: int) -> SlidingAxis:
    taps, stride, dilation = (
        _along(option, axis) for option in (layer.kernel_size, layer.strides, layer.dilation_rate)
    )
    if layer.padding == "same":
        return same_padding(size, taps, stride, dilation)
    if layer.padding == "causal":
        return SlidingAxis(stride, dilation, (taps - 1) * dilation, 0)
    return SlidingAxis(stride, dilation)


def _along(option: int | tuple[int, ...], axis: int) -> int:
    """The value for an axis of an option that some layers have once and others per axis."""
    return option if isinstance(option, int) else option[axis]
