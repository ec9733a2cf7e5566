"""How each layer type is lowered: one row a type in `RULES`.

A rule takes the layer and the values that enter it and returns the value that leaves it. To add
a layer type, write such a function and give it a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import KerasTensor, layers
from numpy.typing import NDArray

from hsitf.errors import LoweringError
from hsitf.lower.convolution import Axis, Convolution, folded_kernel, merged, same
from hsitf.lower.value import Value, arranged, positions

Rule = Callable[[Any, list[Value]], Value]

# A layer's logical axes as (folded, across, down, channels), None where it has none. The first
# axis of an image or a spectrum slides down; the bands of a volume do, its rows are folded.
_VOLUME_AXES: dict[int, tuple[int | None, int | None, int, int]] = {
    2: (None, None, 0, 1),
    3: (None, 1, 0, 2),
    4: (0, 1, 2, 3),
}
# Those axes of the volume in memory: down, across, folded, channels.
_MEMORY = (2, 1, 0, 3)


def _as_volume(value: Value) -> Value:
    """The value as (folded, across, down, channels), in the memory order of a volume."""
    axes = _VOLUME_AXES[len(value.shape)]
    present = [axis for axis in axes if axis is not None]
    index = value.index.transpose(present)
    missing = tuple(place for place, axis in enumerate(axes) if axis is None)
    return arranged(Value(value.tensor, np.expand_dims(index, missing)), _MEMORY)


def _from_volume(value: Value, rank: int) -> NDArray[np.int64]:
    """The index of a volume seen with the logical axes of a layer of that rank."""
    axes = _VOLUME_AXES[rank]
    missing = tuple(place for place, axis in enumerate(axes) if axis is None)
    present = [axis for axis in axes if axis is not None]
    return np.asarray(np.squeeze(value.index, missing).transpose(np.argsort(present)))


def convolution(layer: Any, inputs: list[Value]) -> Value:
    """Conv1D, Conv2D and Conv3D: one 2-D convolution."""
    (value,) = inputs
    if layer.groups != 1:
        raise LoweringError(f"layer {layer.name!r} is a grouped convolution", allowed="one group")
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
    result = convolve(volume, conv, layer.activation, layer.name)
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


def convolve(volume: Value, conv: Convolution, activation: Any, name: str) -> Value:
    """Applies a convolution to a value in the memory order of a volume, as one Conv2D."""
    folded, across, down, channels = volume.shape
    size = conv.output((folded, across, down))
    if conv.pointwise:
        # One pixel at a time: rows and columns are just positions.
        image = volume.viewed(down, across * folded, channels)
        kernel = conv.kernel[0].transpose(1, 0, 2, 3)
        slides = (conv.axes[2], Axis())
    else:
        image = volume.viewed(down, across, folded * channels)
        kernel = folded_kernel(conv, folded)
        slides = (conv.axes[2], conv.axes[1])
    bias = np.tile(conv.bias, kernel.shape[-1] // conv.filters)
    tensor = _conv2d(image, kernel, bias, slides, activation, name)
    return Value(tensor, positions((*size, conv.filters), _MEMORY))


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


def addition(layer: Any, inputs: list[Value]) -> Value:
    """Add: parallel linear convolutions of one volume become one; anything else is summed."""
    parallel = [value.linear for value in inputs if value.linear is not None]
    sources = {id(source.tensor) for source, _ in parallel}
    if len(parallel) == len(inputs) and len(sources) == 1:
        source = parallel[0][0]
        whole = merged([conv for _, conv in parallel])
        if whole is not None:
            result = convolve(source, whole, None, layer.name)
            return Value(result.tensor, _from_volume(result, len(inputs[0].shape)), (source, whole))
    order = tuple(range(len(inputs[0].shape)))
    if any(not np.array_equal(value.index, inputs[0].index) for value in inputs):
        inputs = [arranged(value, order) for value in inputs]
    shape = inputs[0].tensor.shape[1:]
    tensors = [value.viewed(*shape) for value in inputs]
    return Value(layers.Add(name=layer.name)(tensors), inputs[0].index)


def pooling(layer: Any, inputs: list[Value]) -> Value:
    """Max and average pooling in one to three dimensions: down and across, then folded.

    Both kinds are separable, zero padding included: it is neither a maximum nor counted.
    """
    (value,) = inputs
    volume = _as_volume(value)
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


def dense(layer: Any, inputs: list[Value]) -> Value:
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


def elementwise(layer: Any, inputs: list[Value]) -> Value:
    """Activations of each element by itself: the same layer on the memory as it lies."""
    (value,) = inputs
    copy = type(layer).from_config(layer.get_config())
    return Value(copy(value.tensor), value.index)


def nothing(layer: Any, inputs: list[Value]) -> Value:
    """Layers that do nothing in inference."""
    return inputs[0]


def reshape(layer: Any, inputs: list[Value]) -> Value:
    """Reshape and Flatten: bookkeeping only."""
    (value,) = inputs
    return Value(
        value.tensor, value.index.reshape(layer.compute_output_shape((1, *value.shape))[1:])
    )


def permute(layer: Any, inputs: list[Value]) -> Value:
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
