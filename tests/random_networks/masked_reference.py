"""The original network with removed channels zeroed, computed by Keras alone.

It shares no code with the pruning that it checks. Which numbers belong to removed channels is found
by trying: behind the layer that makes them, whatever changes when they change belongs to them, up
to a layer that sums over them, where they are zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

Flags = NDArray[np.bool_]

# Draws of what removed numbers could be: enough for any function to show that it reads them.
DRAWS = 32
PARTS = ("heads", "keys", "values")
# Layers and operations that sum over channels, or compare them, and make channels of their own.
_MAKING = (
    "Dense EinsumDense Conv1DTranspose Conv2DTranspose Conv3DTranspose SeparableConv1D "
    "SeparableConv2D MultiHeadAttention GroupedQueryAttention ScaledAttention GRU LSTM SimpleRNN "
    "Bidirectional"
)
MAKING = frozenset(_MAKING.split())
# Those that may pass some channels on.
_PASSING = "Conv1D Conv2D Conv3D Attention Dot RMSNormalization Matmul Einsum Mean Sum Max Min Pad"
SUMMING = MAKING | frozenset(_PASSING.split())
RECURRENT = (layers.GRU, layers.LSTM, layers.SimpleRNN)


def masked_outputs(
    model: keras.Model, kept: Mapping[str, tuple[int, ...]], widths: Mapping[str, int], given: Any
) -> list[Any]:
    """Outputs of a network whose removed channels are zero where they are consumed.

    Args:
        model: A functional model without models inside.
        kept: Indices of the kept channels, by the layer that makes them.
        widths: Number of channels that layers make.
        given: One array for each of the model's inputs.
    """
    rng = np.random.default_rng(0)
    values: dict[int, Any] = {}
    dead: dict[int, Flags] = {}
    for tensor, array in zip(model.inputs, given, strict=True):
        name = tensor._keras_history.operation.name
        values[id(tensor)] = np.asarray(array)
        dead[id(tensor)] = _dead_channels(name, array.shape[1:], kept, widths)
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input:
                continue
            tensors = node.arguments.keras_tensors
            entering = [values[id(tensor)] for tensor in tensors]
            flags = [dead[id(tensor)] for tensor in tensors]
            leaving, gone = _run(rng, node, entering, flags, kept, widths)
            for tensor, value, flag in zip(node.outputs, leaving, gone, strict=True):
                values[id(tensor)], dead[id(tensor)] = value, flag
    for tensor in model.outputs:
        assert not dead[id(tensor)].any(), f"removed channels reach output {tensor.name}"
    return [values[id(tensor)] for tensor in model.outputs]


def _run(
    rng: np.random.Generator,
    node: Any,
    entering: list[Any],
    flags: list[Flags],
    kept: Mapping[str, tuple[int, ...]],
    widths: Mapping[str, int],
) -> tuple[list[Any], list[Flags]]:
    """What leaves a call, and which of it belongs to removed channels."""
    operation = _without_inner(node, entering, kept)
    some = any(flag.any() for flag in flags)
    summing = _sums(operation)
    if summing and some:
        entering = [np.where(flag, 0, value) for flag, value in zip(flags, entering, strict=True)]
    leaving = _call(node, operation, entering)
    shapes = [value.shape[1:] for value in leaving]
    gone = [_dead_channels(node.operation.name, shape, kept, widths) for shape in shapes]
    kind = type(operation).__name__
    if some and kind == "LearnedTokens":
        (flag,) = flags
        first = np.broadcast_to(flag[:1], (operation.count, flag.shape[-1]))
        gone = [np.concatenate([first, flag])]
    elif some and "Pad" in kind:
        (flag,), (shape,) = flags, shapes
        if flag.shape[-1] == shape[-1]:
            # Zeros around a channel belong to it; those that widen it to more channels do not.
            gone = [np.broadcast_to(flag.any(axis=tuple(range(flag.ndim - 1))), shape)]
    elif some:
        drawn = [
            _drawn(rng, value[:1], flag if not summing else ~flag)
            for value, flag in zip(entering, flags, strict=True)
        ]
        for at, tried in enumerate(_call(node, operation, drawn)):
            # Sums of the same numbers are rounded in one way or another.
            bound = 1e-5 * (1 + np.abs(tried[:1]))
            # Of what a root or logarithm cannot take, the result is no number, and has changed.
            changes = ~(np.abs(tried - tried[:1]) <= bound).all(axis=0)
            if not summing:
                gone[at] = gone[at] | changes
            elif kind not in MAKING or all(flag.all(axis=-1).any() for flag in flags):
                # What no kept channel changes is of removed channels or positions.
                gone[at] = gone[at] | ~changes
    return leaving, gone


def _drawn(rng: np.random.Generator, value: Any, where: Flags) -> Any:
    """The first sample with other numbers in some places: small and large, of either sign."""
    noise = rng.normal(size=(DRAWS // 4, *value.shape[1:])).astype(np.float32)
    return np.where(where, np.concatenate([noise, -noise, 10 * noise, -10 * noise]), value)


def _call(node: Any, operation: Any, entering: list[Any]) -> list[Any]:
    filled = {
        id(tensor): keras.ops.convert_to_tensor(value)
        for tensor, value in zip(node.arguments.keras_tensors, entering, strict=True)
    }
    positional, named = node.arguments.fill_in(filled)
    leaving = operation(*positional, **named)
    several = leaving if isinstance(leaving, list | tuple) else [leaving]
    return [np.asarray(value) for value in several]


def _sums(operation: Any) -> bool:
    if isinstance(operation, layers.TimeDistributed):
        return _sums(operation.layer)
    return type(operation).__name__ in SUMMING


def _dead_channels(
    name: str,
    shape: tuple[int, ...],
    kept: Mapping[str, tuple[int, ...]],
    widths: Mapping[str, int],
) -> Flags:
    """Which numbers are of channels that a layer makes and that are removed."""
    lost = np.zeros(shape, bool)
    if name in kept:
        flags = np.ones(widths[name], bool)
        flags[list(kept[name])] = False
        # Of both directions side by side, each loses the same.
        lost |= np.tile(flags, shape[-1] // len(flags))
    return lost


# --- channels inside a layer ----------------------------------------------------------------


def _without_inner(node: Any, entering: list[Any], kept: Mapping[str, tuple[int, ...]]) -> Any:
    """The layer, or a copy whose weights of removed channels inside are zero."""
    layer = node.operation
    weights = _masked_weights(layer, kept)
    if weights is None:
        return layer
    copy = type(layer).from_config(layer.get_config())
    _call(node, copy, entering)
    copy.set_weights(weights)
    return copy


def _masked_weights(layer: Any, kept: Mapping[str, tuple[int, ...]]) -> list[Any] | None:
    inner = layer.layer if isinstance(layer, layers.TimeDistributed) else layer
    if layer.name in kept and isinstance(inner, (*RECURRENT, layers.Bidirectional)):
        weights = layer.get_weights()
        both = isinstance(inner, layers.Bidirectional)
        for at in (1, len(weights) // 2 + 1) if both else (1,):
            weights[at][np.setdiff1d(np.arange(len(weights[at])), kept[layer.name])] = 0
        return weights
    parts = {what: kept[f"{layer.name}/{what}"] for what in PARTS if f"{layer.name}/{what}" in kept}
    return _masked_attention(layer, parts) if parts else None


def _masked_attention(layer: Any, parts: Mapping[str, tuple[int, ...]]) -> list[Any]:
    """Weights without heads, widths of keys or widths of values."""
    grouped = isinstance(layer, layers.GroupQueryAttention)
    weights, names = layer.get_weights(), [id(variable) for variable in layer.weights]
    output = weights[names.index(id(layer._output_dense.kernel))]
    queries = [weights[names.index(id(one))] for one in layer._query_dense.weights]
    for what, left in parts.items():
        if what == "heads":
            repeats = layer.num_query_heads // layer.num_key_value_heads if grouped else 1
            output[~np.repeat(np.isin(np.arange(len(output) // repeats), left), repeats)] = 0
        if what == "keys":
            for one in queries:
                one[..., ~np.isin(np.arange(one.shape[-1]), left)] = 0
        if what == "values" or (what == "keys" and grouped):
            output[:, ~np.isin(np.arange(output.shape[1]), left)] = 0
    return weights
