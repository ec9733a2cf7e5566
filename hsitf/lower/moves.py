"""Moving the memory of each sample, with tensors of at most four axes at a time.

Memory is told by the sizes of its axes, the slowest first, of which there may be any number;
what comes back is flat, `(batch, elements)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from keras import KerasTensor, ops

MAX_RANK = 4


def view(tensor: KerasTensor, shape: tuple[int, ...]) -> KerasTensor:
    """A reshape, left out where it would change nothing; -1 for the size that is left."""
    known = prod(size for size in shape if size >= 0)
    shape = tuple(prod(tensor.shape) // known if size < 0 else size for size in shape)
    return tensor if tuple(tensor.shape) == shape else ops.reshape(tensor, shape)


def cropped(tensor: KerasTensor, sizes: Sequence[int], slices: Sequence[slice]) -> KerasTensor:
    """Keeps a slice of each axis."""
    kept = [len(range(size)[where]) for size, where in zip(sizes, slices, strict=True)]
    changed = [size != keep for size, keep in zip(sizes, kept, strict=True)]

    def crop(block: KerasTensor, first: int, last: int) -> KerasTensor:
        where = (slice(None), *slices[first:last])
        return block[where]

    return _changed(tensor, sizes, kept, changed, crop)


def padded(
    tensor: KerasTensor, sizes: Sequence[int], zeros: Sequence[tuple[int, int]]
) -> KerasTensor:
    """Puts zeros before and after each axis."""
    wider = [size + sum(around) for size, around in zip(sizes, zeros, strict=True)]

    def pad(block: KerasTensor, first: int, last: int) -> KerasTensor:
        return ops.pad(block, [(0, 0), *zeros[first:last], (0, 0)])

    return _changed(tensor, sizes, wider, [any(around) for around in zeros], pad)


def taken(
    tensor: KerasTensor, sizes: Sequence[int], axis: int, places: Sequence[int]
) -> KerasTensor:
    """Takes places along an axis, in any order; the one behind the last is a zero."""
    if sizes[axis] in places:
        around = [(0, int(place == axis)) for place in range(len(sizes))]
        tensor = padded(tensor, sizes, around)
        sizes = [size + more for size, (_, more) in zip(sizes, around, strict=True)]
    batch = int(tensor.shape[0])
    lead, tail = batch * prod(sizes[:axis]), prod(sizes[axis + 1 :])
    block = view(tensor, (lead, sizes[axis], tail))
    block = ops.take(block, np.asarray(places, np.int32), axis=1)
    return view(block, (batch, prod(sizes) // sizes[axis] * len(places)))


def _changed(
    tensor: KerasTensor,
    sizes: Sequence[int],
    becoming: Sequence[int],
    changed: Sequence[bool],
    change: Callable[[KerasTensor, int, int], KerasTensor],
) -> KerasTensor:
    """Changes axes, two neighbors at a time: what lies before them counts as batch."""
    batch, now, place = int(tensor.shape[0]), list(sizes), 0
    while place < len(now):
        if not changed[place]:
            place += 1
            continue
        end = place + 2 if changed[place + 1 : place + 2] == [True] else place + 1
        lead, tail = batch * prod(now[:place]), prod(now[end:])
        tensor = change(view(tensor, (lead, *now[place:end], tail)), place, end)
        now[place:end] = becoming[place:end]
        place = end
    return view(tensor, (batch, prod(now)))


def transposed(tensor: KerasTensor, sizes: Sequence[int], order: Sequence[int]) -> KerasTensor:
    """Permutes axes.

    One transposition does where axes that stay together leave no more than four. Otherwise axes
    are brought forward one by one: each step swaps two neighboring blocks, and what lies before
    them counts as batch.
    """
    batch = int(tensor.shape[0])
    blocks = _blocks([axis for axis in order if sizes[axis] > 1])
    starts = sorted(block[0] for block in blocks)
    merged = [prod(sizes[axis] for axis in block) for block in sorted(blocks)]
    rank = [starts.index(block[0]) for block in blocks]
    if rank == sorted(rank):
        return view(tensor, (batch, prod(sizes)))
    if len(merged) < MAX_RANK:
        moved = ops.transpose(
            view(tensor, (batch, *merged)), (0, *(position + 1 for position in rank))
        )
        return view(moved, (batch, prod(sizes)))
    current = list(range(len(merged)))
    for place, axis in enumerate(rank):
        source = current.index(axis)
        if source == place:
            continue
        size = [merged[a] for a in current]
        lead, tail = batch * prod(size[:place]), prod(size[source + 1 :])
        skipped = prod(size[place:source])
        tensor = ops.transpose(view(tensor, (lead, skipped, size[source], tail)), (0, 2, 1, 3))
        current.insert(place, current.pop(source))
    return view(tensor, (batch, prod(sizes)))


def _blocks(order: Sequence[int]) -> list[list[int]]:
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
