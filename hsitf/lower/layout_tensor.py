"""Tensors of a lowered network with the memory layout of their logical elements.

The original network has axes such as (rows, cols, bands, filters); the lowered one keeps the same
numbers in memory in whatever order its 2-D operators need. A `LayoutTensor` holds both: a tensor
of at most four axes, and for each logical element its position in the flat memory of one sample.
Reshaping, permuting, slicing and padding then move no data, they only change the layout; data
moves when an operator needs another order, in one function, `rearrange`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Protocol

import numpy as np
from keras import KerasTensor, ops

from hsitf.arrays import Float32Array
from hsitf.lower.data_movement import as_slices, crop, gather, pad, reshape, transpose
from hsitf.lower.strided_layout import Layout, memory_block, strided_axes

# Parts of an axis that are rearranged one by one before element by element is no worse.
_MAX_PARTS = 8


class LinearProducer(Protocol):
    """The linear operation that produced a tensor."""

    def scaled(self, scale: Float32Array, shift: Float32Array, name: str) -> LayoutTensor | None:
        """Folds a factor and a term per element into the operation's weights.

        Args:
            scale: Factors by position in the memory of one sample.
            shift: Terms by position in the memory of one sample.
            name: Name of the new layer.

        Returns:
            A tensor with the same memory layout; None where the weights cannot express it.
        """


@dataclass(frozen=True, eq=False)
class LayoutTensor:
    """A tensor of the lowered network with its memory layout.

    Attributes:
        tensor: `(batch, ...)`, at most four axes, static.
        layout: Positions of the elements in the flat memory of one sample, in the logical shape
            without batch; ZERO_PADDING for a zero that is not in memory.
        producer: The linear operation that produced the tensor, so that parallel convolutions can
            be merged and a normalization can be folded into the weights; None for others.
    """

    tensor: KerasTensor
    layout: Layout
    producer: LinearProducer | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Logical shape without batch."""
        return self.layout.shape

    @property
    def batch(self) -> int:
        """Number of samples in the tensor."""
        return int(self.tensor.shape[0])

    @property
    def memory_size(self) -> int:
        """Number of elements of one sample in memory, logical or not."""
        return prod(self.tensor.shape[1:])

    @property
    def memory_order(self) -> tuple[int, ...] | None:
        """Order of the logical axes in memory, the slowest first; None where there is none."""
        # Axes of size 1 fit anywhere.
        if self.has_layout(dense_layout(self.shape, logical_order(self))):
            return logical_order(self)
        strides = [
            np.abs(np.diff(self.layout, axis=axis)).max(initial=0)
            for axis in range(self.layout.ndim)
        ]
        found = tuple(np.argsort(strides)[::-1].tolist())
        return found if self.has_layout(dense_layout(self.shape, found)) else None

    def reshaped(self, *shape: int) -> KerasTensor:
        """The tensor reshaped to `(batch, *shape)`, without moving data."""
        return reshape(self.tensor, (self.batch, *shape))

    def has_layout(self, layout: Layout) -> bool:
        """Whether memory holds exactly the logical elements, at these positions."""
        return self.memory_size == layout.size and np.array_equal(self.layout, layout)


def dense_layout(shape: tuple[int, ...], order: tuple[int, ...]) -> Layout:
    """Layout without gaps, with the logical axes in memory in the given order.

    Args:
        shape: Logical shape without batch.
        order: Logical axes, the slowest first.
    """
    memory = np.arange(np.prod(shape, dtype=np.int64)).reshape([shape[axis] for axis in order])
    return np.asarray(memory.transpose(np.argsort(order)))


def logical_order(value: LayoutTensor) -> tuple[int, ...]:
    """The logical axes of a tensor in their own order."""
    return tuple(range(len(value.shape)))


def rearrange(value: LayoutTensor, order: tuple[int, ...]) -> LayoutTensor:
    """Rearranges memory to hold the logical axes in the given order; moves data only if needed.

    Strided layouts are sliced and transposed, and so are those that fall into a few strided parts,
    such as the neighbors of each band; others (permuted axes merged into one, for example) are
    gathered element by element.
    """
    wanted = dense_layout(value.shape, order)
    if value.has_layout(wanted):
        return value
    tensor = _rearrange_by_strides(value, order)
    if tensor is None:
        tensor = _rearrange_in_parts(value, order)
    if tensor is None:
        source = np.empty(value.layout.size, np.int64)
        source[wanted.ravel()] = np.where(value.layout < 0, value.memory_size, value.layout).ravel()
        tensor = gather(value.tensor, [value.memory_size], 0, source.tolist())
    return LayoutTensor(tensor, wanted)


def _rearrange_by_strides(value: LayoutTensor, order: tuple[int, ...]) -> KerasTensor | None:
    found = strided_axes(value.layout)
    if found is None:
        return None
    start, along = found
    wanted = [digit for axis in order for digit in along[axis].strides]
    memory = sorted(wanted, key=lambda digit: -digit.stride)
    block = memory_block(tuple(value.tensor.shape[1:]), start, memory)
    if block is None:
        return None
    tensor = crop(value.tensor, block.sizes, block.slices)
    counts = [digit.count for digit in memory]
    tensor = transpose(tensor, counts, [memory.index(digit) for digit in wanted])
    sizes = [along[axis].length for axis in order]
    for position, axis in enumerate(order):
        chosen = along[axis].gathered
        if chosen is not None:
            tensor = gather(tensor, sizes, position, chosen)
            sizes[position] = len(chosen)
    return pad(tensor, sizes, [along[axis].padding for axis in order])


def _rearrange_in_parts(value: LayoutTensor, order: tuple[int, ...]) -> KerasTensor | None:
    """Rearranges equal parts of an axis by their strides; None where no few parts have any."""
    for count, axis in product(range(2, _MAX_PARTS + 1), order):
        if value.shape[axis] % count:
            continue
        layouts = np.split(value.layout, count, axis)
        if not all(map(_is_sliced, layouts)):
            continue
        parts = [_rearrange_by_strides(replace(value, layout=one), order) for one in layouts]
        before = value.batch * prod(value.shape[one] for one in order[: order.index(axis)])
        blocks = [reshape(part, (before, -1)) for part in parts if part is not None]
        if len(blocks) < count:
            continue
        return reshape(ops.concatenate(blocks, axis=1), (value.batch, value.layout.size))
    return None


def _is_sliced(layout: Layout) -> bool:
    """Whether elements are those of slices along each axis, at constant strides."""
    found = strided_axes(layout)
    return found is not None and all(
        one.gathered is None or as_slices(one.gathered) is not None for one in found[1]
    )


def compact(value: LayoutTensor) -> LayoutTensor:
    """The tensor with each logical element in memory exactly once, and nothing else."""
    once = np.zeros(value.memory_size, np.bool_)
    once[value.layout[value.layout >= 0]] = True
    if value.layout.size == value.memory_size and once.all():
        return value
    return rearrange(value, logical_order(value))
