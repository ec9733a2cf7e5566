"""Biases of channels whose weights are nearly zero, kept within the integers that hold them.

An integer layer stores the bias of a channel in steps of the input's scale times the scale of the
channel's weights. Where pruning or a tiny batch normalization has left no weights, that step is so
small that the bias exceeds 32 bits and is clipped, and the channel loses its value. One weight of
such a channel is raised until the bias fits: it adds less than 1e-4 of the bias to the output.
(Reported of other converters as Samsung/ONE#6970 and apple/coremltools#2853.)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hsitf import flatbuffer
from hsitf.arrays import Float32Array

# Of the integers of 32 bits, half is left for sums of products.
_MAX_BIAS = 2**30
_WEIGHT_LEVELS, _INPUT_LEVELS = 127, 255
# Axis of the weights that counts output channels, and place of the bias among the inputs.
_CHANNELS = {
    "CONV_2D": (0, 2),
    "CONV_3D": (4, 2),
    "DEPTHWISE_CONV_2D": (3, 2),
    "FULLY_CONNECTED": (0, 2),
    "TRANSPOSE_CONV": (0, 3),
}


def with_representable_biases(
    source: Path, widths: Mapping[str, float], wide: set[str]
) -> bytes | None:
    """A float .tflite file whose biases fit 32 bits after quantization.

    Args:
        source: The float file.
        widths: Width of the range of every tensor that is quantized, by its name.
        wide: Names of tensors with 16 bits, whose biases have 64.

    Returns:
        The content of the file; None where all biases fit.
    """
    model = flatbuffer.read(source)
    graph = model.subgraphs[0]
    changed = False
    for operator in graph.operators:
        places = _CHANNELS.get(flatbuffer.operator_name(model, operator))
        if places is None or len(operator.inputs) <= places[1] or operator.inputs[places[1]] < 0:
            continue
        axis, at = places
        entering = 2 if at == 3 else 0
        name = graph.tensors[operator.inputs[entering]].name.decode()
        weights = _constant(model, operator.inputs[1])
        bias = _constant(model, operator.inputs[at])
        if name not in widths or name in wide or weights is None or bias is None:
            continue
        step = max(widths[name] / _INPUT_LEVELS, np.finfo(np.float32).tiny)
        raised = _raised(weights, axis, np.abs(bias) * (_WEIGHT_LEVELS / (step * _MAX_BIAS)))
        if raised is not None:
            buffer = model.buffers[graph.tensors[operator.inputs[1]].buffer]
            buffer.data = np.frombuffer(raised.tobytes(), np.uint8)
            changed = True
    return flatbuffer.to_bytes(model) if changed else None


def _constant(model: Any, tensor: int) -> Float32Array | None:
    """Values of a float32 constant; None for anything else."""
    from ai_edge_litert import schema_py_generated as schema

    described = model.subgraphs[0].tensors[tensor]
    data = model.buffers[described.buffer].data
    if data is None or not len(data) or described.type != schema.TensorType.FLOAT32:
        return None
    return np.asarray(np.frombuffer(bytes(data), "<f4").reshape(described.shape))


def _raised(weights: Float32Array, axis: int, least: Float32Array) -> Float32Array | None:
    """Weights with the largest one of each channel at least so large; None where all are."""
    channels = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1).copy()
    if len(channels) != len(least):
        return None
    largest = np.abs(channels).argmax(axis=1)
    every = np.arange(len(channels))
    values = channels[every, largest]
    short = np.abs(values) < least
    if not short.any():
        return None
    channels[every[short], largest[short]] = np.where(values < 0, -least, least)[short]
    moved = np.moveaxis(weights, axis, 0).shape
    return np.ascontiguousarray(np.moveaxis(channels.reshape(moved), 0, axis), "<f4")
