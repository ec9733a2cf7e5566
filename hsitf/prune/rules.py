"""Pruning rules: how channel ids pass each layer type, and how it is thinned; one row per type.

To add a layer type, give it a row in `hsitf/operators`, write a `trace` (call, input ids, graph)
-> output ids, and a `thin` (traced call, keep mask) -> `ThinningSpec`, and give the type a rule in
`RULES`. Operations of `keras.ops` have theirs in `OPERATIONS`, by name. A rule for a layer of
your own is given from outside with `TABLE.register`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.graph import Call
from hsitf.layers import LocalResponseNormalization
from hsitf.operators import Capability, RuleTable, row_of
from hsitf.prune.channel_graph import (
    FIXED,
    ChannelGraph,
    ChannelIds,
    Indices,
    SlidingKernel,
    TracedCall,
    all_indices,
    broadcast_ids,
    ids_along,
    kept_grid,
    squeeze_repeated,
    varying_axes,
)

KeepMask = NDArray[np.bool_]
Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ThinningSpec:
    """How the thinned layer is built.

    Attributes:
        config: Changed entries of the layer's configuration.
        kept_indices: For each weight, in the layer's own order, the kept indices along each axis.
        apply: Replaces an operation of `keras.ops`; None for layers.
    """

    config: dict[str, Any] = field(default_factory=dict)
    kept_indices: list[tuple[Indices, ...]] = field(default_factory=list)
    apply: Callable[[list[Any]], Any] | None = None


def _last_axis(layer: Any, weights: Sequence[Array]) -> Array:
    """One row per channel, where channels are the last axis of the first weight."""
    kernel = weights[0]
    return np.moveaxis(kernel, -1, 0).reshape(kernel.shape[-1], -1)


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
    """

    trace: Callable[[Call, list[ChannelIds], ChannelGraph], ChannelIds | list[ChannelIds]]
    thin: Callable[[TracedCall, KeepMask], ThinningSpec]
    consumes: bool = False
    channel_rows: Callable[[Any, Sequence[Array]], Array] = _last_axis
    masked: Callable[[TracedCall, KeepMask], Any] = _unchanged


def _shape(layer: Any, inputs: list[ChannelIds]) -> tuple[int, ...]:
    """Output shape of a layer with one input, without batch."""
    return tuple(layer.compute_output_shape((1, *inputs[0].shape))[1:])


def _grid(traced: TracedCall, ids: ChannelIds, keep: KeepMask) -> list[Indices]:
    indices = kept_grid(ids, keep)
    if indices is None:
        raise InputError(
            f"what is left at layer {traced.name!r} does not form a block",
            received=f"values of shape {ids.shape}",
            remedy="leave the layers before it out of the pruning",
        )
    return indices


def _kept_inputs_outputs(traced: TracedCall, keep: KeepMask) -> tuple[Indices, Indices]:
    """The kept indices of the input channels and of the output channels of a layer."""
    entering = _grid(traced, traced.inputs[0], keep)[-1]
    return entering, _grid(traced, traced.outputs[0], keep)[-1]


# --- positions that may go -----------------------------------------------------------------

PositionAxis = tuple[int, ChannelIds] | None


def _pointwise_kernels(count: int) -> list[SlidingKernel]:
    return [SlidingKernel()] * count


def _sliding_kernels(layer: Any, extents: Sequence[int]) -> list[SlidingKernel]:
    dilations = getattr(layer, "dilation_rate", 1)
    if isinstance(dilations, int):
        dilations = (dilations,) * len(extents)
    return [
        SlidingKernel((extent - 1) * dilation + 1, stride, layer.padding)
        for extent, stride, dilation in zip(extents, layer.strides, dilations, strict=True)
    ]


def _position_axis(
    name: str, ids: ChannelIds, slides: Sequence[SlidingKernel], graph: ChannelGraph
) -> PositionAxis:
    """Couples input ids so that the layer can only lose whole channels or whole positions.

    Args:
        name: Name of the layer.
        ids: Input ids, `(..., channels)`.
        slides: Kernel of the layer along each axis but the last.
        graph: Receives the couplings.

    Returns:
        The axis whose positions are removable and the output ids along it, None where no position
        is.
    """
    last = ids.ndim - 1
    what, where = (
        graph.channels_of(squeeze_repeated(ids)),
        graph.positions_of(squeeze_repeated(ids)),
    )
    paired = [axis for axis in varying_axes(where) if axis != last]
    axes = [axis for axis in varying_axes(what) if axis != last]
    if not axes and not paired:
        return None
    if paired and (len(paired) > 1 or axes):
        # Positions of several kinds at once: none of them is removable.
        graph.protect(where)
        paired = []
    if paired:
        axis, positions = paired[0], ids_along(where, paired[0])
    elif last in varying_axes(what):
        graph.couple(ids, ids_along(ids, last))
        return None
    else:
        # Where a kernel does not slide, positions go exactly; along others they go together.
        axis = next((axis for axis in axes if not slides[axis].overlaps_or_skips), axes[0])
        for other in axes:
            if other != axis:
                graph.couple(ids, np.take(ids, [0], axis=other))
        positions = ids_along(what, axis)
    if set(positions.tolist()) <= {graph.root(identity) for identity in graph.protected}:
        return None
    if not slides[axis].overlaps_or_skips:
        return axis, positions
    graph.mark_approximate(positions, f"{name} slides across them")
    return axis, graph.window(positions, slides[axis])


def _output_ids(
    shape: tuple[int, ...], channels: ChannelIds, found: PositionAxis, graph: ChannelGraph
) -> ChannelIds:
    """Ids of channels at every position, some of which are removable."""
    if found is None:
        return broadcast_ids(channels, shape)
    axis, positions = found
    pairs = graph.pair(positions[:, None], channels)
    around = [1] * len(shape)
    around[axis], around[-1] = pairs.shape
    return np.broadcast_to(pairs.reshape(around), shape)


def _passed_ids(ids: ChannelIds, found: PositionAxis, graph: ChannelGraph) -> ChannelIds:
    """Ids of the channels that a layer passes on, without positions."""
    channels = ids_along(ids, -1)
    if found is None:
        return channels
    # Where channels were reshaped into positions, there are no other channels.
    own = graph.positions_of(channels) != FIXED
    return np.where(own, np.take(graph.channel, channels), FIXED)


def _keep_positions(ids: ChannelIds, graph: ChannelGraph) -> None:
    """Protects all positions, because the layer combines them into one."""
    last = ids.ndim - 1
    what = graph.channels_of(squeeze_repeated(ids))
    graph.protect(graph.positions_of(squeeze_repeated(ids)))
    axes = [axis for axis in varying_axes(what) if axis != last]
    if axes and last in varying_axes(what):
        graph.couple(ids, ids_along(ids, last))
    elif axes:
        graph.protect(ids)


# --- layers that make channels -------------------------------------------------------------


def _trace_convolution(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer, (ids,) = call.operation, inputs
    name = graph.name(layer)
    found = _position_axis(name, ids, _sliding_kernels(layer, layer.kernel_size), graph)
    made = graph.new_channels(name, layer.filters)
    if layer.groups > 1:
        # Each group loses the same indices; else the groups would differ in size.
        for channel in (ids_along(ids, -1), made):
            indices = channel.reshape(layer.groups, -1)
            graph.couple(indices, indices[:1])
    return _output_ids(_shape(layer, inputs), made, found, graph)


def _thin_convolution(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, columns = _kept_inputs_outputs(traced, keep)
    *extents, depth, _ = layer.kernel.shape
    kernel = (*all_indices(extents), rows[rows < depth], columns)
    return ThinningSpec({"filters": len(columns)}, _biased(layer, kernel, columns))


def _trace_transposed(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer = call.operation
    _keep_positions(inputs[0], graph)
    return broadcast_ids(
        graph.new_channels(graph.name(layer), layer.filters), _shape(layer, inputs)
    )


def _thin_transposed(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, columns = _kept_inputs_outputs(traced, keep)
    kernel = (*all_indices(layer.kernel.shape[:-2]), columns, rows)
    return ThinningSpec({"filters": len(columns)}, _biased(layer, kernel, columns))


def _rows_transposed(layer: Any, weights: Sequence[Array]) -> Array:
    return np.moveaxis(weights[0], -2, 0).reshape(layer.filters, -1)


def _trace_dense(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer, (ids,) = call.operation, inputs
    name = graph.name(layer)
    found = _position_axis(name, ids, _pointwise_kernels(ids.ndim - 1), graph)
    return _output_ids(_shape(layer, inputs), graph.new_channels(name, layer.units), found, graph)


def _thin_dense(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    rows, columns = _kept_inputs_outputs(traced, keep)
    indices = _biased(traced.call.operation, (rows, columns), columns)
    return ThinningSpec({"units": len(columns)}, indices)


def _biased(layer: Any, kernel: tuple[Indices, ...], columns: Indices) -> list[tuple[Indices, ...]]:
    return [kernel, (columns,)] if layer.use_bias else [kernel]


def _trace_separable(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer, (ids,) = call.operation, inputs
    name = graph.name(layer)
    found = _position_axis(name, ids, _sliding_kernels(layer, layer.kernel_size), graph)
    return _output_ids(_shape(layer, inputs), graph.new_channels(name, layer.filters), found, graph)


def _thin_separable(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, columns = _kept_inputs_outputs(traced, keep)
    times = layer.depth_multiplier
    extents = all_indices(layer.depthwise_kernel.shape[:-2])
    pointwise = (*all_indices([1] * len(extents)), _repeated(rows, times), columns)
    bias: list[tuple[Indices, ...]] = [(columns,)] if layer.use_bias else []
    depthwise = (*extents, rows, np.arange(times))
    return ThinningSpec({"filters": len(columns)}, [depthwise, pointwise, *bias])


def _rows_separable(layer: Any, weights: Sequence[Array]) -> Array:
    return np.asarray(weights[1].reshape(-1, layer.filters).T)


def _repeated(rows: Indices, times: int) -> Indices:
    """Indices of channels each of which was repeated."""
    return (rows[:, None] * times + np.arange(times)).ravel()


def _check_recurrent(layer: Any, inputs: list[ChannelIds]) -> None:
    if len(inputs) > 1 or getattr(layer, "return_state", False):
        raise InputError(
            f"layer {layer.name!r} hands states in or out, which pruning cannot follow",
            received="an initial state" if len(inputs) > 1 else "return_state=True",
            remedy="build the network without",
        )


def _trace_recurrent(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer = call.operation
    _check_recurrent(layer, inputs)
    _keep_positions(inputs[0], graph)
    return broadcast_ids(graph.new_channels(graph.name(layer), layer.units), _shape(layer, inputs))


def _thin_recurrent(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, units = _kept_inputs_outputs(traced, keep)
    return ThinningSpec({"units": len(units)}, _recurrent_places(layer, rows, units))


def _recurrent_places(layer: Any, rows: Indices, units: Indices) -> list[tuple[Indices, ...]]:
    steps = np.arange(row_of(layer, Capability.PRUNE).gates)[:, None] * layer.units
    columns = (steps + units).ravel()
    _, _, *bias = layer.get_weights()
    # A GRU that resets after the product has two rows of biases.
    return [
        (rows, columns),
        (units, columns),
        *((*all_indices(values.shape[:-1]), columns) for values in bias),
    ]


def _masked_recurrent(traced: TracedCall, keep: KeepMask) -> Any:
    """A copy of a recurrent layer, uni- or bidirectional, that reads its kept units only."""
    layer = traced.call.operation
    copy = type(layer).from_config(layer.get_config())
    copy.build((None, *traced.inputs[0].shape))
    weights = layer.get_weights()
    directions = 2 if isinstance(layer, layers.Bidirectional) else 1
    step = len(weights) // directions
    for recurrent in range(1, len(weights), step):
        units = len(weights[recurrent])
        kept = _grid(traced, traced.outputs[0], keep)[-1]
        weights[recurrent][np.setdiff1d(np.arange(units), kept)] = 0
    copy.set_weights(weights)
    return copy


def _rows_recurrent(layer: Any, weights: Sequence[Array]) -> Array:
    # One column a gate and unit, gate by gate.
    gates = weights[0].reshape(weights[0].shape[0], -1, layer.units)
    return np.asarray(gates.transpose(2, 0, 1).reshape(layer.units, -1))


# --- layers around layers ------------------------------------------------------------------


def _trace_bidirectional(
    call: Call, inputs: list[ChannelIds], graph: ChannelGraph
) -> ChannelIds | list[ChannelIds]:
    layer = call.operation
    _check_recurrent(layer, inputs)
    _keep_positions(inputs[0], graph)
    # Both directions lose the same units, since Keras takes them to be of one size.
    units = graph.new_channels(graph.name(layer), layer.forward_layer.units)
    one = _shape(layer.forward_layer, inputs)
    if layer.merge_mode is None:
        return [broadcast_ids(units, one), broadcast_ids(units, one)]
    both = np.concatenate([units, units]) if layer.merge_mode == "concat" else units
    return broadcast_ids(both, (*one[:-1], len(both)))


def _thin_bidirectional(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, units = _kept_inputs_outputs(traced, keep)
    units = units[units < layer.forward_layer.units]
    directions = (layer.forward_layer, layer.backward_layer)
    config = {
        key: _serialized(direction, {"units": len(units)})
        for key, direction in zip(("layer", "backward_layer"), directions, strict=True)
    }
    return ThinningSpec(config, [p for d in directions for p in _recurrent_places(d, rows, units)])


def _rows_bidirectional(layer: Any, weights: Sequence[Array]) -> Array:
    half = len(weights) // 2
    return np.concatenate(
        [_rows_recurrent(layer.forward_layer, part) for part in (weights[:half], weights[half:])],
        axis=1,
    )


def _serialized(layer: Any, changes: dict[str, Any]) -> Any:
    copy = type(layer).from_config({**layer.get_config(), **changes})
    return keras.saving.serialize_keras_object(copy)


def _trace_distributed(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer = call.operation
    inner = Call(layer.layer, call.node)
    graph.names[id(layer.layer)] = graph.name(layer)
    times = [rule(layer.layer).trace(inner, [step], graph) for step in inputs[0]]
    return np.stack([np.asarray(step) for step in times])


def _thin_distributed(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    inner = traced.call.operation.layer
    step = TracedCall(
        traced.name,
        Call(inner, traced.call.node),
        tuple(ids[0] for ids in traced.inputs),
        tuple(ids[0] for ids in traced.outputs),
    )
    spec = rule(inner).thin(step, keep)
    return ThinningSpec({"layer": _serialized(inner, spec.config)}, spec.kept_indices)


def _rows_distributed(layer: Any, weights: Sequence[Array]) -> Array:
    return rule(layer.layer).channel_rows(layer.layer, weights)


# --- layers that pass channels on ----------------------------------------------------------


def _trace_depthwise(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer, (ids,) = call.operation, inputs
    found = _position_axis(
        graph.name(layer), ids, _sliding_kernels(layer, layer.kernel_size), graph
    )
    channels = np.repeat(_passed_ids(ids, found, graph), layer.depth_multiplier)
    return _output_ids(_shape(layer, inputs), channels, found, graph)


def _thin_depthwise(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    rows, columns = _kept_inputs_outputs(traced, keep)
    kernel = (*all_indices(layer.kernel.shape[:-2]), rows, np.arange(layer.depth_multiplier))
    return ThinningSpec({}, _biased(layer, kernel, columns))


def _trace_same(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    return inputs[0]


def _thin_nothing(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    return ThinningSpec()


def _trace_pooling(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    layer, (ids,) = call.operation, inputs
    found = _position_axis(graph.name(layer), ids, _sliding_kernels(layer, layer.pool_size), graph)
    return _output_ids(_shape(layer, inputs), _passed_ids(ids, found, graph), found, graph)


def _trace_window(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Global pooling, padding, cropping and repetition of positions: channels are unchanged."""
    _keep_positions(inputs[0], graph)
    return broadcast_ids(ids_along(inputs[0], -1), _shape(call.operation, inputs))


def _normalized_axes(layer: Any) -> list[int]:
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    return [axis - 1 if axis > 0 else axis for axis in axes]


def _trace_normalization(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    for axis in _normalized_axes(call.operation):
        ids = np.moveaxis(inputs[0], axis, -1)
        _position_axis(graph.name(call.operation), ids, _pointwise_kernels(ids.ndim - 1), graph)
    return inputs[0]


def _thin_normalization(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    layer = traced.call.operation
    indices = _grid(traced, traced.inputs[0], keep)
    kept = tuple(indices[axis] for axis in _normalized_axes(layer))
    return ThinningSpec({}, [kept] * len(layer.weights))


def _trace_neighbors(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Local response normalization: each channel is scaled by its neighbors."""
    graph.mark_approximate(
        inputs[0], f"{graph.name(call.operation)} measures each channel by others"
    )
    return inputs[0]


def _trace_layer_normalization(
    call: Call, inputs: list[ChannelIds], graph: ChannelGraph
) -> ChannelIds:
    _trace_neighbors(call, inputs, graph)
    return _trace_normalization(call, inputs, graph)


def _trace_softmax(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    # What sums to one cannot lose a part and stay what it was.
    graph.protect(inputs[0])
    return inputs[0]


def mixes_channels(layer: Any) -> bool:
    """Whether a layer's activation combines channels, so that none of them can go.

    Raises:
        InputError: The activation is not known.
    """
    activation = getattr(getattr(layer, "layer", layer), "activation", None)
    if activation is None or type(activation) in RULES:
        return isinstance(activation, layers.Softmax)
    name = getattr(activation, "__name__", type(activation).__name__)
    if name in _MIXING:
        return True
    if getattr(keras.activations, name, None) is not activation or name in _RESHAPING:
        raise InputError(
            f"the activation of layer {layer.name!r} cannot be pruned through",
            received=name,
            allowed="Keras' own activations, each element by itself",
            remedy="put it into a layer with a rule, or use one of Keras' own",
        )
    return False


def _thin_prelu(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    indices = _grid(traced, traced.inputs[0], keep)
    lengths = traced.call.operation.alpha.shape
    shared = [
        np.arange(1) if length == 1 else index
        for length, index in zip(lengths, indices, strict=True)
    ]
    return ThinningSpec({}, [tuple(shared)])


def _trace_elementwise(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Add and similar layers: channels combined element by element are coupled.

    A single channel that is broadcast over all others is kept, and couples none of them.
    """
    channels = max(ids.shape[-1] for ids in inputs)
    wide = [ids for ids in inputs if ids.shape[-1] == channels]
    for ids in inputs:
        if ids.shape[-1] < channels:
            graph.protect(ids)
    for other in wide[1:]:
        graph.couple(wide[0], other)
    return np.broadcast_to(wide[0], np.broadcast_shapes(*(ids.shape for ids in inputs)))


def _trace_concatenation(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    axis = call.operation.axis
    return np.concatenate(inputs, axis=axis - 1 if axis > 0 else axis)


def _trace_reshape(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    return np.reshape(inputs[0], _shape(call.operation, inputs))


def _thin_reshape(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    shape = tuple(len(index) for index in _grid(traced, traced.outputs[0], keep))
    return ThinningSpec({"target_shape": shape})


def _trace_permute(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    return np.transpose(inputs[0], [axis - 1 for axis in call.operation.dims])


# --- operations of keras.ops ---------------------------------------------------------------


def _trace_moved(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> list[ChannelIds]:
    """Operations that only move elements are run on the ids themselves."""
    moved = call.call_with(call.operation, [ids[None] for ids in inputs])
    several = moved if isinstance(moved, list | tuple) else [moved]
    return [np.asarray(ids)[0].astype(np.int64) for ids in several]


def _trace_binary(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    given = keras.tree.flatten((call.node.arguments.args, call.node.arguments.kwargs))
    constants = [value for value in given if not isinstance(value, keras.KerasTensor)]
    if any(np.size(value) > 1 for value in constants):
        raise InputError(
            f"operation {graph.name(call.operation)!r} combines channels with an array of its own",
            received=type(call.operation).__name__,
            allowed="tensors of the network, or one number",
            remedy="put the array into a layer",
        )
    return _trace_elementwise(call, inputs, graph)


def _thin_reshaped(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    shape = tuple(len(index) for index in _grid(traced, traced.outputs[0], keep))
    return ThinningSpec(apply=lambda values: ops.reshape(values[0], (-1, *shape)))


def _thin_item(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    """Slices are adjusted where channels in front of them are removed."""
    arguments = traced.call.node.arguments
    asked = arguments.args[1] if len(arguments.args) > 1 else arguments.kwargs["key"]
    indices = _grid(traced, traced.inputs[0], keep)
    chosen = _expanded(traced, asked)[1:]
    now = [
        _moved_slice(where, kept, length)
        for where, kept, length in zip(chosen, indices, traced.inputs[0].shape, strict=True)
    ]
    plain = [slice(None) if isinstance(where, list) else where for where in now]
    key = (slice(None), *plain)

    def apply(values: list[Any]) -> Any:
        value = values[0]
        for axis, where in enumerate(now):
            if isinstance(where, list):
                value = ops.take(value, where, axis=axis + 1)
        return value[key]

    return ThinningSpec(apply=apply)


def _expanded(traced: TracedCall, key: Any) -> list[Any]:
    """A key with one entry per axis, batch included."""
    # Loaded from a file, the key is a list.
    entries = list(key) if isinstance(key, tuple | list) else [key]
    axes = traced.inputs[0].ndim + 1
    if any(not isinstance(entry, int | slice | type(...)) for entry in entries):
        raise InputError(
            f"slicing at {traced.name!r} cannot be pruned through",
            received=str(key),
            allowed="slices, integers and ...",
        )
    if ... in entries:
        at = entries.index(...)
        entries[at : at + 1] = [slice(None)] * (axes - len(entries) + 1)
    return entries + [slice(None)] * (axes - len(entries))


def _moved_slice(where: int | slice, kept: Indices, length: int) -> int | slice | list[int]:
    """The slice or index that selects the same elements among the kept ones."""
    if isinstance(where, int):
        return int(np.searchsorted(kept, where % length))
    wanted = np.arange(length)[where]
    found = [int(np.searchsorted(kept, index)) for index in wanted if index in kept]
    if found == list(range(len(kept))):
        return slice(None)
    if found and found == list(range(found[0], found[-1] + 1)):
        return slice(found[0], found[-1] + 1)
    return found


def _thin_split(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    axis = traced.call.operation.axis
    axis = axis if axis >= 0 else axis + traced.inputs[0].ndim + 1
    counts = [len(_grid(traced, ids, keep)[axis - 1]) for ids in traced.outputs]
    bounds = np.cumsum(counts)[:-1].tolist()
    return ThinningSpec(apply=lambda values: ops.split(values[0], bounds, axis=axis))


def _trace_pad(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """Padding with zeros: of positions, or of channels, which get new ids.

    A padded channel has its own id, so that the channels before it can be removed without those
    that it is added to later.
    """
    around, (ids,) = call.operation.pad_width[1:], inputs
    given = [*call.node.arguments.args[2:], call.node.arguments.kwargs.get("constant_values")]
    if call.operation.mode != "constant" or any(value for value in given):
        raise InputError(
            f"padding at {graph.name(call.operation)!r} cannot be pruned through",
            received=f"mode {call.operation.mode}, values {given}",
            allowed="zeros",
        )
    _keep_positions(ids, graph)
    widened = sum(around[-1])
    channels = graph.new_ids(ids.shape[-1] + widened) if widened else ids_along(ids, -1)
    sizes = zip(ids.shape, around, strict=True)
    return broadcast_ids(channels, tuple(length + sum(pair) for length, pair in sizes))


def _thin_pad(traced: TracedCall, keep: KeepMask) -> ThinningSpec:
    around = [tuple(pair) for pair in traced.call.operation.pad_width[1:]]
    entering, leaving = _kept_inputs_outputs(traced, keep)
    front, length = around[-1][0], traced.inputs[0].shape[-1]
    # For each channel that leaves the one that it copies, or a zero behind them all.
    wanted = [
        int(np.searchsorted(entering, out - front))
        if 0 <= out - front < length and out - front in entering
        else len(entering)
        for out in leaving.tolist()
    ]
    copied = [index for index in wanted if index < len(entering)]
    before = wanted.index(0) if 0 in wanted else 0
    whole = [len(entering)] * before + copied
    whole += [len(entering)] * (len(wanted) - len(whole))
    if wanted == whole and copied == list(range(len(entering))):
        last = (before, len(wanted) - before - len(copied))
        return ThinningSpec(apply=lambda values: ops.pad(values[0], [(0, 0), *around[:-1], last]))

    def apply(values: list[Any]) -> Any:
        padded = ops.pad(values[0], [(0, 0), *around[:-1], (0, 1)])
        return ops.take(padded, wanted, axis=-1)

    return ThinningSpec(apply=apply)


_MIXING = ("softmax", "log_softmax", "sparsemax")
# Halves the channels.
_RESHAPING = ("glu",)

_SAME = PruningRule(_trace_same, _thin_nothing)
_POOLING = PruningRule(_trace_pooling, _thin_nothing)
_WINDOW = PruningRule(_trace_window, _thin_nothing)
_ELEMENTWISE = PruningRule(_trace_elementwise, _thin_nothing)
_CONVOLUTION = PruningRule(_trace_convolution, _thin_convolution, consumes=True)
_TRANSPOSED = PruningRule(
    _trace_transposed, _thin_transposed, consumes=True, channel_rows=_rows_transposed
)
_SEPARABLE = PruningRule(
    _trace_separable, _thin_separable, consumes=True, channel_rows=_rows_separable
)
_DEPTHWISE = PruningRule(_trace_depthwise, _thin_depthwise)
_RECURRENT = PruningRule(
    _trace_recurrent,
    _thin_recurrent,
    consumes=True,
    channel_rows=_rows_recurrent,
    masked=_masked_recurrent,
)
_CONCATENATION = PruningRule(_trace_concatenation, _thin_nothing)

RULES: dict[type[Any], PruningRule] = {
    layers.Dense: PruningRule(_trace_dense, _thin_dense, consumes=True),
    layers.Conv1D: _CONVOLUTION,
    layers.Conv2D: _CONVOLUTION,
    layers.Conv3D: _CONVOLUTION,
    layers.Conv1DTranspose: _TRANSPOSED,
    layers.Conv2DTranspose: _TRANSPOSED,
    layers.Conv3DTranspose: _TRANSPOSED,
    layers.SeparableConv1D: _SEPARABLE,
    layers.SeparableConv2D: _SEPARABLE,
    layers.DepthwiseConv1D: _DEPTHWISE,
    layers.DepthwiseConv2D: _DEPTHWISE,
    layers.SimpleRNN: _RECURRENT,
    layers.GRU: _RECURRENT,
    layers.LSTM: _RECURRENT,
    layers.Bidirectional: PruningRule(
        _trace_bidirectional,
        _thin_bidirectional,
        consumes=True,
        channel_rows=_rows_bidirectional,
        masked=_masked_recurrent,
    ),
    layers.TimeDistributed: PruningRule(
        _trace_distributed, _thin_distributed, consumes=True, channel_rows=_rows_distributed
    ),
    layers.BatchNormalization: PruningRule(_trace_normalization, _thin_normalization),
    layers.LayerNormalization: PruningRule(_trace_layer_normalization, _thin_normalization),
    LocalResponseNormalization: PruningRule(_trace_neighbors, _thin_nothing),
    layers.MaxPooling1D: _POOLING,
    layers.MaxPooling2D: _POOLING,
    layers.MaxPooling3D: _POOLING,
    layers.AveragePooling1D: _POOLING,
    layers.AveragePooling2D: _POOLING,
    layers.AveragePooling3D: _POOLING,
    layers.GlobalAveragePooling1D: _WINDOW,
    layers.GlobalAveragePooling2D: _WINDOW,
    layers.GlobalAveragePooling3D: _WINDOW,
    layers.GlobalMaxPooling1D: _WINDOW,
    layers.GlobalMaxPooling2D: _WINDOW,
    layers.GlobalMaxPooling3D: _WINDOW,
    layers.ZeroPadding1D: _WINDOW,
    layers.ZeroPadding2D: _WINDOW,
    layers.ZeroPadding3D: _WINDOW,
    layers.Cropping1D: _WINDOW,
    layers.Cropping2D: _WINDOW,
    layers.Cropping3D: _WINDOW,
    layers.UpSampling1D: _WINDOW,
    layers.UpSampling2D: _WINDOW,
    layers.UpSampling3D: _WINDOW,
    layers.Add: _ELEMENTWISE,
    layers.Subtract: _ELEMENTWISE,
    layers.Multiply: _ELEMENTWISE,
    layers.Average: _ELEMENTWISE,
    layers.Maximum: _ELEMENTWISE,
    layers.Minimum: _ELEMENTWISE,
    layers.Concatenate: _CONCATENATION,
    layers.Flatten: PruningRule(_trace_reshape, _thin_nothing),
    layers.Reshape: PruningRule(_trace_reshape, _thin_reshape),
    layers.Permute: PruningRule(_trace_permute, _thin_nothing),
    layers.Activation: _SAME,
    layers.Softmax: PruningRule(_trace_softmax, _thin_nothing),
    layers.ReLU: _SAME,
    layers.LeakyReLU: _SAME,
    layers.ELU: _SAME,
    layers.PReLU: PruningRule(_trace_same, _thin_prelu),
    layers.Dropout: _SAME,
    layers.SpatialDropout1D: _SAME,
    layers.SpatialDropout2D: _SAME,
    layers.SpatialDropout3D: _SAME,
    layers.GaussianDropout: _SAME,
    layers.GaussianNoise: _SAME,
}

_BINARY = PruningRule(_trace_binary, _thin_nothing)
_MOVED = PruningRule(_trace_moved, _thin_nothing)

# By the name of the operation's class, since Keras does not export these classes.
OPERATIONS: dict[str, PruningRule] = {
    "GetItem": PruningRule(_trace_moved, _thin_item),
    "Split": PruningRule(_trace_moved, _thin_split),
    "Reshape": PruningRule(_trace_moved, _thin_reshaped),
    "Transpose": _MOVED,
    "ExpandDims": _MOVED,
    "Squeeze": _MOVED,
    "Pad": PruningRule(_trace_pad, _thin_pad, consumes=True),
    "Concatenate": _CONCATENATION,
    "Add": _BINARY,
    "Subtract": _BINARY,
    "Multiply": _BINARY,
    "Maximum": _BINARY,
    "Minimum": _BINARY,
    "Relu": _SAME,
    "Relu6": _SAME,
    "LeakyRelu": _SAME,
    "Elu": _SAME,
    "Gelu": _SAME,
    "Silu": _SAME,
    "Sigmoid": _SAME,
    "Tanh": _SAME,
    "Softmax": PruningRule(_trace_softmax, _thin_nothing),
}

TABLE = RuleTable(Capability.PRUNE, RULES, OPERATIONS)
rule = TABLE.rule
