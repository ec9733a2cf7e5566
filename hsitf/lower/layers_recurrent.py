"""Lowering of recurrent layers: unrolled over time steps."""

from __future__ import annotations

from typing import Any

from hsitf.lower.context import LoweringContext
from hsitf.lower.layout_tensor import LayoutTensor, dense_layout, logical_order, rearrange


def recurrent(context: LoweringContext, inputs: list[LayoutTensor]) -> list[LayoutTensor]:
    """GRU, LSTM, SimpleRNN and Bidirectional: Keras' own layers, unrolled.

    Integer kernels and delegates require a fixed sequence of operators, not a loop.
    """
    layer = context.layer
    if layer.stateful:
        raise context.error("keeps its state between inferences", received="stateful=True")
    copy = type(layer).from_config(_unrolled(layer.get_config()) | {"name": context.name})
    tensors = [rearrange(value, logical_order(value)).reshaped(*value.shape) for value in inputs]
    leaving = context.call.call_with(copy, tensors)
    copy.set_weights(layer.get_weights())
    several = leaving if isinstance(leaving, list | tuple) else [leaving]
    shapes = [tuple(tensor.shape[1:]) for tensor in several]
    return [
        LayoutTensor(tensor, dense_layout(shape, tuple(range(len(shape)))))
        for tensor, shape in zip(several, shapes, strict=True)
    ]


def _unrolled(config: dict[str, Any]) -> dict[str, Any]:
    """A layer configuration with all loops unrolled."""
    changed = dict(config)
    for key in ("layer", "backward_layer"):
        if changed.get(key):
            changed[key] = {**changed[key], "config": _unrolled(changed[key]["config"])}
    return changed | ({"unroll": True} if "unroll" in changed else {})
