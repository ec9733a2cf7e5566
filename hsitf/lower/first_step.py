"""The first step of a recurrence apart, for integers.

The state before the first step is zero, and a gate that multiplies it alone has no effect: the
forget gate of LSTM, the reset gate of GRU. The converter removes what reads that gate but not the
gate, one of several outputs of a split, for which it then measures no range. In which order it
quantizes the outputs differs from one conversion to the next, and some orders leave the split in
floats. Written without that gate, the first step has no split.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import KerasTensor, layers, ops

# Gates in the order in which kernels have them.
_GATES: dict[type[Any], tuple[str, ...]] = {
    layers.GRU: ("update", "reset", "candidate"),
    layers.LSTM: ("input", "forget", "candidate", "output"),
}


def has_unused_gate(layer: Any) -> bool:
    """Whether a recurrent layer has a gate that multiplies nothing but zeros in the first step."""
    if isinstance(layer, layers.Bidirectional):
        return has_unused_gate(layer.forward_layer) or has_unused_gate(layer.backward_layer)
    if isinstance(layer, layers.GRU) and layer.reset_after and layer.use_bias:
        # This gate multiplies the bias of the recurrent kernel, too.
        return not np.asarray(layer.cell.bias)[1, -layer.units :].any()
    return type(layer) in _GATES


def unrolled(
    layer: Any, name: str, call: Callable[[Any], Any], **changes: Any
) -> list[KerasTensor]:
    """What leaves a copy of a layer with all loops unrolled, one tensor or several.

    Args:
        layer: The recurrent layer, or Bidirectional.
        name: Name of the copy.
        call: Calls it.
        changes: Other entries of its configuration that change.
    """
    copy = type(layer).from_config(_unrolled(layer.get_config()) | {"name": name, **changes})
    leaving = call(copy)
    copy.set_weights(layer.get_weights())
    return list(leaving) if isinstance(leaving, list | tuple) else [leaving]


def _unrolled(config: dict[str, Any]) -> dict[str, Any]:
    changed = dict(config)
    for key in ("layer", "backward_layer"):
        if changed.get(key):
            changed[key] = {**changed[key], "config": _unrolled(changed[key]["config"])}
    return changed | ({"unroll": True} if "unroll" in changed else {})


def with_first_step_apart(layer: Any, sequence: KerasTensor, name: str) -> list[KerasTensor]:
    """What leaves a recurrent layer, computed with its first step apart.

    Args:
        layer: GRU, LSTM, or Bidirectional of any recurrent layers.
        sequence: `(batch, steps, features)`.
        name: Name of the lowered layer.

    Returns:
        The output, of all steps where the layer returns sequences, and the states where it returns
        them.
    """
    if isinstance(layer, layers.Bidirectional):
        return _both_directions(layer, sequence, name)
    if type(layer) not in _GATES:
        return unrolled(layer, name, lambda copy: copy(sequence))
    if layer.go_backwards:
        sequence = ops.flip(sequence, axis=1)
    states = _first_states(layer, sequence[:, 0], name)
    output = ops.expand_dims(states[0], 1) if layer.return_sequences else states[0]
    if sequence.shape[1] > 1:
        later, *states = unrolled(
            layer,
            name,
            lambda copy: copy(sequence[:, 1:], initial_state=states),
            go_backwards=False,
            return_state=True,
        )
        output = ops.concatenate([output, later], axis=1) if layer.return_sequences else later
    return [output, *states] if layer.return_state else [output]


def _first_states(layer: Any, x: KerasTensor, name: str) -> list[KerasTensor]:
    """The states behind the first step: the output and, of LSTM, the cell's state."""
    squash, activate = layer.recurrent_activation, layer.activation

    def gate(which: str) -> KerasTensor:
        return _gate(layer, x, which, name)

    if isinstance(layer, layers.GRU):
        return [(1.0 - squash(gate("update"))) * activate(gate("candidate"))]
    state = squash(gate("input")) * activate(gate("candidate"))
    return [squash(gate("output")) * activate(state), state]


def _gate(layer: Any, x: KerasTensor, which: str, name: str) -> KerasTensor:
    """The sum of one gate, from the input alone."""
    at = _GATES[type(layer)].index(which) * layer.units
    kernel = np.asarray(layer.cell.kernel)[:, at : at + layer.units]
    dense = layers.Dense(layer.units, use_bias=layer.use_bias, name=f"{name}_first_{which}")
    made = dense(x)
    weights = [kernel]
    if layer.use_bias:
        # GRU may have two biases, which are added.
        bias = np.asarray(layer.cell.bias)
        weights.append(bias.reshape(-1, bias.shape[-1]).sum(axis=0)[at : at + layer.units])
    dense.set_weights(weights)
    return made


def _both_directions(layer: Any, sequence: KerasTensor, name: str) -> list[KerasTensor]:
    """Bidirectional: what leaves both layers, joined as it says."""
    one, *states = with_first_step_apart(layer.forward_layer, sequence, f"{name}_forward")
    other, *more = with_first_step_apart(layer.backward_layer, sequence, f"{name}_backward")
    if layer.return_sequences:
        other = ops.flip(other, axis=1)
    joined: dict[str | None, Callable[[], list[KerasTensor]]] = {
        "concat": lambda: [ops.concatenate([one, other], axis=-1)],
        "sum": lambda: [one + other],
        "ave": lambda: [0.5 * (one + other)],
        "mul": lambda: [one * other],
        None: lambda: [one, other],
    }
    return [*joined[layer.merge_mode](), *states, *more]
