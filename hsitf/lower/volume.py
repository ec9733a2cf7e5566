"""Convolutions applied to values: each becomes one Conv2D, arranged as the target likes it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from keras import KerasTensor, layers, ops
from numpy.typing import NDArray

from hsitf.lower.convolution import (
    Axis,
    Convolution,
    folded_kernel,
    grouped,
    same,
    stacked,
    stacking_pays,
    unfolded,
    unfolding_pays,
)
from hsitf.lower.lines import Index
from hsitf.lower.moves import view
from hsitf.lower.value import Floats, Value, arranged, positions
from hsitf.targets import Target

# Grouping multiplies zeros too; beyond this many times the work it is left.
GROWTH = 1.5

# A layer's logical axes as (folded, across, down, channels), None where it has none. The first
# axis of an image or a spectrum slides down; the bands of a volume do, its columns are folded.
AXES: dict[int, tuple[int | None, int | None, int | None, int]] = {
    1: (None, None, None, 0),
    2: (None, None, 0, 1),
    3: (None, 1, 0, 2),
    4: (1, 0, 2, 3),
}
# Those axes of the volume in memory: down, across, folded, channels. Where neighbors down are
# grouped, they come between folded and channels.
MEMORY = (2, 1, 0, 3)
_GROUPED = (2, 1, 0, 3, 4)
# As a scene has them: rows, columns, bands.
_NATURAL = (1, 0, 2, 3)


def as_volume(value: Value) -> Value:
    """The value as (folded, across, down, channels), wherever its elements lie."""
    return replace(value, index=volume_index(value.index))


def volume_index(index: Index) -> Index:
    """An index seen as that of a volume."""
    axes = AXES[index.ndim]
    missing = tuple(place for place, axis in enumerate(axes) if axis is None)
    present = index.transpose([axis for axis in axes if axis is not None])
    return np.expand_dims(present, missing)


def from_volume(volume: Value, rank: int) -> Value:
    """A volume seen with the logical axes of a layer of that rank."""
    axes = AXES[rank]
    missing = tuple(place for place, axis in enumerate(axes) if axis is None)
    present = [axis for axis in axes if axis is not None]
    index = np.squeeze(volume.index, missing).transpose(np.argsort(present))
    return replace(volume, index=index)


@dataclass(frozen=True, eq=False)
class Convolved:
    """A tensor that is a convolution of a volume.

    Attributes:
        source: The volume (folded, across, down, channels).
        conv: What was applied to it.
        target: What it was applied for.
        index: Of the volume that came out.
    """

    source: Value
    conv: Convolution
    target: Target
    index: Index

    def scaled(self, scale: Floats, shift: Floats, name: str) -> Value | None:
        """With other weights, where all elements of a channel are treated alike."""
        factors, terms = scale[self.index], shift[self.index]
        factor, term = factors[0, 0, 0], terms[0, 0, 0]
        if (factors != factor).any() or (terms != term).any():
            return None
        return convolve(self.source, self.conv.scaled(factor, term), name, self.target)


def convolve(volume: Value, conv: Convolution, name: str, target: Target) -> Value:
    """Applies a convolution to a volume as one Conv2D."""
    size = conv.output(_size(volume))
    inputs, outputs, whole = _grouping(volume, conv, target)
    image = volume
    if _group(image) not in (None, inputs):
        image = arranged(image, MEMORY)
    tensor = _convolved(_bundled(image, inputs), whole, name)
    shape = (*size[:2], size[2] // outputs, outputs, conv.filters)
    index = positions(shape, _GROUPED).reshape(*size, conv.filters)
    return Value(tensor, index, Convolved(volume, conv, target, index))


def _convolved(volume: Value, conv: Convolution, name: str) -> KerasTensor:
    """One Conv2D for a convolution, written in the way that costs least."""
    if not conv.pointwise and stacking_pays(conv, _size(volume), _contiguous(volume)):
        return _on_stack(volume, conv, name)
    pixels, whole = _image(volume, conv, name)
    if whole.pointwise:
        kernel, slide = whole.kernel[0].transpose(1, 0, 2, 3), Axis()
    else:
        kernel, slide = folded_kernel(whole, volume.shape[0]), whole.axes[1]
    bias = np.tile(whole.bias, kernel.shape[-1] // whole.filters)
    return _conv2d(pixels, kernel, bias, (whole.axes[2], slide), name)


def _on_stack(volume: Value, conv: Convolution, name: str) -> KerasTensor:
    """Slides across and along the folded axis; positions down are images of a batch."""
    folded, across, down, channels = volume.shape
    pixels = arranged(volume, MEMORY).viewed(down, across * folded, channels)
    beside = _beside(pixels, [(1, 2)], conv, name)
    images = view(beside, (-1, across, folded, beside.shape[-1]))
    whole = stacked(conv)
    kernel = whole.kernel[:, :, 0].transpose(1, 0, 2, 3)
    slides = (whole.axes[1], whole.axes[0])
    result = _conv2d(images, kernel, whole.bias, slides, name)
    length = conv.axes[2].length(down, conv.taps[2])
    return view(result, (volume.batch, length, -1, whole.filters))


def _contiguous(volume: Value) -> int:
    """Elements of a pixel that lie together in memory."""
    naturally = volume.lies(positions(volume.shape, _NATURAL))
    return volume.shape[3] * (volume.shape[2] if naturally else 1)


def _size(volume: Value) -> tuple[int, int, int]:
    folded, across, down, _ = volume.shape
    return folded, across, down


def _split(volume: Value, group: int) -> Value:
    """The volume with its axis down seen as (groups, group)."""
    folded, across, down, channels = volume.shape
    index = volume.index.reshape(folded, across, down // group, group, channels)
    return Value(volume.tensor, index)


def _bundled(volume: Value, group: int) -> Value:
    """The volume with neighbors down counted among the channels: bookkeeping only."""
    folded, across, down, channels = volume.shape
    index = volume.index.reshape(folded, across, down // group, group * channels)
    return Value(volume.tensor, index)


def _group(volume: Value) -> int | None:
    """How many neighbors down lie together in the channels; None in any other order."""
    down = volume.shape[2]
    # All of them together is the order of a scene, in which nothing was grouped on purpose.
    for group in range(1, max(2, down)):
        if down % group == 0:
            split = _split(volume, group)
            if split.lies(positions(split.shape, _GROUPED)):
                return group
    return None


def _image(volume: Value, conv: Convolution, name: str) -> tuple[KerasTensor, Convolution]:
    """What the 2-D operator slides over: (batch, down, across, channels), and with which kernel.

    Rows and columns are mere positions for a kernel of one pixel. A larger one either has its
    pixels laid side by side first, or slides across with the columns in the channels.
    """
    folded, across, down, channels = volume.shape
    if conv.pointwise:
        return arranged(volume, MEMORY).viewed(down, across * folded, channels), conv
    if not unfolding_pays(conv, _size(volume), _contiguous(volume)):
        return arranged(volume, MEMORY).viewed(down, across, folded * channels), conv
    whole = unfolded(conv)
    wide = whole.kernel.shape[3]
    if not volume.lies(positions(volume.shape, _NATURAL)):
        pixels = view(
            arranged(volume, MEMORY).tensor, (volume.batch * down, across, folded, channels)
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
            if whole is not None and _fits(whole, conv, inputs):
                best = (inputs, outputs, whole)
                break
        if best[1] >= wanted:
            break
    return best


def _fits(whole: Convolution, conv: Convolution, inputs: int) -> bool:
    """Whether a grouped convolution is worth its zeros, and one that Keras has."""
    # Keras has no strides along one axis with dilation along another.
    keras_has_it = whole.axes[2].stride == 1 or conv.axes[1].dilation == 1
    return keras_has_it and whole.taps[2] * inputs <= GROWTH * conv.taps[2]


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
    name: str,
) -> KerasTensor:
    """A Keras Conv2D with these weights."""
    image, options = sliding(image, kernel.shape[:2], slides, name)
    layer = layers.Conv2D(kernel.shape[3], kernel.shape[:2], name=name, **options)
    result = layer(image)
    layer.set_weights([kernel, bias])
    return result


def sliding(
    image: KerasTensor, taps: tuple[int, ...], slides: tuple[Axis, Axis], name: str
) -> tuple[KerasTensor, dict[str, object]]:
    """How Keras says that a kernel slides, with zeros around the image where it cannot say it.

    Args:
        image: (batch, down, across, channels).
        taps: Of the kernel, down and across.
        slides: Down and across.
        name: Of the layer.

    Returns:
        What it slides over, and the arguments of the layer.
    """
    zeros = tuple((slide.before, slide.after) for slide in slides)
    as_same = all(
        slide == same(size, tap, slide.stride, slide.dilation)
        for slide, size, tap in zip(slides, image.shape[1:3], taps, strict=True)
    )
    if any(map(any, zeros)) and not as_same:
        image = layers.ZeroPadding2D(zeros, name=f"{name}_zeros")(image)
    return image, {
        "strides": tuple(slide.stride for slide in slides),
        "dilation_rate": tuple(slide.dilation for slide in slides),
        "padding": "same" if as_same else "valid",
    }
