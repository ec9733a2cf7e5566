"""Convolutions of an ONNX graph."""

from __future__ import annotations

from typing import Any

from keras import KerasTensor, layers

from hsitf.adopt.onnx.axes import AxisTensor
from hsitf.adopt.onnx.node import OnnxNode
from hsitf.adopt.onnx.windows import every_stride, sliding_window, zero_padded

_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
_CROPS = (layers.Cropping1D, layers.Cropping2D, layers.Cropping3D)


def convolution(node: OnnxNode) -> AxisTensor:
    """Conv, with groups, strides, dilations and any padding."""
    value = node.channels_last()
    weights = node.weights(1)
    window = sliding_window(node, value, weights.shape[2:])
    tensor, padding = value.tensor, "valid"
    thinned = any(axis.stride > 1 for axis in window) and any(axis.dilation > 1 for axis in window)
    if any(axis.before or axis.after for axis in window):
        if all(axis.is_same for axis in window) and not thinned:
            padding = "same"
        else:
            tensor = zero_padded(node, tensor, window)
    bias = [node.weights(2)] if node.has(2) else []
    # Keras has no strides beside dilation.
    strides = [1 if thinned else axis.stride for axis in window]
    options = {
        "kernel_size": [axis.size for axis in window],
        "strides": strides,
        "dilation_rate": [axis.dilation for axis in window],
        "padding": padding,
        "use_bias": bool(bias),
    }
    groups = int(node.attributes.get("group", 1))
    # (filters, depth, *size) -> (*size, depth, filters).
    kernel = weights.transpose(*value.order[1:-1], 1, 0)
    made = _convolved(node, tensor, kernel, bias, options, groups)
    if thinned:
        made = every_stride(node, made, [0] * len(window), window)
    return value.changed(made)


def _convolved(
    node: OnnxNode, tensor: KerasTensor, kernel: Any, bias: list[Any], options: Any, groups: int
) -> KerasTensor:
    *size, depth, filters = kernel.shape
    channels, axes = int(tensor.shape[-1]), len(size)
    if depth * groups != channels or filters % groups:
        raise node.error(
            "has a kernel that does not fit its input",
            received=f"{kernel.shape} in {groups} groups, {channels} channels",
        )
    if groups == channels > 1 and axes < 3:
        multiplier = filters // channels
        kernel = kernel.reshape(*size, channels, multiplier)
        return node.layer(
            _DEPTHWISE[axes - 1], tensor, [kernel, *bias], depth_multiplier=multiplier, **options
        )
    return node.layer(
        _CONVOLUTIONS[axes - 1], tensor, [kernel, *bias], filters=filters, groups=groups, **options
    )


def transposed_convolution(node: OnnxNode) -> AxisTensor:
    """ConvTranspose without groups and dilation: all positions, of which the border is cut."""
    value = node.channels_last()
    weights = node.weights(1)
    count = value.rank - 2
    attributes = node.attributes
    plain = (
        attributes.get("group", 1) == 1
        and set(attributes.get("dilations", [1])) == {1}
        and attributes.get("auto_pad", "NOTSET") in ("NOTSET", "VALID")
        and "output_shape" not in attributes
    )
    if not plain or count not in (1, 2, 3):
        raise node.error(
            "has options that cannot be adopted",
            received=dict(attributes),
            allowed="kernel_shape, strides, pads and output_padding",
        )
    strides = attributes.get("strides", [1] * count)
    pads = attributes.get("pads", [0] * 2 * count)
    more = attributes.get("output_padding", [0] * count)
    bias = [node.weights(2)] if node.has(2) else []
    axes = [axis - 2 for axis in value.order[1:-1]]
    made = node.layer(
        _TRANSPOSED[count - 1],
        value.tensor,
        # (channels, filters, *size) -> (*size, filters, channels).
        [weights.transpose(*value.order[1:-1], 1, 0), *bias],
        filters=weights.shape[1],
        kernel_size=[weights.shape[axis + 2] for axis in axes],
        strides=[strides[axis] for axis in axes],
        use_bias=bool(bias),
    )
    cuts = []
    for axis, length in zip(axes, made.shape[1:-1], strict=True):
        whole = (value.sizes[axis + 1] - 1) * strides[axis] + weights.shape[axis + 2]
        left = whole - pads[axis] - pads[count + axis] + more[axis]
        cuts.append((pads[axis], int(length) - pads[axis] - left))
    if min(min(pair) for pair in cuts) < 0:
        raise node.error("makes positions that lie outside of it", received=dict(attributes))
    if any(any(pair) for pair in cuts):
        cropping = cuts[0] if count == 1 else cuts
        made = node.layer(_CROPS[count - 1], made, part="crop", cropping=cropping)
    return value.changed(made)
