"""Convolutions, pooling, dense layers and merging on the feature maps of a tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np
from keras import KerasTensor, layers, ops

from hsitf.arrays import Float32Array
from hsitf.cost import macs
from hsitf.lower.context import LoweringContext
from hsitf.lower.convolution import COPY_COST_PER_ELEMENT, SlidingAxis, same_padding
from hsitf.lower.tile import (
    FeatureMap,
    HaloRead,
    PixelGrid,
    RowCol,
    Tap,
    TapLattice,
    TapPattern,
    TileTensor,
    flatten_pixels,
    from_pixel_grid,
    lattices,
    pixel_grid,
    shared_patterns,
)
from hsitf.operators import CallShapes


@dataclass(frozen=True, eq=False)
class TileContext(LoweringContext):
    """A call of a layer in a network that is planned for a tile.

    Attributes:
        required_maps: Names of the convolution maps that the output needs; None in the first
            planning, when they are not known yet.
    """

    required_maps: frozenset[str] | None = None


def _for_part(context: TileContext, part: str) -> TileContext:
    """The context of a part of a layer, with the name extended."""
    return replace(context, name=f"{context.name}_{part}")


def clone_operation(layer: Any, name: str, **changes: object) -> Any:
    """A copy of a layer or operation, without weights."""
    return type(layer).from_config({**layer.get_config(), **changes, "name": name})


def convolution(context: TileContext, inputs: list[TileTensor]) -> TileTensor | None:
    """Conv2D, Conv3D, DepthwiseConv2D, SeparableConv2D: dilated where patches have strides.

    Zero padding of a patch removes taps of the kernel at its border.
    """
    layer, grid = context.layer, pixel_grid(inputs[0])
    if grid is None:
        return None
    axes = [_axis(layer, axis, grid.locations.shape[axis]) for axis in (0, 1)]
    found = _slide(grid, axes, (layer.kernel_size[0], layer.kernel_size[1]), context)
    if found is None:
        return None
    shared, locations = found
    spots = [_for_part(context, str(number)) for number in range(1, len(shared) + 1)]
    maps = [_convolved(*each, grid.maps) for each in zip(spots, shared, strict=True)]
    required = [
        n
        for n, spot in enumerate(spots)
        if spot.required_maps is None or spot.name in spot.required_maps
    ]
    split = _share_partial_sums(context, grid.maps, [shared[number] for number in required])
    for number, made in zip(required, split or [], strict=False):
        maps[number] = replace(made, name=spots[number].name)
    return from_pixel_grid(maps, locations)


def _share_partial_sums(
    context: TileContext, maps: Sequence[FeatureMap], shared: Sequence[TapPattern]
) -> list[FeatureMap] | None:
    """Maps of tap patterns that share partial sums; None where sharing saves nothing.

    At the border of a patch some taps of a kernel read other maps than inside. The sum of the
    remaining taps is the same up to a shift and is computed once.
    """
    terms = _terms(shared)
    parts: dict[_Key, list[tuple[int, TapLattice]]] = {}
    for number, own in enumerate(terms):
        for term in own:
            parts.setdefault((term.map, term.own, term.step), []).append((number, term))
    biased = _biased(parts, len(shared))
    if biased is None or not _sharing_is_cheaper(context, shared, parts):
        return None
    made = {}
    for count, (key, uses) in enumerate(parts.items(), 1):
        corners = [(term.first, shared[number].window) for number, term in uses]
        top, left = (min(first[axis] for first, _ in corners) for axis in (0, 1))
        bottom, right = (
            max(first[axis] + size[axis] for first, size in corners) for axis in (0, 1)
        )
        part = uses[0][1]._replace(first=(top, left))
        convolve = _convolution(_for_part(context, f"part{count}"), part, key in biased, None)
        made[key] = FeatureMap(
            _pixel_shape(context),
            (bottom - top, right - left),
            (part.read(maps),),
            partial(_only, convolve),
            _multiplications(context, part),
        )
    summed = []
    for number, (pattern, own) in enumerate(zip(shared, terms, strict=True), 1):
        reads = []
        for term in own:
            each = made[term.map, term.own, term.step]
            first = each.sources[0].first
            reads.append(HaloRead(each, (term.first[0] - first[0], term.first[1] - first[1])))
        make = partial(_summed, _for_part(context, f"whole{number}"))
        summed.append(FeatureMap(_pixel_shape(context), pattern.window, tuple(reads), make))
    return summed


# A map, rows and columns of a kernel, and the steps between them.
_Key = tuple[int, tuple[tuple[int, ...], tuple[int, ...]], RowCol]


def _terms(shared: Sequence[TapPattern]) -> list[list[TapLattice]]:
    """Taps of each pattern as lattices, grouped by the patterns that share them."""
    owners: dict[tuple[int, RowCol], list[int]] = {}
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


def _biased(parts: Mapping[_Key, list[tuple[int, TapLattice]]], count: int) -> set[_Key] | None:
    """Parts that add the bias, so that each pattern has it once; None where impossible."""
    left, chosen = set(range(count)), set()
    for key, uses in sorted(parts.items(), key=lambda item: -len(item[1])):
        numbers = [number for number, _ in uses]
        if left.issuperset(numbers) and len(set(numbers)) == len(numbers):
            left.difference_update(numbers)
            chosen.add(key)
    return None if left else chosen


def _sharing_is_cheaper(
    context: TileContext,
    shared: Sequence[TapPattern],
    parts: Mapping[_Key, list[tuple[int, TapLattice]]],
) -> bool:
    """Whether shared parts save more multiplications than their additions cost."""
    alone = [part for pattern in shared for part in lattices(pattern.taps)]
    saved = sum(_multiplications(context, part) for part in alone)
    saved -= sum(_multiplications(context, uses[0][1]) for uses in parts.values())
    sums = sum(len(uses) for uses in parts.values()) - len(alone)
    return saved > COPY_COST_PER_ELEMENT * sums * prod(_pixel_shape(context))


def _multiplications(context: TileContext, part: TapLattice) -> int:
    """Multiply-accumulates per pixel of a lattice of taps."""
    layer = context.layer
    kernel, *others = (tuple(weight.shape) for weight in layer.weights)
    weights = [(*part.taps, *kernel[2:]), *others]
    return macs(layer, CallShapes(weights, (), (1, 1, *_pixel_shape(context))))


def _only(make: Callable[[KerasTensor], KerasTensor], tensors: list[KerasTensor]) -> KerasTensor:
    return make(tensors[0])


def _summed(context: TileContext, tensors: list[KerasTensor]) -> KerasTensor:
    """Adds partial sums of a convolution and applies its activation."""
    total = tensors[0]
    if len(tensors) > 1:
        total = layers.Add(name=_for_part(context, "sum").name)(tensors)
    return layers.Activation(context.layer.activation, name=_for_part(context, "activation").name)(
        total
    )


def _pixel_shape(context: TileContext) -> tuple[int, ...]:
    """Shape of a pixel in the output of an operation."""
    return tuple(int(size or 0) for size in context.call.shapes[0][3:])


def _axis(layer: Any, axis: int, size: int) -> SlidingAxis:
    taps, stride = _pool_or_kernel(layer)[axis], layer.strides[axis]
    dilation = getattr(layer, "dilation_rate", (1, 1))[axis]
    return (
        same_padding(size, taps, stride, dilation)
        if layer.padding == "same"
        else SlidingAxis(stride, dilation)
    )


def _pool_or_kernel(layer: Any) -> tuple[int, ...]:
    return tuple(getattr(layer, "kernel_size", None) or layer.pool_size)


def _slide(
    grid: PixelGrid, axes: Sequence[SlidingAxis], taps: RowCol, context: TileContext
) -> tuple[list[TapPattern], Any] | None:
    """Tap patterns of a kernel's positions; None where a position reads zeros only."""
    rows, cols = grid.locations.shape[:2]
    shape = (axes[0].output_length(rows, taps[0]), axes[1].output_length(cols, taps[1]))
    reads = {
        (row, col): [
            Tap(own, *(int(number) for number in grid.locations[at]))
            for own in np.ndindex(*taps)
            if (at := _met(axes, (row, col), own, (rows, cols))) and grid.locations[at][0] >= 0
        ]
        for row, col in np.ndindex(*shape)
    }
    return shared_patterns(reads, shape) if all(reads.values()) else None


def _met(axes: Sequence[SlidingAxis], position: RowCol, own: RowCol, size: RowCol) -> RowCol | None:
    """The pixel that a tap reads; None outside of the patch."""
    row, col = (
        output * axis.stride + tap * axis.dilation - axis.pad_before
        for axis, output, tap in zip(axes, position, own, strict=True)
    )
    return (row, col) if 0 <= row < size[0] and 0 <= col < size[1] else None


def _convolved(context: TileContext, pattern: TapPattern, maps: Sequence[FeatureMap]) -> FeatureMap:
    """A convolution as a sum over lattices of taps; the first adds the bias."""
    layer = context.layer
    parts = lattices(pattern.taps)
    activation = layer.activation if len(parts) == 1 else None
    convolutions = [
        _convolution(
            _for_part(context, str(number)), part, bool(layer.use_bias) and number == 1, activation
        )
        for number, part in enumerate(parts, 1)
    ]

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        found = [conv(tensor) for conv, tensor in zip(convolutions, tensors, strict=True)]
        return found[0] if len(found) == 1 else _summed(context, found)

    reads = tuple(part.read(maps) for part in parts)
    work = sum(_multiplications(context, part) for part in parts)
    return FeatureMap(_pixel_shape(context), pattern.window, reads, make, work, context.name)


def _convolution(
    context: TileContext, part: TapLattice, bias: bool, activation: Any
) -> Callable[[KerasTensor], KerasTensor]:
    """Returns a function that convolves a tensor with a lattice of a kernel's taps.

    Args:
        context: The layer and its name.
        part: The taps.
        bias: Whether the layer's bias is added.
        activation: Activation that is applied; None for none.
    """
    layer = context.layer
    kernel, *others = layer.get_weights()
    weights = [kernel[np.ix_(*part.own)], *(others if bias or not layer.use_bias else others[:-1])]
    # A single tap has no dilation, but Keras would still check it against strides.
    spread = [step if taps > 1 else 1 for step, taps in zip(part.step, part.taps, strict=True)]
    own = tuple(layer.kernel_size[2:]), tuple(layer.strides[2:]), tuple(layer.dilation_rate[2:])
    spectral = own[1]
    # Keras has no strides along one axis with dilation along another.
    thinned = spread != [1, 1] and spectral not in ((), (1,))

    bias = bias and bool(layer.use_bias)

    def convolve(tensor: KerasTensor) -> KerasTensor:
        if layer.padding == "same" and spectral:
            around = same_padding(int(tensor.shape[3]), own[0][0], spectral[0], own[2][0])
            tensor = ops.pad(tensor, [[0, 0]] * 3 + [[around.pad_before, around.pad_after], [0, 0]])
        changed = clone_operation(
            layer,
            context.name,
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


def pooling(context: TileContext, inputs: list[TileTensor]) -> TileTensor | None:
    """Max and average pooling of images and volumes; smaller windows at the border of a patch."""
    layer, grid = context.layer, pixel_grid(inputs[0])
    # Explicit zero padding counts as values here.
    if grid is None or (grid.locations < 0).any():
        return None
    axes = [_axis(layer, axis, grid.locations.shape[axis]) for axis in (0, 1)]
    return _pooled(context, grid, axes, tuple(layer.pool_size))


def global_pooling(context: TileContext, inputs: list[TileTensor]) -> TileTensor | None:
    """GlobalMaxPooling2D and GlobalAveragePooling2D: one window as large as the patch."""
    grid = pixel_grid(inputs[0])
    if grid is None or (grid.locations < 0).any():
        return None
    rows, cols = grid.locations.shape[:2]
    found = _pooled(context, grid, [SlidingAxis(), SlidingAxis()], (rows, cols))
    if found is None or context.layer.keepdims:
        return found
    return TileTensor(found.maps, found.layout[0, 0])


def _pooled(
    context: TileContext, grid: PixelGrid, axes: Sequence[SlidingAxis], pool: tuple[int, ...]
) -> TileTensor | None:
    found = _slide(grid, axes, (pool[0], pool[1]), context)
    if found is None:
        return None
    shared, locations = found
    maps = [
        _pool(_for_part(context, str(number)), grid.maps, each)
        for number, each in enumerate(shared)
    ]
    return from_pixel_grid(maps, locations)


def _pool(context: TileContext, maps: Sequence[FeatureMap], pattern: TapPattern) -> FeatureMap:
    parts = lattices(pattern.taps)
    kind = layers.MaxPooling2D if "Max" in type(context.layer).__name__ else layers.AveragePooling2D
    pixel_shape = maps[0].pixel_shape
    shares = [prod(part.taps) / len(pattern.taps) for part in parts]

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        pooled = [
            _pool_lattice(kind, flatten_pixels(tensor), part)
            for part, tensor in zip(parts, tensors, strict=True)
        ]
        return _along_bands(
            context,
            ops.reshape(_merge_pools(kind, pooled, shares), (*pooled[0].shape[:3], *pixel_shape)),
        )

    reads = tuple(part.read(maps) for part in parts)
    leaving = pixel_shape
    if len(pixel_shape) > 1:
        leaving = _pixel_shape(context)
    return FeatureMap(leaving, pattern.window, reads, make)


def _pool_lattice(kind: Any, image: KerasTensor, part: TapLattice) -> KerasTensor:
    """Pools a lattice: down, then across.

    Keras' pooling has no dilation. Where the pixels of a window are several rows apart, `step` rows
    are viewed as one long row, which moves no data.
    """
    _, rows, cols, channels = image.shape
    kept = rows - part.halo[0], cols - part.halo[1]
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


def _merge_pools(kind: Any, pooled: list[KerasTensor], shares: list[float]) -> KerasTensor:
    """Pools several pooled images of equal size, stacked as rows of an image."""
    if len(pooled) == 1:
        return pooled[0]
    _, rows, cols, channels = pooled[0].shape
    if kind is layers.AveragePooling2D and len(set(shares)) > 1:
        parts = [each * share for each, share in zip(pooled, shares, strict=True)]
        return layers.Add()(parts)
    beside = [ops.reshape(each, (1, 1, rows * cols, channels)) for each in pooled]
    return kind((len(pooled), 1), 1)(layers.Concatenate(axis=1)(beside))


def _along_bands(context: TileContext, volume: KerasTensor) -> KerasTensor:
    """Pools along the third axis of a volume."""
    layer = context.layer
    if len(volume.shape) < 5 or not hasattr(layer, "pool_size"):
        return volume
    pool, stride = layer.pool_size[2], layer.strides[2]
    if (pool, stride) == (1, 1):
        return volume
    kind = layers.MaxPooling3D if "Max" in type(layer).__name__ else layers.AveragePooling3D
    return kind((1, 1, pool), (1, 1, stride), padding=layer.padding)(volume)


def flat_dense(context: TileContext, inputs: list[TileTensor]) -> TileTensor | None:
    """Dense layer of all elements of a patch: a convolution as large as the remaining patch.

    None where that is a single pixel.
    """
    layer, (value,) = context.layer, inputs
    locations, elements = value.locations()
    present = elements >= 0
    locations, elements = locations[present], elements[present]
    weights = np.asarray(layer.kernel)[present]
    pixels, which = np.unique(locations, axis=0, return_inverse=True)
    if len(pixels) < 2:
        return None
    slabs: dict[tuple[int, int, int], Float32Array] = {}
    for number, (source, row, col) in enumerate(pixels.tolist()):
        slab = np.zeros((value.maps[source].pixel_size, layer.units), np.float32)
        mine = which.ravel() == number
        # An element that occurs twice counts twice.
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
                name=_for_part(context, str(number + 1)).name,
            )
            summed.append(conv(flatten_pixels(tensor)))
            conv.set_weights([kernel, bias if number == 0 else np.zeros_like(bias)])
        total = (
            summed[0]
            if len(summed) == 1
            else layers.Add(name=_for_part(context, "sum").name)(summed)
        )
        return layers.Activation(layer.activation, name=_for_part(context, "activation").name)(
            total
        )

    reads = tuple(part.read(value.maps) for part in parts)
    made = FeatureMap((layer.units,), (1, 1), reads, make, sum(kernel.size for kernel in kernels))
    return TileTensor((made,), np.arange(layer.units))


def merging(context: TileContext, inputs: list[TileTensor]) -> TileTensor | None:
    """Add, Multiply, Concatenate and similar layers, pixel by pixel in any locations."""
    grid = [pixel_grid(value) for value in inputs]
    if len(grid) < 2 or any(each is None or (each.locations < 0).any() for each in grid):
        return None
    grids = [each for each in grid if each is not None]
    shape = grids[0].locations.shape
    if any(each.locations.shape != shape for each in grids) or not _pixelwise(context, grids):
        return None
    maps = [each for entry in grids for each in entry.maps]
    offsets = np.cumsum([0, *(len(entry.maps) for entry in grids)])
    reads = {
        (row, col): [
            Tap((0, number), int(site[0] + offset), int(site[1]), int(site[2]))
            for number, (entry, offset) in enumerate(zip(grids, offsets, strict=False))
            for site in [entry.locations[row, col]]
        ]
        for row, col in np.ndindex(*shape[:2])
    }
    shared, locations = shared_patterns(reads, (shape[0], shape[1]))
    pixel_shape = _pixel_shape(context)
    merged = [
        _merged(
            _for_part(context, str(number)), [maps[tap.map] for tap in each.taps], each, pixel_shape
        )
        for number, each in enumerate(shared, 1)
    ]
    return from_pixel_grid(merged, locations)


def _pixelwise(context: TileContext, grids: Sequence[PixelGrid]) -> bool:
    """Whether an operation combines values of equal pixels only."""
    pixel_shape = [entry.maps[0].pixel_shape for entry in grids]
    if "Concatenate" in type(context.layer).__name__:
        axis = int(context.layer.axis)
        return axis % (len(pixel_shape[0]) + 3) > 2
    return all(each == pixel_shape[0] for each in pixel_shape)


def _merged(
    context: TileContext, maps: list[FeatureMap], pattern: TapPattern, pixel_shape: tuple[int, ...]
) -> FeatureMap:
    reads = tuple(
        HaloRead(source, (tap.row, tap.col)) for source, tap in zip(maps, pattern.taps, strict=True)
    )

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        return context.call.call_with(clone_operation(context.layer, context.name), tensors)

    return FeatureMap(pixel_shape, pattern.window, reads, make)
