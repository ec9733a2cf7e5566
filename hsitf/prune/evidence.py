"""Collection of what criteria need: kernels, feature maps and gradients of a network's layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from hsitf.arrays import FloatArray
from hsitf.errors import InputError
from hsitf.graph import Call, input_names, operations, unwrap_single, walk
from hsitf.operators import KernelAxes, find, follows
from hsitf.prune.criteria import ChannelEvidence, Criterion
from hsitf.prune.gradients import GradientRecorder, recording_model, trainable_copy
from hsitf.prune.rules import rule
from hsitf.prune.rules.attention_maps import inner_maps
from hsitf.prune.tracing import Trace

Array = NDArray[np.generic]


class Samples(NamedTuple):
    """Calibration data.

    Attributes:
        inputs: One array for each input of the network, (n, ...) float32.
        classes: (n,) integer classes; used by criteria that need gradients.
    """

    inputs: tuple[Array, ...]
    classes: Array


def gather_evidence(
    model: keras.Model, trace: Trace, criterion: Criterion, samples: Samples | None, seed: int = 0
) -> Iterator[dict[str, ChannelEvidence]]:
    """The evidence that a criterion asks for, by layer and batch after batch.

    Args:
        model: A functional model; its weights are left as they are.
        trace: Trace of the model.
        criterion: The criterion that needs the evidence.
        samples: Data from which random batches are drawn.
        seed: Seed of the random batches.

    Raises:
        InputError: The criterion needs data and there are none, or no layer of the kind it needs.
    """
    by_gradient = criterion.requires == "gradients"
    kernels = _rows(trace, lambda layer: layer.get_weights(), by_gradient)
    if criterion.requires == "kernels":
        yield {name: ChannelEvidence(kernel) for name, kernel in kernels.items()}
    elif criterion.requires == "scale":
        scales = _scales(model, trace)
        if not scales:
            raise InputError(
                "the criterion bn_scale needs batch normalization behind the layers",
                received=f"{model.name}, which has none",
                remedy="choose another criterion, such as l2",
            )
        yield {name: ChannelEvidence(scale=scale) for name, scale in scales.items()}
    elif samples is None:
        raise InputError(
            "this criterion looks at data",
            received="no calibration patches",
            remedy="give patches with their classes, or choose a criterion of the weights alone",
        )
    elif criterion.requires == "maps":
        seeing = _FeatureExtractor(model, trace)
        for batch in _batches(criterion, samples, seed):
            maps = seeing(batch)
            yield {name: ChannelEvidence(feature_maps=found) for name, found in maps.items()}
    else:
        recorder, trainable = GradientRecorder(), trainable_copy(model)
        twins = dict(zip(map(id, operations(model)), operations(trainable), strict=True))
        watched = recording_model(trainable, recorder)
        for batch in _batches(criterion, samples, seed):
            watched.train_on_batch(unwrap_single(list(batch.inputs)), batch.classes)
            found = _rows(trace, lambda layer: recorder.gradients_of(twins[id(layer)]), True)
            yield {name: ChannelEvidence(kernels[name], found[name]) for name in found}


def _rows(
    trace: Trace, weights: Callable[[Any], list[FloatArray]], gates: bool
) -> dict[str, FloatArray]:
    """For each layer that produces channels, its weights as (channels, weights).

    Args:
        trace: Trace of the network.
        weights: The weights of a layer, or arrays like them.
        gates: Whether channels inside a layer have the weights that turn them off, or all.
    """
    found: dict[str, FloatArray] = {}
    for traced_call in trace.calls:
        if traced_call.name in trace.graph.producers and traced_call.name not in found:
            layer = traced_call.call.operation
            found[traced_call.name] = rule(layer).channel_rows(layer, weights(layer))
            inside = rule(layer).inner_gates if gates else rule(layer).inner_rows
            for what, rows in inside(layer, weights(layer)).items():
                found[f"{traced_call.name}/{what}"] = rows
    for name in set(trace.graph.producers) - set(found):
        columns = _columns(trace, name, weights)
        if columns is not None:
            found[name] = columns
    return found


def _columns(
    trace: Trace, name: str, weights: Callable[[Any], list[FloatArray]]
) -> FloatArray | None:
    """(bands, weights): of an input, the weights of the layers that read its bands."""
    made = trace.graph.producers[name]
    found = []
    for traced_call in trace.calls:
        row = find(traced_call.call.operation)
        if (
            row is not None
            and row.kernels == (KernelAxes("kernel"),)
            and np.array_equal(traced_call.inputs[0][(0,) * (traced_call.inputs[0].ndim - 1)], made)
        ):
            kernel = weights(traced_call.call.operation)[0]
            found.append(np.moveaxis(kernel, -2, 0).reshape(len(made), -1))
    return np.concatenate(found, axis=1) if found else None


def _batches(criterion: Criterion, samples: Samples, seed: int) -> Iterator[Samples]:
    generator = np.random.default_rng(seed)
    size = min(criterion.batch_size, len(samples.classes))
    for _ in range(criterion.num_batches):
        chosen = generator.choice(len(samples.classes), size, replace=False)
        yield Samples(tuple(values[chosen] for values in samples.inputs), samples.classes[chosen])


# --- maps ----------------------------------------------------------------------------------


class _FeatureExtractor:
    """The network with the maps of all its layers as outputs."""

    def __init__(self, model: keras.Model, trace: Trace) -> None:
        inputs = [keras.Input(tensor.shape[1:]) for tensor in model.inputs]
        maps = _map_tensors(model, trace, inputs)
        self._channels = {name: len(trace.graph.producers[name]) for name in maps}
        self._network = keras.Model(
            unwrap_single(inputs), [t for found in maps.values() for t in found]
        )
        self._owners = [name for name, found in maps.items() for _ in found]

    def __call__(self, batch: Samples) -> dict[str, FloatArray]:
        values = self._network(unwrap_single(list(batch.inputs)), training=False)
        found: dict[str, list[FloatArray]] = {}
        for name, value in zip(self._owners, values, strict=True):
            feature_map = _as_feature_maps(keras.ops.convert_to_numpy(value), self._channels[name])
            found.setdefault(name, []).append(feature_map)
        # A layer that is called several times has as many maps, which are concatenated.
        return {name: maps[0] if len(maps) == 1 else _stacked(maps) for name, maps in found.items()}


def _stacked(maps: Sequence[FloatArray]) -> FloatArray:
    flat = [m.reshape(*m.shape[:2], 1, -1) for m in maps]
    return np.concatenate(flat, axis=3)


def _map_tensors(
    model: keras.Model, trace: Trace, inputs: Sequence[Any]
) -> dict[str, list[keras.KerasTensor]]:
    """By layer, its output behind the normalization and activation that follow it alone."""
    readers: Counter[int] = Counter()

    def count(call: Call, values: list[Any]) -> list[Any]:
        readers.update(id(tensor) for tensor in call.node.arguments.keras_tensors)
        return list(call.node.outputs)

    walk(model, list(model.inputs), count)
    found: dict[str, list[Any]] = {}
    owner: dict[int, tuple[str, int]] = {}

    def visit(call: Call, values: list[Any]) -> list[Any]:
        leaving = call.call_with(call.operation, values)
        several = leaving if isinstance(leaving, list | tuple) else [leaving]
        name = trace.graph.names[id(call.operation)]
        if trace.graph.inner(name):
            maps_name = f"{name}_maps{len(found)}"
            for what, tensor in inner_maps(call, values, maps_name).items():
                found.setdefault(f"{name}/{what}", []).append(tensor)
        if name in trace.graph.producers:
            found.setdefault(name, []).append(several[0])
            owner[id(several[0])] = (name, len(found[name]) - 1)
        elif follows(call.operation) and id(values[0]) in owner:
            entered = call.node.arguments.keras_tensors[0]
            if readers[id(entered)] == 1:
                source, at = owner[id(values[0])]
                found[source][at] = several[0]
                owner[id(several[0])] = (source, at)
        return list(several)

    walk(model, list(inputs), visit)
    for name, tensor in zip(input_names(model), inputs, strict=True):
        found[name] = [tensor]
    return found


def _pools(operation: Any) -> bool:
    """Whether an operation pools maps to smaller ones."""
    row = find(operation)
    return row is not None and row.pooling is not None and not row.pooling.is_global


def _as_feature_maps(values: FloatArray, channels: int) -> FloatArray:
    """`(samples, ..., channels)` as (samples, channels, rows, cols); see `ChannelEvidence`."""
    # Both directions of a bidirectional layer are concatenated in its last axis.
    times = values.shape[-1] // channels
    values = values.reshape(*values.shape[:-1], times, channels)
    values = np.moveaxis(values[..., 0, :] if times == 1 else values, -1, 1)
    if values.ndim == 2:
        return np.asarray(values.T[None, :, None, :])
    if values.ndim == 3:
        return np.asarray(values.transpose(1, 0, 2)[None])
    return values.reshape(*values.shape[:2], -1, values.shape[-1])


# --- batch normalization -------------------------------------------------------------------


def _scales(model: keras.Model, trace: Trace) -> dict[str, FloatArray]:
    """By layer, the scale of the batch normalization that first follows it.

    Activations and pooling may come between the two.
    """
    found: dict[str, FloatArray] = {}

    def visit(call: Call, owners: list[str]) -> list[str]:
        layer, owner = call.operation, owners[0]
        name = trace.graph.names[id(layer)]
        if name in trace.graph.producers:
            owner = name
        elif isinstance(layer, layers.BatchNormalization):
            if owner and layer.scale:
                found.setdefault(owner, keras.ops.convert_to_numpy(layer.gamma))
            owner = ""
        elif not (follows(layer) or _pools(layer)):
            owner = ""
        return [owner] * len(call.node.outputs)

    walk(model, [""] * len(model.inputs), visit)
    return {
        name: scale
        for name, scale in found.items()
        if len(scale) == len(trace.graph.producers[name])
    }
