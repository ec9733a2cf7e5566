"""Recurrent layers: unrolled, one step after the other."""

from __future__ import annotations

from typing import Any

from hsitf.lower.place import Place
from hsitf.lower.value import Value, arranged, natural, positions


def recurrent(place: Place, inputs: list[Value]) -> list[Value]:
    """GRU, LSTM, SimpleRNN and Bidirectional: Keras' own with their loop written out.

    A loop has no fixed sequence of operators, which integer kernels and delegates ask for.
    """
    layer = place.layer
    if layer.stateful:
        raise place.error("remembers one inference in the next", received="stateful=True")
    copy = type(layer).from_config(_unrolled(layer.get_config()) | {"name": place.name})
    tensors = [arranged(value, natural(value)).viewed(*value.shape) for value in inputs]
    leaving = place.call.repeated(copy, tensors)
    copy.set_weights(layer.get_weights())
    several = leaving if isinstance(leaving, list | tuple) else [leaving]
    shapes = [tuple(tensor.shape[1:]) for tensor in several]
    return [
        Value(tensor, positions(shape, tuple(range(len(shape)))))
        for tensor, shape in zip(several, shapes, strict=True)
    ]


def _unrolled(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with every loop in it unrolled."""
    changed = dict(config)
    for key in ("layer", "backward_layer"):
        if changed.get(key):
            changed[key] = {**changed[key], "config": _unrolled(changed[key]["config"])}
    return changed | ({"unroll": True} if "unroll" in changed else {})
