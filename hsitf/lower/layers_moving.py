"""Lowering of data movement: changes of the layout, and concatenation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.lower.context import LoweringContext
from hsitf.lower.depthwise import scale_and_shift
from hsitf.lower.layout_tensor import LayoutTensor, dense_layout, logical_order, rearrange
from hsitf.lower.strided_layout import ZERO_PADDING, Layout


def identity(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Layers without effect at inference."""
    return inputs[0]


def data_movement(context: LoweringContext, inputs: list[LayoutTensor]) -> list[LayoutTensor]:
    """Operations that only move elements: applied to the layout, so that no data moves.

    As a check, a second sample with negated positions has to give negated results. Zeros that the
    operation inserts become ZERO_PADDING.
    """
    (value,) = inputs
    samples = context.call.node.arguments.keras_tensors[0].shape[0] or 2
    # Positions from 1, so that 0 is a zero.
    signs = np.where(np.arange(samples) % 2, -1, 1).astype(np.int32)
    numbers = np.asarray(value.layout + 1, np.int32)
    leaving = context.call.call_with(context.layer, [np.multiply.outer(signs, numbers)])
    several = leaving if isinstance(leaving, list | tuple) else [leaving]
    return [replace(value, layout=_checked(context, np.asarray(part), signs)) for part in several]


def _checked(
    context: LoweringContext, leaving: NDArray[np.int32], signs: NDArray[np.int32]
) -> Layout:
    first = np.asarray(leaving[0], np.int64)
    if (first < 0).any() or not np.array_equal(leaving, np.multiply.outer(signs, first)):
        kind = type(context.layer).__name__
        raise context.error("does more than move the elements of each sample", received=kind)
    return first - 1


def padding(context: LoweringContext, inputs: list[LayoutTensor]) -> list[LayoutTensor]:
    """The operation Pad: with zeros, or with elements of the tensor."""
    arguments = context.call.node.arguments
    value = arguments.kwargs.get("constant_values", [*arguments.args, None, None][1])
    if value is not None and np.any(np.asarray(value) != 0):
        raise context.error("pads with other numbers than zeros", received=value, allowed=0)
    return data_movement(context, inputs)


def concatenation(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Concatenate, along any axis."""
    axis = context.layer.axis
    rank = len(inputs[0].shape) + 1
    if axis % rank == 0:
        raise context.error("takes samples together", received=f"axis {axis}")
    return concatenated(inputs, axis % rank - 1, context.name)


def learned_tokens(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """LearnedTokens: zeros in front of the tokens, and a term for each number of each token."""
    (value,), tokens = inputs, np.asarray(context.layer.tokens)
    zeros = np.full(tokens.shape, ZERO_PADDING, value.layout.dtype)
    padded = LayoutTensor(value.tensor, np.concatenate([zeros, value.layout]))
    terms = np.concatenate([tokens, np.zeros(value.shape, np.float32)])
    return scale_and_shift(rearrange(padded, logical_order(padded)), 1.0, terms, context.name)


def stacking(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The operation Stack: concatenation along a new axis."""
    axis = context.layer.axis
    rank = len(inputs[0].shape) + 2
    if axis % rank == 0:
        raise context.error("takes samples together", received=f"axis {axis}")
    own = axis % rank - 1
    layers = [replace(value, layout=np.expand_dims(value.layout, own)) for value in inputs]
    return concatenated(layers, own, context.name)


@dataclass(frozen=True, eq=False)
class ConcatenationProducer:
    """A concatenation as the producer of a tensor, where some parts are linear.

    Attributes:
        parts: Concatenated tensors.
        axis: Axis of the concatenation.
        layout: Layout of the output.
        order: Order of its axes in memory.
    """

    parts: tuple[LayoutTensor, ...]
    axis: int
    layout: Layout
    order: tuple[int, ...]

    def scaled(self, scale: Float32Array, shift: Float32Array, name: str) -> LayoutTensor:
        """Folds factors and terms into each part."""
        ends = list(accumulate(part.shape[self.axis] for part in self.parts))[:-1]
        split = zip(
            self.parts,
            np.split(scale[self.layout], ends, self.axis),
            np.split(shift[self.layout], ends, self.axis),
            strict=True,
        )
        parts = [
            scale_and_shift(part, factors, terms, f"{name}_part{number}")
            for number, (part, factors, terms) in enumerate(split, 1)
        ]
        # The parts may have come into another order, their users expect this one.
        return concatenated(parts, self.axis, name, self.order)


def concatenated(
    values: list[LayoutTensor], axis: int, name: str, order: tuple[int, ...] | None = None
) -> LayoutTensor:
    """Concatenates tensors along an axis.

    Args:
        values: Tensors of equal shapes but for that axis.
        axis: Axis of the logical shape, without batch.
        name: Name of the layer.
        order: Order of the axes in memory; that of the first part that has one where None.
    """
    axis %= len(values[0].shape)
    if order is None:
        orders = [value.memory_order for value in values]
        order = next((known for known in orders if known is not None), logical_order(values[0]))
    position = order.index(axis)
    blocks = []
    for value in values:
        sizes = [value.shape[along] for along in order]
        block = (prod(sizes[:position]), prod(sizes[position:]))
        blocks.append(rearrange(value, order).reshaped(*block))
    tensor = keras.layers.Concatenate(axis=-1, name=name)(blocks)
    index = dense_layout(np.concatenate([value.layout for value in values], axis).shape, order)
    linear = any(value.producer is not None for value in values)
    producer = ConcatenationProducer(tuple(values), axis, index, order) if linear else None
    return LayoutTensor(tensor, index, producer)
