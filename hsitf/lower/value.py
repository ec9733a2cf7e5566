"""Values of a lowered network: a tensor, and where each logical element lies in it.

The original network thinks in axes such as (rows, cols, bands, filters); the lowered one keeps
the same numbers in memory in whatever order its 2-D operators want. A `Value` holds both: a
tensor of at most four axes, and for each logical element its position in the flat memory of one
sample. Reshaping, permuting, slicing and padding then move nothing at all, they only change the
bookkeeping; data moves when an operator needs another order, in one place, `arranged`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
from keras import KerasTensor
from numpy.typing import NDArray

from hsitf.lower.lines import Index, lines, window
from hsitf.lower.moves import cropped, padded, taken, transposed, view

Floats = NDArray[np.float32]


class Linear(Protocol):
    """What computed a tensor, where that is linear."""

    def scaled(self, scale: Floats, shift: Floats, name: str) -> Value | None:
        """The same with each element multiplied and added to, at no cost; None where it cannot.

        Args:
            scale: By position in memory, of one sample.
            shift: Likewise.
            name: For what is made.

        Returns:
            A value whose memory is laid out as before.
        """


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the lowered network.

    Attributes:
        tensor: `(batch, ...)`, at most four axes, static.
        index: Of the logical shape without batch; the position of each element in the flat
            memory of one sample, or ABSENT for a zero that is not in memory.
        linear: What computed the tensor, so that a sum of parallel convolutions can be merged
            into one and a normalization can go into the weights.
    """

    tensor: KerasTensor
    index: Index
    linear: Linear | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Logical shape without batch."""
        return self.index.shape

    @property
    def batch(self) -> int:
        """Samples in the tensor."""
        return int(self.tensor.shape[0])

    @property
    def memory(self) -> int:
        """Elements of one sample in the tensor, logical or not."""
        return prod(self.tensor.shape[1:])

    @property
    def order(self) -> tuple[int, ...] | None:
        """The logical axes as they lie in memory, the slowest first; None if they do not."""
        # Axes of one element lie anywhere: where all else is in order, they are, too.
        if self.lies(positions(self.shape, natural(self))):
            return natural(self)
        strides = [
            np.abs(np.diff(self.index, axis=axis)).max(initial=0) for axis in range(self.index.ndim)
        ]
        found = tuple(np.argsort(strides)[::-1].tolist())
        return found if self.lies(positions(self.shape, found)) else None

    def viewed(self, *shape: int) -> KerasTensor:
        """The tensor seen as `(batch, *shape)`; memory stays as it is."""
        return view(self.tensor, (self.batch, *shape))

    def lies(self, index: Index) -> bool:
        """Whether its elements are all that is in memory, at these positions."""
        return self.memory == index.size and np.array_equal(self.index, index)


def positions(shape: tuple[int, ...], order: tuple[int, ...]) -> Index:
    """Index of a value whose logical axes lie in memory in the given order.

    Args:
        shape: Logical shape.
        order: Logical axes, the slowest first.
    """
    memory = np.arange(np.prod(shape, dtype=np.int64)).reshape([shape[axis] for axis in order])
    return np.asarray(memory.transpose(np.argsort(order)))


def natural(value: Value) -> tuple[int, ...]:
    """The axes of a value in their own order."""
    return tuple(range(len(value.shape)))


def arranged(value: Value, order: tuple[int, ...]) -> Value:
    """The value with its logical axes in memory in the given order, moved only where needed.

    What lies along axes is sliced and transposed; elements that lie in no order (a permutation
    of axes seen as one, say) are gathered one by one.
    """
    wanted = positions(value.shape, order)
    if value.lies(wanted):
        return value
    tensor = _moved(value, order)
    if tensor is None:
        source = np.empty(value.index.size, np.int64)
        source[wanted.ravel()] = np.where(value.index < 0, value.memory, value.index).ravel()
        tensor = taken(value.tensor, [value.memory], 0, source.tolist())
    return Value(tensor, wanted)


def _moved(value: Value, order: tuple[int, ...]) -> KerasTensor | None:
    found = lines(value.index)
    if found is None:
        return None
    start, along = found
    wanted = [digit for axis in order for digit in along[axis].digits]
    memory = sorted(wanted, key=lambda digit: -digit.stride)
    block = window(tuple(value.tensor.shape[1:]), start, memory)
    if block is None:
        return None
    tensor = cropped(value.tensor, block.sizes, block.slices)
    counts = [digit.count for digit in memory]
    tensor = transposed(tensor, counts, [memory.index(digit) for digit in wanted])
    sizes = [along[axis].length for axis in order]
    for place, axis in enumerate(order):
        chosen = along[axis].chosen
        if chosen is not None:
            tensor = taken(tensor, sizes, place, chosen)
            sizes[place] = len(chosen)
    return padded(tensor, sizes, [along[axis].zeros for axis in order])


def solid(value: Value) -> Value:
    """The value with each logical element in memory once and nothing besides."""
    once = np.zeros(value.memory, np.bool_)
    once[value.index[value.index >= 0]] = True
    if value.index.size == value.memory and once.all():
        return value
    return arranged(value, natural(value))
