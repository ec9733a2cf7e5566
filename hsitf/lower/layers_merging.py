"""Lowering of element-wise operations of several tensors, or of a tensor and a constant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from itertools import groupby
from math import prod
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from hsitf.arrays import Float32Array
from hsitf.lower.context import LoweringContext
from hsitf.lower.convolution import merge_parallel
from hsitf.lower.depthwise import by_memory_position, scale_and_shift
from hsitf.lower.layout_tensor import LayoutTensor, compact, dense_layout, rearrange
from hsitf.lower.volume import ConvolutionProducer, convolve, from_volume, volume_layout

# Takes tensors that broadcast to one shape.
Combine = Callable[[list[KerasTensor]], KerasTensor]


def addition(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Add: parallel linear convolutions of one tensor are merged; other tensors are added."""
    if len(inputs) == 1:
        value, constant, _ = _with_constant(context, inputs[0])
        return scale_and_shift(value, 1.0, constant, context.name)
    return _merge_convolutions(inputs, context) or combined(layers.Add(name=context.name), inputs)


def subtraction(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Subtract."""
    if len(inputs) == 1:
        value, constant, first = _with_constant(context, inputs[0])
        sign = -1.0 if first else 1.0
        return scale_and_shift(value, sign, -sign * constant, context.name)
    return combined(layers.Subtract(name=context.name), inputs)


def multiplication(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Multiply."""
    if len(inputs) == 1:
        value, constant, _ = _with_constant(context, inputs[0])
        return scale_and_shift(value, constant, 0.0, context.name)
    return combined(layers.Multiply(name=context.name), inputs)


def division(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The operations Divide and TrueDivide."""
    if len(inputs) > 1:
        return combined(lambda tensors: ops.divide(*tensors), inputs)
    value, constant, first = _with_constant(context, inputs[0])
    if first:
        return _with_constant_operand(constant, value, ops.divide)
    return scale_and_shift(value, 1 / constant, 0.0, context.name)


def average(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Average."""
    return combined(layers.Average(name=context.name), inputs)


def maximum(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Maximum."""
    if len(inputs) == 1:
        value, constant, _ = _with_constant(context, inputs[0])
        return _with_constant_operand(constant, value, _larger)
    return combined(lambda tensors: reduce(_larger, tensors), inputs)


def minimum(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Minimum."""
    if len(inputs) == 1:
        value, constant, _ = _with_constant(context, inputs[0])
        return _with_constant_operand(constant, value, _smaller)
    return combined(lambda tensors: reduce(_smaller, tensors), inputs)


# LiteRT's converter wants one scale for all that MAXIMUM and MINIMUM have to do with, and does
# not see to it: int8 files with them can be wrong by as much as the largest value.


def _larger(one: Any, other: KerasTensor) -> KerasTensor:
    return ops.add(one, ops.relu(ops.subtract(other, one)))


def _smaller(one: Any, other: KerasTensor) -> KerasTensor:
    return ops.subtract(one, ops.relu(ops.subtract(one, other)))


def power(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The operation Power with a number as exponent."""
    if len(inputs) == 1:
        value, exponent, first = _with_constant(context, inputs[0])
        if not first and exponent.size == 1:
            return powered(value, float(exponent))
    raise context.error(
        "raises to other powers than one number", received=list(context.call.node.arguments.args)
    )


def square(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The operation Square."""
    return powered(inputs[0], 2.0)


def powered(value: LayoutTensor, exponent: float) -> LayoutTensor:
    """`value ** exponent`, by multiplications or roots where possible.

    LiteRT has integer kernels for those, not for POW.
    """
    value = compact(value)
    x = value.tensor
    if exponent in (2, 3, 4):
        result = reduce(ops.multiply, [x] * int(exponent))
    elif exponent == 0.5:
        result = ops.sqrt(x)
    elif exponent == -0.5:
        result = ops.rsqrt(x)
    elif exponent in (1.5, 2.5, 3.5):
        result = reduce(ops.multiply, [ops.sqrt(x), *[x] * int(exponent)])
    else:
        result = ops.power(x, exponent)
    return LayoutTensor(result, value.layout)


def _with_constant(
    context: LoweringContext, value: LayoutTensor
) -> tuple[LayoutTensor, Float32Array, bool]:
    """Operands of an operation with a constant.

    Returns:
        The tensor, broadcast to the output shape; the constant without batch, broadcastable to
        it; whether the constant is the first operand.
    """
    arguments = context.call.node.arguments
    given = [*arguments.args, *arguments.kwargs.values()][:2]
    first = not isinstance(given[0], keras.KerasTensor)
    constant = np.asarray(given[0 if first else 1], np.float32)
    if constant.ndim > len(value.shape):
        if constant.ndim > len(value.shape) + 1 or len(constant) > 1:
            raise context.error(
                "combines samples with an array of their own", received=constant.shape
            )
        constant = constant[0]
    shape = np.broadcast_shapes(value.shape, constant.shape)
    return replace(value, layout=np.broadcast_to(value.layout, shape)), constant, first


def _with_constant_operand(
    constant: Float32Array, value: LayoutTensor, function: Callable[[Any, Any], KerasTensor]
) -> LayoutTensor:
    """Applies a function to a constant and a tensor."""
    value = compact(value)
    if constant.size > 1:
        constant = by_memory_position(value.layout, constant).reshape(1, *value.tensor.shape[1:])
    return LayoutTensor(function(constant, value.tensor), value.layout)


def _merge_convolutions(
    inputs: list[LayoutTensor], context: LoweringContext
) -> LayoutTensor | None:
    """Merges parallel convolutions into one; None where they cannot be merged."""
    parts = [value.producer for value in inputs if _as_made(value)]
    convolutions = [part for part in parts if isinstance(part, ConvolutionProducer)]
    if len(convolutions) < len(inputs):
        return None
    first = convolutions[0]
    if not all(_same(first.source, part.source) for part in convolutions):
        return None
    whole = merge_parallel([part.conv for part in convolutions])
    if whole is None:
        return None
    result = convolve(first.source, whole, context.name, context.arithmetic)
    return from_volume(result, len(inputs[0].shape))


def _as_made(value: LayoutTensor) -> bool:
    """Whether a tensor has the layout in which its convolution produced it."""
    return (
        isinstance(value.producer, ConvolutionProducer)
        and len(value.shape) <= 4
        and np.array_equal(volume_layout(value.layout), value.producer.layout)
    )


def _same(one: LayoutTensor, other: LayoutTensor) -> bool:
    return one.tensor is other.tensor and np.array_equal(one.layout, other.layout)


def combined(combine: Combine, values: list[LayoutTensor]) -> LayoutTensor:
    """Combines tensors of any layout element by element, with broadcasting."""
    rank = max(len(value.shape) for value in values)
    # As in Keras, missing axes are inserted after the batch.
    values = [_widened(value, rank) for value in values]
    shape = np.broadcast_shapes(*(value.shape for value in values))
    first = values[0]
    if first.layout.min() >= 0 and all(value.has_layout(first.layout) for value in values):
        tensors = [value.reshaped(*first.tensor.shape[1:]) for value in values]
        return LayoutTensor(combine(tensors), first.layout)
    whole = [value for value in values if value.shape == shape]
    orders = [value.memory_order for value in whole]
    order = next((known for known in orders if known is not None), tuple(range(rank)))
    axes = _blocks([[value.shape[axis] for axis in order] for value in values])
    if len(axes[0]) > 3:
        values = [replace(v, layout=np.broadcast_to(v.layout, shape)) for v in values]
        axes = [[prod(shape)]] * len(values)
    values = [rearrange(value, order) for value in values]
    if len(axes[0]) == 1 and all(sizes == axes[0] for sizes in axes):
        # Nothing is broadcast: best to stay an image where one is.
        image = max((tuple(value.tensor.shape[1:]) for value in values), key=len)
        axes = [list(image)] * len(values)
    tensors = [value.reshaped(*sizes) for value, sizes in zip(values, axes, strict=True)]
    return LayoutTensor(combine(tensors), dense_layout(shape, order))


def _widened(value: LayoutTensor, rank: int) -> LayoutTensor:
    missing = (1,) * (rank - len(value.shape))
    return replace(value, layout=value.layout.reshape(missing + value.shape))


def _blocks(shapes: list[list[int]]) -> list[list[int]]:
    """Merges neighboring axes of shapes that are broadcast alike.

    [[4, 5, 6], [1, 1, 6]] -> [[20, 6], [1, 6]].
    """
    widest = [max(sizes) for sizes in zip(*shapes, strict=True)]
    axes = [axis for axis, size in enumerate(widest) if size > 1]
    runs = [
        list(run) for _, run in groupby(axes, key=lambda axis: [size[axis] == 1 for size in shapes])
    ]
    return [[prod(sizes[axis] for axis in run) for run in runs] for sizes in shapes]
