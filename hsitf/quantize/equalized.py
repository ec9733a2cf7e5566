"""Cross-layer equalization: channels of one tensor brought to comparable ranges, exactly.

An integer file has one scale for all channels of an activation, so the widest channel decides how
finely the others are told apart. What a channel is divided by in the layer that makes it, the
layers that read it multiply it by again; rectifiers and pooling in between keep factors. All
factors are powers of two, so that the network of floats computes the same numbers to the bit.

Source: M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, Data-free quantization through weight
equalization and bias correction, IEEE/CVF Int. Conf. Computer Vision, 2019, section 4.1, with the
ranges of activations in place of the first layer's weights: weights have a grid a channel here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from hsitf.graph import Call, functional, operations, walk
from hsitf.quantize.schemes import Floats
from hsitf.quantize.stages import moves

# A channel is widened or narrowed by so many octaves at most: one that is hardly alive may wake.
_MOST = 6
# Patches that show ranges; as many activations are held in memory at a time as one of them makes.
_PATCHES = 128

Numbers = NDArray[np.int64]


@dataclass(eq=False)
class _Network:
    """Channels of all layers that make some, numbered from 2, and who reads them.

    0 is a zero of padding, which any factor leaves, 1 a number that has to stay as it is.

    Attributes:
        makers: By layer, the numbers of its channels, (channels,).
        readers: Layers with the tensor that each reads and the number of the channel at each
            position of it, batch included: what is lowered may fold other axes into the batch.
        fixed: Numbers of channels that are read by what keeps no factor.
        count: Numbers so far.
    """

    makers: dict[Any, Numbers] = field(default_factory=dict)
    readers: list[tuple[Any, Any, Numbers]] = field(default_factory=list)
    fixed: set[int] = field(default_factory=lambda: {0, 1})
    count: int = 1

    def fix(self, numbers: Numbers) -> None:
        self.fixed.update(np.unique(numbers).tolist())


def equalize(model: keras.Model, patches: Floats) -> tuple[keras.Model, int]:
    """Brings channels that share a scale to comparable ranges.

    Args:
        model: A lowered network of one input; left as it is.
        patches: What it takes, (n, ...) float32, n a multiple of its batch.

    Returns:
        A network that computes the same logits, to the bit where no number leaves float32's
        range; and how many of its channels were scaled.
    """
    network = _Network()
    entering = [np.ones(_sizes(tensor.shape), np.int64) for tensor in model.inputs]
    for leaving in walk(model, entering, lambda call, values: _through(network, call, values)):
        network.fix(leaving)
    factors = _factors(network, model, patches)
    copy = keras.models.clone_model(functional(model))
    copy.set_weights(model.get_weights())
    twins = dict(zip(map(id, operations(model)), operations(copy), strict=True))
    for layer, numbers in network.makers.items():
        _divide(twins[id(layer)], factors[numbers])
    for layer, _, numbers in network.readers:
        _multiply(twins[id(layer)], factors[_by_channel(numbers)])
    return copy, int((factors != 1).sum())


def _sizes(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """A shape with an open batch as one of 1."""
    return tuple(int(size or 1) for size in shape)


def _through(network: _Network, call: Call, values: list[Numbers]) -> list[Numbers]:
    """The channel at each position of what leaves an operation."""
    operation = call.operation
    if isinstance(operation, _KERNELS):
        return [_kernel(network, call, values[0])]
    if _homogeneous(operation):
        return [values[0]]
    if isinstance(operation, _POOLING) and _is_uniform(values[0]):
        last = values[0].reshape(-1, values[0].shape[-1]).max(0)
        return [np.broadcast_to(last, _sizes(call.shapes[0]))]
    if _rearranges(operation):
        return _rearranged(call, values)
    for value in values:
        network.fix(value)
    return [np.ones(_sizes(tensor.shape), np.int64) for tensor in call.node.outputs]


_KERNELS = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
_POOLING = (
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
    layers.GlobalMaxPooling2D,
)
_STRAIGHT = (keras.activations.linear, keras.activations.relu)


def _homogeneous(operation: Any) -> bool:
    """Whether f(a x) = a f(x) for every a > 0, element by element."""
    if isinstance(operation, layers.ReLU):
        return operation.max_value is None and not operation.threshold
    if isinstance(operation, layers.Activation):
        return operation.activation in _STRAIGHT
    return isinstance(operation, layers.LeakyReLU | layers.Dropout) or (
        type(operation).__name__ in ("Relu", "LeakyRelu")
    )


def _rearranges(operation: Any) -> bool:
    """Whether an operation puts numbers and zeros in other places and does nothing else."""
    chooses = "Pooling" in type(operation).__name__ or isinstance(operation, layers.GaussianNoise)
    return (moves(operation) and not chooses) or isinstance(operation, layers.Concatenate)


def _rearranged(call: Call, values: list[Numbers]) -> list[Numbers]:
    """What an operation does to numbers it does to the numbers of their channels."""
    # Exact: float32 counts to 2^24, and no network here has so many channels.
    given = [ops.convert_to_tensor(value.astype(np.float32)) for value in values]
    leaving = call.repeated(call.operation, given)
    found = leaving if isinstance(leaving, list | tuple) else [leaving]
    return [np.asarray(ops.convert_to_numpy(one), np.int64) for one in found]


def _is_uniform(numbers: Numbers) -> bool:
    """Whether each place along the last axis belongs to one channel; zeros around it aside."""
    columns = numbers.reshape(-1, numbers.shape[-1])
    return bool(((columns == columns.max(0)) | (columns == 0)).all())


def _by_channel(numbers: Numbers) -> Numbers:
    return np.asarray(numbers.reshape(-1, numbers.shape[-1]).max(0), np.int64)


def _kernel(network: _Network, call: Call, entering: Numbers) -> Numbers:
    """A layer that reads channels and makes some."""
    layer = call.operation
    again = layer in network.makers or any(layer is other for other, _, _ in network.readers)
    if again or not _is_uniform(entering):
        network.fix(entering)
    else:
        network.readers.append((layer, call.node.arguments.keras_tensors[0], entering))
    shape = _sizes(call.shapes[0])
    made = np.arange(network.count + 1, network.count + shape[-1] + 1)
    network.count += shape[-1]
    if again:
        network.fix(network.makers.get(layer, made[:0]))
        for other, _, numbers in network.readers:
            if other is layer:
                network.fix(numbers)
    network.makers[layer] = made
    if again or layer.activation not in _STRAIGHT:
        network.fix(made)
    return np.broadcast_to(made, shape)


def _factors(network: _Network, model: keras.Model, patches: Floats) -> Floats:
    """By number of a channel, what it is divided by: a power of two."""
    widths, weights = np.zeros(network.count + 1), np.zeros(network.count + 1)
    tensors = [tensor for _, tensor, _ in network.readers]
    if not tensors:
        return np.ones(network.count + 1, np.float32)
    inner = keras.Model(model.inputs, tensors)
    size = int(model.inputs[0].shape[0] or 1)
    for start in range(0, min(len(patches), _PATCHES) - size + 1, size):
        seen = inner.predict_on_batch(patches[start : start + size])
        for (_, _, numbers), values in zip(network.readers, _listed(seen), strict=True):
            largest = np.abs(values).reshape(-1, values.shape[-1]).max(0)
            np.maximum.at(widths, _by_channel(numbers), largest)
    for layer, _, numbers in network.readers:
        np.maximum.at(weights, _by_channel(numbers), _reading(layer))
    dead = (widths == 0) | (weights == 0) | ~np.isfinite(widths) | ~np.isfinite(weights)
    octaves = 0.5 * np.log2(np.where(dead, 1, widths) / np.where(dead, 1, weights))
    for numbers in network.makers.values():
        own = numbers[~dead[numbers]]
        # The typical channel stays: what all have in common no scale minds.
        octaves[numbers] -= np.median(octaves[own]) if len(own) else 0
    powers = np.exp2(np.rint(np.clip(octaves, -_MOST, _MOST)))
    powers[dead] = 1
    powers[list(network.fixed)] = 1
    return np.asarray(powers, np.float32)


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _reading(layer: Any) -> Floats:
    """Largest weight by which a layer multiplies each channel that it reads, (channels,)."""
    kernel = np.abs(ops.convert_to_numpy(layer.kernel))
    if isinstance(layer, layers.DepthwiseConv2D):
        return np.asarray(kernel.max((0, 1, 3)))
    channels = kernel.shape[-2]
    found = kernel.reshape(-1, channels, kernel.shape[-1]).max((0, 2))
    return np.asarray(np.tile(found, getattr(layer, "groups", 1)))


def _divide(layer: Any, factors: Floats) -> None:
    """Divides the channels that a layer makes."""
    kernel, *bias = layer.get_weights()
    if isinstance(layer, layers.DepthwiseConv2D):
        kernel = kernel / factors.reshape(kernel.shape[2:])
    else:
        kernel = kernel / factors
    layer.set_weights([kernel, *(one / factors for one in bias)])


def _multiply(layer: Any, factors: Floats) -> None:
    """Multiplies the channels that a layer reads."""
    kernel, *bias = layer.get_weights()
    groups = getattr(layer, "groups", 1)
    if groups > 1:
        # A group of output channels reads a group of input channels of its own.
        *taps, channels, filters = kernel.shape
        parts = kernel.reshape(*taps, channels, groups, filters // groups)
        scaled = parts * factors.reshape(groups, channels).T[:, :, None]
        kernel = scaled.reshape(kernel.shape)
    else:
        # A depthwise kernel has its channels on the same axis.
        kernel = kernel * factors[:, None]
    layer.set_weights([kernel, *bias])
