"""Dead channels: channels that a network computes without effect, found from its zero weights.

After unstructured pruning, whole channels can be without effect: they are always zero, or all
weights that read them are. Han et al. (NeurIPS 2015) call such neurons dead. Without them the
network is smaller and has the same outputs.

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
from hsitf.operators import Capability, KernelAxes, OperatorType, Role, find, row_of
from hsitf.prune.channel_graph import FIXED, TracedCall, ids_along, squeeze_repeated
from hsitf.prune.pieces import emptied_tensors
from hsitf.prune.plans import PruningPlan, plan_from_channels
from hsitf.prune.rules import KeepMask, rule
from hsitf.prune.tracing import Trace, trace

Flags = NDArray[np.bool_]


def dead_channels(model: keras.Model) -> PruningPlan:
    """The plan that removes a network's dead channels, and those that only dead ones consume.

    A channel is alive where it is consumed, can be nonzero there, and a nonzero weight leads from
    it to a channel that is alive. Every layer keeps at least one channel, and channels that cannot
    be removed exactly are kept.

    Args:
        model: A functional model.

    Raises:
        InputError: A layer cannot be pruned.
    """
    traced = trace(model)
    graph, nonzero = traced.graph, _nonzero_outputs(model)
    fixed = {graph.root(i) for i in [*graph.protected, *graph.approximate]}
    removable = {graph.root(i) for made in graph.producers.values() for i in made.tolist()} - fixed
    removed: set[int] = set()
    while (now := removable - _consumed(traced, nonzero, traced.keep_mask(removed))) != removed:
        removed = now
    roots = {name: [graph.root(i) for i in made.tolist()] for name, made in graph.producers.items()}
    for made in roots.values():
        if removed.issuperset(made):
            removed.remove(made[0])
    while emptied := emptied_tensors(traced, removed):
        # Of dead channels any may stay; the first, so that the plan is the same each time.
        removed -= {min(candidates) for candidates in emptied}
    return plan_from_channels(
        traced,
        {
            name: [at for at, root in enumerate(made) if root in removed]
            for name, made in roots.items()
        },
    )


def _consumed(traced: Trace, nonzero: Sequence[Sequence[Flags]], keep: KeepMask) -> set[int]:
    """Roots of the channels and positions that any kept channel consumes."""
    graph, found = traced.graph, set()
    for traced_call, flags in zip(traced.calls, nonzero, strict=True):
        if not rule(traced_call.call.operation).consumes or _passes_on(traced_call):
            continue
        made = traced_call.outputs[0]
        stay = keep[squeeze_repeated(made)]
        living = np.broadcast_to(stay.any(axis=tuple(range(stay.ndim - 1))), made.shape[-1:])
        read = (_links(traced_call.call) & living).any(axis=1)
        consumed = [np.unique(traced_call.inputs[0][flags[0] & read])]
        # Of further inputs, such as the values of attention, what does not pass on is consumed.
        for ids, spoken in zip(traced_call.inputs[1:], flags[1:], strict=True):
            consumed.append(np.setdiff1d(ids[spoken], made))
        living_inside = rule(traced_call.call.operation).inner_living(traced_call.call.operation)
        for what, has_effect in living_inside.items():
            consumed.append(traced_call.inner[what][has_effect])
        for cell in _cells(traced_call.call.operation):
            own = (_recurrence(cell) & living[: cell.units]).any(axis=1)
            consumed.append(ids_along(made, -1)[: cell.units][own])
        for ids in consumed:
            found |= {*graph.channels_of(ids).tolist(), *graph.positions_of(ids).tolist()}
    return found


def _passes_on(traced_call: TracedCall) -> bool:
    """Whether a layer that may consume channels passes them on here, each by itself."""
    operation = traced_call.call.operation
    row = find(getattr(operation, "layer", operation))
    entering, leaving = (
        squeeze_repeated(each[0]) for each in (traced_call.inputs, traced_call.outputs)
    )
    same = (leaving != FIXED).any() and np.isin(leaving, entering).all()
    return bool(same) and row is not None and row.role is not Role.NORMALIZES


# --- which channel reads which --------------------------------------------------------------


def _links(call: Call) -> Flags:
    """Which channel that leaves a layer reads which one that enters: (entering, leaving).

    A single True for all elements where nothing is known about the layer's weights.
    """
    row, layer = find(call.operation), call.operation
    special = _SPECIAL.get(type(layer).__name__)
    if special is not None:
        return special(call)
    if row is None or not row.kernels:
        return np.ones((1, 1), bool)
    if row.is_recurrent:
        return _gated(layer, row.kernels[0])
    groups = getattr(layer, "groups", 1)
    return reduce(np.matmul, [axes.links(axes.of(layer), groups) for axes in row.kernels])


def _bidirectional(call: Call) -> Flags:
    both = reduce(np.logical_or, [_reads(cell) for cell in _cells(call.operation)])
    return np.tile(both, (1, 2 if call.operation.merge_mode == "concat" else 1))


def _reads(layer: Any) -> Flags:
    """Which unit of a recurrent layer reads which channel."""
    return _gated(layer, _row(layer).kernels[0])


def _gated(layer: Any, axes: KernelAxes) -> Flags:
    """Whether a row of a kernel has a weight for any gate of a unit."""
    gates = axes.of(layer.cell).reshape(-1, _row(layer).gates, layer.units)
    return np.asarray((gates != 0).any(axis=1))


def _recurrence(layer: Any) -> Flags:
    """Which unit reads which other unit; the connection of a unit to itself does not count."""
    others = ~np.eye(layer.units, dtype=bool)
    return np.asarray(_gated(layer, _row(layer).kernels[1]) & others)


def _row(layer: Any) -> OperatorType:
    return row_of(layer, Capability.PRUNE)


def _cells(layer: Any) -> list[Any]:
    """The recurrent layers in a layer, whose units read each other."""
    if type(layer).__name__ == "Bidirectional":
        return [layer.forward_layer, layer.backward_layer]
    if type(layer).__name__ == "TimeDistributed":
        return _cells(layer.layer)
    row = find(layer)
    return [layer] if row is not None and row.is_recurrent else []


def _pad(call: Call) -> Flags:
    front, back = call.operation.pad_width[-1]
    leaving = call.shapes[0][-1] or 0
    return np.eye(leaving - front - back, leaving, front, dtype=bool)


# By the name of a class whose links do not follow from its kernels.
_SPECIAL: dict[str, Callable[[Call], Flags]] = {"Bidirectional": _bidirectional, "Pad": _pad}


# --- what may be other than zero ------------------------------------------------------------


def _nonzero_outputs(model: keras.Model) -> list[list[Flags]]:
    """For each call of a network, which elements of its inputs can be nonzero.

    Arrays `(...)` without batch, in the order of the forward pass.
    """
    found = []

    def visit(call: Call, entering: list[Flags]) -> list[Flags]:
        found.append(entering)
        return _leaving(call, entering)

    walk(model, [np.ones(tensor.shape[1:], bool) for tensor in model.inputs], visit)
    return found


def _leaving(call: Call, flags: list[Flags]) -> list[Flags]:
    """Which elements of the outputs can be nonzero, given those of the inputs."""
    row = find(call.operation)
    if row is None:
        return [np.ones(_shape(call, index), bool) for index in range(len(call.shapes))]
    if _sums(row, call.operation):
        return [_summed(call, flags[0])]
    if type(call.operation).__name__ == "Multiply":
        return [reduce(np.logical_and, flags)]
    if row.rearranges or _pools(row):
        return [leaving != 0 for leaving in _run(call, flags)]
    if row.elementwise:
        (spoken,) = _run(call, [np.zeros_like(entering) for entering in flags])
        return [reduce(np.logical_or, flags, spoken != 0)]
    return [np.ones(_shape(call, index), bool) for index in range(len(call.shapes))]


def _sums(row: OperatorType, layer: Any) -> bool:
    """Whether a layer sums over channels, adds a bias and applies an activation."""
    plain = bool(row.kernels) and not row.is_recurrent
    return plain and hasattr(layer, "use_bias") and hasattr(layer, "activation")


def _pools(row: OperatorType) -> bool:
    """Whether an operator combines positions of a channel, each with a weight above zero."""
    return row.role is Role.PASSES and not row.elementwise and not row.kernels


def _summed(call: Call, flags: Flags) -> Flags:
    """Of a convolution or a dense layer: channels that read something, or have a bias.

    All of them where the activation maps zero to another value.
    """
    layer = call.operation
    entering = np.asarray(flags.any(axis=tuple(range(flags.ndim - 1))))
    channels = np.asarray((_links(call) & entering[:, None]).any(axis=0))
    if layer.use_bias:
        channels |= np.asarray(layer.bias) != 0
    silence = layer.activation(keras.ops.zeros((1, channels.size)))
    channels |= keras.ops.convert_to_numpy(silence)[0] != 0
    return np.broadcast_to(channels, _shape(call))


def _shape(call: Call, index: int = 0) -> tuple[int, ...]:
    """Shape of one of the values that leave, without batch."""
    return tuple(size or 0 for size in call.shapes[index][1:])


def _run(call: Call, flags: Sequence[Flags]) -> list[NDArray[np.float32]]:
    """Calls an operation with flags for values, one sample."""
    given = [keras.ops.convert_to_tensor(entering[None].astype(np.float32)) for entering in flags]
    leaving = keras.tree.flatten(call.call_with(call.operation, given))
    return [keras.ops.convert_to_numpy(value)[0] for value in leaving]
