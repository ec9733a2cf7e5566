"""Operators of an ONNX graph that combine tensors, or a tensor and a constant."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from keras import layers, ops

from hsitf.adopt.onnx.axes import AxisTensor, sliding_order
from hsitf.adopt.onnx.dense import with_bias
from hsitf.adopt.onnx.node import SAMPLES_FIRST, Constant, OnnxNode, in_tensor_order
from hsitf.arrays import Float32Array

# Numbers that a layer may carry in its configuration.
_MAX_NUMBERS = 2**20


def addition(node: OnnxNode) -> AxisTensor:
    """Add and Sum: of tensors; a bias; or a term for each element."""
    if len(node.inputs) != 2:
        return _merged(node, layers.Add)
    found = _tensor_and_constant(node)
    if found is None:
        return _merged(node, layers.Add)
    value, constant, _ = found
    return with_bias(node, value, constant) or _affine(node, value, np.ones(()), constant)


def subtraction(node: OnnxNode) -> AxisTensor:
    """Sub."""
    found = _tensor_and_constant(node)
    if found is None:
        return _merged(node, layers.Subtract)
    value, constant, first = found
    if first:
        return _affine(node, value, -np.ones(()), constant)
    return with_bias(node, value, -constant) or _affine(node, value, np.ones(()), -constant)


def multiplication(node: OnnxNode) -> AxisTensor:
    """Mul."""
    found = _tensor_and_constant(node)
    if found is None:
        return _merged(node, layers.Multiply)
    return _affine(node, found[0], found[1], np.zeros(()))


def division(node: OnnxNode) -> AxisTensor:
    """Div."""
    found = _tensor_and_constant(node)
    if found is None:
        one, other = _alike(node, [node.any_tensor(0), node.any_tensor(1)])
        return one.changed(node.operation(ops.divide, one.tensor, other.tensor))
    value, constant, first = found
    if not first:
        return _affine(node, value, 1 / constant, np.zeros(()))
    inverse = value.changed(node.operation(lambda x: ops.divide(1.0, x), value.tensor))
    return _affine(node, inverse, constant, np.zeros(()))


def power(node: OnnxNode) -> AxisTensor:
    """Pow with one number as the exponent."""
    value, exponent = node.any_tensor(0), np.asarray(node.constant(1))
    if exponent.size != 1:
        raise node.error("has several exponents", received=exponent.shape, allowed="one number")
    one = float(exponent.reshape(()))
    if one == 2:
        return value.changed(node.operation(ops.square, value.tensor), nonnegative=True)
    return value.changed(node.operation(ops.power, value.tensor, one))


def extreme(kind: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """The conversion of Max and Min, of tensors or with one number."""

    def convert(node: OnnxNode) -> AxisTensor:
        found = _tensor_and_constant(node) if len(node.inputs) == 2 else None
        if found is None:
            return _merged(node, kind)
        value, constant, _ = found
        if constant.size != 1:
            raise node.error(
                "compares with several numbers", received=constant.shape, allowed="one number"
            )
        one = float(constant.reshape(()))
        return value.changed(node.operation(function, value.tensor, one))

    return convert


def concatenation(node: OnnxNode) -> AxisTensor:
    """Concat of tensors along an axis other than that of samples."""
    number = int(node.attributes["axis"])
    values = [node.any_tensor(index) for index in range(len(node.inputs))]
    if len(values) == 1:
        return values[0]
    joins = any(value.axis(number) == 0 for value in values)
    if (joins and node.samples == 1) or len({value.sampleless for value in values}) > 1:
        values = [node.without_samples(value) for value in values]
    axis = values[0].axis(number)
    if axis == 0:
        raise node.error("takes samples together", received="axis 0", remedy=SAMPLES_FIRST)
    order = _common_order(values)
    values = [node.permuted(value, order) for value in values]
    position = order.index(axis)
    along = -1 if position == len(order) - 1 else position
    made = node.layer(layers.Concatenate, [value.tensor for value in values], axis=along)
    return values[0].changed(made, nonnegative=all(value.nonnegative for value in values))


def _tensor_and_constant(node: OnnxNode) -> tuple[AxisTensor, Constant, bool] | None:
    """Operands of which one is constant, and whether it is the first; None for two tensors."""
    one, other = node.inputs
    if isinstance(one, AxisTensor) and isinstance(other, AxisTensor):
        return None
    first = not isinstance(one, AxisTensor)
    return node.any_tensor(1 if first else 0), node.weights(0 if first else 1), first


def _merged(node: OnnxNode, kind: Callable[..., Any]) -> AxisTensor:
    values = _alike(node, [node.any_tensor(index) for index in range(len(node.inputs))])
    if len(values) == 1:
        return values[0]
    tensors = [value.tensor for value in values]
    if kind is layers.Subtract and len(tensors) != 2:
        raise node.error("subtracts several tensors")
    return values[0].changed(node.layer(kind, tensors))


def _alike(node: OnnxNode, values: list[AxisTensor]) -> list[AxisTensor]:
    """Tensors with their axes in one order."""
    if len({value.sampleless for value in values}) > 1:
        values = [node.without_samples(value) for value in values]
    if len({value.rank for value in values}) > 1:
        raise node.error(
            "combines tensors with other numbers of axes",
            received=", ".join(str(value.sizes) for value in values),
            remedy="write the network with unsqueeze() before it, so that samples stay first",
        )
    order = _common_order(values)
    return [node.permuted(value, order) for value in values]


def _common_order(values: list[AxisTensor]) -> tuple[int, ...]:
    """The order in which the fewest elements are moved; channels last where it does not matter."""
    wanted = sliding_order(values[0])

    def moved(order: tuple[int, ...]) -> tuple[int, bool]:
        sizes = [int(np.prod(value.sizes)) for value in values if value.order != order]
        return sum(sizes), order != wanted

    return min((value.order for value in values), key=moved)


def _affine(node: OnnxNode, value: AxisTensor, scale: Constant, term: Constant) -> AxisTensor:
    """`x * scale + term`, with numbers for all elements or along axes."""
    value = _widened(node, value, scale, term)
    factors, terms = (_numbers(node, value, constant) for constant in (scale, term))
    if factors.size == 1 and terms.size == 1:
        return _by_number(node, value, float(factors.reshape(())), float(terms.reshape(())))
    made = node.layer(layers.Rescaling, value.tensor, scale=factors.tolist(), offset=terms.tolist())
    return value.changed(made)


def _by_number(node: OnnxNode, value: AxisTensor, factor: float, term: float) -> AxisTensor:
    if term == 0:
        return value.changed(node.operation(ops.multiply, value.tensor, factor))
    if factor == 1:
        return value.changed(node.operation(ops.add, value.tensor, term))
    return value.changed(node.operation(lambda x: ops.subtract(term, x), value.tensor))


def _numbers(node: OnnxNode, value: AxisTensor, constant: Constant) -> Float32Array:
    found = in_tensor_order(constant, value)
    if found is None or found.size > _MAX_NUMBERS:
        raise node.error(
            "combines a tensor with a constant that does not fit",
            received=f"{value.sizes} with {constant.shape}",
            allowed="one number for each element of a sample, or fewer",
        )
    return found


def _widened(node: OnnxNode, value: AxisTensor, *constants: Constant) -> AxisTensor:
    """The tensor, repeated along axes of 1 where a constant is longer."""
    shape = reduce(
        lambda wide, one: np.broadcast_shapes(wide, one.shape), constants, (1, *value.sizes)
    )
    if len(shape) > value.rank or shape[1:] == value.sizes:
        return value
    repeats = [1 if shape[axis] == (1, *value.sizes)[axis] else shape[axis] for axis in value.order]
    return value.changed(node.operation(ops.tile, value.tensor, repeats))
