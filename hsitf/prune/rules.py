"""How channel identities pass each layer type, and how it is thinned: one row a type in `RULES`.

To add a layer type, write a `trace` (layer, identities that enter, ledger) -> identities that
leave, and a `cut` (layer, what enters, what leaves, what is kept) -> configuration and weights,
and give the type a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import layers
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.prune.identities import FIXED, Ids, Ledger, Seen, channels, grid, spread

Kept = Callable[[Ids], NDArray[np.bool_]]


class Cut(NamedTuple):
    """A thinned layer: what to build it from.

    Attributes:
        config: Changes of its configuration.
        weights: In the layer's own order.
    """

    config: dict[str, Any]
    weights: list[NDArray[np.generic]]


class Rule(NamedTuple):
    """How a layer type is traced and cut, and whether it consumes channels.

    Attributes:
        trace: Identities that leave, from those that enter.
        cut: The layer without the channels that are not kept.
        consumes: Whether it sums over what enters, so that a removed channel counts as zero
            there.
    """

    trace: Callable[[Any, list[Ids], Ledger], Ids]
    cut: Callable[[Seen, Kept], Cut]
    consumes: bool = False


def shape_of(layer: Any, inputs: list[Ids]) -> tuple[int, ...]:
    """Shape that leaves a layer with one input, without batch."""
    return tuple(layer.compute_output_shape((1, *inputs[0].shape))[1:])


def _line(layer: Any, ids: Ids, axis: int = -1) -> Ids:
    line = channels(ids, axis)
    if line is None:
        raise InputError(
            f"layer {layer.name!r} sees different channels at different positions",
            received=f"values of shape {ids.shape}",
            remedy="leave the layers before it out of the pruning",
        )
    return line


def _sides(seen: Seen, kept: Kept) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which channels stay of those that enter a layer and of those that it makes."""
    line = channels(seen.inputs[0])
    # Where positions differ (see `_trace_convolution`) everything that enters is protected.
    entering = kept(line) if line is not None else np.ones(seen.inputs[0].shape[-1], bool)
    return entering, kept(seen.output[(0,) * (seen.output.ndim - 1)])


# --- layers that make channels -------------------------------------------------------------


def _trace_convolution(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    (ids,) = inputs
    line = channels(ids)
    if line is None:
        # A kernel that slides across channels would meet other neighbors once some are gone.
        ledger.protect(ids)
        line = np.full(ids.shape[-1], FIXED)
    made = ledger.make(layer.name, layer.filters)
    if layer.groups > 1:
        # Each group loses the same places, or they would no longer be of one size.
        for channel in (line, made):
            places = channel.reshape(layer.groups, -1)
            ledger.join(places, places[:1])
    return spread(made, shape_of(layer, inputs))


def _cut_convolution(seen: Seen, kept: Kept) -> Cut:
    layer = seen.layer
    rows, columns = _sides(seen, kept)
    if layer.groups > 1:
        rows = rows.reshape(layer.groups, -1)[0]
    kernel = np.asarray(layer.kernel)[..., rows, :][..., columns]
    return Cut({"filters": int(columns.sum())}, _biased(layer, kernel, columns))


def _cut_transposed(seen: Seen, kept: Kept) -> Cut:
    layer = seen.layer
    rows, columns = _sides(seen, kept)
    kernel = np.asarray(layer.kernel)[..., columns, :][..., rows]
    return Cut({"filters": int(columns.sum())}, _biased(layer, kernel, columns))


def _trace_transposed(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    _line(layer, inputs[0])
    return spread(ledger.make(layer.name, layer.filters), shape_of(layer, inputs))


def _trace_dense(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    _line(layer, inputs[0])
    return spread(ledger.make(layer.name, layer.units), shape_of(layer, inputs))


def _cut_dense(seen: Seen, kept: Kept) -> Cut:
    layer = seen.layer
    rows, columns = _sides(seen, kept)
    kernel = np.asarray(layer.kernel)[rows][:, columns]
    return Cut({"units": int(columns.sum())}, _biased(layer, kernel, columns))


def _biased(
    layer: Any, kernel: NDArray[np.generic], columns: NDArray[np.bool_]
) -> list[NDArray[np.generic]]:
    return [kernel, np.asarray(layer.bias)[columns]] if layer.use_bias else [kernel]


def _trace_separable(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    _line(layer, inputs[0])
    return spread(ledger.make(layer.name, layer.filters), shape_of(layer, inputs))


def _cut_separable(seen: Seen, kept: Kept) -> Cut:
    layer = seen.layer
    rows, columns = _sides(seen, kept)
    depthwise = np.asarray(layer.depthwise_kernel)[..., rows, :]
    pointwise = np.asarray(layer.pointwise_kernel)
    pointwise = pointwise[..., np.repeat(rows, layer.depth_multiplier), :][..., columns]
    bias = [np.asarray(layer.bias)[columns]] if layer.use_bias else []
    return Cut({"filters": int(columns.sum())}, [depthwise, pointwise, *bias])


def _gates(layer: Any) -> int:
    return {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}[type(layer).__name__]


def _trace_recurrent(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    _line(layer, inputs[0])
    return spread(ledger.make(layer.name, layer.units), shape_of(layer, inputs))


def _cut_recurrent(seen: Seen, kept: Kept) -> Cut:
    layer = seen.layer
    rows, units = _sides(seen, kept)
    columns = np.tile(units, _gates(layer))
    kernel, recurrent, *bias = (np.asarray(weight) for weight in layer.get_weights())
    weights = [kernel[rows][:, columns], recurrent[units][:, columns]]
    # A GRU that resets after the product has two rows of biases.
    return Cut({"units": int(units.sum())}, [*weights, *(b[..., columns] for b in bias)])


# --- layers that pass channels on ----------------------------------------------------------


def _trace_depthwise(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    line = _line(layer, inputs[0])
    return spread(np.repeat(line, layer.depth_multiplier), shape_of(layer, inputs))


def _cut_depthwise(seen: Seen, kept: Kept) -> Cut:
    layer = seen.layer
    rows = kept(_line(layer, seen.inputs[0]))
    kernel = np.asarray(layer.kernel)[..., rows, :]
    return Cut({}, _biased(layer, kernel, np.repeat(rows, layer.depth_multiplier)))


def _trace_same(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    return inputs[0]


def _trace_window(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    """Pooling, padding, cropping and repeating of positions: channels stay what they are."""
    return spread(_line(layer, inputs[0]), shape_of(layer, inputs))


def _cut_nothing(seen: Seen, kept: Kept) -> Cut:
    return Cut({}, [])


def _trace_normalization(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    _line(layer, inputs[0], axis - 1 if axis > 0 else axis)
    return inputs[0]


def _cut_normalization(seen: Seen, kept: Kept) -> Cut:
    axis = seen.layer.axis if isinstance(seen.layer.axis, int) else seen.layer.axis[0]
    line = kept(_line(seen.layer, seen.inputs[0], axis - 1 if axis > 0 else axis))
    return Cut({}, [np.asarray(weight)[line] for weight in seen.layer.get_weights()])


def _trace_layer_normalization(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    ledger.blur(inputs[0], f"{layer.name} takes its mean over them")
    return _trace_normalization(layer, inputs, ledger)


def _trace_softmax(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    # What sums to one cannot lose a part and stay what it was.
    ledger.protect(inputs[0])
    return inputs[0]


def _trace_activation(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    if layer.activation.__name__ in ("softmax", "log_softmax"):
        return _trace_softmax(layer, inputs, ledger)
    return inputs[0]


def _cut_prelu(seen: Seen, kept: Kept) -> Cut:
    alpha = np.asarray(seen.layer.alpha)
    places = grid(kept(seen.inputs[0]))
    if places is None:
        raise _ragged(seen)
    chosen = [
        np.array([0]) if alpha.shape[axis] == 1 else place for axis, place in enumerate(places)
    ]
    return Cut({}, [alpha[np.ix_(*chosen)]])


def _trace_joined(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    """Add and its like: what is combined element by element lives together."""
    for other in inputs[1:]:
        ledger.join(inputs[0], other)
    widest = np.broadcast_shapes(*(ids.shape for ids in inputs))
    return np.broadcast_to(inputs[0], widest)


def _trace_concatenation(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    axis = layer.axis - 1 if layer.axis > 0 else layer.axis
    return np.concatenate(inputs, axis=axis)


def _trace_reshape(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    return np.reshape(inputs[0], shape_of(layer, inputs))


def _cut_reshape(seen: Seen, kept: Kept) -> Cut:
    if isinstance(seen.layer, layers.Flatten):
        return Cut({}, [])
    places = grid(kept(seen.output))
    if places is None:
        raise _ragged(seen)
    return Cut({"target_shape": tuple(len(place) for place in places)}, [])


def _ragged(seen: Seen) -> InputError:
    return InputError(
        f"what is left at layer {seen.layer.name!r} does not form a block",
        received=f"values of shape {seen.output.shape}",
        remedy="leave the layers before it out of the pruning",
    )


def _trace_permute(layer: Any, inputs: list[Ids], ledger: Ledger) -> Ids:
    return np.transpose(inputs[0], [axis - 1 for axis in layer.dims])


_SAME = Rule(_trace_same, _cut_nothing)
_WINDOW = Rule(_trace_window, _cut_nothing)
_JOINED = Rule(_trace_joined, _cut_nothing)
_CONVOLUTION = Rule(_trace_convolution, _cut_convolution, consumes=True)
_TRANSPOSED = Rule(_trace_transposed, _cut_transposed, consumes=True)
_SEPARABLE = Rule(_trace_separable, _cut_separable, consumes=True)
_DEPTHWISE = Rule(_trace_depthwise, _cut_depthwise)
_RECURRENT = Rule(_trace_recurrent, _cut_recurrent, consumes=True)

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
    layers.BatchNormalization: Rule(_trace_normalization, _cut_normalization),
    layers.LayerNormalization: Rule(_trace_layer_normalization, _cut_normalization),
    layers.MaxPooling1D: _WINDOW,
    layers.MaxPooling2D: _WINDOW,
    layers.MaxPooling3D: _WINDOW,
    layers.AveragePooling1D: _WINDOW,
    layers.AveragePooling2D: _WINDOW,
    layers.AveragePooling3D: _WINDOW,
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
    layers.Concatenate: Rule(_trace_concatenation, _cut_nothing),
    layers.Flatten: Rule(_trace_reshape, _cut_reshape),
    layers.Reshape: Rule(_trace_reshape, _cut_reshape),
    layers.Permute: Rule(_trace_permute, _cut_nothing),
    layers.Activation: Rule(_trace_activation, _cut_nothing),
    layers.Softmax: Rule(_trace_softmax, _cut_nothing),
    layers.ReLU: _SAME,
    layers.LeakyReLU: _SAME,
    layers.ELU: _SAME,
    layers.PReLU: Rule(_trace_same, _cut_prelu),
    layers.Dropout: _SAME,
    layers.SpatialDropout1D: _SAME,
    layers.SpatialDropout2D: _SAME,
    layers.SpatialDropout3D: _SAME,
    layers.GaussianNoise: _SAME,
}


def rule(layer: Any) -> Rule:
    """The row of a layer's type.

    Raises:
        InputError: There is none.
    """
    if type(layer) not in RULES:
        raise InputError(
            f"layer {layer.name!r} cannot be pruned through",
            received=type(layer).__name__,
            allowed=", ".join(sorted(kind.__name__ for kind in RULES)),
            remedy="add a row for its type in hsitf/prune/rules.py",
        )
    return RULES[type(layer)]
