"""What a pruning rule is, and what all of them need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.graph import Call
from hsitf.prune.channel_graph import (
    ChannelGraph,
    ChannelIds,
    Indices,
    TracedCall,
    kept_grid,
)

KeepMask = NDArray[np.bool_]
Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ThinningSpec:
    """How the thinned layer is built.

    Attributes:
        config: Changed entries of the layer's configuration.
        kept_indices: For each weight, in the layer's own order, the kept indices along each axis.
        factors: A factor for each weight, 1 for all of them where empty.
        apply: Takes the place of the layer or operation, whose weights are not needed then.
    """

    config: dict[str, Any] = field(default_factory=dict)
    kept_indices: list[tuple[Indices, ...]] = field(default_factory=list)
    factors: tuple[float, ...] = ()
    apply: Callable[[list[Any]], Any] | None = None


def _last_axis(layer: Any, weights: Sequence[Array]) -> Array:
    """One row per channel, where channels are the last axis of the first weight."""
    kernel = weights[0]
    return np.moveaxis(kernel, -1, 0).reshape(kernel.shape[-1], -1)


def _none_inside(layer: Any, weights: Sequence[Array]) -> dict[str, Array]:
    return {}


def _no_living(layer: Any) -> dict[str, NDArray[np.bool_]]:
    return {}


def _unchanged(traced: TracedCall, keep: KeepMask) -> Any:
    return traced.call.operation


@dataclass(frozen=True)
class PruningRule:
    """How a layer type is traced and thinned, and whether it consumes channels.

    Attributes:
        trace: Maps input ids to output ids.
        thin: Describes the layer without the removed channels.
        consumes: Whether it sums over its input channels, so that a removed channel counts as zero
            there.
        channel_rows: Of arrays shaped like the layer's weights, the rows that produce each of its
            channels: (channels, weights).
        masked: The layer with masked weights, which ignores the removed channels of its own state:
            a recurrent layer sums over those too.
        inner_rows: The same as `channel_rows` for channels inside the layer, such as the heads of
            attention, by what they are called; their ids are those of "layer/heads".
        inner_gates: The same of the weights without which a channel inside the layer is off, for
            criteria of gradients.
        inner_living: Of a layer, which channels inside it have an effect that its zero weights do
            not take away, by what they are called: (channels,) bool.
    """

    trace: Callable[[Call, list[ChannelIds], ChannelGraph], ChannelIds | list[ChannelIds]]
    thin: Callable[[TracedCall, KeepMask], ThinningSpec]
    consumes: bool = False
    channel_rows: Callable[[Any, Sequence[Array]], Array] = _last_axis
    masked: Callable[[TracedCall, KeepMask], Any] = _unchanged
    inner_rows: Callable[[Any, Sequence[Array]], dict[str, Array]] = _none_inside
    inner_gates: Callable[[Any, Sequence[Array]], dict[str, Array]] = _none_inside
    inner_living: Callable[[Any], dict[str, NDArray[np.bool_]]] = _no_living


def output_shape(layer: Any, inputs: list[ChannelIds]) -> tuple[int, ...]:
    """Output shape of a layer with one input, without batch."""
    return tuple(layer.compute_output_shape((1, *inputs[0].shape))[1:])


def grid(traced: TracedCall, ids: ChannelIds, keep: KeepMask) -> list[Indices]:
    """The kept indices along each axis of a tensor.

    Raises:
        InputError: What is kept is not a block of the tensor's axes.
    """
    indices = kept_grid(ids, keep)
    if indices is None:
        raise InputError(
            f"what is left at layer {traced.name!r} does not form a block",
            received=f"values of shape {ids.shape}",
            remedy="leave the layers before it out of the pruning",
        )
    return indices


def kept_inputs_outputs(traced: TracedCall, keep: KeepMask) -> tuple[Indices, Indices]:
    """The kept indices of the input channels and of the output channels of a layer."""
    entering = grid(traced, traced.inputs[0], keep)[-1]
    return entering, grid(traced, traced.outputs[0], keep)[-1]


def biased(layer: Any, kernel: tuple[Indices, ...], columns: Indices) -> list[tuple[Indices, ...]]:
    """The kept indices of a layer's kernel and, where it has them, of its biases."""
    return [kernel, (columns,)] if layer.use_bias else [kernel]


def serialized(layer: Any, changes: dict[str, Any]) -> Any:
    """The configuration of a layer inside another one, with changed entries."""
    copy = type(layer).from_config({**layer.get_config(), **changes})
    return keras.saving.serialize_keras_object(copy)


def trace_same(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Every element is computed from the element in its position."""
    return inputs[0]


def thin_nothing(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    """The layer does not depend on the number of channels."""
    return ThinningSpec()


# Rule of whatever computes each element by itself.
ELEMENTWISE = PruningRule(trace_same, thin_nothing)
