"""Strided layouts: the memory layout of a tensor described by strides, axis by axis.

The layout of a tensor gives for each logical element its position in memory. Most layouts are sums
of one term per axis, `layout[i, j, ...] = start + f(i) + g(j) + ...`, and most terms have strides:
along rows of 8 pixels taken in pairs, for example, `f(i) = 64 * (i // 2) + 4 * (i % 2)`. Such
layouts are rearranged by a few slices and transpositions instead of element by element.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

Layout = NDArray[np.int64]

# In a layout: not an element of the memory but a zero.
ZERO_PADDING = -1


@dataclass(frozen=True)
class Stride:
    """`count` positions in memory, `stride` apart; `count` is above 1."""

    count: int
    stride: int


@dataclass(frozen=True)
class StridedAxis:
    """Memory layout along one logical axis.

    Attributes:
        strides: Nested strides of the positions, the slowest first.
        gathered: Indices into those positions, with their number for a zero; None where the
            elements are the positions in order.
        padding: Zeros before and after the positions.
    """

    strides: tuple[Stride, ...]
    gathered: tuple[int, ...] | None = None
    padding: tuple[int, int] = (0, 0)

    @property
    def length(self) -> int:
        """Number of positions."""
        return prod(run.count for run in self.strides)


def strided_axes(layout: Layout) -> tuple[int, list[StridedAxis]] | None:
    """Start and axes of a layout; None where one axis depends on another."""
    present = layout >= 0
    if not present.any():
        return None
    base = np.unravel_index(np.argmax(present), layout.shape)
    start = int(layout[base])
    found = []
    expected, everywhere = np.full_like(layout, start), np.ones_like(present)
    for axis in range(layout.ndim):
        along = np.moveaxis(layout, axis, -1)[base[:axis] + base[axis + 1 :]]
        around = [-1 if position == axis else 1 for position in range(layout.ndim)]
        expected = expected + (along - layout[base]).reshape(around)
        everywhere = everywhere & (along >= 0).reshape(around)
        line, first = _strided_axis(along)
        start += first - int(layout[base])
        found.append(line)
    if not np.array_equal(layout, np.where(everywhere, expected, ZERO_PADDING)):
        return None
    return start, found


def _strided_axis(along: Layout) -> tuple[StridedAxis, int]:
    """Layout along one axis, and its first position."""
    (there,) = np.nonzero(along >= 0)
    first, last = int(there[0]), int(there[-1])
    run = along[first : last + 1]
    strides = _strides(run - run[0])
    if strides is not None:
        return StridedAxis(strides, None, (first, len(along) - 1 - last)), int(run[0])
    # Irregular: gathered from the positions between the first and the last.
    low = int(along[there].min())
    step = max(int(np.gcd.reduce(along[there] - low)), 1)
    count = int(along.max() - low) // step + 1
    chosen = np.where(along >= 0, (along - low) // step, count)
    strides = (Stride(count, step),) if count > 1 else ()
    return StridedAxis(strides, tuple(chosen.tolist())), low


def _strides(steps: Layout) -> tuple[Stride, ...] | None:
    """Nested strides of positions that start at 0; None where there are none."""
    if len(steps) == 1:
        return ()
    stride = int(steps[1])
    if stride <= 0 or (steps < 0).any():
        return None
    for count in range(len(steps), 1, -1):
        rows = steps.reshape(-1, count) if len(steps) % count == 0 else None
        if rows is not None and (rows == rows[:, :1] + stride * np.arange(count)).all():
            outer = _strides(rows[:, 0])
            return None if outer is None else (*outer, Stride(count, stride))
    return None


@dataclass(frozen=True)
class MemoryBlock:
    """A block of memory: a shape for the memory, and a slice of each axis.

    Attributes:
        sizes: Sizes of the axes, the slowest first.
        slices: Slices of the axes.
    """

    sizes: tuple[int, ...]
    slices: tuple[slice, ...]


def memory_block(shape: tuple[int, ...], start: int, strides: list[Stride]) -> MemoryBlock | None:
    """The block of memory that nested strides run through; None where it is not a block.

    Args:
        shape: Shape of the memory, the slowest axis first.
        start: First position of the block.
        strides: Nested strides, the slowest first.
    """
    cuts = _cuts(shape, strides)
    sizes = [upper // lower for lower, upper in pairwise(cuts)]
    firsts = [start // cut % size for cut, size in zip(cuts, sizes, strict=False)]
    slices = [slice(first, first + 1) for first in firsts]
    for run in strides:
        position = max(position for position, cut in enumerate(cuts) if run.stride % cut == 0)
        if position == len(sizes):
            return None
        step, first = run.stride // cuts[position], firsts[position]
        slices[position] = slice(first, first + (run.count - 1) * step + 1, step)
    found = MemoryBlock(tuple(sizes[::-1]), tuple(slices[::-1]))
    memory = np.arange(prod(shape)).reshape(found.sizes)[found.slices].ravel()
    wanted = np.full(1, start)
    for run in strides:
        wanted = (wanted[:, None] + run.stride * np.arange(run.count)).ravel()
    return found if np.array_equal(memory, wanted) else None


def _cuts(shape: tuple[int, ...], strides: list[Stride]) -> list[int]:
    """Strides at which memory is split into axes, each a multiple of the one before.

    The strides of its shape, but none inside a run of positions, and one between any two runs.
    """
    whole = prod(shape)
    inside = {prod(shape[position:]) for position in range(1, len(shape))}
    inside = {
        cut
        for cut in inside
        if not any(run.stride < cut <= (run.count - 1) * run.stride for run in strides)
    }
    cuts = sorted({1, whole} | inside)
    for upper, lower in pairwise(strides):
        if any(lower.stride < cut <= upper.stride and upper.stride % cut == 0 for cut in cuts):
            continue
        for new in (lower.count * lower.stride, upper.stride):
            below = max(cut for cut in cuts if cut <= new)
            above = min((cut for cut in cuts if cut > new), default=0)
            if new % below == 0 and above % new == 0 and above:
                cuts = sorted({*cuts, new})
                break
    return cuts
