"""Bias correction: what rounding shifts on average, an integer file's biases take back.

Rounded weights and clipped activations move the mean of what a channel says, and later layers carry
the shift on. Means of the float file and of the integer one are compared channel by channel on
calibration patches, from the first layer to the last, and the difference goes into the 32-bit bias
that the file has anyway: it keeps its speed, and its size where no layers share a bias. What the
second look does not find nearer is taken back.

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

from hsitf import flat
from hsitf.files import replacing
from hsitf.progress import Progress, Silent
from hsitf.quantize.observed import Stepping, batches
from hsitf.quantize.schemes import Floats

_KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# Layers are corrected one after the other, each with those before it corrected, in at most so many
# steps: a recurrent network written out has hundreds.
STEPS = 128
# Patches that means are taken over, and those that they are taken over where layers are many.
_PATCHES, _FEWER, _MANY = 256, 128, 32
# The converter leaves as much room for the sum that a bias is added to.
_MOST = 2**30


@dataclass(frozen=True)
class _Biased:
    """An operator of an integer file that adds a bias.

    Attributes:
        operator: Its number.
        output: Name of what it makes.
        scale: (channels,) float64, the step of its bias.
    """

    operator: int
    output: str
    scale: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its bias."""
        return self.scale.shape


def correct(
    source: Path, quantized: Path, patches: Floats, path: Path, progress: Progress | None = None
) -> int:
    """Corrects the biases of an integer .tflite file.

    Args:
        source: The float .tflite file of the same network.
        quantized: The integer file made of it.
        patches: What both take, (n, ...) float32, whole batches of them are used.
        path: Of the corrected file; `quantized` may be overwritten.
        progress: Told of every step.

    Returns:
        How many operators were corrected, of those that both files name alike and that have a bias;
        0 where means came no nearer, and the file is the one it was.
    """
    progress = progress or Silent()
    model = flat.read(quantized)
    named = _biased(model)
    patches = patches[: _PATCHES if len(named) <= _MANY else _FEWER]
    expected = _means(source, patches, {one.output for one in named})
    biased = [one for one in named if expected.get(one.output, np.empty(0)).shape == one.shape]
    before = whole = quantized.read_bytes()
    steps = min(STEPS, max(len(biased), 1))
    progress.start("correcting biases", steps)
    for part in np.array_split(np.arange(len(biased)), steps):
        now = [biased[at] for at in part]
        names = {one.output for one in now}
        found = _means(whole, patches, names)
        shifts = [_shift(expected[one.output] - found[one.output], one) for one in now]
        for one, shift in zip(now, shifts, strict=True):
            _add(model, one.operator, shift)
        after = _means(flat.written(model), patches, names)
        for one, shift in zip(now, shifts, strict=True):
            left, was = (
                np.abs(expected[one.output] - means[one.output]) for means in (after, found)
            )
            _add(model, one.operator, np.where(left < was, 0, -shift))
        whole = flat.written(model)
        progress.advance(1)
    names = {one.output for one in biased}
    # Layers of one step take each other's shifts for their own.
    if not _distance(expected, _means(whole, patches, names)) < _distance(
        expected, _means(before, patches, names)
    ):
        whole, biased = before, []
    with replacing(path) as temporary:
        temporary.write_bytes(whole)
    return len(biased)


def _shift(difference: NDArray[np.float64], one: _Biased) -> NDArray[np.float64]:
    """Steps of a bias nearest to a difference of means; none where that is no number."""
    steps = np.round(difference / one.scale)
    return np.where(np.isfinite(steps), np.clip(steps, -_MOST, _MOST), 0)


def _distance(
    expected: dict[str, NDArray[np.float64]], found: dict[str, NDArray[np.float64]]
) -> float:
    """How far means are apart: over all tensors, the sum of what each's differ by, relatively."""
    total = 0.0
    for name, means in found.items():
        size = np.abs(expected[name]).mean()
        total += float(np.abs(expected[name] - means).mean() / size) if size > 0 else 0.0
    return total


def _means(file: Path | bytes, patches: Floats, names: set[str]) -> dict[str, NDArray[np.float64]]:
    """Mean of each channel, the last axis, of those of these tensors that a file computes."""
    running = Stepping(file, names)
    sums: dict[str, NDArray[np.float64]] = {}
    given = batches(running, patches)
    for batch in given:
        for name, values in running(batch).items():
            channels = values.shape[-1] if values.ndim else 1
            mean = values.reshape(-1, channels).mean(0, dtype=np.float64)
            sums[name] = sums.get(name, 0) + mean
    return {name: total / len(given) for name, total in sums.items()}


def _biased(model: Any) -> list[_Biased]:
    """The operators with a bias of 32 bits, in their order."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    found = []
    for number, operator in enumerate(graph.operators):
        if flat.kind(model, operator) not in _KERNELS:
            continue
        if len(operator.inputs) < 3 or operator.inputs[2] < 0:
            continue
        bias = graph.tensors[operator.inputs[2]]
        if bias.type != schema.TensorType.INT32:
            continue
        entering, kernel = (graph.tensors[at] for at in operator.inputs[:2])
        scale = np.float64(entering.quantization.scale[0]) * np.float64(kernel.quantization.scale)
        output = graph.tensors[operator.outputs[0]].name.decode()
        found.append(_Biased(number, output, np.broadcast_to(scale, tuple(bias.shape))))
    return found


def _add(model: Any, number: int, shift: NDArray[np.float64]) -> None:
    """Adds to the bias of an operator, which gets one of its own where it shared it."""
    graph = model.subgraphs[0]
    operator = graph.operators[number]
    at = operator.inputs[2]
    bias = copy.copy(graph.tensors[at])
    before = np.frombuffer(bytes(model.buffers[bias.buffer].data), np.int32)
    most = np.maximum(np.abs(before.astype(np.int64)), _MOST)
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
