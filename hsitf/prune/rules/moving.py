"""Layers and operations that only move elements, and those that join tensors.

What is kept of a tensor need not be a block of its axes: of channels reshaped into groups, each
group may lose other ones. Such a tensor is passed on *packed*: the axes along which channels
differ are one axis, which holds the kept elements in their order. Where the operations behind it
form blocks again, as in a channel shuffle, nothing has to go beyond what the plan removes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from keras import ops
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.graph import Call
from hsitf.prune.channel_graph import (
    ChannelGraph,
    ChannelIds,
    Indices,
    TracedCall,
    kept_grid,
    squeeze_repeated,
    varying_axes,
)
from hsitf.prune.rules.base import (
    KeepMask,
    PruningRule,
    ThinningSpec,
    output_shape,
    thin_nothing,
)

Positions = NDArray[np.int64]


class _Packed(NamedTuple):
    """What is kept of a tensor whose kept elements need not form a block.

    Attributes:
        leading: Sizes of the axes in front, along which everything is kept.
        kept: Flat positions of the kept elements behind these axes.
        size: Number of elements behind these axes.
        grid: Kept indices along each axis; None where they are no block.
    """

    leading: tuple[int, ...]
    kept: Indices
    size: int
    grid: list[Indices] | None

    @classmethod
    def of(cls, ids: ChannelIds, keep: KeepMask) -> _Packed:
        first = min([*varying_axes(ids), ids.ndim - 1])
        inner = ids[(0,) * first]
        return cls(ids.shape[:first], np.flatnonzero(keep[inner]), inner.size, kept_grid(ids, keep))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the thinned tensor, without batch."""
        if self.grid is not None:
            return tuple(len(index) for index in self.grid)
        return (*self.leading, len(self.kept))

    def in_blocks(self, count: int) -> tuple[Indices, int]:
        """Kept flat positions in each of `count` equal blocks of the leading axes; their size."""
        blocks = prod(self.leading) // count
        starts = np.arange(blocks)[:, None] * self.size
        return (starts + self.kept).ravel(), blocks * self.size


def move(call: Call, values: Sequence[NDArray[Any]]) -> list[NDArray[np.int64]]:
    """Applies an operation that moves elements to numbers, one sample without its batch axis."""
    moved = call.call_with(call.operation, [value[None] for value in values])
    several = moved if isinstance(moved, list | tuple) else [moved]
    return [np.asarray(value)[0].astype(np.int64) for value in several]


def _trace_moved(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> list[ChannelIds]:
    """Operations that only move elements are run on the ids themselves."""
    return move(call, inputs)


def thin_moved(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    """Leaves an operation as it is, or takes the kept elements from their new positions."""
    (ids,) = traced.inputs
    entering = _Packed.of(ids, keep)
    leaving = [_Packed.of(made, keep) for made in traced.outputs]
    source = np.arange(ids.size).reshape(ids.shape)
    moved = move(traced.call, [source])
    if _moves_alike(traced.call, source, moved, entering, leaving):
        return ThinningSpec()
    return _gathered(entering, leaving, moved)


def _thin_taken(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    """Take: its indices are those of what is kept."""
    (ids,), (made,) = traced.inputs, traced.outputs
    if keep[squeeze_repeated(ids)].all():
        return ThinningSpec()
    moved = move(traced.call, [np.arange(ids.size).reshape(ids.shape)])
    return _gathered(_Packed.of(ids, keep), [_Packed.of(made, keep)], moved)


def _thin_repeated(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    """Repeat: by one number, or by a number for each element of an axis."""
    each = np.size(traced.call.operation.repeats) > 1
    return (_thin_taken if each else thin_moved)(traced, keep)


def _gathered(entering: _Packed, leaving: list[_Packed], moved: list[Positions]) -> ThinningSpec:
    """Takes the elements that are kept from where the operation would have found them."""
    takes = [_take(entering, left, each) for left, each in zip(leaving, moved, strict=True)]

    def apply(values: list[Any]) -> list[Any]:
        made = []
        for (count, index), left in zip(takes, leaving, strict=True):
            size = prod(entering.shape) // count
            blocks = ops.reshape(values[0], (-1, count, size))
            if not np.array_equal(index, np.arange(size)):
                blocks = ops.take(blocks, index, axis=2)
            made.append(ops.reshape(blocks, (-1, *left.shape)))
        return made

    return ThinningSpec(apply=apply)


def _moves_alike(
    call: Call,
    source: Positions,
    moved: list[Positions],
    entering: _Packed,
    leaving: list[_Packed],
) -> bool:
    """Whether the operation itself moves the kept elements to where they are kept."""
    grids = [left.grid for left in leaving]
    if entering.grid is None or None in grids:
        return False
    wanted = [each[np.ix_(*grid)] for each, grid in zip(moved, grids, strict=True) if grid]
    try:
        now = move(call, [source[np.ix_(*entering.grid)]])
    except ValueError:
        # It was written for the sizes before.
        return False
    return len(now) == len(wanted) and all(map(np.array_equal, now, wanted))


def _take(entering: _Packed, leaving: _Packed, moved: Positions) -> tuple[int, list[int]]:
    """How many equal blocks there are, and which kept elements of each are taken, in order."""
    for count in _common_leads(entering.leading, leaving.leading):
        kept, size = entering.in_blocks(count)
        wanted, _ = leaving.in_blocks(count)
        rows = moved.reshape(count, -1)
        if np.array_equal(rows, rows[0] + np.arange(count)[:, None] * size):
            return count, np.searchsorted(kept, rows[0][wanted]).tolist()
    raise AssertionError("one block always holds everything")


def _common_leads(one: Sequence[int], other: Sequence[int]) -> list[int]:
    """Products of leading axes that two shapes have in common, the largest first."""
    found = [{prod(shape[:end]) for end in range(len(shape) + 1)} for shape in (one, other)]
    return sorted(found[0] & found[1], reverse=True)


# --- reshaping ------------------------------------------------------------------------------


def _trace_reshape(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    return np.reshape(inputs[0], output_shape(call.operation, inputs))


def _thin_reshape(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    return ThinningSpec({"target_shape": _Packed.of(traced.outputs[0], keep).shape})


def _thin_reshaped(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    shape = _Packed.of(traced.outputs[0], keep).shape
    return ThinningSpec(apply=lambda values: ops.reshape(values[0], (-1, *shape)))


def _trace_permute(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    return np.transpose(inputs[0], [axis - 1 for axis in call.operation.dims])


def _trace_repetition(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    return np.broadcast_to(inputs[0], output_shape(call.operation, inputs))


# --- slices and parts -----------------------------------------------------------------------


def _thin_item(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    """Slices are adjusted where channels in front of them are removed."""
    indices = kept_grid(traced.inputs[0], keep)
    if indices is None or kept_grid(traced.outputs[0], keep) is None:
        return thin_moved(traced, keep)
    arguments = traced.call.node.arguments
    asked = arguments.args[1] if len(arguments.args) > 1 else arguments.kwargs["key"]
    chosen = _expanded(traced, asked)[1:]
    now = [
        _moved_slice(where, kept, length)
        for where, kept, length in zip(chosen, indices, traced.inputs[0].shape, strict=True)
    ]
    plain = [slice(None) if isinstance(where, list) else where for where in now]
    key = (slice(None), *plain)

    def apply(values: list[Any]) -> Any:
        value = values[0]
        for axis, where in enumerate(now):
            if isinstance(where, list):
                value = ops.take(value, where, axis=axis + 1)
        return value[key]

    return ThinningSpec(apply=apply)


def _expanded(traced: TracedCall, key: Any) -> list[Any]:
    """A key with one entry per axis, batch included."""
    # Loaded from a file, the key is a list.
    entries = list(key) if isinstance(key, tuple | list) else [key]
    axes = traced.inputs[0].ndim + 1
    if any(not isinstance(entry, int | slice | type(...)) for entry in entries):
        raise InputError(
            f"slicing at {traced.name!r} cannot be pruned through",
            received=str(key),
            allowed="slices, integers and ...",
        )
    if ... in entries:
        at = entries.index(...)
        entries[at : at + 1] = [slice(None)] * (axes - len(entries) + 1)
    return entries + [slice(None)] * (axes - len(entries))


def _moved_slice(where: int | slice, kept: Indices, length: int) -> int | slice | list[int]:
    """The slice or index that selects the same elements among the kept ones."""
    if isinstance(where, int):
        return int(np.searchsorted(kept, where % length))
    wanted = np.arange(length)[where]
    found = [int(np.searchsorted(kept, index)) for index in wanted if index in kept]
    if found == list(range(len(kept))):
        return slice(None)
    if found and found == list(range(found[0], found[-1] + 1)):
        return slice(found[0], found[-1] + 1)
    return found


def _thin_split(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    if any(kept_grid(ids, keep) is None for ids in (*traced.inputs, *traced.outputs)):
        return thin_moved(traced, keep)
    axis = traced.call.operation.axis
    axis = axis if axis >= 0 else axis + traced.inputs[0].ndim + 1
    counts = [_Packed.of(ids, keep).shape[axis - 1] for ids in traced.outputs]
    bounds = np.cumsum(counts)[:-1].tolist()
    return ThinningSpec(apply=lambda values: ops.split(values[0], bounds, axis=axis))


def _trace_unstacked(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> list[ChannelIds]:
    """Unstack: one tensor for each index of an axis, all of which stay."""
    ids = inputs[0]
    axis = call.operation.axis % (ids.ndim + 1) - 1
    if axis in varying_axes(graph.channels_of(squeeze_repeated(ids))):
        graph.protect(ids)
    return move(call, inputs)


# --- joining --------------------------------------------------------------------------------


def trace_elementwise(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Add and similar layers: channels combined element by element are coupled.

    A single channel that is broadcast over all others is kept, and couples none of them.
    """
    channels = max(ids.shape[-1] for ids in inputs)
    wide = [ids for ids in inputs if ids.shape[-1] == channels]
    for ids in inputs:
        if ids.shape[-1] < channels:
            graph.protect(ids)
    for other in wide[1:]:
        graph.couple(wide[0], other)
    return np.broadcast_to(wide[0], np.broadcast_shapes(*(ids.shape for ids in inputs)))


def _trace_concatenation(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    axis = call.operation.axis
    return np.concatenate(inputs, axis=axis - 1 if axis > 0 else axis)


def _trace_stack(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Stack: the tensors lose the same channels, since they stay of one shape."""
    for other in inputs[1:]:
        graph.couple(inputs[0], other)
    axis = call.operation.axis
    return np.stack(inputs, axis=axis - 1 if axis > 0 else axis)


MOVED = PruningRule(_trace_moved, thin_moved)
TAKEN = PruningRule(_trace_moved, _thin_taken)
REPEATED = PruningRule(_trace_moved, _thin_repeated)
ITEM = PruningRule(_trace_moved, _thin_item)
SPLIT = PruningRule(_trace_moved, _thin_split)
UNSTACKED = PruningRule(_trace_unstacked, thin_moved)
RESHAPED = PruningRule(_trace_moved, _thin_reshaped)
FLATTEN = PruningRule(_trace_reshape, thin_nothing)
RESHAPE = PruningRule(_trace_reshape, _thin_reshape)
PERMUTE = PruningRule(_trace_permute, thin_moved)
REPETITION = PruningRule(_trace_repetition, thin_nothing)
MERGING = PruningRule(trace_elementwise, thin_nothing)
CONCATENATION = PruningRule(_trace_concatenation, thin_nothing)
STACK = PruningRule(_trace_stack, thin_nothing)
