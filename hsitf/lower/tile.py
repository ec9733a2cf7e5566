"""Feature maps of a whole tile, planned before anything is built.

Neighboring patches overlap, so nearly everything that a patch network computes for one pixel is
computed again for the next. On a tile it is computed once: a `FeatureMap` has values for each pixel
of the tile and its halo, and the patch of pixel (i, j) finds its own values in a window of the map
that starts at (i, j). A `TileTensor` has, for each logical element of the patch network, its
location in these windows. Data movement then changes these locations only.

An operation on a map is "valid" and of stride 1. Strides of the patch network appear in the
locations (neighboring positions are two pixels apart, for example) and become dilation. What
differs at the border of a patch differs at every pixel of the tile, because each is at the border
of some patch: it needs a map of its own. Maps that no output needs are never built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from hsitf.lower.data_movement import reshape
from hsitf.lower.strided_layout import ZERO_PADDING, Layout

# Computes a map from the tensors of its sources.
MakeMap = Callable[[list[KerasTensor]], KerasTensor]
RowCol = tuple[int, int]


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """Values of every pixel of a tile and its halo.

    Attributes:
        pixel_shape: Shape of the values of a pixel: channels, or bands and filters.
        window: Rows and columns that belong to one patch; the tensor of the map is
            `(1, tile + rows - 1, tile + cols - 1, *pixel_shape)`.
        sources: Reads of the maps that it is computed from.
        make: Computes the tensor of the map from tensors of the sources with their halos.
        macs: Multiply-accumulates per pixel.
        name: Name of a convolution's map, the same whenever the network is planned.
    """

    pixel_shape: tuple[int, ...]
    window: RowCol
    sources: tuple[HaloRead, ...]
    make: MakeMap
    macs: int = 0
    name: str = ""

    @property
    def pixel_size(self) -> int:
        """Number of values of a pixel."""
        return prod(self.pixel_shape)

    @property
    def window_size(self) -> int:
        """Number of values in the window of a patch."""
        return prod(self.window) * self.pixel_size


@dataclass(frozen=True, eq=False)
class HaloRead:
    """Pixels that a map reads from another, with a halo.

    Attributes:
        source: Map that is read.
        first: First row and column, relative to the pixel that is computed.
        halo: Additional rows and columns: pixels first to first + halo are read.
    """

    source: FeatureMap
    first: RowCol = (0, 0)
    halo: RowCol = (0, 0)


@dataclass(frozen=True, eq=False)
class TileTensor:
    """A tensor of the patch network, computed for all patches of a tile at once.

    Attributes:
        maps: Maps that contain its elements.
        layout: Positions of the elements in the concatenated windows of all maps, in the logical
            shape without batch; ZERO_PADDING for a zero that is in no map.
    """

    maps: tuple[FeatureMap, ...]
    layout: Layout

    def locations(self) -> tuple[NDArray[np.int64], Layout]:
        """Location of each element.

        Returns:
            `(*shape, 3)` map, row and column in the window, and `(*shape,)` position within the
            pixel; ZERO_PADDING for zeros.
        """
        bases = np.cumsum([0, *(each.window_size for each in self.maps)])[:-1]
        number = np.searchsorted(bases, self.layout, side="right") - 1
        sizes = np.array([each.pixel_size for each in self.maps])[number]
        cols = np.array([each.window[1] for each in self.maps])[number]
        pixel, element = np.divmod(self.layout - bases[number], sizes)
        positions = np.stack([number, pixel // cols, pixel % cols], axis=-1)
        present = self.layout >= 0
        return np.where(present[..., None], positions, ZERO_PADDING), np.where(
            present, element, ZERO_PADDING
        )


class PixelGrid(NamedTuple):
    """A tensor with rows and columns of pixels whose values are stored together.

    Attributes:
        maps: Maps that contain its pixels.
        locations: (rows, cols, 3) int64 map, row and column in the window; ZERO_PADDING for pixels
            of zeros.
    """

    maps: tuple[FeatureMap, ...]
    locations: NDArray[np.int64]


def pixel_grid(value: TileTensor) -> PixelGrid | None:
    """The pixel grid of a tensor; None where the values of a pixel are not stored together."""
    if value.layout.ndim < 3:
        return None
    rows, cols, *inner = value.layout.shape
    locations, elements = (part.reshape(rows, cols, prod(inner), -1) for part in value.locations())
    positions = locations.max(axis=2)
    pattern = elements.max(axis=(0, 1))[:, 0]
    somewhere = (positions[..., 0] >= 0)[:, :, None] & (pattern >= 0)
    expected = np.where(somewhere[..., None], positions[:, :, None], ZERO_PADDING)
    within = np.where(somewhere, pattern, ZERO_PADDING)
    if not np.array_equal(locations, expected) or not np.array_equal(elements[..., 0], within):
        return None
    return PixelGrid(
        tuple(_gather_elements(each, pattern, tuple(inner)) for each in value.maps), positions
    )


def _gather_elements(source: FeatureMap, pattern: Layout, inner: tuple[int, ...]) -> FeatureMap:
    """A map with other elements of the pixels of a map; -1 for a zero."""
    whole = np.array_equal(pattern, np.arange(source.pixel_size))
    if whole and inner == source.pixel_shape:
        return source

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        tensor = flatten_pixels(tensors[0])
        if not whole:
            tensor = gather_channels(tensor, pattern)
        return reshape(tensor, (*tensor.shape[:3], *inner))

    return FeatureMap(inner, source.window, (HaloRead(source),), make)


def flatten_pixels(tensor: KerasTensor) -> KerasTensor:
    """Views the tensor of a map as an image, with the values of a pixel in one axis."""
    return reshape(tensor, (*tensor.shape[:3], prod(tensor.shape[3:])))


def gather_channels(tensor: KerasTensor, elements: Layout) -> KerasTensor:
    """Gathers channels in any order; -1 for a zero."""
    size = int(tensor.shape[-1])
    if (elements < 0).any():
        tensor = ops.pad(tensor, [[0, 0]] * (len(tensor.shape) - 1) + [[0, 1]])
    positions = np.where(elements < 0, size, elements).astype(np.int32)
    return ops.take(tensor, positions, axis=-1)


def from_pixel_grid(maps: Sequence[FeatureMap], locations: NDArray[np.int64]) -> TileTensor:
    """The tensor with pixels at these locations of maps.

    Args:
        maps: Maps with the same `pixel_shape`.
        locations: (rows, cols, 3) map, row and column in the window; ZERO_PADDING for pixels of
            zeros.
    """
    inner = maps[0].pixel_shape
    bases = np.cumsum([0, *(each.window_size for each in maps)])[:-1]
    cols = np.array([each.window[1] for each in maps])
    number, row, col = np.moveaxis(locations, -1, 0)
    size = maps[0].pixel_size
    first = bases[number] + (row * cols[number] + col) * size
    index = first[..., None] + np.arange(size)
    index = np.where(number[..., None] >= 0, index, ZERO_PADDING)
    return TileTensor(tuple(maps), index.reshape(*locations.shape[:2], *inner))


class Tap(NamedTuple):
    """A tap of a kernel: its row and column in the kernel, and the location that it reads."""

    own: RowCol
    map: int
    row: int
    col: int


class TapPattern(NamedTuple):
    """Taps that several positions of a patch share, up to a shift.

    Attributes:
        taps: Taps of the first position.
        window: Rows and columns of shifts.
    """

    taps: tuple[Tap, ...]
    window: RowCol


def shared_patterns(
    reads: Mapping[RowCol, Sequence[Tap]], shape: RowCol
) -> tuple[list[TapPattern], NDArray[np.int64]]:
    """Groups positions of a patch that can share a map.

    Args:
        reads: Taps of each position, at least one.
        shape: Rows and columns of positions.

    Returns:
        The patterns, one per map, and (rows, cols, 3) locations of the positions in these maps.
    """
    corners: dict[tuple[Tap, ...], list[tuple[RowCol, RowCol]]] = {}
    for position, taps in reads.items():
        top, left = min(tap.row for tap in taps), min(tap.col for tap in taps)
        key = tuple(tap._replace(row=tap.row - top, col=tap.col - left) for tap in taps)
        corners.setdefault(key, []).append((position, (top, left)))
    found, locations = [], np.full((*shape, 3), ZERO_PADDING, np.int64)
    for number, (key, members) in enumerate(corners.items()):
        tops, lefts = zip(*(corner for _, corner in members), strict=True)
        top, left = min(tops), min(lefts)
        taps = tuple(tap._replace(row=tap.row + top, col=tap.col + left) for tap in key)
        found.append(TapPattern(taps, (max(tops) - top + 1, max(lefts) - left + 1)))
        for (row, col), corner in members:
            locations[row, col] = number, corner[0] - top, corner[1] - left
    return found, locations


class TapLattice(NamedTuple):
    """Taps of one map in regular rows and columns, as of a dilated kernel.

    Attributes:
        map: Number of the map.
        own: Rows and columns of the kernel.
        first: Row and column of the first tap in the map.
        step: Distance between taps.
    """

    map: int
    own: tuple[tuple[int, ...], tuple[int, ...]]
    first: RowCol
    step: RowCol

    @property
    def taps(self) -> RowCol:
        """Rows and columns of taps."""
        return len(self.own[0]), len(self.own[1])

    @property
    def halo(self) -> RowCol:
        """Rows and columns from the first tap to the last."""
        rows, cols = self.taps
        return (rows - 1) * self.step[0], (cols - 1) * self.step[1]

    def read(self, maps: Sequence[FeatureMap]) -> HaloRead:
        """The read of a map that is computed with these taps."""
        return HaloRead(maps[self.map], self.first, self.halo)


def lattices(taps: Iterable[Tap]) -> list[TapLattice]:
    """Splits taps into lattices, one per map where they are regular."""
    by_map: dict[int, dict[RowCol, RowCol]] = {}
    for tap in taps:
        by_map.setdefault(tap.map, {})[tap.own] = (tap.row, tap.col)
    return [part for number, positions in by_map.items() for part in _regular(number, positions)]


def _regular(number: int, positions: Mapping[RowCol, RowCol]) -> list[TapLattice]:
    rows = sorted({row for row, _ in positions})
    cols = sorted({col for _, col in positions})
    if len(positions) == len(rows) * len(cols):
        down = [positions[row, cols[0]][0] for row in rows]
        across = [positions[rows[0], col][1] for col in cols]
        straight = all(
            positions[row, col] == (y, x)
            for row, y in zip(rows, down, strict=True)
            for col, x in zip(cols, across, strict=True)
        )
        steps = _step(down), _step(across)
        if straight and steps[0] and steps[1]:
            return [TapLattice(number, (tuple(rows), tuple(cols)), (down[0], across[0]), steps)]
    axis = 0 if len(rows) > 1 else 1
    parts: dict[int, dict[RowCol, RowCol]] = {}
    for own, position in positions.items():
        parts.setdefault(own[axis], {})[own] = position
    return [part for row in parts.values() for part in _regular(number, row)]


def _step(positions: Sequence[int]) -> int:
    """Distance between neighbors; 0 where distances differ."""
    steps = set(np.diff(positions).tolist()) or {1}
    step = int(steps.pop())
    return step if not steps and step > 0 else 0


class MapRegion(NamedTuple):
    """A region of a window: first row and column, number of rows and columns."""

    top: int
    left: int
    rows: int
    cols: int

    def read(self, read: HaloRead) -> MapRegion:
        """Region of the source that a read needs for this region of the map."""
        return MapRegion(
            self.top + read.first[0],
            self.left + read.first[1],
            self.rows + read.halo[0],
            self.cols + read.halo[1],
        )

    def union(self, other: MapRegion) -> MapRegion:
        """The smallest region that contains both."""
        top, left = min(self.top, other.top), min(self.left, other.left)
        bottom = max(self.top + self.rows, other.top + other.rows)
        right = max(self.left + self.cols, other.left + other.cols)
        return MapRegion(top, left, bottom - top, right - left)

    def pixels(self, tile: int) -> int:
        """Number of pixels of the map's tensor."""
        return (tile + self.rows - 1) * (tile + self.cols - 1)


def required_regions(outputs: Sequence[FeatureMap]) -> dict[FeatureMap, MapRegion]:
    """Maps that outputs depend on, sources first, with the regions that are needed."""
    order: dict[FeatureMap, None] = {}
    for each in outputs:
        _ordered(each, order)
    regions = {each: MapRegion(0, 0, *each.window) for each in outputs}
    for each in reversed(order):
        for read in each.sources:
            region = regions[each].read(read)
            regions[read.source] = region.union(regions.get(read.source, region))
    return {each: regions[each] for each in order}


def _ordered(start: FeatureMap, order: dict[FeatureMap, None]) -> None:
    """Adds a map after its sources; iterative, because networks exceed Python's recursion limit."""
    waiting: list[tuple[FeatureMap, bool]] = [(start, False)]
    while waiting:
        each, ready = waiting.pop()
        if each in order:
            continue
        if ready:
            order[each] = None
            continue
        waiting.append((each, True))
        waiting.extend((read.source, False) for read in each.sources)


def build_maps(
    regions: Mapping[FeatureMap, MapRegion], given: Mapping[FeatureMap, KerasTensor], tile: int
) -> dict[FeatureMap, KerasTensor]:
    """Builds the tensors of maps.

    Args:
        regions: Region of each map that is needed, sources first.
        given: Tensors of the maps without sources, with whole windows.
        tile: Side of the tile in pixels.
    """
    tensors = dict(given)
    kept = {
        each: MapRegion(0, 0, *each.window) if each in given else region
        for each, region in regions.items()
    }
    for each, region in kept.items():
        if each not in given:
            parts = [
                _cut(tensors[read.source], kept[read.source], region.read(read), tile)
                for read in each.sources
            ]
            tensors[each] = each.make(parts)
    return tensors


def _cut(tensor: KerasTensor, has: MapRegion, wanted: MapRegion, tile: int) -> KerasTensor:
    if has == wanted:
        return tensor
    top, left = wanted.top - has.top, wanted.left - has.left
    bottom, right = top + tile + wanted.rows - 1, left + tile + wanted.cols - 1
    return tensor[:, top:bottom, left:right]
