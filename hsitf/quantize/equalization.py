"""Cross-layer equalization: brings the channels of a tensor to comparable ranges, exactly.

An integer file has one scale for all channels of an activation, so the widest channel decides the
resolution of the others. A channel is divided by a factor in the layer that produces it and
multiplied by it in the layers that consume it; rectifiers and pooling in between commute with the
factor. All factors are powers of two, so that the float network computes the same numbers to the
bit.

Products of two activations take part, as attention has them. What is weighted by numbers that stay
as they are, such as values by the weights of a softmax, keeps its channels: those of the value
projection are equalized with the output projection that reads the sums. Channels of both tensors
that are summed over, queries and keys, get factors inverse to each other, so that both have the
same range. Layer normalization divides by a deviation over all channels, so no factor passes it.
Its own scale and shift, a depthwise convolution in a lowered network, make the channels that the
projections and dense layers behind it read, and are equalized with them.

Source: M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, Data-free quantization through weight
equalization and bias correction, IEEE/CVF Int. Conf. Computer Vision, 2019, section 4.1, with the
ranges of activations in place of the first layer's weights: weights are quantized per channel
here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops

from hsitf.arrays import Float32Array, IndexArray
from hsitf.graph import Call, copy_weights, functional, operations, walk
from hsitf.operators import Capability, KernelAxes, find, row_of
from hsitf.quantize.equalized_products import ScaledProduct, paired, product_numbers, settle_pairs
from hsitf.quantize.roles import only_moves_data

# Largest factor as a power of two: a channel that is nearly dead on the calibration patches may be
# active on others.
_MAX_OCTAVES = 6
# Patches that ranges are measured on, a batch at a time.
_PATCHES = 128


@dataclass(eq=False)
class _ChannelUse:
    """Producers and consumers of all channels of a network, numbered from 2.

    Number 0 is a zero of padding, which any factor leaves unchanged; number 1 is a value that must
    not be scaled.

    Attributes:
        producers: By layer, the numbers of its output channels, (channels,).
        consumers: Layers with their input tensor and the channel number at each position of it,
            batch included: lowered networks may fold other axes into the batch.
        products: Pairs of tensors that a product sums over, with the channel number at each
            position of both: what divides a channel of the first multiplies that of the second.
        fixed: Channel numbers that must not be scaled.
        count: Largest number in use.
    """

    producers: dict[Any, IndexArray] = field(default_factory=dict)
    consumers: list[tuple[Any, Any, IndexArray]] = field(default_factory=list)
    products: list[ScaledProduct] = field(default_factory=list)
    fixed: set[int] = field(default_factory=lambda: {0, 1})
    count: int = 1

    def fix(self, numbers: IndexArray) -> None:
        self.fixed.update(np.unique(numbers).tolist())


def equalize(model: keras.Model, patches: Float32Array) -> tuple[keras.Model, int]:
    """Equalizes the ranges of channels that share a scale in an integer file.

    Args:
        model: A lowered network with one input; it is not changed.
        patches: Calibration inputs, (n, ...) float32, n a multiple of the batch.

    Returns:
        A network with the same logits (to the bit, where no number leaves the range of float32),
        and the number of scaled channels.
    """
    network = _ChannelUse()
    entering = [np.ones(_sizes(tensor.shape), np.int64) for tensor in model.inputs]
    for leaving in walk(model, entering, lambda call, values: _trace(network, call, values)):
        network.fix(leaving)
    factors = _factors(network, model, patches)
    copy = keras.models.clone_model(functional(model))
    copy_weights(model, copy)
    twins = dict(zip(map(id, operations(model)), operations(copy), strict=True))
    for layer, numbers in network.producers.items():
        _divide(twins[id(layer)], factors[numbers])
    for layer, _, numbers in network.consumers:
        _multiply(twins[id(layer)], factors[_by_channel(numbers)])
    return copy, int((factors != 1).sum())


def _sizes(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """A shape with an undefined batch set to 1."""
    return tuple(int(size or 1) for size in shape)


def _trace(network: _ChannelUse, call: Call, values: list[IndexArray]) -> list[IndexArray]:
    """Channel numbers at each position of an operation's outputs."""
    operation = call.operation
    row = find(operation)
    if row is not None and len(row.kernels) == 1:
        return [_kernel(network, call, values[0])]
    if row is not None and row.homogeneous(operation):
        return [values[0]]
    if row is not None and row.pooling is not None and _is_uniform(values[0]):
        last = values[0].reshape(-1, values[0].shape[-1]).max(0)
        return [np.broadcast_to(last, _sizes(call.shapes[0]))]
    if type(operation).__name__ == "Matmul" and len(values) == 2:
        return [product_numbers(call, values, network.products, network.fix)]
    if row is not None and row.rearranges and _is_exact(operation):
        return _rearranged(call, values)
    # Any other operation needs its inputs unscaled.
    for value in values:
        network.fix(value)
    return [np.ones(_sizes(tensor.shape), np.int64) for tensor in call.node.outputs]


_STRAIGHT = (keras.activations.linear, keras.activations.relu)


def _kernel_axes(layer: Any) -> KernelAxes:
    (axes,) = row_of(layer, Capability.QUANTIZE).kernels
    return axes


def _is_exact(operation: Any) -> bool:
    """Whether rearranging keeps the quantized values in an integer file, too."""
    return isinstance(operation, keras.Layer) or only_moves_data(operation)


def _rearranged(call: Call, values: list[IndexArray]) -> list[IndexArray]:
    """Applies an operation that only rearranges values to their channel numbers."""
    # Exact: float32 counts to 2^24, and no network here has so many channels.
    given = [ops.convert_to_tensor(value.astype(np.float32)) for value in values]
    leaving = call.call_with(call.operation, given)
    found = leaving if isinstance(leaving, list | tuple) else [leaving]
    return [np.asarray(ops.convert_to_numpy(one), np.int64) for one in found]


def _is_uniform(numbers: IndexArray) -> bool:
    """Whether each position along the last axis belongs to one channel, zero padding aside."""
    columns = numbers.reshape(-1, numbers.shape[-1])
    return bool(((columns == columns.max(0)) | (columns == 0)).all())


def _by_channel(numbers: IndexArray) -> IndexArray:
    return np.asarray(numbers.reshape(-1, numbers.shape[-1]).max(0), np.int64)


def _kernel(network: _ChannelUse, call: Call, entering: IndexArray) -> IndexArray:
    """Registers a layer with weights as consumer and producer of channels."""
    layer = call.operation
    again = layer in network.producers or any(layer is other for other, _, _ in network.consumers)
    if again or not _is_uniform(entering):
        network.fix(entering)
    else:
        network.consumers.append((layer, call.node.arguments.keras_tensors[0], entering))
    shape = _sizes(call.shapes[0])
    made = np.arange(network.count + 1, network.count + shape[-1] + 1)
    network.count += shape[-1]
    if again:
        network.fix(network.producers.get(layer, made[:0]))
        for other, _, numbers in network.consumers:
            if other is layer:
                network.fix(numbers)
    network.producers[layer] = made
    if again or layer.activation not in _STRAIGHT:
        network.fix(made)
    return np.broadcast_to(made, shape)


def _factors(network: _ChannelUse, model: keras.Model, patches: Float32Array) -> Float32Array:
    """Divisors by channel number: powers of two."""
    widths, weights = np.zeros(network.count + 1), np.zeros(network.count + 1)
    partners = paired(network.products, [numbers for _, _, numbers in network.consumers])
    sides = [side for product in network.products for side in product]
    tensors = [tensor for _, tensor, _ in network.consumers] + [tensor for tensor, _ in sides]
    if not tensors:
        return np.ones(network.count + 1, np.float32)
    inner = keras.Model(model.inputs, tensors)
    size = int(model.inputs[0].shape[0] or 1)
    for start in range(0, min(len(patches), _PATCHES) - size + 1, size):
        seen = inner.predict_on_batch(patches[start : start + size])
        found = iter(_listed(seen))
        for (_, _, numbers), values in zip(network.consumers, found, strict=False):
            largest = np.abs(values).reshape(-1, values.shape[-1]).max(0)
            np.maximum.at(widths, _by_channel(numbers), largest)
        for (_, numbers), values in zip(sides, found, strict=True):
            np.maximum.at(widths, numbers, np.abs(values))
    for layer, _, numbers in network.consumers:
        np.maximum.at(weights, _by_channel(numbers), _largest_input_weights(layer))
    for first, second in partners.items():
        weights[first] = widths[second]
        weights[second] = widths[first]
    dead = (widths == 0) | (weights == 0) | ~np.isfinite(widths) | ~np.isfinite(weights)
    octaves = 0.5 * np.log2(np.where(dead, 1, widths) / np.where(dead, 1, weights))
    for numbers in network.producers.values():
        own = numbers[~dead[numbers]]
        # The median channel keeps its range: a factor common to all changes nothing.
        octaves[numbers] -= np.median(octaves[own]) if len(own) else 0
    powers = np.exp2(np.rint(np.clip(octaves, -_MAX_OCTAVES, _MAX_OCTAVES)))
    powers[dead] = 1
    powers[list(network.fixed)] = 1
    settle_pairs(powers, network.products, partners)
    return np.asarray(powers, np.float32)


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _largest_input_weights(layer: Any) -> Float32Array:
    """Largest absolute weight of each input channel of a layer, (channels,)."""
    axes = _kernel_axes(layer)
    kernel = np.abs(axes.of(layer))
    others = tuple(set(range(kernel.ndim)) - {axes.reads % kernel.ndim})
    return np.asarray(np.tile(kernel.max(others), getattr(layer, "groups", 1)))


def _divide(layer: Any, factors: Float32Array) -> None:
    """Divides the output channels of a layer."""
    axes = _kernel_axes(layer)
    kernel, *bias = layer.get_weights()
    kernel = kernel / _along(axes.makes, factors, kernel.shape)
    layer.set_weights([kernel, *(one / factors for one in bias)])


def _multiply(layer: Any, factors: Float32Array) -> None:
    """Multiplies the input channels of a layer."""
    kernel, *bias = layer.get_weights()
    groups = getattr(layer, "groups", 1)
    if groups > 1:
        # A group of output channels reads a group of input channels of its own.
        *taps, channels, filters = kernel.shape
        parts = kernel.reshape(*taps, channels, groups, filters // groups)
        scaled = parts * factors.reshape(groups, channels).T[:, :, None]
        kernel = scaled.reshape(kernel.shape)
    else:
        axes = _kernel_axes(layer)
        kernel = kernel * _along((axes.reads,), factors, kernel.shape)
    layer.set_weights([kernel, *bias])


def _along(axes: tuple[int, ...], factors: Float32Array, shape: tuple[int, ...]) -> Float32Array:
    """Factors reshaped to broadcast along the given axes of a kernel."""
    sizes = [1] * len(shape)
    for axis in axes:
        sizes[axis] = shape[axis]
    return factors.reshape(sizes)
