"""Kernels and pools that slide over the pixels of patches, on a whole tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np
from keras import KerasTensor, layers, ops

from hsitf.cost import macs
from hsitf.lower.convolution import ELEMENT, Axis, same
from hsitf.lower.place import Place
from hsitf.lower.tile import (
    Cell,
    Lattice,
    Map,
    Pattern,
    Read,
    Shared,
    Table,
    Tap,
    flat,
    lattices,
    of_table,
    patterns,
    table,
)
from hsitf.lower.value import Floats


@dataclass(frozen=True, eq=False)
class TilePlace(Place):
    """A layer at one place of a network that is planned for a tile.

    Attributes:
        wanted: Names of the maps of convolutions that the output needs; None before that is
            known, when all are taken to be.
    """

    wanted: frozenset[str] | None = None


def _named(place: TilePlace, part: str) -> TilePlace:
    """The place of a part of what is made here."""
    return replace(place, name=f"{place.name}_{part}")


def twin(layer: Any, name: str, **changes: object) -> Any:
    """A layer or operation of the same kind, without weights yet."""
    return type(layer).from_config({**layer.get_config(), **changes, "name": name})


def convolution(place: TilePlace, inputs: list[Shared]) -> Shared | None:
    """Conv2D, Conv3D, DepthwiseConv2D, SeparableConv2D: dilated where patches have strides.

    Zeros around a patch leave out taps of the kernel at its border.
    """
    layer, laid = place.layer, table(inputs[0])
    if laid is None:
        return None
    axes = [_axis(layer, axis, laid.sites.shape[axis]) for axis in (0, 1)]
    found = _slid(laid, axes, (layer.kernel_size[0], layer.kernel_size[1]), place)
    if found is None:
        return None
    shared, sites = found
    spots = [_named(place, str(number)) for number in range(1, len(shared) + 1)]
    maps = [_convolved(*each, laid.maps) for each in zip(spots, shared, strict=True)]
    wanted = [n for n, spot in enumerate(spots) if spot.wanted is None or spot.name in spot.wanted]
    split = _split(place, laid.maps, [shared[number] for number in wanted])
    for number, made in zip(wanted, split or [], strict=False):
        maps[number] = replace(made, name=spots[number].name)
    return of_table(maps, sites)


def _split(place: TilePlace, maps: Sequence[Map], shared: Sequence[Pattern]) -> list[Map] | None:
    """Maps of patterns that have parts of their sums in common; None where that does not pay.

    At the border of a patch some taps of a kernel meet other maps than inside. What the others
    add up to is the same, but for a shift, and computed once.
    """
    terms = _terms(shared)
    parts: dict[_Key, list[tuple[int, Lattice]]] = {}
    for number, own in enumerate(terms):
        for term in own:
            parts.setdefault((term.map, term.own, term.step), []).append((number, term))
    biased = _biased(parts, len(shared))
    if biased is None or not _pays(place, shared, parts):
        return None
    made = {}
    for count, (key, uses) in enumerate(parts.items(), 1):
        corners = [(term.first, shared[number].window) for number, term in uses]
        top, left = (min(first[axis] for first, _ in corners) for axis in (0, 1))
        bottom, right = (
            max(first[axis] + size[axis] for first, size in corners) for axis in (0, 1)
        )
        part = uses[0][1]._replace(first=(top, left))
        convolve = _convolution(_named(place, f"part{count}"), part, key in biased, None)
        made[key] = Map(
            _inner(place),
            (bottom - top, right - left),
            (part.read(maps),),
            partial(_only, convolve),
            _work(place, part),
        )
    summed = []
    for number, (pattern, own) in enumerate(zip(shared, terms, strict=True), 1):
        reads = []
        for term in own:
            each = made[term.map, term.own, term.step]
            first = each.reads[0].first
            reads.append(Read(each, (term.first[0] - first[0], term.first[1] - first[1])))
        make = partial(_summed, _named(place, f"whole{number}"))
        summed.append(Map(_inner(place), pattern.window, tuple(reads), make))
    return summed


# A map, rows and columns of a kernel, and the steps between them.
_Key = tuple[int, tuple[tuple[int, ...], tuple[int, ...]], Cell]


def _terms(shared: Sequence[Pattern]) -> list[list[Lattice]]:
    """The taps of each pattern, those apart that not all of its partners have."""
    owners: dict[tuple[int, Cell], list[int]] = {}
    for number, pattern in enumerate(shared):
        for tap in pattern.taps:
            owners.setdefault((tap.map, tap.own), []).append(number)
    terms = []
    for pattern in shared:
        together: dict[tuple[int, ...], list[Tap]] = {}
        for tap in pattern.taps:
            together.setdefault(tuple(owners[tap.map, tap.own]), []).append(tap)
        terms.append([part for taps in together.values() for part in lattices(taps)])
    return terms


def _biased(parts: Mapping[_Key, list[tuple[int, Lattice]]], count: int) -> set[_Key] | None:
    """Parts that get the bias, so that each pattern has it once; None where none are found."""
    left, chosen = set(range(count)), set()
    for key, uses in sorted(parts.items(), key=lambda item: -len(item[1])):
        numbers = [number for number, _ in uses]
        if left.issuperset(numbers) and len(set(numbers)) == len(numbers):
            left.difference_update(numbers)
            chosen.add(key)
    return None if left else chosen


def _pays(
    place: TilePlace, shared: Sequence[Pattern], parts: Mapping[_Key, list[tuple[int, Lattice]]]
) -> bool:
    """Whether common parts save more multiplications than their sums cost."""
    alone = [part for pattern in shared for part in lattices(pattern.taps)]
    saved = sum(_work(place, part) for part in alone)
    saved -= sum(_work(place, uses[0][1]) for uses in parts.values())
    sums = sum(len(uses) for uses in parts.values()) - len(alone)
    return saved > ELEMENT * sums * prod(_inner(place))


def _work(place: TilePlace, part: Lattice) -> int:
    """Multiply-accumulates of some taps at each pixel."""
    layer = place.layer
    kernel, *others = (tuple(weight.shape) for weight in layer.weights)
    return macs(layer, [(*part.taps, *kernel[2:]), *others], (), (1, 1, *_inner(place)))


def _only(make: Callable[[KerasTensor], KerasTensor], tensors: list[KerasTensor]) -> KerasTensor:
    return make(tensors[0])


def _summed(place: TilePlace, tensors: list[KerasTensor]) -> KerasTensor:
    """The sum of parts of a convolution, and its activation."""
    total = tensors[0]
    if len(tensors) > 1:
        total = layers.Add(name=_named(place, "sum").name)(tensors)
    return layers.Activation(place.layer.activation, name=_named(place, "activation").name)(total)


def _inner(place: TilePlace) -> tuple[int, ...]:
    """What an operation leaves of a pixel."""
    return tuple(int(size or 0) for size in place.call.shapes[0][3:])


def _axis(layer: Any, axis: int, size: int) -> Axis:
    taps, stride = _pool_or_kernel(layer)[axis], layer.strides[axis]
    dilation = getattr(layer, "dilation_rate", (1, 1))[axis]
    return same(size, taps, stride, dilation) if layer.padding == "same" else Axis(stride, dilation)


def _pool_or_kernel(layer: Any) -> tuple[int, ...]:
    return tuple(getattr(layer, "kernel_size", None) or layer.pool_size)


def _slid(
    laid: Table, axes: Sequence[Axis], taps: Cell, place: TilePlace
) -> tuple[list[Pattern], Any] | None:
    """The patterns of a kernel's positions; None where it meets zeros only."""
    rows, cols = laid.sites.shape[:2]
    shape = (axes[0].length(rows, taps[0]), axes[1].length(cols, taps[1]))
    reads = {
        (row, col): [
            Tap(own, *(int(number) for number in laid.sites[at]))
            for own in np.ndindex(*taps)
            if (at := _met(axes, (row, col), own, (rows, cols))) and laid.sites[at][0] >= 0
        ]
        for row, col in np.ndindex(*shape)
    }
    return patterns(reads, shape) if all(reads.values()) else None


def _met(axes: Sequence[Axis], position: Cell, own: Cell, size: Cell) -> Cell | None:
    """The pixel that a tap meets; None outside of the patch."""
    row, col = (
        place * axis.stride + tap * axis.dilation - axis.before
        for axis, place, tap in zip(axes, position, own, strict=True)
    )
    return (row, col) if 0 <= row < size[0] and 0 <= col < size[1] else None


def _convolved(place: TilePlace, pattern: Pattern, maps: Sequence[Map]) -> Map:
    """The sum of a convolution for each lattice of taps; the bias is in the first."""
    layer = place.layer
    parts = lattices(pattern.taps)
    activation = layer.activation if len(parts) == 1 else None
    convolutions = [
        _convolution(
            _named(place, str(number)), part, bool(layer.use_bias) and number == 1, activation
        )
        for number, part in enumerate(parts, 1)
    ]

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        found = [conv(tensor) for conv, tensor in zip(convolutions, tensors, strict=True)]
        return found[0] if len(found) == 1 else _summed(place, found)

    reads = tuple(part.read(maps) for part in parts)
    work = sum(_work(place, part) for part in parts)
    return Map(_inner(place), pattern.window, reads, make, work, place.name)


def _convolution(
    place: TilePlace, part: Lattice, bias: bool, activation: Any
) -> Callable[[KerasTensor], KerasTensor]:
    """What convolves a tensor with some taps of a layer's kernel.

    Args:
        place: Of it.
        part: Which taps.
        bias: Whether the layer's bias is added.
        activation: What it ends with.
    """
    layer = place.layer
    kernel, *others = layer.get_weights()
    weights = [kernel[np.ix_(*part.own)], *(others if bias or not layer.use_bias else others[:-1])]
    # A single tap has no dilation; Keras would check it against strides all the same.
    spread = [step if taps > 1 else 1 for step, taps in zip(part.step, part.taps, strict=True)]
    own = tuple(layer.kernel_size[2:]), tuple(layer.strides[2:]), tuple(layer.dilation_rate[2:])
    spectral = own[1]
    # Keras has no strides along one axis with dilation along another.
    thinned = spread != [1, 1] and spectral not in ((), (1,))

    bias = bias and bool(layer.use_bias)

    def convolve(tensor: KerasTensor) -> KerasTensor:
        if layer.padding == "same" and spectral:
            around = same(int(tensor.shape[3]), own[0][0], spectral[0], own[2][0])
            tensor = ops.pad(tensor, [[0, 0]] * 3 + [[around.before, around.after], [0, 0]])
        changed = twin(
            layer,
            place.name,
            kernel_size=(*part.taps, *own[0]),
            padding="valid",
            strides=(1, 1, *((1,) if thinned else spectral)),
            dilation_rate=(*spread, *own[2]),
            use_bias=bias,
            activation=None if thinned else activation,
        )
        result = changed(tensor)
        changed.set_weights(weights)
        if thinned:
            result = layers.Activation(activation)(result[:, :, :, :: spectral[0]])
        return result

    return convolve


def pooling(place: TilePlace, inputs: list[Shared]) -> Shared | None:
    """Max and average pooling of images and volumes; smaller pools at the border of a patch."""
    layer, laid = place.layer, table(inputs[0])
    # Zeros that were put around the patch are values like others here.
    if laid is None or (laid.sites < 0).any():
        return None
    axes = [_axis(layer, axis, laid.sites.shape[axis]) for axis in (0, 1)]
    return _pooled(place, laid, axes, tuple(layer.pool_size))


def global_pooling(place: TilePlace, inputs: list[Shared]) -> Shared | None:
    """GlobalMaxPooling2D and GlobalAveragePooling2D: one pool as large as the patch."""
    laid = table(inputs[0])
    if laid is None or (laid.sites < 0).any():
        return None
    rows, cols = laid.sites.shape[:2]
    found = _pooled(place, laid, [Axis(), Axis()], (rows, cols))
    if found is None or place.layer.keepdims:
        return found
    return Shared(found.maps, found.index[0, 0])


def _pooled(
    place: TilePlace, laid: Table, axes: Sequence[Axis], pool: tuple[int, ...]
) -> Shared | None:
    found = _slid(laid, axes, (pool[0], pool[1]), place)
    if found is None:
        return None
    shared, sites = found
    maps = [
        _pool(_named(place, str(number)), laid.maps, each) for number, each in enumerate(shared)
    ]
    return of_table(maps, sites)


def _pool(place: TilePlace, maps: Sequence[Map], pattern: Pattern) -> Map:
    parts = lattices(pattern.taps)
    kind = layers.MaxPooling2D if "Max" in type(place.layer).__name__ else layers.AveragePooling2D
    inner = maps[0].inner
    shares = [prod(part.taps) / len(pattern.taps) for part in parts]

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        pooled = [
            _regularly(kind, flat(tensor), part)
            for part, tensor in zip(parts, tensors, strict=True)
        ]
        return _along_bands(
            place, ops.reshape(_together(kind, pooled, shares), (*pooled[0].shape[:3], *inner))
        )

    reads = tuple(part.read(maps) for part in parts)
    leaving = inner
    if len(inner) > 1:
        leaving = _inner(place)
    return Map(leaving, pattern.window, reads, make)


def _regularly(kind: Any, image: KerasTensor, part: Lattice) -> KerasTensor:
    """Pools a lattice: down, then across.

    Keras' pools have no dilation. Where pixels of a pool are several rows apart, rows that far
    apart are put below each other, which moves nothing: `step` rows are seen as one long row.
    """
    _, rows, cols, channels = image.shape
    kept = rows - part.reach[0], cols - part.reach[1]
    taps, step = part.taps, part.step
    if step == (1, 1) or taps == (1, 1):
        return kind(taps, 1)(image) if taps != (1, 1) else image
    if taps[0] > 1:
        tall = -(-rows // step[0])
        image = ops.pad(image, [[0, 0], [0, tall * step[0] - rows], [0, 0], [0, 0]])
        image = ops.reshape(image, (1, tall, step[0] * cols, channels))
        image = ops.reshape(kind((taps[0], 1), 1)(image), (1, -1, cols, channels))[:, : kept[0]]
    if taps[1] > 1:
        wide = -(-cols // step[1])
        image = ops.pad(image, [[0, 0], [0, 0], [0, wide * step[1] - cols], [0, 0]])
        image = ops.reshape(image, (1, kept[0], wide, step[1] * channels))
        image = kind((1, taps[1]), 1)(image)
        image = ops.reshape(image, (1, kept[0], -1, channels))[:, :, : kept[1]]
    return image


def _together(kind: Any, pooled: list[KerasTensor], shares: list[float]) -> KerasTensor:
    """One pool of several: as large as they are, they are rows of an image."""
    if len(pooled) == 1:
        return pooled[0]
    _, rows, cols, channels = pooled[0].shape
    if kind is layers.AveragePooling2D and len(set(shares)) > 1:
        parts = [each * share for each, share in zip(pooled, shares, strict=True)]
        return layers.Add()(parts)
    beside = [ops.reshape(each, (1, 1, rows * cols, channels)) for each in pooled]
    return kind((len(pooled), 1), 1)(layers.Concatenate(axis=1)(beside))


def _along_bands(place: TilePlace, volume: KerasTensor) -> KerasTensor:
    """The part of a pool along the third axis of a volume."""
    layer = place.layer
    if len(volume.shape) < 5 or not hasattr(layer, "pool_size"):
        return volume
    pool, stride = layer.pool_size[2], layer.strides[2]
    if (pool, stride) == (1, 1):
        return volume
    kind = layers.MaxPooling3D if "Max" in type(layer).__name__ else layers.AveragePooling3D
    return kind((1, 1, pool), (1, 1, stride), padding=layer.padding)(volume)


def flat_dense(place: TilePlace, inputs: list[Shared]) -> Shared | None:
    """Dense on all elements of a patch: a convolution as large as what is left of it.

    None where that is a single pixel.
    """
    layer, (value,) = place.layer, inputs
    sites, elements = value.sites()
    present = elements >= 0
    sites, elements = sites[present], elements[present]
    weights = np.asarray(layer.kernel)[present]
    pixels, which = np.unique(sites, axis=0, return_inverse=True)
    if len(pixels) < 2:
        return None
    slabs: dict[tuple[int, int, int], Floats] = {}
    for number, (source, row, col) in enumerate(pixels.tolist()):
        slab = np.zeros((value.maps[source].size, layer.units), np.float32)
        mine = which.ravel() == number
        # An element that is met twice counts twice.
        np.add.at(slab, elements[mine], weights[mine])
        slabs[source, row, col] = slab
    parts = lattices(Tap((row, col), source, row, col) for source, row, col in slabs)
    kernels = [
        np.stack([[slabs[part.map, row, col] for col in part.own[1]] for row in part.own[0]])
        for part in parts
    ]
    bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(layer.units, np.float32)

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        summed = []
        for number, (part, kernel, tensor) in enumerate(zip(parts, kernels, tensors, strict=True)):
            conv = layers.Conv2D(
                layer.units,
                part.taps,
                dilation_rate=part.step,
                name=_named(place, str(number + 1)).name,
            )
            summed.append(conv(flat(tensor)))
            conv.set_weights([kernel, bias if number == 0 else np.zeros_like(bias)])
        total = (
            summed[0] if len(summed) == 1 else layers.Add(name=_named(place, "sum").name)(summed)
        )
        return layers.Activation(layer.activation, name=_named(place, "activation").name)(total)

    reads = tuple(part.read(value.maps) for part in parts)
    made = Map((layer.units,), (1, 1), reads, make, sum(kernel.size for kernel in kernels))
    return Shared((made,), np.arange(layer.units))


def merging(place: TilePlace, inputs: list[Shared]) -> Shared | None:
    """Add, Multiply, Concatenate and their like: pixel by pixel, wherever those lie."""
    laid = [table(value) for value in inputs]
    if len(laid) < 2 or any(each is None or (each.sites < 0).any() for each in laid):
        return None
    tables = [each for each in laid if each is not None]
    shape = tables[0].sites.shape
    if any(each.sites.shape != shape for each in tables) or not _pixelwise(place, tables):
        return None
    maps = [each for entry in tables for each in entry.maps]
    offsets = np.cumsum([0, *(len(entry.maps) for entry in tables)])
    reads = {
        (row, col): [
            Tap((0, number), int(site[0] + offset), int(site[1]), int(site[2]))
            for number, (entry, offset) in enumerate(zip(tables, offsets, strict=False))
            for site in [entry.sites[row, col]]
        ]
        for row, col in np.ndindex(*shape[:2])
    }
    shared, sites = patterns(reads, (shape[0], shape[1]))
    inner = _inner(place)
    merged = [
        _merged(_named(place, str(number)), [maps[tap.map] for tap in each.taps], each, inner)
        for number, each in enumerate(shared, 1)
    ]
    return of_table(merged, sites)


def _pixelwise(place: TilePlace, tables: Sequence[Table]) -> bool:
    """Whether an operation leaves pixels where they are."""
    inner = [entry.maps[0].inner for entry in tables]
    if "Concatenate" in type(place.layer).__name__:
        axis = int(place.layer.axis)
        return axis % (len(inner[0]) + 3) > 2
    return all(each == inner[0] for each in inner)


def _merged(place: TilePlace, maps: list[Map], pattern: Pattern, inner: tuple[int, ...]) -> Map:
    reads = tuple(
        Read(source, (tap.row, tap.col)) for source, tap in zip(maps, pattern.taps, strict=True)
    )

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        return place.call.repeated(twin(place.layer, place.name), tensors)

    return Map(inner, pattern.window, reads, make)
