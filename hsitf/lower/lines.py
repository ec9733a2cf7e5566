"""How the elements of a value lie in memory, found out axis by axis.

The index of a value says for each logical element where it is. Most indices are sums of one
term an axis, `index[i, j, ...] = start + f(i) + g(j) + ...`, and most terms count in digits:
along rows of 8 pixels taken in pairs, say, `f(i) = 64 * (i // 2) + 4 * (i % 2)`. What can be read
that way is moved by a few slices and transpositions, instead of one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]

# In an index: no element of the memory but a zero.
ABSENT = -1


@dataclass(frozen=True)
class Digit:
    """Positions in memory, `stride` apart; `count` is above 1."""

    count: int
    stride: int


@dataclass(frozen=True)
class Line:
    """How memory runs along one logical axis.

    Attributes:
        digits: Count the positions that are met, the slowest first.
        chosen: Which of those each element is, and how many there are for a zero; None where
            the elements are the positions, all of them in order.
        zeros: Zeros before and after them.
    """

    digits: tuple[Digit, ...]
    chosen: tuple[int, ...] | None = None
    zeros: tuple[int, int] = (0, 0)

    @property
    def length(self) -> int:
        """Positions that are met."""
        return prod(digit.count for digit in self.digits)


def lines(index: Index) -> tuple[int, list[Line]] | None:
    """Where an index starts and how it runs along each axis; None where axes depend on another."""
    present = index >= 0
    if not present.any():
        return None
    base = np.unravel_index(np.argmax(present), index.shape)
    start = int(index[base])
    found = []
    expected, everywhere = np.full_like(index, start), np.ones_like(present)
    for axis in range(index.ndim):
        along = np.moveaxis(index, axis, -1)[base[:axis] + base[axis + 1 :]]
        around = [-1 if place == axis else 1 for place in range(index.ndim)]
        expected = expected + (along - index[base]).reshape(around)
        everywhere = everywhere & (along >= 0).reshape(around)
        line, first = _line(along)
        start += first - int(index[base])
        found.append(line)
    if not np.array_equal(index, np.where(everywhere, expected, ABSENT)):
        return None
    return start, found


def _line(along: Index) -> tuple[Line, int]:
    """How one axis runs, and its first position."""
    (there,) = np.nonzero(along >= 0)
    first, last = int(there[0]), int(there[-1])
    run = along[first : last + 1]
    digits = _digits(run - run[0])
    if digits is not None:
        return Line(digits, None, (first, len(along) - 1 - last)), int(run[0])
    # Irregular: what lies between the first and the last position, to be chosen from.
    low = int(along[there].min())
    step = max(int(np.gcd.reduce(along[there] - low)), 1)
    count = int(along.max() - low) // step + 1
    chosen = np.where(along >= 0, (along - low) // step, count)
    digits = (Digit(count, step),) if count > 1 else ()
    return Line(digits, tuple(chosen.tolist())), low


def _digits(steps: Index) -> tuple[Digit, ...] | None:
    """Digits that count through steps from 0; None where none do."""
    if len(steps) == 1:
        return ()
    stride = int(steps[1])
    if stride <= 0 or (steps < 0).any():
        return None
    for count in range(len(steps), 1, -1):
        rows = steps.reshape(-1, count) if len(steps) % count == 0 else None
        if rows is not None and (rows == rows[:, :1] + stride * np.arange(count)).all():
            outer = _digits(rows[:, 0])
            return None if outer is None else (*outer, Digit(count, stride))
    return None


@dataclass(frozen=True)
class Window:
    """A block of memory: axes it can be seen with, and a slice of each.

    Attributes:
        sizes: Of the axes, the slowest first.
        slices: What is wanted of each.
    """

    sizes: tuple[int, ...]
    slices: tuple[slice, ...]


def window(shape: tuple[int, ...], start: int, digits: list[Digit]) -> Window | None:
    """The block of memory that digits count through; None where it is none.

    Args:
        shape: Of the memory, the slowest axis first.
        start: Its first position.
        digits: The slowest first.
    """
    cuts = _cuts(shape, digits)
    sizes = [upper // lower for lower, upper in pairwise(cuts)]
    firsts = [start // cut % size for cut, size in zip(cuts, sizes, strict=False)]
    slices = [slice(first, first + 1) for first in firsts]
    for digit in digits:
        place = max(place for place, cut in enumerate(cuts) if digit.stride % cut == 0)
        if place == len(sizes):
            return None
        step, first = digit.stride // cuts[place], firsts[place]
        slices[place] = slice(first, first + (digit.count - 1) * step + 1, step)
    found = Window(tuple(sizes[::-1]), tuple(slices[::-1]))
    memory = np.arange(prod(shape)).reshape(found.sizes)[found.slices].ravel()
    wanted = np.full(1, start)
    for digit in digits:
        wanted = (wanted[:, None] + digit.stride * np.arange(digit.count)).ravel()
    return found if np.array_equal(memory, wanted) else None


def _cuts(shape: tuple[int, ...], digits: list[Digit]) -> list[int]:
    """Strides to cut memory at, from 1 to its whole size, each a multiple of the one before.

    Those of its shape, but none inside the run of a digit, and one between any two digits.
    """
    whole = prod(shape)
    inside = {prod(shape[place:]) for place in range(1, len(shape))}
    inside = {
        cut
        for cut in inside
        if not any(digit.stride < cut <= (digit.count - 1) * digit.stride for digit in digits)
    }
    cuts = sorted({1, whole} | inside)
    for upper, lower in pairwise(digits):
        if any(lower.stride < cut <= upper.stride and upper.stride % cut == 0 for cut in cuts):
            continue
        for new in (lower.count * lower.stride, upper.stride):
            below = max(cut for cut in cuts if cut <= new)
            above = min((cut for cut in cuts if cut > new), default=0)
            if new % below == 0 and above % new == 0 and above:
                cuts = sorted({*cuts, new})
                break
    return cuts
