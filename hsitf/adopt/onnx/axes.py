"""Tensors of an ONNX graph in Keras, whose channels stand last.

ONNX puts channels behind the samples: `(samples, channels, rows, cols)`. An `AxisTensor` is a Keras
tensor with the order in which the ONNX axes stand in it. A transposition in the graph then changes
that order only, and a chain of convolutions and pools stays in Keras' order; axes are moved, by a
Permute, where an operator needs them elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keras import KerasTensor


@dataclass(frozen=True, eq=False)
class AxisTensor:
    """A tensor with the order of its axes.

    Attributes:
        tensor: `(samples, ...)`.
        order: For each axis of the tensor the axis of the ONNX graph that stands there. Samples are
            first in both.
        nonnegative: Whether no element can be below 0, so that zeros around it change no maximum.
        sampleless: Whether the graph has no axis of samples here. Files for one sample may drop it,
            or move it elsewhere; the axes of the graph are then counted from 1, as if there were
            one in front.
    """

    tensor: KerasTensor
    order: tuple[int, ...]
    nonnegative: bool = False
    sampleless: bool = False

    @property
    def rank(self) -> int:
        """Number of axes, samples included."""
        return len(self.order)

    @property
    def graph_rank(self) -> int:
        """Number of axes that the graph has."""
        return self.rank - self.sampleless

    def axis(self, number: int) -> int:
        """An axis as it is counted here, of the number that the graph gives it."""
        return number % self.graph_rank + self.sampleless

    def graph_shape(self, samples: int) -> tuple[int, ...]:
        """The shape that the graph has, for a number of samples."""
        return self.sizes if self.sampleless else (samples, *self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the axes in the order of the graph, without samples."""
        return tuple(int(self.tensor.shape[self.position(axis)]) for axis in range(1, self.rank))

    def position(self, axis: int) -> int:
        """Where an axis stands in the tensor."""
        return self.order.index(axis)

    def changed(self, tensor: KerasTensor, *, nonnegative: bool = False) -> AxisTensor:
        """Another tensor with the same axes in the same order."""
        return replace(self, tensor=tensor, nonnegative=nonnegative)

    def reordered(self, tensor: KerasTensor, order: tuple[int, ...]) -> AxisTensor:
        """Another tensor of the same numbers with its axes in another order."""
        return replace(self, tensor=tensor, order=order)


def graph_order(rank: int) -> tuple[int, ...]:
    """The axes in the order of the graph."""
    return tuple(range(rank))


def channels_last(rank: int) -> tuple[int, ...]:
    """The axes with channels, the first after the samples, at the end."""
    return (0, *range(2, rank), 1) if rank > 2 else graph_order(rank)


# Frameworks with channels first put bands before rows and columns, too.
_ROWS_COLS_BANDS = (0, 3, 4, 2, 1)


def sliding_order(value: AxisTensor) -> tuple[int, ...]:
    """The order in which a kernel slides over a tensor: channels last, rows and columns first.

    Of three axes of positions, rows and columns are the two neighbors of equal size. The bands
    follow them, as in the networks of the zoo, so that the same rewriting fits in lowering.
    """
    if value.rank != 5:
        return channels_last(value.rank)
    _, one, two, three = value.sizes
    if one == two != three:
        return channels_last(5)
    if value.order[-1] == 1 and (one == two or two != three):
        return value.order
    return _ROWS_COLS_BANDS


def last(order: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """An order with one axis moved to the end."""
    return (*(one for one in order if one != axis), axis)


def without(order: tuple[int, ...], axes: set[int]) -> tuple[int, ...]:
    """The order of the axes that are left, numbered as the graph numbers them then."""
    left = sorted(set(order) - axes)
    return tuple(left.index(axis) for axis in order if axis not in axes)


@dataclass(frozen=True)
class AxisBlock:
    """Neighboring axes that a reshape makes into other neighboring axes.

    Attributes:
        before: Axes of the graph before the reshape.
        after: Axes of the graph behind it.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]


def blocks(before: tuple[int, ...], after: tuple[int, ...]) -> list[AxisBlock]:
    """Splits a reshape into the smallest blocks of axes that keep to themselves.

    Axes of size 1 belong to none. Args are sizes without samples, axes are counted from 1.

        >>> blocks((6, 5, 1), (2, 3, 5))
        [AxisBlock(before=(1,), after=(1, 2)), AxisBlock(before=(2,), after=(3,))]
    """
    entering = [(axis, size) for axis, size in enumerate(before, 1) if size != 1]
    leaving = [(axis, size) for axis, size in enumerate(after, 1) if size != 1]
    found = []
    while entering and leaving:
        (axis, one), (other_axis, other) = entering.pop(0), leaving.pop(0)
        sources, targets = [axis], [other_axis]
        while one != other:
            if one < other:
                axis, size = entering.pop(0)
                sources.append(axis)
                one *= size
            else:
                axis, size = leaving.pop(0)
                targets.append(axis)
                other *= size
        found.append(AxisBlock(tuple(sources), tuple(targets)))
    return found


def order_for_blocks(value: AxisTensor, found: list[AxisBlock], rank: int) -> tuple[int, ...]:
    """The order of axes in which a tensor can be reshaped block by block.

    That is the order it has, where each block stands together; otherwise the blocks in the order of
    the graph, with the one that becomes the channels at the end.

    Args:
        value: The tensor.
        found: Blocks of the reshape.
        rank: Number of axes behind the reshape, samples included.
    """
    long = [axis for axis in value.order if any(axis in block.before for block in found)]
    starts = [long.index(block.before[0]) for block in found]
    together = all(
        tuple(long[start : start + len(block.before)]) == block.before
        for start, block in zip(starts, found, strict=True)
    )
    if together:
        return value.order
    ordered = sorted(found, key=lambda block: rank > 2 and 1 in block.after)
    moved = [axis for block in ordered for axis in block.before]
    short = [axis for axis in range(1, value.rank) if axis not in moved]
    return (0, *short, *moved)


def order_behind(order: tuple[int, ...], found: list[AxisBlock], rank: int) -> tuple[int, ...]:
    """The order of axes behind a reshape, block by block, of a tensor in a given order.

    Axes of size 1 stand where they make the order one that kernels slide over, or else that of the
    graph.
    """
    ordered = sorted(found, key=lambda block: order.index(block.before[0]))
    long = [axis for block in ordered for axis in block.after]
    sliding = [_ROWS_COLS_BANDS] if rank == 5 else []
    for candidate in (*sliding, channels_last(rank), graph_order(rank)):
        if [axis for axis in candidate if axis in long] == long:
            return candidate
    return (0, *(axis for axis in range(1, rank) if axis not in long), *long)
