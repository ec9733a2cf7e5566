"""Channels that a network computes for nothing, found in its zeros.

Where single weights have gone, whole channels may be left that nobody listens to: they are
always zero, or all weights that would read them are. Han et al. (NeurIPS 2015) call such neurons
dead. Without them the network is smaller and gives the same outputs.

Both are read off the weights and hold for every input. A channel that is merely constant, because
a bias or a normalization speaks where no input does, is not dead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.graph import Call, walk
from hsitf.prune.identities import line, slim
from hsitf.prune.plans import Plan, named
from hsitf.prune.rules import Stays, rule
from hsitf.prune.tracing import Trace, trace

Flags = NDArray[np.bool_]


def dead(model: keras.Model) -> Plan:
    """The plan that removes a network's dead channels, and those that only they listened to.

    A channel lives where it is summed over, may be other than zero there, and a weight other than
    zero leads from it to a channel that lives. Every layer keeps one channel at least, and what
    cannot be removed exactly stays.

    Args:
        model: A functional model.

    Raises:
        InputError: A layer cannot be pruned through.
    """
    traced = trace(model)
    ledger, sounding = traced.ledger, _sounding(model)
    fixed = {ledger.root(i) for i in [*ledger.protected, *ledger.approximate]}
    free = {ledger.root(i) for made in ledger.makers.values() for i in made.tolist()} - fixed
    gone: set[int] = set()
    while (now := free - _heard(traced, sounding, traced.stays(gone))) != gone:
        gone = now
    roots = {name: [ledger.root(i) for i in made.tolist()] for name, made in ledger.makers.items()}
    for made in roots.values():
        if gone.issuperset(made):
            gone.remove(made[0])
    return named(
        traced,
        {
            name: [at for at, root in enumerate(made) if root in gone]
            for name, made in roots.items()
        },
    )


def _heard(traced: Trace, sounding: Sequence[Sequence[Flags]], stays: Stays) -> set[int]:
    """Roots of what any channel that stays listens to, with the positions it is found at."""
    ledger, found = traced.ledger, set()
    for seen, flags in zip(traced.seen, sounding, strict=True):
        if not rule(seen.call.operation).consumes:
            continue
        made = seen.outputs[0]
        stay = stays[slim(made)]
        living = np.broadcast_to(stay.any(axis=tuple(range(stay.ndim - 1))), made.shape[-1:])
        read = (_links(seen.call) & living).any(axis=1)
        heard = [np.unique(seen.inputs[0][flags[0] & read])]
        for cell in _cells(seen.call.operation):
            own = (_recurrence(cell) & living[: cell.units]).any(axis=1)
            heard.append(line(made, -1)[: cell.units][own])
        for ids in heard:
            found |= {*ledger.channels_of(ids).tolist(), *ledger.places_of(ids).tolist()}
    return found


# --- which channel reads which --------------------------------------------------------------


def _dense(call: Call) -> Flags:
    return np.asarray(np.asarray(call.operation.kernel) != 0)


def _convolution(call: Call) -> Flags:
    """Each group of filters reads its own group of channels."""
    layer = call.operation
    inner = _anywhere(layer.kernel)
    group_in = np.arange(layer.groups).repeat(inner.shape[0])
    group_out = np.arange(layer.groups).repeat(inner.shape[1] // layer.groups)
    return np.asarray(np.tile(inner, (layer.groups, 1)) & (group_in[:, None] == group_out))


def _transposed(call: Call) -> Flags:
    return np.asarray(_anywhere(call.operation.kernel).T)


def _depthwise(call: Call) -> Flags:
    inner = _anywhere(call.operation.kernel)
    own = np.eye(len(inner), dtype=bool).repeat(inner.shape[1], axis=1)
    return np.asarray(own & inner.ravel())


def _separable(call: Call) -> Flags:
    depthwise = _anywhere(call.operation.depthwise_kernel)
    pointwise = _anywhere(call.operation.pointwise_kernel).reshape(*depthwise.shape, -1)
    return np.asarray((depthwise[..., None] & pointwise).any(axis=1))


def _recurrent(call: Call) -> Flags:
    return _gated(call.operation, call.operation.cell.kernel)


def _bidirectional(call: Call) -> Flags:
    both = reduce(
        np.logical_or, [_gated(cell, cell.cell.kernel) for cell in _cells(call.operation)]
    )
    return np.tile(both, (1, 2 if call.operation.merge_mode == "concat" else 1))


def _gated(cell: Any, kernel: Any) -> Flags:
    """Whether a row of a kernel has a weight for any gate of a unit."""
    gates = np.asarray(kernel).reshape(-1, _GATES[type(cell).__name__], cell.units)
    return np.asarray((gates != 0).any(axis=1))


def _recurrence(cell: Any) -> Flags:
    """Which unit reads which other one; what a unit tells itself nobody else hears."""
    return np.asarray(_gated(cell, cell.cell.recurrent_kernel) & ~np.eye(cell.units, dtype=bool))


def _cells(layer: Any) -> list[Any]:
    """The recurrent layers in a layer, whose units hear each other."""
    if type(layer).__name__ == "Bidirectional":
        return [layer.forward_layer, layer.backward_layer]
    if type(layer).__name__ == "TimeDistributed":
        return _cells(layer.layer)
    return [layer] if type(layer).__name__ in _GATES else []


def _pad(call: Call) -> Flags:
    front, back = call.operation.pad_width[-1]
    leaving = call.shapes[0][-1] or 0
    return np.eye(leaving - front - back, leaving, front, dtype=bool)


def _everything(call: Call) -> Flags:
    """What stands in a layer around another one reads all that enters."""
    return np.ones((1, 1), bool)


def _anywhere(kernel: Any) -> Flags:
    """The last two axes of a kernel: whether it has a weight at any of its positions."""
    values = np.asarray(kernel) != 0
    return np.asarray(values.any(axis=tuple(range(values.ndim - 2))))


_GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}

# By the name of the layer's class, of those that add a bias and apply an activation.
_SUMS: dict[str, Callable[[Call], Flags]] = {
    "Dense": _dense,
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "Conv1DTranspose": _transposed,
    "Conv2DTranspose": _transposed,
    "Conv3DTranspose": _transposed,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
}
# Of all layers and operations that sum over channels: (channels that enter, that leave).
LINKS: dict[str, Callable[[Call], Flags]] = {
    **_SUMS,
    "SimpleRNN": _recurrent,
    "GRU": _recurrent,
    "LSTM": _recurrent,
    "Bidirectional": _bidirectional,
    "TimeDistributed": _everything,
    "Pad": _pad,
}


def _links(call: Call) -> Flags:
    return LINKS[type(call.operation).__name__](call)


# --- what may be other than zero ------------------------------------------------------------

# What only moves, repeats or leaves out elements, or pools those of one channel.
MOVING = frozenset(
    {"Concatenate", "ExpandDims", "Flatten", "GetItem", "Pad", "Permute", "Reshape", "Split"}
    | {"Squeeze", "Transpose"}
    | {f"{kind}{n}D" for kind in ("Cropping", "UpSampling", "ZeroPadding") for n in (1, 2, 3)}
    | {f"{kind}Pooling{n}D" for kind in ("Average", "Max") for n in (1, 2, 3)}
    | {f"Global{kind}Pooling{n}D" for kind in ("Average", "Max") for n in (1, 2, 3)}
)
# What leaves an element zero that is zero in all that enters, unless it says otherwise of zeros.
ELEMENTWISE = frozenset(
    {"Activation", "Add", "Average", "BatchNormalization", "Dropout", "ELU", "Elu", "Gelu"}
    | {"GaussianDropout", "GaussianNoise", "LeakyReLU", "LeakyRelu", "Maximum", "Minimum"}
    | {"PReLU", "ReLU", "Relu", "Relu6", "Sigmoid", "Silu", "SpatialDropout1D"}
    | {"SpatialDropout2D", "SpatialDropout3D", "Subtract", "Tanh"}
)


def _sounding(model: keras.Model) -> list[list[Flags]]:
    """For each place of a network which elements may be other than zero of what enters.

    Element by element, `(...)` without batch, in the order of the forward pass.
    """
    found = []

    def visit(call: Call, entering: list[Flags]) -> list[Flags]:
        found.append(entering)
        return _leaving(call, entering)

    walk(model, [np.ones(tensor.shape[1:], bool) for tensor in model.inputs], visit)
    return found


def _leaving(call: Call, flags: list[Flags]) -> list[Flags]:
    """Which elements may be other than zero of what leaves, given those of what enters."""
    kind = type(call.operation).__name__
    if kind in _SUMS:
        return [_summed(call, flags[0])]
    if kind == "Multiply":
        return [reduce(np.logical_and, flags)]
    if kind in MOVING:
        return [leaving != 0 for leaving in _run(call, flags)]
    if kind in ELEMENTWISE:
        (spoken,) = _run(call, [np.zeros_like(entering) for entering in flags])
        return [reduce(np.logical_or, flags, spoken != 0)]
    return [np.ones(_shape(call, place), bool) for place in range(len(call.shapes))]


def _summed(call: Call, flags: Flags) -> Flags:
    """Of a convolution or a dense layer: channels that read something, or have a bias.

    All of them where the activation makes something of zeros.
    """
    layer = call.operation
    entering = np.asarray(flags.any(axis=tuple(range(flags.ndim - 1))))
    channels = np.asarray((_links(call) & entering[:, None]).any(axis=0))
    if layer.use_bias:
        channels |= np.asarray(layer.bias) != 0
    silence = layer.activation(keras.ops.zeros((1, channels.size)))
    channels |= keras.ops.convert_to_numpy(silence)[0] != 0
    return np.broadcast_to(channels, _shape(call))


def _shape(call: Call, place: int = 0) -> tuple[int, ...]:
    """Shape of one of the values that leave, without batch."""
    return tuple(size or 0 for size in call.shapes[place][1:])


def _run(call: Call, flags: Sequence[Flags]) -> list[NDArray[np.float32]]:
    """Calls an operation with flags for values, one sample."""
    given = [keras.ops.convert_to_tensor(entering[None].astype(np.float32)) for entering in flags]
    leaving = keras.tree.flatten(call.repeated(call.operation, given))
    return [keras.ops.convert_to_numpy(value)[0] for value in leaving]
