"""How each layer type is lowered: one row a type in `RULES`.

A rule takes the layer, the values that enter it and the target, and returns what leaves it. To add
a layer type, write such a function and give it a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import KerasTensor, layers, ops
from numpy.typing import NDArray

from hsitf.errors import LoweringError
from hsitf.lower.convolution import (
    Axis,
    Convolution,
    folded_kernel,
    grouped,
    merged,
    same,
    unfolded,
    unfolding_pays,
)
from hsitf.lower.value import Value, arranged, positions, view
from hsitf.targets import Target

# Grouping multiplies zeros too; beyond this many times the work it is left.
GROWTH = 1.5

Rule = Callable[[Any, list[Value], Target], Value]

# A layer's logical axes as (folded, across, down, channels), None where it has none. The first
# axis of an image or a spectrum slides down; the bands of a volume do, its columns are folded.
_VOLUME_AXES: dict[int, tuple[int | None, int | None, int, int]] = {
    2: (None, None, 0, 1),
    3: (None, 1, 0, 2),
    4: (1, 0, 2, 3),
}
# Those axes of the volume in memory: down, across, folded, channels. Where neighbors down are
# grouped, they come between folded and channels.
_MEMORY = (2, 1, 0, 3)
_GROUPED = (2, 1, 0, 3, 4)
_UNGROUPED = (2, 3, 1, 0, 4)
# As a scene has them: rows, columns, bands.
_NATURAL = (1, 0, 2, 3)


def _as_volume(value: Value) -> Value:
    """The value as (folded, across, down, channels), wherever its elements lie."""
    axes = _VOLUME_AXES[len(value.shape)]
    index = value.index.transpose([axis for axis in axes if axis is not None])
    missing = tuple(place for place, axis in enumerate(axes) if axis is None)
    return Value(value.tensor, np.expand_dims(index, missing))


def _reindexed(volume: Value, *shape: int) -> Value:
    return Value(volume.tensor, volume.index.reshape(shape))


def _split(volume: Value, group: int) -> Value:
    """The volume with its axis down seen as (groups, group)."""
    folded, across, down, channels = volume.shape
    return _reindexed(volume, folded, across, down // group, group, channels)


def _bundled(volume: Value, group: int) -> Value:
    """The volume with neighbors down counted among the channels: bookkeeping only."""
    folded, across, down, channels = volume.shape
    return _reindexed(volume, folded, across, down // group, group * channels)


def _group(volume: Value) -> int | None:
    """How many neighbors down lie together in the channels; None in any other order."""
    down = volume.shape[2]
    # All of them together is the order of a scene, in which nothing was grouped on purpose.
    for group in range(1, max(2, down)):
        if down % group == 0:
            split = _split(volume, group)
            if np.array_equal(split.index, positions(split.shape, _GROUPED)):
                return group
    return None


def _ungrouped(volume: Value) -> Value:
    """The volume in memory order, no neighbors down among the channels."""
    now = _group(volume)
    if now is None or now == 1:
        return arranged(volume, _MEMORY)
    return _reindexed(arranged(_split(volume, now), _UNGROUPED), *volume.shape)


def _from_volume(value: Value, rank: int) -> NDArray[np.int64]:
    """The index of a volume seen with the logical axes of a layer of that rank."""
    axes = _VOLUME_AXES[rank]
    missing = tuple(place for place, axis in enumerate(axes) if axis is None)
    present = [axis for axis in axes if axis is not None]
    return np.asarray(np.squeeze(value.index, missing).transpose(np.argsort(present)))


def convolution(layer: Any, inputs: list[Value], target: Target) -> Value:
    """Conv1D, Conv2D and Conv3D: one 2-D convolution."""
    (value,) = inputs
    if layer.groups != 1:
        raise LoweringError(
            f"layer {layer.name!r} is a grouped convolution",
            received=f"{layer.groups} groups",
            allowed="1",
            remedy="split it into one convolution a group",
        )
    volume = _as_volume(value)
    spatial = _VOLUME_AXES[len(value.shape)][:3]
    axes = tuple(
        Axis() if axis is None else _axis(layer, axis, value.shape[axis]) for axis in spatial
    )
    kernel = np.asarray(layer.kernel)
    # Keras has (taps ..., in, out) in the order of the layer's own axes.
    kernel = kernel.transpose(
        [axis for axis in spatial if axis is not None] + [kernel.ndim - 2, kernel.ndim - 1]
    )
    kernel = np.expand_dims(kernel, [place for place, axis in enumerate(spatial) if axis is None])
    bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(kernel.shape[-1], np.float32)
    conv = Convolution(kernel, bias, (axes[0], axes[1], axes[2]))
    result = convolve(volume, conv, layer.activation, layer.name, target)
    linear = (volume, conv) if _is_linear(layer.activation) else None
    return Value(result.tensor, _from_volume(result, len(value.shape)), linear)


def _axis(layer: Any, axis: int, size: int) -> Axis:
    taps, stride = layer.kernel_size[axis], layer.strides[axis]
    dilation = layer.dilation_rate[axis]
    if layer.padding == "same":
        return same(size, taps, stride, dilation)
    if layer.padding == "causal":
        return Axis(stride, dilation, (taps - 1) * dilation, 0)
    return Axis(stride, dilation)


def convolve(volume: Value, conv: Convolution, activation: Any, name: str, target: Target) -> Value:
    """Applies a convolution to a volume as one Conv2D, rearranged as the target likes it."""
    size = conv.output(_size(volume))
    inputs, outputs, whole = _grouping(volume, conv, target)
    if _group(volume) not in (None, inputs):
        volume = _ungrouped(volume)
    image, whole = _image(_bundled(volume, inputs), whole, name)
    if whole.pointwise:
        kernel, slide = whole.kernel[0].transpose(1, 0, 2, 3), Axis()
    else:
        kernel, slide = folded_kernel(whole, volume.shape[0]), whole.axes[1]
    bias = np.tile(whole.bias, kernel.shape[-1] // whole.filters)
    tensor = _conv2d(image, kernel, bias, (whole.axes[2], slide), activation, name)
    shape = (*size[:2], size[2] // outputs, outputs, conv.filters)
    return Value(tensor, positions(shape, _GROUPED).reshape(*size, conv.filters))


def _size(volume: Value) -> tuple[int, int, int]:
    folded, across, down, _ = volume.shape
    return folded, across, down


def _image(volume: Value, conv: Convolution, name: str) -> tuple[KerasTensor, Convolution]:
    """What the 2-D operator slides over: (batch, down, across, channels), and with which kernel.

    Rows and columns are mere positions for a kernel of one pixel. A larger one either has its
    pixels laid side by side first, or slides across with the columns in the channels.
    """
    folded, across, down, channels = volume.shape
    if conv.pointwise:
        return arranged(volume, _MEMORY).viewed(down, across * folded, channels), conv
    naturally = np.array_equal(volume.index, positions(volume.shape, _NATURAL))
    together = down * channels if naturally else channels
    if not unfolding_pays(conv, _size(volume), together):
        return arranged(volume, _MEMORY).viewed(down, across, folded * channels), conv
    whole = unfolded(conv)
    wide = whole.kernel.shape[3]
    if not naturally:
        pixels = view(
            arranged(volume, _MEMORY).tensor, (volume.batch * down, across, folded, channels)
        )
        beside = _beside(pixels, [(2, 0), (1, 1)], conv, name)
        return view(beside, (volume.batch, down, _positions(beside), wide)), whole
    # Before anything is moved, all bands of a pixel lie together: the copies are long.
    pixels = volume.viewed(across, folded, down * channels)
    beside = _beside(pixels, [(2, 0), (1, 1)], conv, name)
    taps = wide // channels
    memory = positions((_positions(beside), taps, down, channels), (0, 1, 2, 3))
    moved = arranged(Value(beside, memory), (2, 0, 1, 3))
    return moved.viewed(down, _positions(beside), wide), whole


def _positions(image: KerasTensor) -> int:
    return int(image.shape[1]) * int(image.shape[2])


def _grouping(volume: Value, conv: Convolution, target: Target) -> tuple[int, int, Convolution]:
    """Neighbors down to group in what enters and what leaves, and the convolution so written.

    As many leave together as give the channels the target's width, if that fits the sizes and
    does not multiply too many zeros. What enters stays grouped as it is where that fits; a
    volume that has to be moved anyway is grouped as the stride allows.
    """
    down = volume.shape[2]
    length = conv.output((volume.shape[0], volume.shape[1], down))[2]
    wanted = -(-target.width // conv.filters)
    divisors = [n for n in range(1, length + 1) if length % n == 0 and n <= 2 * wanted]
    now = _group(volume)
    best: tuple[int, int, Convolution] = (1, 1, conv)
    for outputs in divisors:
        step = outputs * conv.axes[2].stride
        moved = math.gcd(step, down) if target.grouped_input else 1
        candidates = (moved if now is None else now, 1)
        for inputs in candidates:
            whole = grouped(conv, down, inputs, outputs)
            if whole is not None and whole.taps[2] * inputs <= GROWTH * conv.taps[2]:
                best = (inputs, outputs, whole)
                break
        if best[1] >= wanted:
            break
    return best


def _beside(
    pixels: KerasTensor, places: list[tuple[int, int]], conv: Convolution, name: str
) -> KerasTensor:
    """Lays what is under a kernel side by side in the channels.

    One axis after the other, because delegates concatenate few tensors at a time.

    Args:
        pixels: (batch, ..., ..., channels), the two axes between to slide along.
        places: Axis of the tensor and of the convolution; the taps along the first vary faster.
        conv: The convolution.
        name: Of its layer.
    """
    zeros = [(0, 0), (0, 0)]
    for place, axis in places:
        zeros[place - 1] = (conv.axes[axis].before, conv.axes[axis].after)
    if any(map(any, zeros)):
        pixels = layers.ZeroPadding2D(zeros, name=f"{name}_around")(pixels)
    for place, axis in places:
        slide, taps = conv.axes[axis]._replace(before=0, after=0), conv.taps[axis]
        size = int(pixels.shape[place])
        outputs = slide.length(size, taps)
        windows = _windows(slide, taps, outputs)
        if taps > 1 or outputs < size:
            parts = [pixels[:, w] if place == 1 else pixels[:, :, w] for w in windows]
            pixels = parts[0] if taps == 1 else ops.concatenate(parts, axis=-1)
    return pixels


def _windows(axis: Axis, taps: int, outputs: int) -> list[slice]:
    """For each tap, the elements that it meets, one for each output."""
    starts = [tap * axis.dilation for tap in range(taps)]
    return [slice(s, s + (outputs - 1) * axis.stride + 1, axis.stride) for s in starts]


def _conv2d(
    image: KerasTensor,
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32],
    slides: tuple[Axis, Axis],
    activation: Any,
    name: str,
) -> KerasTensor:
    """A Keras Conv2D with these weights, zero padding inside it where Keras can say it."""
    sizes = image.shape[1:3]
    zeros = tuple((slide.before, slide.after) for slide in slides)
    as_same = all(
        slide == same(size, taps, slide.stride, slide.dilation)
        for slide, size, taps in zip(slides, sizes, kernel.shape[:2], strict=True)
    )
    if any(map(any, zeros)) and not as_same:
        image = layers.ZeroPadding2D(zeros, name=f"{name}_zeros")(image)
    layer = layers.Conv2D(
        kernel.shape[3],
        kernel.shape[:2],
        strides=tuple(slide.stride for slide in slides),
        dilation_rate=tuple(slide.dilation for slide in slides),
        padding="same" if as_same else "valid",
        activation=activation,
        name=name,
    )
    result = layer(image)
    layer.set_weights([kernel, bias])
    return result


def _is_linear(activation: Any) -> bool:
    return activation is None or getattr(activation, "__name__", "") == "linear"


def addition(layer: Any, inputs: list[Value], target: Target) -> Value:
    """Add: parallel linear convolutions of one volume become one; anything else is summed."""
    parallel = [value.linear for value in inputs if value.linear is not None]
    sources = {id(source.tensor) for source, _ in parallel}
    if len(parallel) == len(inputs) and len(sources) == 1:
        source = parallel[0][0]
        whole = merged([conv for _, conv in parallel])
        if whole is not None:
            result = convolve(source, whole, None, layer.name, target)
            return Value(result.tensor, _from_volume(result, len(inputs[0].shape)), (source, whole))
    order = tuple(range(len(inputs[0].shape)))
    if any(not np.array_equal(value.index, inputs[0].index) for value in inputs):
        inputs = [arranged(value, order) for value in inputs]
    shape = inputs[0].tensor.shape[1:]
    tensors = [value.viewed(*shape) for value in inputs]
    return Value(layers.Add(name=layer.name)(tensors), inputs[0].index)


def pooling(layer: Any, inputs: list[Value], target: Target) -> Value:
    """Max and average pooling in one to three dimensions: down and across, then folded.

    Both kinds are separable, zero padding included: it is neither a maximum nor counted.
    """
    (value,) = inputs
    volume = _ungrouped(_as_volume(value))
    spatial = _VOLUME_AXES[len(value.shape)][:3]
    window = [1 if axis is None else layer.pool_size[axis] for axis in spatial]
    stride = [1 if axis is None else layer.strides[axis] for axis in spatial]
    kind = layers.MaxPooling2D if "Max" in type(layer).__name__ else layers.AveragePooling2D
    folded, across, down, channels = volume.shape
    tensor = kind(
        (window[2], window[1]), (stride[2], stride[1]), padding=layer.padding, name=layer.name
    )(volume.viewed(down, across, folded * channels))
    down, across = tensor.shape[1:3]
    if window[0] > 1 or stride[0] > 1:
        pooled = Value(tensor, positions((folded, across, down, channels), _MEMORY))
        tensor = kind(
            (1, window[0]), (1, stride[0]), padding=layer.padding, name=f"{layer.name}_folded"
        )(pooled.viewed(down * across, folded, channels))
        folded = tensor.shape[2]
    result = Value(tensor, positions((folded, across, down, channels), _MEMORY))
    return Value(tensor, _from_volume(result, len(value.shape)))


def dense(layer: Any, inputs: list[Value], target: Target) -> Value:
    """Dense on a flat value: rows of the kernel follow the memory. Else: a 1 x 1 convolution."""
    (value,) = inputs
    kernel = np.asarray(layer.kernel)
    bias = np.asarray(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1], np.float32)
    if len(value.shape) == 1:
        rows = np.empty_like(kernel)
        rows[value.index] = kernel
        flat = layers.Dense(layer.units, activation=layer.activation, name=layer.name)
        tensor = flat(value.viewed(value.shape[0]))
        flat.set_weights([rows, bias])
        return Value(tensor, np.arange(layer.units))
    order = tuple(range(len(value.shape)))
    pixels = arranged(value, order).viewed(1, int(np.prod(value.shape[:-1])), value.shape[-1])
    tensor = _conv2d(
        pixels, kernel[None, None], bias, (Axis(), Axis()), layer.activation, layer.name
    )
    return Value(tensor, positions((*value.shape[:-1], layer.units), order))


def elementwise(layer: Any, inputs: list[Value], target: Target) -> Value:
    """Activations of each element by itself: the same layer on the memory as it lies."""
    (value,) = inputs
    copy = type(layer).from_config(layer.get_config())
    return Value(copy(value.tensor), value.index)


def nothing(layer: Any, inputs: list[Value], target: Target) -> Value:
    """Layers that do nothing in inference."""
    return inputs[0]


def reshape(layer: Any, inputs: list[Value], target: Target) -> Value:
    """Reshape and Flatten: bookkeeping only."""
    (value,) = inputs
    return Value(
        value.tensor, value.index.reshape(layer.compute_output_shape((1, *value.shape))[1:])
    )


def permute(layer: Any, inputs: list[Value], target: Target) -> Value:
    """Permute: bookkeeping only."""
    (value,) = inputs
    return Value(value.tensor, value.index.transpose([axis - 1 for axis in layer.dims]))


RULES: dict[type[Any], Rule] = {
    layers.Conv1D: convolution,
    layers.Conv2D: convolution,
    layers.Conv3D: convolution,
    layers.Add: addition,
    layers.MaxPooling1D: pooling,
    layers.MaxPooling2D: pooling,
    layers.MaxPooling3D: pooling,
    layers.AveragePooling1D: pooling,
    layers.AveragePooling2D: pooling,
    layers.AveragePooling3D: pooling,
    layers.Dense: dense,
    layers.Activation: elementwise,
    layers.ReLU: elementwise,
    layers.LeakyReLU: elementwise,
    layers.ELU: elementwise,
    layers.Dropout: nothing,
    layers.SpatialDropout1D: nothing,
    layers.SpatialDropout2D: nothing,
    layers.SpatialDropout3D: nothing,
    layers.GaussianNoise: nothing,
    layers.Reshape: reshape,
    layers.Flatten: reshape,
    layers.Permute: permute,
}
