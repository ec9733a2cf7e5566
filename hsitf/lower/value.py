"""Values of a lowered network: a tensor, and where each logical element lies in it.

The original network thinks in axes such as (rows, cols, bands, filters); the lowered one keeps
the same numbers in memory in whatever order its 2-D operators want. A `Value` holds both: a
tensor of at most four axes, and for each logical element its position in the flat memory of one
sample. Reshaping, permuting and flattening then move nothing at all, they only change the
bookkeeping; data moves when an operator needs another order, in one place, `arranged`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from hsitf.lower.convolution import Convolution

MAX_RANK = 4


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the lowered network.

    Attributes:
        tensor: `(batch, ...)`, at most four axes, static.
        index: Of the logical shape without batch; the position of each element in the flat
            memory of one sample.
        linear: Where the value is a convolution without activation: of what and which, so that
            a sum of parallel convolutions can be merged into one.
    """

    tensor: KerasTensor
    index: NDArray[np.int64]
    linear: tuple[Value, Convolution] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Logical shape without batch."""
        return self.index.shape

    @property
    def batch(self) -> int:
        """Samples in the tensor."""
        return int(self.tensor.shape[0])

    def viewed(self, *shape: int) -> KerasTensor:
        """The tensor seen as `(batch, *shape)`; memory stays as it is."""
        return view(self.tensor, (self.batch, *shape))


def view(tensor: KerasTensor, shape: tuple[int, ...]) -> KerasTensor:
    """A reshape, left out where it would change nothing."""
    return tensor if tuple(tensor.shape) == shape else ops.reshape(tensor, shape)


def positions(shape: tuple[int, ...], order: tuple[int, ...]) -> NDArray[np.int64]:
    """Index of a value whose logical axes lie in memory in the given order.

    Args:
        shape: Logical shape.
        order: Logical axes, the slowest first.
    """
    memory = np.arange(np.prod(shape, dtype=np.int64)).reshape([shape[axis] for axis in order])
    return np.asarray(memory.transpose(np.argsort(order)))


def arranged(value: Value, order: tuple[int, ...]) -> Value:
    """The value with its logical axes in memory in the given order, moved only where needed.

    Elements that lie along axes are moved by transposing, others (axes merged after a
    permutation, say) by gathering them one by one.
    """
    wanted = positions(value.shape, order)
    if np.array_equal(value.index, wanted):
        return value
    now = _memory_order(value)
    if now is None:
        source = np.empty(value.index.size, np.int32)
        source[wanted.ravel()] = value.index.ravel()
        return Value(ops.take(value.viewed(len(source)), source, axis=1), wanted)
    sizes = [value.shape[axis] for axis in now]
    tensor = _transposed(value.tensor, sizes, [now.index(axis) for axis in order])
    return Value(tensor, wanted)


def _memory_order(value: Value) -> list[int] | None:
    """The logical axes as they lie in memory, the slowest first; None if they do not."""
    origin = value.index[(0,) * value.index.ndim]
    strides = [
        value.index[tuple(int(axis == other) for other in range(value.index.ndim))] - origin
        if size > 1
        else 0
        for axis, size in enumerate(value.shape)
    ]
    order = sorted(range(value.index.ndim), key=lambda axis: -strides[axis])
    return order if np.array_equal(value.index, positions(value.shape, tuple(order))) else None


def _transposed(tensor: KerasTensor, sizes: list[int], order: list[int]) -> KerasTensor:
    """Permutes the memory axes `sizes` of each sample, with at most four axes at a time.

    One transposition does where axes that stay together leave no more than four. Otherwise axes
    are brought forward one by one: each step swaps two neighboring blocks, and what lies before
    them counts as batch.
    """
    batch = int(tensor.shape[0])
    blocks = _blocks([axis for axis in order if sizes[axis] > 1])
    starts = sorted(block[0] for block in blocks)
    merged = [int(np.prod([sizes[axis] for axis in block])) for block in sorted(blocks)]
    rank = [starts.index(block[0]) for block in blocks]
    if len(merged) < MAX_RANK:
        moved = ops.transpose(
            view(tensor, (batch, *merged)), (0, *(position + 1 for position in rank))
        )
        return view(moved, (batch, int(np.prod(sizes))))
    current = list(range(len(merged)))
    for place, axis in enumerate(rank):
        source = current.index(axis)
        if source == place:
            continue
        size = [merged[a] for a in current]
        lead, tail = batch * int(np.prod(size[:place])), int(np.prod(size[source + 1 :]))
        skipped = int(np.prod(size[place:source]))
        tensor = ops.transpose(view(tensor, (lead, skipped, size[source], tail)), (0, 2, 1, 3))
        current.insert(place, current.pop(source))
    return view(tensor, (batch, int(np.prod(sizes))))


def _blocks(order: list[int]) -> list[list[int]]:
    """Groups neighbors that a permutation keeps together: [2, 0, 1] -> [[2], [0, 1]]."""
    blocks: list[list[int]] = []
    remaining = sorted(order)
    for axis in order:
        follows = blocks and remaining.index(axis) == remaining.index(blocks[-1][-1]) + 1
        if follows:
            blocks[-1].append(axis)
        else:
            blocks.append([axis])
    return blocks
