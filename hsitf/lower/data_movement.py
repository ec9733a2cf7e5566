"""Data movement within each sample, with tensors of at most four axes.

The memory of a sample is described by the sizes of its axes, the slowest first, of which there may
be any number; results are flat, `(batch, elements)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from keras import KerasTensor, ops

MAX_RANK = 4
# Slices that a gather may be written with, in place of an operator that many accelerators lack.
_MAX_SLICES = 4


def reshape(tensor: KerasTensor, shape: tuple[int, ...]) -> KerasTensor:
    """Reshapes a tensor where its shape differs; -1 stands for the remaining size."""
    known = prod(size for size in shape if size >= 0)
    shape = tuple(prod(tensor.shape) // known if size < 0 else size for size in shape)
    return tensor if tuple(tensor.shape) == shape else ops.reshape(tensor, shape)


def crop(tensor: KerasTensor, sizes: Sequence[int], slices: Sequence[slice]) -> KerasTensor:
    """Crops each axis to a slice."""
    kept = [len(range(size)[where]) for size, where in zip(sizes, slices, strict=True)]
    changed = [size != keep for size, keep in zip(sizes, kept, strict=True)]

    def change(block: KerasTensor, first: int, last: int) -> KerasTensor:
        steps = [slices[axis].step or 1 for axis in range(first, last)]
        if max(steps) == 1:
            where = (slice(None), *slices[first:last])
            return block[where]
        for axis in range(first, last):
            block = take_slice(block, 1 + axis - first, slices[axis])
        return block

    return _change_axes(tensor, sizes, kept, changed, change)


def take_slice(tensor: KerasTensor, axis: int, where: slice) -> KerasTensor:
    """A slice of one axis, without a step: delegates compute no slices of every other element.

    Elements a step apart are the same ones of blocks that long, which a reshape makes an axis.

    Args:
        tensor: The tensor.
        axis: The axis, not that of the batch.
        where: The slice, with a positive step or none.
    """
    size = int(tensor.shape[axis])
    picks = range(size)[where]
    if picks.step == 1 or len(picks) == 1:
        plain = slice(picks[0], picks[-1] + 1)
        return tensor if plain == slice(0, size) else tensor[(slice(None),) * axis + (plain,)]
    lead, tail = prod(tensor.shape[:axis]), prod(tensor.shape[axis + 1 :])
    block = reshape(tensor, (lead, size, tail))
    # Blocks may begin before the first element, where the last one has no room behind it.
    length = len(picks) * picks.step
    begin = min(picks.start, size - length)
    if begin < max(picks.start - picks.step + 1, 0):
        begin, missing = picks.start, picks.start + length - size
        block = ops.pad(block, [(0, 0), (0, missing), (0, 0)])
    if begin or block.shape[1] > length:
        block = block[:, begin : begin + length]
    block = reshape(block, (lead, len(picks), picks.step, tail))
    within = picks.start - begin
    chosen = block[:, :, within : within + 1]
    return reshape(chosen, (*tensor.shape[:axis], len(picks), *tensor.shape[axis + 1 :]))


def pad(tensor: KerasTensor, sizes: Sequence[int], zeros: Sequence[tuple[int, int]]) -> KerasTensor:
    """Pads each axis with zeros."""
    wider = [size + sum(around) for size, around in zip(sizes, zeros, strict=True)]

    def change(block: KerasTensor, first: int, last: int) -> KerasTensor:
        return ops.pad(block, [(0, 0), *zeros[first:last], (0, 0)])

    return _change_axes(tensor, sizes, wider, [any(around) for around in zeros], change)


def gather(
    tensor: KerasTensor, sizes: Sequence[int], axis: int, indices: Sequence[int]
) -> KerasTensor:
    """Gathers positions along an axis, in any order; the one after the last is a zero.

    Where they are a few slices, these are put side by side; other orders need a GATHER.
    """
    if sizes[axis] in indices:
        around = [(0, int(position == axis)) for position in range(len(sizes))]
        tensor = pad(tensor, sizes, around)
        sizes = [size + more for size, (_, more) in zip(sizes, around, strict=True)]
    batch = int(tensor.shape[0])
    lead, tail = batch * prod(sizes[:axis]), prod(sizes[axis + 1 :])
    block = reshape(tensor, (lead, sizes[axis], tail))
    slices = as_slices(indices)
    if slices is None:
        block = ops.take(block, np.asarray(indices, np.int32), axis=1)
    else:
        block = _sliced(block, slices)
    return reshape(block, (batch, prod(sizes) // sizes[axis] * len(indices)))


def as_slices(indices: Sequence[int]) -> list[slice] | None:
    """The slices of neighboring positions that indices consist of; None where there are many."""
    found: list[slice] = []
    for index in indices:
        if found and found[-1].stop == index:
            found[-1] = slice(found[-1].start, index + 1)
        elif len(found) < _MAX_SLICES:
            found.append(slice(index, index + 1))
        else:
            return None
    return found


def _sliced(block: KerasTensor, slices: Sequence[slice]) -> KerasTensor:
    """Slices of the second of three axes, one after the other."""
    whole = slice(0, block.shape[1])
    parts = [block if where == whole else block[:, where] for where in slices]
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)


def _change_axes(
    tensor: KerasTensor,
    sizes: Sequence[int],
    becoming: Sequence[int],
    changed: Sequence[bool],
    change: Callable[[KerasTensor, int, int], KerasTensor],
) -> KerasTensor:
    """Changes axes, two neighbors at a time; the axes before them count as batch."""
    batch, now, position = int(tensor.shape[0]), list(sizes), 0
    while position < len(now):
        if not changed[position]:
            position += 1
            continue
        end = position + 2 if changed[position + 1 : position + 2] == [True] else position + 1
        lead, tail = batch * prod(now[:position]), prod(now[end:])
        tensor = change(reshape(tensor, (lead, *now[position:end], tail)), position, end)
        now[position:end] = becoming[position:end]
        position = end
    return reshape(tensor, (batch, prod(now)))


def transpose(tensor: KerasTensor, sizes: Sequence[int], order: Sequence[int]) -> KerasTensor:
    """Permutes axes.

    One transposition suffices where no more than four blocks of axes remain. Otherwise axes are
    moved forward one by one: each step swaps two neighboring blocks, and the axes before them
    count as batch.
    """
    batch = int(tensor.shape[0])
    blocks = _blocks([axis for axis in order if sizes[axis] > 1])
    starts = sorted(block[0] for block in blocks)
    merged = [prod(sizes[axis] for axis in block) for block in sorted(blocks)]
    rank = [starts.index(block[0]) for block in blocks]
    if rank == sorted(rank):
        return reshape(tensor, (batch, prod(sizes)))
    if len(merged) < MAX_RANK:
        moved = ops.transpose(
            reshape(tensor, (batch, *merged)), (0, *(position + 1 for position in rank))
        )
        return reshape(moved, (batch, prod(sizes)))
    current = list(range(len(merged)))
    for position, axis in enumerate(rank):
        source = current.index(axis)
        if source == position:
            continue
        size = [merged[a] for a in current]
        lead, tail = batch * prod(size[:position]), prod(size[source + 1 :])
        skipped = prod(size[position:source])
        tensor = ops.transpose(reshape(tensor, (lead, skipped, size[source], tail)), (0, 2, 1, 3))
        current.insert(position, current.pop(source))
    return reshape(tensor, (batch, prod(sizes)))


def _blocks(order: Sequence[int]) -> list[list[int]]:
    """Groups axes that a permutation keeps adjacent: [2, 0, 1] -> [[2], [0, 1]]."""
    blocks: list[list[int]] = []
    remaining = sorted(order)
    for axis in order:
        follows = blocks and remaining.index(axis) == remaining.index(blocks[-1][-1]) + 1
        if follows:
            blocks[-1].append(axis)
        else:
            blocks.append([axis])
    return blocks
