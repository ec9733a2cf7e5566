"""Ranges that quantization-aware training learned, found again among the tensors of a file.

Lowering renames, merges and rearranges what a network computes, and converters fuse it: names say
little about which tensor of a file holds the output of which layer. Values do. On a few probes, the
smallest and the largest value of a layer's output are compared with those of every tensor; moving,
repeating and padding values changes neither. Where they agree on every probe, the tensor has the
range of the layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from hsitf import flatbuffer
from hsitf.arrays import Float32Array, Float64Array
from hsitf.graph import Call, input_names, walk
from hsitf.inspection import DATA_MOVEMENT
from hsitf.quantize.schemes import asymmetric_params
from hsitf.quantize.tensor_statistics import TensorRecorder

# Probes that outputs are compared on: one inference of the file each.
PROBES = 16
# Largest difference of two extremes that are the same, over the largest of the layer.
_TOLERANCE = 5e-4
# Patches computed at a time.
_CHUNK = 256
# Selects values, and has the scale of its input in every engine.
_SELECTS = DATA_MOVEMENT | {"MAX_POOL_2D"}

Range = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Probe:
    """One inference of a file, and the patches that it classifies.

    Attributes:
        file_input: (batch, ...) float32 input of the file.
        patches: (n, patch, patch, components) float32 inputs of the network with the same outputs.
    """

    file_input: Float32Array
    patches: Float32Array


@dataclass(frozen=True, eq=False)
class LayerRange:
    """The learned range of a layer's output.

    Attributes:
        layer: Name of the layer, or of the network's input.
        low: Smallest value.
        high: Largest value.
        extremes: (probes, 2) float64, smallest and largest value on each probe, and 0.
    """

    layer: str
    low: float
    high: float
    extremes: Float64Array


@dataclass(frozen=True, eq=False)
class LearnedRanges:
    """Learned ranges of a network, with what finds them in its files.

    Attributes:
        layers: Ranges in the order of the forward pass.
        file_inputs: Input of a file for each probe.
    """

    layers: tuple[LayerRange, ...]
    file_inputs: tuple[Float32Array, ...]

    def of_tensors(self, path: Path) -> dict[str, Range]:
        """Learned ranges by the name of the tensor that has them.

        Args:
            path: A float .tflite file of the network.
        """
        recorder = TensorRecorder(path)
        found = [_extremes(recorder(one)) for one in self.file_inputs]
        ranges: dict[str, Range] = {}
        for name in found[0]:
            values = np.stack([one[name] for one in found])
            for layer in self.layers:
                largest = np.abs(layer.extremes).max()
                if largest > 0 and np.abs(values - layer.extremes).max() <= _TOLERANCE * largest:
                    ranges[name] = (layer.low, layer.high)
                    break
        return _spread(flatbuffer.read(path), ranges)

    def kept_in(self, path: Path) -> tuple[str, ...]:
        """Names of the layers whose learned range a tensor of an int8 .tflite file has."""
        scales = []
        for tensor in flatbuffer.read(path).subgraphs[0].tensors:
            grid = tensor.quantization
            if grid is not None and grid.scale is not None and len(grid.scale) == 1:
                scales.append((float(grid.scale[0]), int(grid.zeroPoint[0])))
        kept = []
        for layer in self.layers:
            params = asymmetric_params(layer.low, layer.high, 8)
            if any(
                abs(scale - params.scale) <= 1e-4 * params.scale
                and abs(zero + 128 - params.zero_point) <= 1
                for scale, zero in scales
            ):
                kept.append(layer.layer)
        return tuple(kept)


def observe_learned_ranges(
    network: keras.Model, ranges: Mapping[str, Range], probes: Sequence[Probe]
) -> LearnedRanges:
    """Computes what finds learned ranges in the files of a network.

    Args:
        network: The network whose layers they belong to.
        ranges: Smallest and largest value of layers' outputs, by the name of the layer or of the
            network's input.
        probes: Inferences of the files.
    """
    outputs = [_outputs_on(network, ranges, probe.patches) for probe in probes]
    layers = tuple(
        LayerRange(name, *ranges[name], extremes=np.stack([one[at][1] for one in outputs]))
        for at, (name, _) in enumerate(outputs[0])
    )
    return LearnedRanges(layers, tuple(probe.file_input for probe in probes))


def _outputs_on(
    network: keras.Model, names: Iterable[str], patches: Float32Array
) -> list[tuple[str, Float64Array]]:
    """Extremes of layers' outputs on patches, one entry for each call of a layer."""
    parts = [
        _outputs_on_chunk(network, set(names), patches[at : at + _CHUNK])
        for at in range(0, len(patches), _CHUNK)
    ]
    lows = np.min([[extremes[0] for _, extremes in part] for part in parts], axis=0)
    highs = np.max([[extremes[1] for _, extremes in part] for part in parts], axis=0)
    return [(name, np.array([lows[at], highs[at]])) for at, (name, _) in enumerate(parts[0])]


def _outputs_on_chunk(
    network: keras.Model, names: set[str], patches: Float32Array
) -> list[tuple[str, Float64Array]]:
    found = [(name, _with_zero(patches)) for name in input_names(network) if name in names]

    def visit(call: Call, values: list[Any]) -> Any:
        outputs = call.call_with(call.operation, values)
        if call.operation.name in names and not isinstance(outputs, list | tuple):
            found.append((call.operation.name, _with_zero(ops.convert_to_numpy(outputs))))
        return list(outputs) if isinstance(outputs, list | tuple) else outputs

    walk(network, [ops.convert_to_tensor(patches)], visit)
    return found


def _extremes(tensors: Mapping[str, Float32Array]) -> dict[str, Float64Array]:
    return {name: _with_zero(values) for name, values in tensors.items() if values.size}


def _with_zero(values: Float32Array) -> Float64Array:
    """Smallest and largest of the values and 0, which is what padding adds."""
    return np.array([min(float(values.min()), 0.0), max(float(values.max()), 0.0)])


def _spread(model: Any, ranges: dict[str, Range]) -> dict[str, Range]:
    """Gives what only selects from tensors of one range that range, too.

    Args:
        model: The file.
        ranges: Known ranges by the name of the tensor.
    """
    graph = model.subgraphs[0]
    names = [tensor.name.decode() for tensor in graph.tensors]
    spread = dict(ranges)
    made = {int(at) for operator in graph.operators for at in operator.outputs}
    entering = {int(at) for at in graph.inputs}
    for operator in graph.operators:
        if flatbuffer.operator_name(model, operator) not in _SELECTS:
            continue
        sources = [names[at] for at in operator.inputs if int(at) in made | entering]
        of_sources = {spread.get(name) for name in sources}
        if len(of_sources) == 1 and (one := of_sources.pop()) is not None:
            for at in operator.outputs:
                spread.setdefault(names[at], one)
    return spread
