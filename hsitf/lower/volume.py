"""Applies convolutions of volumes as one Conv2D each, in the way that suits a device best."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from keras import KerasTensor, layers, ops
from numpy.typing import NDArray

from hsitf.arithmetic import Arithmetic, Unfolding
from hsitf.arrays import Float32Array
from hsitf.errors import LoweringError
from hsitf.lower.convolution import (
    SlidingAxis,
    VolumeConvolution,
    block_toeplitz_kernel,
    group_bands,
    im2col,
    im2col_is_cheaper,
    same_padding,
    spectral_im2col,
    spectral_im2col_is_cheaper,
    spectral_im2col_is_possible,
)
from hsitf.lower.data_movement import reshape, take_slice
from hsitf.lower.layout_tensor import LayoutTensor, dense_layout, rearrange
from hsitf.lower.strided_layout import Layout

# Grouping multiplies zeros, too; it is not used where the work grows by more than this factor.
MAX_GROUPING_GROWTH = 1.5

# Logical axes of a tensor by rank as (folded, across, down, channels), None where it has none. The
# first axis of an image or a spectrum is down; of a volume, bands are down and columns are folded.
VOLUME_AXES: dict[int, tuple[int | None, int | None, int | None, int]] = {
    1: (None, None, None, 0),
    2: (None, None, 0, 1),
    3: (None, 1, 0, 2),
    4: (1, 0, 2, 3),
}
# Order of these axes in memory: down, across, folded, channels. Groups of neighbors down come
# between folded and channels.
MEMORY_ORDER = (2, 1, 0, 3)
_GROUPED_ORDER = (2, 1, 0, 3, 4)
# The order in a scene: rows, columns, bands.
_SCENE_ORDER = (1, 0, 2, 3)


def as_volume(value: LayoutTensor) -> LayoutTensor:
    """Views a tensor as (folded, across, down, channels), in any memory layout."""
    return replace(value, layout=volume_layout(value.layout))


def volume_layout(index: Layout) -> Layout:
    """Views a layout as that of a volume."""
    axes = VOLUME_AXES[index.ndim]
    missing = tuple(position for position, axis in enumerate(axes) if axis is None)
    present = index.transpose([axis for axis in axes if axis is not None])
    return np.expand_dims(present, missing)


def from_volume(volume: LayoutTensor, rank: int) -> LayoutTensor:
    """Views a volume with the logical axes of a tensor of that rank."""
    axes = VOLUME_AXES[rank]
    missing = tuple(position for position, axis in enumerate(axes) if axis is None)
    present = [axis for axis in axes if axis is not None]
    index = np.squeeze(volume.layout, missing).transpose(np.argsort(present))
    return replace(volume, layout=index)


@dataclass(frozen=True, eq=False)
class ConvolutionProducer:
    """A convolution of a volume as the producer of a tensor.

    Attributes:
        source: Input volume (folded, across, down, channels).
        conv: The convolution.
        arithmetic: Arithmetic it was lowered for.
        layout: Layout of the output volume.
    """

    source: LayoutTensor
    conv: VolumeConvolution
    arithmetic: Arithmetic
    layout: Layout

    def scaled(self, scale: Float32Array, shift: Float32Array, name: str) -> LayoutTensor | None:
        """Folds factors and terms into the weights where they are equal within each channel."""
        factors, terms = scale[self.layout], shift[self.layout]
        factor, term = factors[0, 0, 0], terms[0, 0, 0]
        if (factors != factor).any() or (terms != term).any():
            return None
        return convolve(self.source, self.conv.scaled(factor, term), name, self.arithmetic)


def convolve(
    volume: LayoutTensor, conv: VolumeConvolution, name: str, arithmetic: Arithmetic
) -> LayoutTensor:
    """Applies a convolution to a volume as one Conv2D."""
    size = conv.output_size(_size(volume))
    method = arithmetic.method(name)
    inputs, outputs, whole = _choose_grouping(
        volume, conv, method.channel_alignment, arithmetic.grouped_input
    )
    image = volume
    if _group_size(image) not in (None, inputs):
        image = rearrange(image, MEMORY_ORDER)
    tensor = _convolved(_group_channels(image, inputs), whole, name, method.unfolding)
    shape = (*size[:2], size[2] // outputs, outputs, conv.filters)
    index = dense_layout(shape, _GROUPED_ORDER).reshape(*size, conv.filters)
    return LayoutTensor(tensor, index, ConvolutionProducer(volume, conv, arithmetic, index))


def _convolved(
    volume: LayoutTensor, conv: VolumeConvolution, name: str, unfolding: Unfolding
) -> KerasTensor:
    """One Conv2D for a convolution.

    Raises:
        LoweringError: It cannot be computed in the way asked for.
    """
    if not conv.pointwise and unfolding == "auto":
        unfolding = _cheapest(conv, _size(volume), _contiguous(volume))
    if unfolding == "spectral-im2col" and not conv.pointwise:
        if not spectral_im2col_is_possible(conv):
            raise LoweringError(
                f"the convolution {name!r} cannot be computed by spectral im2col",
                received="strides along one axis with dilation along another",
                remedy="leave its method out",
            )
        return _spectral_im2col_conv(volume, conv, name)
    pixels, whole = _image(volume, conv, name, unfolding)
    if whole.pointwise:
        kernel, slide = whole.kernel[0].transpose(1, 0, 2, 3), SlidingAxis()
    else:
        kernel, slide = block_toeplitz_kernel(whole, volume.shape[0]), whole.axes[1]
    bias = np.tile(whole.bias, kernel.shape[-1] // whole.filters)
    return _conv2d(pixels, kernel, bias, (whole.axes[2], slide), name)


def _spectral_im2col_conv(volume: LayoutTensor, conv: VolumeConvolution, name: str) -> KerasTensor:
    """Spectral im2col: slides across and along the folded axis; positions down are the batch."""
    folded, across, down, channels = volume.shape
    pixels = rearrange(volume, MEMORY_ORDER).reshaped(down, across * folded, channels)
    beside = _im2col_axes(pixels, [(1, 2)], conv, name)
    images = reshape(beside, (-1, across, folded, beside.shape[-1]))
    whole = spectral_im2col(conv)
    kernel = whole.kernel[:, :, 0].transpose(1, 0, 2, 3)
    slides = (whole.axes[1], whole.axes[0])
    result = _conv2d(images, kernel, whole.bias, slides, name)
    length = conv.axes[2].output_length(down, conv.taps[2])
    return reshape(result, (volume.batch, length, -1, whole.filters))


def _contiguous(volume: LayoutTensor) -> int:
    """Number of elements of a pixel that are contiguous in memory."""
    naturally = volume.has_layout(dense_layout(volume.shape, _SCENE_ORDER))
    return volume.shape[3] * (volume.shape[2] if naturally else 1)


def _size(volume: LayoutTensor) -> tuple[int, int, int]:
    folded, across, down, _ = volume.shape
    return folded, across, down


def _split(volume: LayoutTensor, group: int) -> LayoutTensor:
    """The volume with its axis down split into (groups, group)."""
    folded, across, down, channels = volume.shape
    index = volume.layout.reshape(folded, across, down // group, group, channels)
    return LayoutTensor(volume.tensor, index)


def _group_channels(volume: LayoutTensor, group: int) -> LayoutTensor:
    """The volume with groups of neighbors down merged into the channels; no data moves."""
    folded, across, down, channels = volume.shape
    index = volume.layout.reshape(folded, across, down // group, group * channels)
    return LayoutTensor(volume.tensor, index)


def _group_size(volume: LayoutTensor) -> int | None:
    """Number of neighbors down that are grouped in the channels; None in any other order."""
    down = volume.shape[2]
    # A single group is the order of a scene, in which nothing was grouped on purpose.
    for group in range(1, max(2, down)):
        if down % group == 0:
            split = _split(volume, group)
            if split.has_layout(dense_layout(split.shape, _GROUPED_ORDER)):
                return group
    return None


def _cheapest(conv: VolumeConvolution, size: tuple[int, int, int], contiguous: int) -> Unfolding:
    """The way to compute a convolution that is estimated to cost least."""
    if spectral_im2col_is_cheaper(conv, size, contiguous):
        return "spectral-im2col"
    return "im2col" if im2col_is_cheaper(conv, size, contiguous) else "block-toeplitz"


def _image(
    volume: LayoutTensor, conv: VolumeConvolution, name: str, unfolding: Unfolding
) -> tuple[KerasTensor, VolumeConvolution]:
    """Input of the 2-D operator, (batch, down, across, channels), and its convolution.

    For a pointwise kernel rows and columns are one axis. A larger kernel either uses im2col or
    slides across with the columns in the channels.
    """
    folded, across, down, channels = volume.shape
    if conv.pointwise:
        return rearrange(volume, MEMORY_ORDER).reshaped(down, across * folded, channels), conv
    if unfolding != "im2col":
        return rearrange(volume, MEMORY_ORDER).reshaped(down, across, folded * channels), conv
    whole = im2col(conv)
    wide = whole.kernel.shape[3]
    if not volume.has_layout(dense_layout(volume.shape, _SCENE_ORDER)):
        pixels = reshape(
            rearrange(volume, MEMORY_ORDER).tensor, (volume.batch * down, across, folded, channels)
        )
        beside = _im2col_axes(pixels, [(2, 0), (1, 1)], conv, name)
        return reshape(beside, (volume.batch, down, _positions(beside), wide)), whole
    # Before anything is moved, all bands of a pixel are contiguous, so that pieces are long.
    pixels = volume.reshaped(across, folded, down * channels)
    beside = _im2col_axes(pixels, [(2, 0), (1, 1)], conv, name)
    taps = wide // channels
    memory = dense_layout((_positions(beside), taps, down, channels), (0, 1, 2, 3))
    moved = rearrange(LayoutTensor(beside, memory), (2, 0, 1, 3))
    return moved.reshaped(down, _positions(beside), wide), whole


def _positions(image: KerasTensor) -> int:
    return int(image.shape[1]) * int(image.shape[2])


def _choose_grouping(
    volume: LayoutTensor, conv: VolumeConvolution, alignment: int, grouped_input: bool
) -> tuple[int, int, VolumeConvolution]:
    """Neighbors down per group in input and output, and the grouped convolution.

    Output groups are as large as the channel alignment requires, if that divides the size and does
    not multiply too many zeros. The input keeps its groups where they fit; a volume that
    has to be moved anyway is grouped as the stride allows.
    """
    down = volume.shape[2]
    length = conv.output_size((volume.shape[0], volume.shape[1], down))[2]
    wanted = -(-alignment // conv.filters)
    divisors = [n for n in range(1, length + 1) if length % n == 0 and n <= 2 * wanted]
    now = _group_size(volume)
    best: tuple[int, int, VolumeConvolution] = (1, 1, conv)
    for outputs in divisors:
        step = outputs * conv.axes[2].stride
        moved = math.gcd(step, down) if grouped_input else 1
        candidates = (moved if now is None else now, 1)
        for inputs in candidates:
            whole = group_bands(conv, down, inputs, outputs)
            if whole is not None and _fits(whole, conv, inputs):
                best = (inputs, outputs, whole)
                break
        if best[1] >= wanted:
            break
    return best


def _fits(whole: VolumeConvolution, conv: VolumeConvolution, inputs: int) -> bool:
    """Whether a grouped convolution has few enough zeros and is supported by Keras."""
    # Keras has no strides along one axis with dilation along another.
    keras_has_it = whole.axes[2].stride == 1 or conv.axes[1].dilation == 1
    return keras_has_it and whole.taps[2] * inputs <= MAX_GROUPING_GROWTH * conv.taps[2]


def _im2col_axes(
    pixels: KerasTensor, axis_pairs: list[tuple[int, int]], conv: VolumeConvolution, name: str
) -> KerasTensor:
    """Concatenates the elements under a kernel in the channels (im2col).

    One axis after the other, because delegates concatenate few tensors at a time.

    Args:
        pixels: (batch, ..., ..., channels), with the two axes to slide along in the middle.
        axis_pairs: Pairs of a tensor axis and a convolution axis; the taps along the
            first pair vary fastest.
        conv: The convolution.
        name: Name of its layer.
    """
    zeros = [(0, 0), (0, 0)]
    for position, axis in axis_pairs:
        zeros[position - 1] = (conv.axes[axis].pad_before, conv.axes[axis].pad_after)
    if any(map(any, zeros)):
        pixels = layers.ZeroPadding2D(zeros, name=f"{name}_around")(pixels)
    for position, axis in axis_pairs:
        slide, taps = conv.axes[axis]._replace(pad_before=0, pad_after=0), conv.taps[axis]
        size = int(pixels.shape[position])
        outputs = slide.output_length(size, taps)
        windows = _tap_slices(slide, taps, outputs)
        if taps > 1 or outputs < size:
            parts = [take_slice(pixels, position, where) for where in windows]
            pixels = parts[0] if taps == 1 else ops.concatenate(parts, axis=-1)
    return pixels


def _tap_slices(axis: SlidingAxis, taps: int, outputs: int) -> list[slice]:
    """For each tap, the slice of elements that it multiplies, one per output."""
    starts = [tap * axis.dilation for tap in range(taps)]
    return [slice(s, s + (outputs - 1) * axis.stride + 1, axis.stride) for s in starts]


def _conv2d(
    image: KerasTensor,
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32],
    slides: tuple[SlidingAxis, SlidingAxis],
    name: str,
) -> KerasTensor:
    """A Keras Conv2D with these weights."""
    image, options = padding_arguments(image, kernel.shape[:2], slides, name)
    layer = layers.Conv2D(kernel.shape[3], kernel.shape[:2], name=name, **options)
    result = layer(image)
    layer.set_weights([kernel, bias])
    return result


def padding_arguments(
    image: KerasTensor, taps: tuple[int, ...], slides: tuple[SlidingAxis, SlidingAxis], name: str
) -> tuple[KerasTensor, dict[str, object]]:
    """Arguments of a Keras layer for sliding axes, padding the image where Keras has no argument.

    Args:
        image: (batch, down, across, channels).
        taps: Size of the kernel, down and across.
        slides: Axes down and across.
        name: Name of the layer.

    Returns:
        The image, padded if necessary, and the arguments of the layer.
    """
    zeros = tuple((slide.pad_before, slide.pad_after) for slide in slides)
    as_same = all(
        slide == same_padding(size, tap, slide.stride, slide.dilation)
        for slide, size, tap in zip(slides, image.shape[1:3], taps, strict=True)
    )
    if any(map(any, zeros)) and not as_same:
        image = layers.ZeroPadding2D(zeros, name=f"{name}_zeros")(image)
    return image, {
        "strides": tuple(slide.stride for slide in slides),
        "dilation_rate": tuple(slide.dilation for slide in slides),
        "padding": "same" if as_same else "valid",
    }
