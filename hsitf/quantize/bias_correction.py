"""Bias correction of integer files: removes the mean error of quantization from each channel.

Quantized weights and clipped activations shift the mean output of a channel, and later layers
propagate the shift. Channel means of the float file and of the integer file are compared on
calibration patches, from the first layer to the last, and the difference is added to the 32-bit
bias that the file has anyway: it keeps its speed, and its size where no layers share a bias. A
correction that does not reduce the difference is undone.

Source: M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, Data-free quantization through weight
equalization and bias correction, IEEE/CVF Int. Conf. Computer Vision, 2019, section 4.2; the means
are measured here, not derived from normalization.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsitf import flatbuffer
from hsitf.arrays import Float32Array
from hsitf.files import replacing
from hsitf.progress import Progress, Silent
from hsitf.quantize.tensor_statistics import TensorRecorder, batches

_KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# Layers are corrected in order, each after those before it, in at most this many steps: an
# unrolled recurrent network has hundreds of layers.
STEPS = 128
# Patches that means are computed on, and how many of them where there are many layers.
_PATCHES, _FEWER_PATCHES, _MANY_LAYERS = 256, 128, 32
# The converter leaves as much room for the sum to which a bias is added.
_MAX_BIAS = 2**30


@dataclass(frozen=True)
class _BiasedOperator:
    """An operator of an integer file with a 32-bit bias.

    Attributes:
        operator: Index of the operator in the graph.
        output: Name of its output tensor.
        scale: (channels,) float64, scale of its bias.
    """

    operator: int
    output: str
    scale: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the bias."""
        return self.scale.shape


def correct_biases(
    source: Path,
    quantized: Path,
    patches: Float32Array,
    path: Path,
    progress: Progress | None = None,
) -> int:
    """Corrects the biases of an integer .tflite file.

    Args:
        source: The float .tflite file of the same network.
        quantized: The integer file converted from the same network.
        patches: Calibration inputs of both files, (n, ...) float32; an incomplete batch is left
            out.
        path: Where the corrected file is written; may be `quantized`.
        progress: Receives progress messages of every step.

    Returns:
        Number of corrected operators, of those with a bias whose outputs have the same name in
        both files; 0 where the means came no nearer and the file is unchanged.
    """
    progress = progress or Silent()
    model = flatbuffer.read(quantized)
    named = _biased_operators(model)
    patches = patches[: _PATCHES if len(named) <= _MANY_LAYERS else _FEWER_PATCHES]
    expected = _channel_means(source, patches, {one.output for one in named})
    biased = [one for one in named if expected.get(one.output, np.empty(0)).shape == one.shape]
    before = whole = quantized.read_bytes()
    steps = min(STEPS, max(len(biased), 1))
    progress.start("correcting biases", steps)
    for part in np.array_split(np.arange(len(biased)), steps):
        now = [biased[at] for at in part]
        names = {one.output for one in now}
        found = _channel_means(whole, patches, names)
        shifts = [_shift(expected[one.output] - found[one.output], one) for one in now]
        for one, shift in zip(now, shifts, strict=True):
            _add(model, one.operator, shift)
        after = _channel_means(flatbuffer.to_bytes(model), patches, names)
        for one, shift in zip(now, shifts, strict=True):
            left, was = (
                np.abs(expected[one.output] - means[one.output]) for means in (after, found)
            )
            _add(model, one.operator, np.where(left < was, 0, -shift))
        whole = flatbuffer.to_bytes(model)
        progress.advance(1)
    names = {one.output for one in biased}
    # Layers corrected in one step may compensate the same shift twice.
    if not _mean_error(expected, _channel_means(whole, patches, names)) < _mean_error(
        expected, _channel_means(before, patches, names)
    ):
        whole, biased = before, []
    with replacing(path) as temporary:
        temporary.write_bytes(whole)
    return len(biased)


def _shift(difference: NDArray[np.float64], one: _BiasedOperator) -> NDArray[np.float64]:
    """A difference of means in steps of the bias, rounded; 0 where it is not finite."""
    steps = np.round(difference / one.scale)
    return np.where(np.isfinite(steps), np.clip(steps, -_MAX_BIAS, _MAX_BIAS), 0)


def _mean_error(
    expected: dict[str, NDArray[np.float64]], found: dict[str, NDArray[np.float64]]
) -> float:
    """Relative error of the channel means, summed over all tensors."""
    total = 0.0
    for name, means in found.items():
        size = np.abs(expected[name]).mean()
        total += float(np.abs(expected[name] - means).mean() / size) if size > 0 else 0.0
    return total


def _channel_means(
    file: Path | bytes, patches: Float32Array, names: set[str]
) -> dict[str, NDArray[np.float64]]:
    """Channel means (over all but the last axis) of the named tensors that a file computes."""
    running = TensorRecorder(file, names)
    sums: dict[str, NDArray[np.float64]] = {}
    given = batches(running, patches)
    for batch in given:
        for name, values in running(batch).items():
            channels = values.shape[-1] if values.ndim else 1
            mean = values.reshape(-1, channels).mean(0, dtype=np.float64)
            sums[name] = sums.get(name, 0) + mean
    return {name: total / len(given) for name, total in sums.items()}


def _biased_operators(model: Any) -> list[_BiasedOperator]:
    """The operators with a 32-bit bias, in the order of the graph."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    found = []
    for number, operator in enumerate(graph.operators):
        if flatbuffer.operator_name(model, operator) not in _KERNELS:
            continue
        if len(operator.inputs) < 3 or operator.inputs[2] < 0:
            continue
        bias = graph.tensors[operator.inputs[2]]
        if bias.type != schema.TensorType.INT32:
            continue
        entering, kernel = (graph.tensors[at] for at in operator.inputs[:2])
        scale = np.float64(entering.quantization.scale[0]) * np.float64(kernel.quantization.scale)
        output = graph.tensors[operator.outputs[0]].name.decode()
        found.append(_BiasedOperator(number, output, np.broadcast_to(scale, tuple(bias.shape))))
    return found


def _add(model: Any, number: int, shift: NDArray[np.float64]) -> None:
    """Adds to the bias of an operator; a bias shared with other operators is copied first."""
    graph = model.subgraphs[0]
    operator = graph.operators[number]
    at = operator.inputs[2]
    bias = copy.copy(graph.tensors[at])
    before = np.frombuffer(bytes(model.buffers[bias.buffer].data), np.int32)
    most = np.maximum(np.abs(before.astype(np.int64)), _MAX_BIAS)
    after = np.clip(before + shift, -most, np.minimum(most, 2**31 - 1)).astype(np.int32)
    buffer = copy.copy(model.buffers[bias.buffer])
    buffer.data = np.frombuffer(after.tobytes(), np.uint8)
    readers = sum(list(other.inputs).count(at) for other in graph.operators)
    holders = sum(tensor.buffer == bias.buffer for tensor in graph.tensors)
    if readers > 1 or holders > 1:
        bias.buffer = len(model.buffers)
        model.buffers.append(buffer)
        operator.inputs = np.array(operator.inputs)
        operator.inputs[2] = len(graph.tensors)
        graph.tensors.append(bias)
    else:
        model.buffers[bias.buffer] = buffer
