"""Values combined element by element, with each other or with constants."""

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

from hsitf.lower.convolution import merged
from hsitf.lower.depthwise import affine, by_position
from hsitf.lower.place import Place
from hsitf.lower.value import Floats, Value, arranged, positions, solid
from hsitf.lower.volume import Convolved, convolve, from_volume, volume_index

# Takes tensors that broadcast to one shape.
Combine = Callable[[list[KerasTensor]], KerasTensor]


def addition(place: Place, inputs: list[Value]) -> Value:
    """Add: parallel linear convolutions of one value become one; anything else is summed."""
    if len(inputs) == 1:
        value, constant, _ = _with_constant(place, inputs[0])
        return affine(value, 1.0, constant, place.name)
    return _parallel(inputs, place) or combined(layers.Add(name=place.name), inputs)


def subtraction(place: Place, inputs: list[Value]) -> Value:
    """Subtract."""
    if len(inputs) == 1:
        value, constant, first = _with_constant(place, inputs[0])
        sign = -1.0 if first else 1.0
        return affine(value, sign, -sign * constant, place.name)
    return combined(layers.Subtract(name=place.name), inputs)


def multiplication(place: Place, inputs: list[Value]) -> Value:
    """Multiply."""
    if len(inputs) == 1:
        value, constant, _ = _with_constant(place, inputs[0])
        return affine(value, constant, 0.0, place.name)
    return combined(layers.Multiply(name=place.name), inputs)


def division(place: Place, inputs: list[Value]) -> Value:
    """The operations Divide and TrueDivide."""
    if len(inputs) > 1:
        return combined(lambda tensors: ops.divide(*tensors), inputs)
    value, constant, first = _with_constant(place, inputs[0])
    if first:
        return _against(constant, value, ops.divide)
    return affine(value, 1 / constant, 0.0, place.name)


def average(place: Place, inputs: list[Value]) -> Value:
    """Average."""
    return combined(layers.Average(name=place.name), inputs)


def maximum(place: Place, inputs: list[Value]) -> Value:
    """Maximum."""
    if len(inputs) == 1:
        value, constant, _ = _with_constant(place, inputs[0])
        return _against(constant, value, _larger)
    return combined(lambda tensors: reduce(_larger, tensors), inputs)


def minimum(place: Place, inputs: list[Value]) -> Value:
    """Minimum."""
    if len(inputs) == 1:
        value, constant, _ = _with_constant(place, inputs[0])
        return _against(constant, value, _smaller)
    return combined(lambda tensors: reduce(_smaller, tensors), inputs)


# LiteRT's converter wants one scale for all that MAXIMUM and MINIMUM have to do with, and does
# not see to it: int8 files with them can be wrong by as much as the largest value.


def _larger(one: Any, other: KerasTensor) -> KerasTensor:
    return ops.add(one, ops.relu(ops.subtract(other, one)))


def _smaller(one: Any, other: KerasTensor) -> KerasTensor:
    return ops.subtract(one, ops.relu(ops.subtract(one, other)))


def power(place: Place, inputs: list[Value]) -> Value:
    """The operation Power with a number as exponent."""
    if len(inputs) == 1:
        value, exponent, first = _with_constant(place, inputs[0])
        if not first and exponent.size == 1:
            return powered(value, float(exponent))
    raise place.error(
        "raises to other powers than one number", received=list(place.call.node.arguments.args)
    )


def square(place: Place, inputs: list[Value]) -> Value:
    """The operation Square."""
    return powered(inputs[0], 2.0)


def powered(value: Value, exponent: float) -> Value:
    """`value ** exponent`: by multiplications or roots where that is possible.

    LiteRT has integer kernels for those, not for POW.
    """
    value = solid(value)
    x = value.tensor
    if exponent in (2, 3, 4):
        result = reduce(ops.multiply, [x] * int(exponent))
    elif exponent == 0.5:
        result = ops.sqrt(x)
    elif exponent == -0.5:
        result = ops.rsqrt(x)
    else:
        result = ops.power(x, exponent)
    return Value(result, value.index)


def _with_constant(place: Place, value: Value) -> tuple[Value, Floats, bool]:
    """What an operation combines: the value, the constant without batch, which comes first.

    Returns:
        The value, of the shape that leaves; the constant, broadcastable to it; whether the
        constant is the operation's first argument.
    """
    arguments = place.call.node.arguments
    given = [*arguments.args, *arguments.kwargs.values()][:2]
    first = not isinstance(given[0], keras.KerasTensor)
    constant = np.asarray(given[0 if first else 1], np.float32)
    if constant.ndim > len(value.shape):
        if constant.ndim > len(value.shape) + 1 or len(constant) > 1:
            raise place.error(
                "combines samples with an array of their own", received=constant.shape
            )
        constant = constant[0]
    shape = np.broadcast_shapes(value.shape, constant.shape)
    return replace(value, index=np.broadcast_to(value.index, shape)), constant, first


def _against(constant: Floats, value: Value, function: Callable[[Any, Any], KerasTensor]) -> Value:
    """A function of a constant and a value."""
    value = solid(value)
    if constant.size > 1:
        constant = by_position(value.index, constant).reshape(1, *value.tensor.shape[1:])
    return Value(function(constant, value.tensor), value.index)


def _parallel(inputs: list[Value], place: Place) -> Value | None:
    """The one convolution equal to a sum of parallel ones; None where there is none."""
    parts = [value.linear for value in inputs if _as_made(value)]
    convolutions = [part for part in parts if isinstance(part, Convolved)]
    if len(convolutions) < len(inputs):
        return None
    first = convolutions[0]
    if not all(_same(first.source, part.source) for part in convolutions):
        return None
    whole = merged([part.conv for part in convolutions])
    if whole is None:
        return None
    result = convolve(first.source, whole, place.name, place.target)
    return from_volume(result, len(inputs[0].shape))


def _as_made(value: Value) -> bool:
    """Whether a value is seen as the convolution left it."""
    return (
        isinstance(value.linear, Convolved)
        and len(value.shape) <= 4
        and np.array_equal(volume_index(value.index), value.linear.index)
    )


def _same(one: Value, other: Value) -> bool:
    return one.tensor is other.tensor and np.array_equal(one.index, other.index)


def combined(combine: Combine, values: list[Value]) -> Value:
    """Values of any layout combined element by element, broadcast where their shapes differ."""
    rank = max(len(value.shape) for value in values)
    # As Keras does: axes that are missing come right after the batch.
    values = [_widened(value, rank) for value in values]
    shape = np.broadcast_shapes(*(value.shape for value in values))
    first = values[0]
    if first.index.min() >= 0 and all(value.lies(first.index) for value in values):
        tensors = [value.viewed(*first.tensor.shape[1:]) for value in values]
        return Value(combine(tensors), first.index)
    whole = [value for value in values if value.shape == shape]
    orders = [value.order for value in whole]
    order = next((found for found in orders if found is not None), tuple(range(rank)))
    axes = _blocks([[value.shape[axis] for axis in order] for value in values])
    if len(axes[0]) > 3:
        values = [replace(v, index=np.broadcast_to(v.index, shape)) for v in values]
        axes = [[prod(shape)]] * len(values)
    values = [arranged(value, order) for value in values]
    if len(axes[0]) == 1 and all(sizes == axes[0] for sizes in axes):
        # Nothing is broadcast: best to stay an image where one is.
        image = max((tuple(value.tensor.shape[1:]) for value in values), key=len)
        axes = [list(image)] * len(values)
    tensors = [value.viewed(*sizes) for value, sizes in zip(values, axes, strict=True)]
    return Value(combine(tensors), positions(shape, order))


def _widened(value: Value, rank: int) -> Value:
    missing = (1,) * (rank - len(value.shape))
    return replace(value, index=value.index.reshape(missing + value.shape))


def _blocks(shapes: list[list[int]]) -> list[list[int]]:
    """Shapes that broadcast, with neighboring axes seen as one where all do alike.

    [[4, 5, 6], [1, 1, 6]] -> [[20, 6], [1, 6]].
    """
    widest = [max(sizes) for sizes in zip(*shapes, strict=True)]
    axes = [axis for axis, size in enumerate(widest) if size > 1]
    runs = [
        list(run) for _, run in groupby(axes, key=lambda axis: [size[axis] == 1 for size in shapes])
    ]
    return [[prod(sizes[axis] for axis in run) for run in runs] for sizes in shapes]
