"""How channel identities pass each layer type, and how it is thinned: one row a type in `RULES`.

To add a layer type, write a `trace` (call, identities that enter, ledger) -> identities that
leave, and a `cut` (what was seen, what stays) -> what to build it from, and give the type a row.
Operations of `keras.ops` have theirs in `OPERATIONS`, by name.
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
from hsitf.prune.identities import (
    FIXED,
    Ids,
    Ledger,
    Places,
    Seen,
    Slide,
    grid,
    line,
    ranges,
    slim,
    spread,
    varies,
)

Stays = NDArray[np.bool_]
Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Cut:
    """What a thinned layer is built from.

    Attributes:
        config: Changes of its configuration.
        places: For each of its weights, in the layer's own order, the places kept along each
            axis.
        apply: Instead of a layer: what an operation of `keras.ops` becomes.
    """

    config: dict[str, Any] = field(default_factory=dict)
    places: list[tuple[Places, ...]] = field(default_factory=list)
    apply: Callable[[list[Any]], Any] | None = None


def _last_axis(layer: Any, weights: Sequence[Array]) -> Array:
    """One row a channel, where channels are the last axis of the first weight."""
    kernel = weights[0]
    return np.moveaxis(kernel, -1, 0).reshape(kernel.shape[-1], -1)


def _itself(seen: Seen, stays: Stays) -> Any:
    return seen.call.operation


@dataclass(frozen=True)
class Rule:
    """How a layer type is traced and cut, and whether it consumes channels.

    Attributes:
        trace: Identities that leave, from those that enter.
        cut: The layer without the channels that are not kept.
        consumes: Whether it sums over what enters, so that a removed channel counts as zero
            there.
        rows: Of arrays shaped as the layer's weights, those that make each of its channels:
            (channels, weights).
        masked: The layer with its weights, deaf to the channels of its own that are removed: a
            recurrent layer sums over those too.
    """

    trace: Callable[[Call, list[Ids], Ledger], Ids | list[Ids]]
    cut: Callable[[Seen, Stays], Cut]
    consumes: bool = False
    rows: Callable[[Any, Sequence[Array]], Array] = _last_axis
    masked: Callable[[Seen, Stays], Any] = _itself


def _shape(layer: Any, inputs: list[Ids]) -> tuple[int, ...]:
    """Shape that leaves a layer with one input, without batch."""
    return tuple(layer.compute_output_shape((1, *inputs[0].shape))[1:])


def _grid(seen: Seen, ids: Ids, stays: Stays) -> list[Places]:
    places = grid(ids, stays)
    if places is None:
        raise InputError(
            f"what is left at layer {seen.name!r} does not form a block",
            received=f"values of shape {ids.shape}",
            remedy="leave the layers before it out of the pruning",
        )
    return places


def _sides(seen: Seen, stays: Stays) -> tuple[Places, Places]:
    """Which channels stay of those that enter a layer and of those that leave it."""
    entering = _grid(seen, seen.inputs[0], stays)[-1]
    return entering, _grid(seen, seen.outputs[0], stays)[-1]


# --- positions that may go -----------------------------------------------------------------

Found = tuple[int, Ids] | None


def _still(count: int) -> list[Slide]:
    return [Slide()] * count


def _slides(layer: Any, extents: Sequence[int]) -> list[Slide]:
    dilations = getattr(layer, "dilation_rate", 1)
    if isinstance(dilations, int):
        dilations = (dilations,) * len(extents)
    return [
        Slide((extent - 1) * dilation + 1, stride, layer.padding)
        for extent, stride, dilation in zip(extents, layer.strides, dilations, strict=True)
    ]


def _positions(name: str, ids: Ids, slides: Sequence[Slide], ledger: Ledger) -> Found:
    """Sees to it that what enters a layer can only lose whole channels or whole positions.

    Args:
        name: Of the layer.
        ids: Identities that enter, `(..., channels)`.
        slides: How the layer moves along each axis but the last.
        ledger: Notes what has to live together for that.

    Returns:
        The axis along which positions may go and the identities that leave along it, None
        where all positions stay.
    """
    last = ids.ndim - 1
    what, where = ledger.channels_of(slim(ids)), ledger.places_of(slim(ids))
    paired = [axis for axis in varies(where) if axis != last]
    axes = [axis for axis in varies(what) if axis != last]
    if not axes and not paired:
        return None
    if paired and (len(paired) > 1 or axes):
        # Positions of several kinds at once: none of them goes.
        ledger.protect(where)
        paired = []
    if paired:
        axis, positions = paired[0], line(where, paired[0])
    elif last in varies(what):
        ledger.join(ids, line(ids, last))
        return None
    else:
        # Where a kernel does not slide, positions go exactly; along others they go together.
        axis = next((axis for axis in axes if not slides[axis].moves), axes[0])
        for other in axes:
            if other != axis:
                ledger.join(ids, np.take(ids, [0], axis=other))
        positions = line(what, axis)
    if set(positions.tolist()) <= {ledger.root(identity) for identity in ledger.protected}:
        return None
    if not slides[axis].moves:
        return axis, positions
    ledger.blur(positions, f"{name} slides across them")
    return axis, ledger.window(positions, slides[axis])


def _leaving(shape: tuple[int, ...], channels: Ids, found: Found, ledger: Ledger) -> Ids:
    """Identities of channels at every position, some of which may go."""
    if found is None:
        return spread(channels, shape)
    axis, positions = found
    pairs = ledger.pair(positions[:, None], channels)
    around = [1] * len(shape)
    around[axis], around[-1] = pairs.shape
    return np.broadcast_to(pairs.reshape(around), shape)


def _passing(ids: Ids, found: Found, ledger: Ledger) -> Ids:
    """Identities of the channels that a layer passes on, positions left aside."""
    channels = line(ids, -1)
    if found is None:
        return channels
    # Where channels had become positions, there are no other channels.
    own = ledger.places_of(channels) != FIXED
    return np.where(own, np.take(ledger.channel, channels), FIXED)


def _keep_positions(ids: Ids, ledger: Ledger) -> None:
    """Lets all positions stay: the layer makes one of them all."""
    last = ids.ndim - 1
    what = ledger.channels_of(slim(ids))
    ledger.protect(ledger.places_of(slim(ids)))
    axes = [axis for axis in varies(what) if axis != last]
    if axes and last in varies(what):
        ledger.join(ids, line(ids, last))
    elif axes:
        ledger.protect(ids)


# --- layers that make channels -------------------------------------------------------------


def _trace_convolution(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    layer, (ids,) = call.operation, inputs
    name = ledger.name(layer)
    found = _positions(name, ids, _slides(layer, layer.kernel_size), ledger)
    made = ledger.make(name, layer.filters)
    if layer.groups > 1:
        # Each group loses the same places, or they would no longer be of one size.
        for channel in (line(ids, -1), made):
            places = channel.reshape(layer.groups, -1)
            ledger.join(places, places[:1])
    return _leaving(_shape(layer, inputs), made, found, ledger)


def _cut_convolution(seen: Seen, stays: Stays) -> Cut:
    layer = seen.call.operation
    rows, columns = _sides(seen, stays)
    *extents, depth, _ = layer.kernel.shape
    kernel = (*ranges(extents), rows[rows < depth], columns)
    return Cut({"filters": len(columns)}, _biased(layer, kernel, columns))


def _trace_transposed(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    layer = call.operation
    _keep_positions(inputs[0], ledger)
    return spread(ledger.make(ledger.name(layer), layer.filters), _shape(layer, inputs))


def _cut_transposed(seen: Seen, stays: Stays) -> Cut:
    layer = seen.call.operation
    rows, columns = _sides(seen, stays)
    kernel = (*ranges(layer.kernel.shape[:-2]), columns, rows)
    return Cut({"filters": len(columns)}, _biased(layer, kernel, columns))


def _rows_transposed(layer: Any, weights: Sequence[Array]) -> Array:
    return np.moveaxis(weights[0], -2, 0).reshape(layer.filters, -1)


def _trace_dense(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    layer, (ids,) = call.operation, inputs
    name = ledger.name(layer)
    found = _positions(name, ids, _still(ids.ndim - 1), ledger)
    return _leaving(_shape(layer, inputs), ledger.make(name, layer.units), found, ledger)


def _cut_dense(seen: Seen, stays: Stays) -> Cut:
    rows, columns = _sides(seen, stays)
    places = _biased(seen.call.operation, (rows, columns), columns)
    return Cut({"units": len(columns)}, places)


def _biased(layer: Any, kernel: tuple[Places, ...], columns: Places) -> list[tuple[Places, ...]]:
    return [kernel, (columns,)] if layer.use_bias else [kernel]


def _trace_separable(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    layer, (ids,) = call.operation, inputs
    name = ledger.name(layer)
    found = _positions(name, ids, _slides(layer, layer.kernel_size), ledger)
    return _leaving(_shape(layer, inputs), ledger.make(name, layer.filters), found, ledger)


def _cut_separable(seen: Seen, stays: Stays) -> Cut:
    layer = seen.call.operation
    rows, columns = _sides(seen, stays)
    times = layer.depth_multiplier
    extents = ranges(layer.depthwise_kernel.shape[:-2])
    pointwise = (*ranges([1] * len(extents)), _repeated(rows, times), columns)
    bias: list[tuple[Places, ...]] = [(columns,)] if layer.use_bias else []
    depthwise = (*extents, rows, np.arange(times))
    return Cut({"filters": len(columns)}, [depthwise, pointwise, *bias])


def _rows_separable(layer: Any, weights: Sequence[Array]) -> Array:
    return np.asarray(weights[1].reshape(-1, layer.filters).T)


def _repeated(rows: Places, times: int) -> Places:
    """Places of channels each of which was multiplied."""
    return (rows[:, None] * times + np.arange(times)).ravel()


def _gates(layer: Any) -> int:
    return {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}[type(layer).__name__]


def _check_recurrent(layer: Any, inputs: list[Ids]) -> None:
    if len(inputs) > 1 or getattr(layer, "return_state", False):
        raise InputError(
            f"layer {layer.name!r} hands states in or out, which pruning cannot follow",
            received="an initial state" if len(inputs) > 1 else "return_state=True",
            remedy="build the network without",
        )


def _trace_recurrent(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    layer = call.operation
    _check_recurrent(layer, inputs)
    _keep_positions(inputs[0], ledger)
    return spread(ledger.make(ledger.name(layer), layer.units), _shape(layer, inputs))


def _cut_recurrent(seen: Seen, stays: Stays) -> Cut:
    layer = seen.call.operation
    rows, units = _sides(seen, stays)
    return Cut({"units": len(units)}, _recurrent_places(layer, rows, units))


def _recurrent_places(layer: Any, rows: Places, units: Places) -> list[tuple[Places, ...]]:
    steps = np.arange(_gates(layer))[:, None] * layer.units
    columns = (steps + units).ravel()
    _, _, *bias = layer.get_weights()
    # A GRU that resets after the product has two rows of biases.
    return [
        (rows, columns),
        (units, columns),
        *((*ranges(values.shape[:-1]), columns) for values in bias),
    ]


def _masked_recurrent(seen: Seen, stays: Stays) -> Any:
    """A copy of a recurrent layer, of one direction or both, that hears its kept units alone."""
    layer = seen.call.operation
    copy = type(layer).from_config(layer.get_config())
    copy.build((None, *seen.inputs[0].shape))
    weights = layer.get_weights()
    directions = 2 if isinstance(layer, layers.Bidirectional) else 1
    step = len(weights) // directions
    for recurrent in range(1, len(weights), step):
        units = len(weights[recurrent])
        kept = _grid(seen, seen.outputs[0], stays)[-1]
        weights[recurrent][np.setdiff1d(np.arange(units), kept)] = 0
    copy.set_weights(weights)
    return copy


def _rows_recurrent(layer: Any, weights: Sequence[Array]) -> Array:
    # One column a gate and unit, gate by gate.
    gates = weights[0].reshape(weights[0].shape[0], -1, layer.units)
    return np.asarray(gates.transpose(2, 0, 1).reshape(layer.units, -1))


# --- layers around layers ------------------------------------------------------------------


def _trace_bidirectional(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids | list[Ids]:
    layer = call.operation
    _check_recurrent(layer, inputs)
    _keep_positions(inputs[0], ledger)
    # Both directions lose the same units, since Keras takes them to be of one size.
    units = ledger.make(ledger.name(layer), layer.forward_layer.units)
    one = _shape(layer.forward_layer, inputs)
    if layer.merge_mode is None:
        return [spread(units, one), spread(units, one)]
    both = np.concatenate([units, units]) if layer.merge_mode == "concat" else units
    return spread(both, (*one[:-1], len(both)))


def _cut_bidirectional(seen: Seen, stays: Stays) -> Cut:
    layer = seen.call.operation
    rows, units = _sides(seen, stays)
    units = units[units < layer.forward_layer.units]
    directions = (layer.forward_layer, layer.backward_layer)
    config = {
        key: _serialized(direction, {"units": len(units)})
        for key, direction in zip(("layer", "backward_layer"), directions, strict=True)
    }
    return Cut(config, [p for d in directions for p in _recurrent_places(d, rows, units)])


def _rows_bidirectional(layer: Any, weights: Sequence[Array]) -> Array:
    half = len(weights) // 2
    return np.concatenate(
        [_rows_recurrent(layer.forward_layer, part) for part in (weights[:half], weights[half:])],
        axis=1,
    )


def _serialized(layer: Any, changes: dict[str, Any]) -> Any:
    copy = type(layer).from_config({**layer.get_config(), **changes})
    return keras.saving.serialize_keras_object(copy)


def _trace_distributed(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    layer = call.operation
    inner = Call(layer.layer, call.node)
    ledger.names[id(layer.layer)] = ledger.name(layer)
    times = [rule(layer.layer).trace(inner, [step], ledger) for step in inputs[0]]
    return np.stack([np.asarray(step) for step in times])


def _cut_distributed(seen: Seen, stays: Stays) -> Cut:
    inner = seen.call.operation.layer
    step = Seen(
        seen.name,
        Call(inner, seen.call.node),
        tuple(ids[0] for ids in seen.inputs),
        tuple(ids[0] for ids in seen.outputs),
    )
    cut = rule(inner).cut(step, stays)
    return Cut({"layer": _serialized(inner, cut.config)}, cut.places)


def _rows_distributed(layer: Any, weights: Sequence[Array]) -> Array:
    return rule(layer.layer).rows(layer.layer, weights)


# --- layers that pass channels on ----------------------------------------------------------


def _trace_depthwise(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    layer, (ids,) = call.operation, inputs
    found = _positions(ledger.name(layer), ids, _slides(layer, layer.kernel_size), ledger)
    channels = np.repeat(_passing(ids, found, ledger), layer.depth_multiplier)
    return _leaving(_shape(layer, inputs), channels, found, ledger)


def _cut_depthwise(seen: Seen, stays: Stays) -> Cut:
    layer = seen.call.operation
    rows, columns = _sides(seen, stays)
    kernel = (*ranges(layer.kernel.shape[:-2]), rows, np.arange(layer.depth_multiplier))
    return Cut({}, _biased(layer, kernel, columns))


def _trace_same(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    return inputs[0]


def _cut_nothing(seen: Seen, stays: Stays) -> Cut:
    return Cut()


def _trace_pooling(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    layer, (ids,) = call.operation, inputs
    found = _positions(ledger.name(layer), ids, _slides(layer, layer.pool_size), ledger)
    return _leaving(_shape(layer, inputs), _passing(ids, found, ledger), found, ledger)


def _trace_window(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    """Global pooling, padding, cropping and repeating of positions: channels stay as they are."""
    _keep_positions(inputs[0], ledger)
    return spread(line(inputs[0], -1), _shape(call.operation, inputs))


def _normalized_axes(layer: Any) -> list[int]:
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    return [axis - 1 if axis > 0 else axis for axis in axes]


def _trace_normalization(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    for axis in _normalized_axes(call.operation):
        ids = np.moveaxis(inputs[0], axis, -1)
        _positions(ledger.name(call.operation), ids, _still(ids.ndim - 1), ledger)
    return inputs[0]


def _cut_normalization(seen: Seen, stays: Stays) -> Cut:
    layer = seen.call.operation
    places = _grid(seen, seen.inputs[0], stays)
    kept = tuple(places[axis] for axis in _normalized_axes(layer))
    return Cut({}, [kept] * len(layer.weights))


def _trace_neighbors(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    """Local response normalization: each channel is measured by its neighbors."""
    ledger.blur(inputs[0], f"{ledger.name(call.operation)} measures each channel by others")
    return inputs[0]


def _trace_layer_normalization(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    _trace_neighbors(call, inputs, ledger)
    return _trace_normalization(call, inputs, ledger)


def _trace_softmax(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    # What sums to one cannot lose a part and stay what it was.
    ledger.protect(inputs[0])
    return inputs[0]


def mixes(layer: Any) -> bool:
    """Whether a layer's activation combines channels, so that none of them can go.

    Raises:
        InputError: Nobody knows what the activation does.
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


def _cut_prelu(seen: Seen, stays: Stays) -> Cut:
    places = _grid(seen, seen.inputs[0], stays)
    lengths = seen.call.operation.alpha.shape
    shared = [
        np.arange(1) if length == 1 else place
        for length, place in zip(lengths, places, strict=True)
    ]
    return Cut({}, [tuple(shared)])


def _trace_joined(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    """Add and its like: what is combined element by element lives together.

    A single channel that is combined with all others stays, and ties none of them.
    """
    channels = max(ids.shape[-1] for ids in inputs)
    wide = [ids for ids in inputs if ids.shape[-1] == channels]
    for ids in inputs:
        if ids.shape[-1] < channels:
            ledger.protect(ids)
    for other in wide[1:]:
        ledger.join(wide[0], other)
    return np.broadcast_to(wide[0], np.broadcast_shapes(*(ids.shape for ids in inputs)))


def _trace_concatenation(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    axis = call.operation.axis
    return np.concatenate(inputs, axis=axis - 1 if axis > 0 else axis)


def _trace_reshape(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    return np.reshape(inputs[0], _shape(call.operation, inputs))


def _cut_reshape(seen: Seen, stays: Stays) -> Cut:
    shape = tuple(len(place) for place in _grid(seen, seen.outputs[0], stays))
    return Cut({"target_shape": shape})


def _trace_permute(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    return np.transpose(inputs[0], [axis - 1 for axis in call.operation.dims])


# --- operations of keras.ops ---------------------------------------------------------------


def _trace_moved(call: Call, inputs: list[Ids], ledger: Ledger) -> list[Ids]:
    """Operations that only move elements move their identities: they are run on them."""
    moved = call.repeated(call.operation, [ids[None] for ids in inputs])
    several = moved if isinstance(moved, list | tuple) else [moved]
    return [np.asarray(ids)[0].astype(np.int64) for ids in several]


def _trace_binary(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    given = keras.tree.flatten((call.node.arguments.args, call.node.arguments.kwargs))
    constants = [value for value in given if not isinstance(value, keras.KerasTensor)]
    if any(np.size(value) > 1 for value in constants):
        raise InputError(
            f"operation {ledger.name(call.operation)!r} combines channels with an array of its own",
            received=type(call.operation).__name__,
            allowed="tensors of the network, or one number",
            remedy="put the array into a layer",
        )
    return _trace_joined(call, inputs, ledger)


def _cut_reshaped(seen: Seen, stays: Stays) -> Cut:
    shape = tuple(len(place) for place in _grid(seen, seen.outputs[0], stays))
    return Cut(apply=lambda values: ops.reshape(values[0], (-1, *shape)))


def _cut_item(seen: Seen, stays: Stays) -> Cut:
    """Slices move where channels in front of them go."""
    arguments = seen.call.node.arguments
    asked = arguments.args[1] if len(arguments.args) > 1 else arguments.kwargs["key"]
    places = _grid(seen, seen.inputs[0], stays)
    chosen = _expanded(seen, asked)[1:]
    now = [
        _moved_slice(where, kept, length)
        for where, kept, length in zip(chosen, places, seen.inputs[0].shape, strict=True)
    ]
    plain = [slice(None) if isinstance(where, list) else where for where in now]
    key = (slice(None), *plain)

    def apply(values: list[Any]) -> Any:
        value = values[0]
        for axis, where in enumerate(now):
            if isinstance(where, list):
                value = ops.take(value, where, axis=axis + 1)
        return value[key]

    return Cut(apply=apply)


def _expanded(seen: Seen, key: Any) -> list[Any]:
    """A key with one entry an axis, batch included."""
    # Loaded from a file, the key is a list.
    entries = list(key) if isinstance(key, tuple | list) else [key]
    axes = seen.inputs[0].ndim + 1
    if any(not isinstance(entry, int | slice | type(...)) for entry in entries):
        raise InputError(
            f"slicing at {seen.name!r} cannot be pruned through",
            received=str(key),
            allowed="slices, integers and ...",
        )
    if ... in entries:
        at = entries.index(...)
        entries[at : at + 1] = [slice(None)] * (axes - len(entries) + 1)
    return entries + [slice(None)] * (axes - len(entries))


def _moved_slice(where: int | slice, kept: Places, length: int) -> int | slice | list[int]:
    """What a slice or an index becomes once only some places are kept."""
    if isinstance(where, int):
        return int(np.searchsorted(kept, where % length))
    wanted = np.arange(length)[where]
    found = [int(np.searchsorted(kept, place)) for place in wanted if place in kept]
    if found == list(range(len(kept))):
        return slice(None)
    if found and found == list(range(found[0], found[-1] + 1)):
        return slice(found[0], found[-1] + 1)
    return found


def _cut_split(seen: Seen, stays: Stays) -> Cut:
    axis = seen.call.operation.axis
    axis = axis if axis >= 0 else axis + seen.inputs[0].ndim + 1
    counts = [len(_grid(seen, ids, stays)[axis - 1]) for ids in seen.outputs]
    bounds = np.cumsum(counts)[:-1].tolist()
    return Cut(apply=lambda values: ops.split(values[0], bounds, axis=axis))


def _trace_pad(call: Call, inputs: list[Ids], ledger: Ledger) -> Ids:
    """Padding with zeros: of positions, or of channels, which are then new ones.

    A padded value is one of its own, so that the channels before it can go without those that
    their places are added to later.
    """
    around, (ids,) = call.operation.pad_width[1:], inputs
    given = [*call.node.arguments.args[2:], call.node.arguments.kwargs.get("constant_values")]
    if call.operation.mode != "constant" or any(value for value in given):
        raise InputError(
            f"padding at {ledger.name(call.operation)!r} cannot be pruned through",
            received=f"mode {call.operation.mode}, values {given}",
            allowed="zeros",
        )
    _keep_positions(ids, ledger)
    widened = sum(around[-1])
    channels = ledger.fresh(ids.shape[-1] + widened) if widened else line(ids, -1)
    sizes = zip(ids.shape, around, strict=True)
    return spread(channels, tuple(length + sum(pair) for length, pair in sizes))


def _cut_pad(seen: Seen, stays: Stays) -> Cut:
    around = [tuple(pair) for pair in seen.call.operation.pad_width[1:]]
    entering, leaving = _sides(seen, stays)
    front, length = around[-1][0], seen.inputs[0].shape[-1]
    # For each channel that leaves the one that it copies, or a zero behind them all.
    wanted = [
        int(np.searchsorted(entering, out - front))
        if 0 <= out - front < length and out - front in entering
        else len(entering)
        for out in leaving.tolist()
    ]
    copied = [place for place in wanted if place < len(entering)]
    before = wanted.index(0) if 0 in wanted else 0
    whole = [len(entering)] * before + copied
    whole += [len(entering)] * (len(wanted) - len(whole))
    if wanted == whole and copied == list(range(len(entering))):
        last = (before, len(wanted) - before - len(copied))
        return Cut(apply=lambda values: ops.pad(values[0], [(0, 0), *around[:-1], last]))

    def apply(values: list[Any]) -> Any:
        padded = ops.pad(values[0], [(0, 0), *around[:-1], (0, 1)])
        return ops.take(padded, wanted, axis=-1)

    return Cut(apply=apply)


_MIXING = ("softmax", "log_softmax", "sparsemax")
# Halves the channels.
_RESHAPING = ("glu",)

_SAME = Rule(_trace_same, _cut_nothing)
_POOLING = Rule(_trace_pooling, _cut_nothing)
_WINDOW = Rule(_trace_window, _cut_nothing)
_JOINED = Rule(_trace_joined, _cut_nothing)
_CONVOLUTION = Rule(_trace_convolution, _cut_convolution, consumes=True)
_TRANSPOSED = Rule(_trace_transposed, _cut_transposed, consumes=True, rows=_rows_transposed)
_SEPARABLE = Rule(_trace_separable, _cut_separable, consumes=True, rows=_rows_separable)
_DEPTHWISE = Rule(_trace_depthwise, _cut_depthwise)
_RECURRENT = Rule(
    _trace_recurrent, _cut_recurrent, consumes=True, rows=_rows_recurrent, masked=_masked_recurrent
)
_CONCATENATION = Rule(_trace_concatenation, _cut_nothing)

RULES: dict[type[Any], Rule] = {
    layers.Dense: Rule(_trace_dense, _cut_dense, consumes=True),
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
    layers.Bidirectional: Rule(
        _trace_bidirectional,
        _cut_bidirectional,
        consumes=True,
        rows=_rows_bidirectional,
        masked=_masked_recurrent,
    ),
    layers.TimeDistributed: Rule(
        _trace_distributed, _cut_distributed, consumes=True, rows=_rows_distributed
    ),
    layers.BatchNormalization: Rule(_trace_normalization, _cut_normalization),
    layers.LayerNormalization: Rule(_trace_layer_normalization, _cut_normalization),
    LocalResponseNormalization: Rule(_trace_neighbors, _cut_nothing),
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
    layers.Add: _JOINED,
    layers.Subtract: _JOINED,
    layers.Multiply: _JOINED,
    layers.Average: _JOINED,
    layers.Maximum: _JOINED,
    layers.Minimum: _JOINED,
    layers.Concatenate: _CONCATENATION,
    layers.Flatten: Rule(_trace_reshape, _cut_nothing),
    layers.Reshape: Rule(_trace_reshape, _cut_reshape),
    layers.Permute: Rule(_trace_permute, _cut_nothing),
    layers.Activation: _SAME,
    layers.Softmax: Rule(_trace_softmax, _cut_nothing),
    layers.ReLU: _SAME,
    layers.LeakyReLU: _SAME,
    layers.ELU: _SAME,
    layers.PReLU: Rule(_trace_same, _cut_prelu),
    layers.Dropout: _SAME,
    layers.SpatialDropout1D: _SAME,
    layers.SpatialDropout2D: _SAME,
    layers.SpatialDropout3D: _SAME,
    layers.GaussianDropout: _SAME,
    layers.GaussianNoise: _SAME,
}

_BINARY = Rule(_trace_binary, _cut_nothing)
_MOVED = Rule(_trace_moved, _cut_nothing)

# By the name of the operation's class, since Keras does not export these classes.
OPERATIONS: dict[str, Rule] = {
    "GetItem": Rule(_trace_moved, _cut_item),
    "Split": Rule(_trace_moved, _cut_split),
    "Reshape": Rule(_trace_moved, _cut_reshaped),
    "Transpose": _MOVED,
    "ExpandDims": _MOVED,
    "Squeeze": _MOVED,
    "Pad": Rule(_trace_pad, _cut_pad, consumes=True),
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
    "Softmax": Rule(_trace_softmax, _cut_nothing),
}


def rule(operation: Any) -> Rule:
    """The row of a layer's or an operation's type.

    Raises:
        InputError: There is none.
    """
    kind = type(operation)
    if kind in RULES:
        return RULES[kind]
    if not isinstance(operation, keras.Layer) and kind.__name__ in OPERATIONS:
        return OPERATIONS[kind.__name__]
    known = sorted({row.__name__ for row in RULES} | {f"ops {name}" for name in OPERATIONS})
    raise InputError(
        f"layer {operation.name!r} cannot be pruned through",
        received=kind.__name__,
        allowed=", ".join(known),
        remedy="add a row for its type in hsitf/prune/rules.py",
    )
