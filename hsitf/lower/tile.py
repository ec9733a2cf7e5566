"""What a network computes on a whole tile, planned before anything is built.

Neighboring patches overlap, so nearly all that a patch network computes for one pixel it computes
again for the next. On a tile it is computed once: a `Map` has a number for each pixel of the tile
and as many around it as patches reach, and the patch of pixel (i, j) finds its own in a window of
the map that starts at (i, j). A `Shared` value keeps, for each logical element of the patch
network, where in these windows it lies. What merely moves elements then changes the books only.

An operation of a map is "valid" and of stride 1. Strides of the patch network are found in the
books (neighboring positions lie two places apart, say) and become dilation. What is different at
the border of a patch is different at every pixel of the tile, since each is somewhere at the
border of some patch: it takes a map of its own. Maps that no output needs are never built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from hsitf.lower.lines import ABSENT, Index
from hsitf.lower.moves import view

# Takes what each read gives, makes the map.
Make = Callable[[list[KerasTensor]], KerasTensor]
Cell = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Map:
    """Numbers for every pixel of a tile, and around it.

    Attributes:
        inner: Shape of what there is of a pixel: channels, or bands and filters.
        window: Rows and columns of it that belong to one patch; as a tensor the whole is
            `(1, tile + rows - 1, tile + cols - 1, *inner)`.
        reads: What it is made of.
        make: From tensors as large as the map and the reach of their read, the map's.
        macs: Multiply-accumulates a pixel.
        name: Of the map of a convolution, the same whenever the network is planned.
    """

    inner: tuple[int, ...]
    window: Cell
    reads: tuple[Read, ...]
    make: Make
    macs: int = 0
    name: str = ""

    @property
    def size(self) -> int:
        """Elements of a pixel."""
        return prod(self.inner)

    @property
    def memory(self) -> int:
        """Elements of the window of a patch."""
        return prod(self.window) * self.size


@dataclass(frozen=True, eq=False)
class Read:
    """Pixels that a map takes from another: rows first to first + reach, columns likewise."""

    source: Map
    first: Cell = (0, 0)
    reach: Cell = (0, 0)


@dataclass(frozen=True, eq=False)
class Shared:
    """A value of the patch network, computed for all patches of a tile at once.

    Attributes:
        maps: Where its elements lie.
        index: Of the logical shape without batch: the position of each element in the windows
            of all maps, one after the other, or ABSENT for a zero that lies nowhere.
    """

    maps: tuple[Map, ...]
    index: Index

    def sites(self) -> tuple[NDArray[np.int64], Index]:
        """Where each element lies.

        Returns:
            `(*shape, 3)`, its map, row and column in the window, and `(*shape,)`, its position
            within the pixel; ABSENT for zeros.
        """
        bases = np.cumsum([0, *(each.memory for each in self.maps)])[:-1]
        number = np.searchsorted(bases, self.index, side="right") - 1
        sizes = np.array([each.size for each in self.maps])[number]
        cols = np.array([each.window[1] for each in self.maps])[number]
        pixel, element = np.divmod(self.index - bases[number], sizes)
        places = np.stack([number, pixel // cols, pixel % cols], axis=-1)
        present = self.index >= 0
        return np.where(present[..., None], places, ABSENT), np.where(present, element, ABSENT)


class Table(NamedTuple):
    """A value with rows and columns of pixels, all of whose elements lie together.

    Attributes:
        maps: Whose pixels are those of the value.
        sites: (rows, cols, 3) map, row and column in the window; ABSENT for pixels of zeros.
    """

    maps: tuple[Map, ...]
    sites: NDArray[np.int64]


def table(value: Shared) -> Table | None:
    """The value as rows and columns of pixels; None where it is not made of such."""
    if value.index.ndim < 3:
        return None
    rows, cols, *inner = value.index.shape
    sites, elements = (part.reshape(rows, cols, prod(inner), -1) for part in value.sites())
    places = sites.max(axis=2)
    pattern = elements.max(axis=(0, 1))[:, 0]
    somewhere = (places[..., 0] >= 0)[:, :, None] & (pattern >= 0)
    expected = np.where(somewhere[..., None], places[:, :, None], ABSENT)
    within = np.where(somewhere, pattern, ABSENT)
    if not np.array_equal(sites, expected) or not np.array_equal(elements[..., 0], within):
        return None
    return Table(tuple(_seen(each, pattern, tuple(inner)) for each in value.maps), places)


def _seen(source: Map, pattern: Index, inner: tuple[int, ...]) -> Map:
    """A map with the elements of its pixels chosen anew: -1 for a zero."""
    whole = np.array_equal(pattern, np.arange(source.size))
    if whole and inner == source.inner:
        return source

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        tensor = flat(tensors[0])
        if not whole:
            tensor = chosen(tensor, pattern)
        return view(tensor, (*tensor.shape[:3], *inner))

    return Map(inner, source.window, (Read(source),), make)


def flat(tensor: KerasTensor) -> KerasTensor:
    """A map as an image: what there is of a pixel in one axis."""
    return view(tensor, (*tensor.shape[:3], prod(tensor.shape[3:])))


def chosen(tensor: KerasTensor, elements: Index) -> KerasTensor:
    """Elements of the last axis, in any order; -1 for a zero."""
    size = int(tensor.shape[-1])
    if (elements < 0).any():
        tensor = ops.pad(tensor, [[0, 0]] * (len(tensor.shape) - 1) + [[0, 1]])
    places = np.where(elements < 0, size, elements).astype(np.int32)
    return ops.take(tensor, places, axis=-1)


def of_table(maps: Sequence[Map], sites: NDArray[np.int64]) -> Shared:
    """The value whose pixels lie at these places of maps that are alike within a pixel.

    Args:
        maps: With the same `inner`.
        sites: (rows, cols, 3) map, row and column in the window; ABSENT for pixels of zeros.
    """
    inner = maps[0].inner
    bases = np.cumsum([0, *(each.memory for each in maps)])[:-1]
    cols = np.array([each.window[1] for each in maps])
    number, row, col = np.moveaxis(sites, -1, 0)
    size = maps[0].size
    first = bases[number] + (row * cols[number] + col) * size
    index = first[..., None] + np.arange(size)
    index = np.where(number[..., None] >= 0, index, ABSENT)
    return Shared(tuple(maps), index.reshape(*sites.shape[:2], *inner))


class Tap(NamedTuple):
    """What one tap of a kernel meets: its own row and column, and a place in a map."""

    own: Cell
    map: int
    row: int
    col: int


class Pattern(NamedTuple):
    """Taps that several positions of a patch have in common, but for a shift.

    Attributes:
        taps: As the first position has them.
        window: Rows and columns of shifts.
    """

    taps: tuple[Tap, ...]
    window: Cell


def patterns(
    reads: Mapping[Cell, Sequence[Tap]], shape: Cell
) -> tuple[list[Pattern], NDArray[np.int64]]:
    """Which positions of a patch share a map.

    Args:
        reads: What each position meets, one tap at least.
        shape: Rows and columns of positions.

    Returns:
        The patterns, a map each, and (rows, cols, 3) where in these maps the positions lie.
    """
    corners: dict[tuple[Tap, ...], list[tuple[Cell, Cell]]] = {}
    for position, taps in reads.items():
        top, left = min(tap.row for tap in taps), min(tap.col for tap in taps)
        key = tuple(tap._replace(row=tap.row - top, col=tap.col - left) for tap in taps)
        corners.setdefault(key, []).append((position, (top, left)))
    found, sites = [], np.full((*shape, 3), ABSENT, np.int64)
    for number, (key, members) in enumerate(corners.items()):
        tops, lefts = zip(*(corner for _, corner in members), strict=True)
        top, left = min(tops), min(lefts)
        taps = tuple(tap._replace(row=tap.row + top, col=tap.col + left) for tap in key)
        found.append(Pattern(taps, (max(tops) - top + 1, max(lefts) - left + 1)))
        for (row, col), corner in members:
            sites[row, col] = number, corner[0] - top, corner[1] - left
    return found, sites


class Lattice(NamedTuple):
    """Taps of one map in rows and columns.

    Attributes:
        map: Which.
        own: Rows and columns of the kernel.
        first: Place of the first tap.
        step: From tap to tap.
    """

    map: int
    own: tuple[tuple[int, ...], tuple[int, ...]]
    first: Cell
    step: Cell

    @property
    def taps(self) -> Cell:
        """Rows and columns of taps."""
        return len(self.own[0]), len(self.own[1])

    @property
    def reach(self) -> Cell:
        """From the first tap to the last."""
        rows, cols = self.taps
        return (rows - 1) * self.step[0], (cols - 1) * self.step[1]

    def read(self, maps: Sequence[Map]) -> Read:
        """What a map that is computed with these taps reads."""
        return Read(maps[self.map], self.first, self.reach)


def lattices(taps: Iterable[Tap]) -> list[Lattice]:
    """The fewest lattices found that hold all taps: one a map where they are regular."""
    by_map: dict[int, dict[Cell, Cell]] = {}
    for tap in taps:
        by_map.setdefault(tap.map, {})[tap.own] = (tap.row, tap.col)
    return [part for number, places in by_map.items() for part in _regular(number, places)]


def _regular(number: int, places: Mapping[Cell, Cell]) -> list[Lattice]:
    rows = sorted({row for row, _ in places})
    cols = sorted({col for _, col in places})
    if len(places) == len(rows) * len(cols):
        down = [places[row, cols[0]][0] for row in rows]
        across = [places[rows[0], col][1] for col in cols]
        straight = all(
            places[row, col] == (y, x)
            for row, y in zip(rows, down, strict=True)
            for col, x in zip(cols, across, strict=True)
        )
        steps = _step(down), _step(across)
        if straight and steps[0] and steps[1]:
            return [Lattice(number, (tuple(rows), tuple(cols)), (down[0], across[0]), steps)]
    axis = 0 if len(rows) > 1 else 1
    parts: dict[int, dict[Cell, Cell]] = {}
    for own, place in places.items():
        parts.setdefault(own[axis], {})[own] = place
    return [part for row in parts.values() for part in _regular(number, row)]


def _step(places: Sequence[int]) -> int:
    """The distance between neighbors; 0 where they have no distance in common."""
    steps = set(np.diff(places).tolist()) or {1}
    step = int(steps.pop())
    return step if not steps and step > 0 else 0


class Box(NamedTuple):
    """A part of a window: its first row and column, how many rows and columns."""

    top: int
    left: int
    rows: int
    cols: int

    def read(self, read: Read) -> Box:
        """What a read of a map takes from its source, where this much of the map is needed."""
        return Box(
            self.top + read.first[0],
            self.left + read.first[1],
            self.rows + read.reach[0],
            self.cols + read.reach[1],
        )

    def around(self, other: Box) -> Box:
        """The least box that holds both."""
        top, left = min(self.top, other.top), min(self.left, other.left)
        bottom = max(self.top + self.rows, other.top + other.rows)
        right = max(self.left + self.cols, other.left + other.cols)
        return Box(top, left, bottom - top, right - left)

    def pixels(self, tile: int) -> int:
        """Of the map's tensor."""
        return (tile + self.rows - 1) * (tile + self.cols - 1)


def needed(outputs: Sequence[Map]) -> dict[Map, Box]:
    """Maps that outputs are made of, sources first, and what of their windows is needed."""
    order: dict[Map, None] = {}
    for each in outputs:
        _ordered(each, order)
    boxes = {each: Box(0, 0, *each.window) for each in outputs}
    for each in reversed(order):
        for read in each.reads:
            box = boxes[each].read(read)
            boxes[read.source] = box.around(boxes.get(read.source, box))
    return {each: boxes[each] for each in order}


def _ordered(start: Map, order: dict[Map, None]) -> None:
    """Adds a map after all that it is made of; deep networks are deeper than Python's stack."""
    waiting: list[tuple[Map, bool]] = [(start, False)]
    while waiting:
        each, ready = waiting.pop()
        if each in order:
            continue
        if ready:
            order[each] = None
            continue
        waiting.append((each, True))
        waiting.extend((read.source, False) for read in each.reads)


def build(
    boxes: Mapping[Map, Box], given: Mapping[Map, KerasTensor], tile: int
) -> dict[Map, KerasTensor]:
    """Tensors of maps.

    Args:
        boxes: What of each map is needed, sources first.
        given: The tensors of maps that are made of none, whole windows.
        tile: Side in pixels.
    """
    tensors = dict(given)
    kept = {each: Box(0, 0, *each.window) if each in given else box for each, box in boxes.items()}
    for each, box in kept.items():
        if each not in given:
            parts = [
                _cut(tensors[read.source], kept[read.source], box.read(read), tile)
                for read in each.reads
            ]
            tensors[each] = each.make(parts)
    return tensors


def _cut(tensor: KerasTensor, has: Box, wanted: Box, tile: int) -> KerasTensor:
    if has == wanted:
        return tensor
    top, left = wanted.top - has.top, wanted.left - has.left
    bottom, right = top + tile + wanted.rows - 1, left + tile + wanted.cols - 1
    return tensor[:, top:bottom, left:right]
