"""Lowering of recurrent layers: unrolled over time steps."""

from __future__ import annotations

from hsitf.lower.context import LoweringContext
from hsitf.lower.first_step import has_unused_gate, unrolled, with_first_step_apart
from hsitf.lower.layout_tensor import LayoutTensor, dense_layout, logical_order, rearrange


def recurrent(context: LoweringContext, inputs: list[LayoutTensor]) -> list[LayoutTensor]:
    """GRU, LSTM, SimpleRNN and Bidirectional: Keras' own layers, unrolled.

    Integer kernels and delegates require a fixed sequence of operators, not a loop.
    """
    layer = context.layer
    if layer.stateful:
        raise context.error("keeps its state between inferences", received="stateful=True")
    tensors = [rearrange(value, logical_order(value)).reshaped(*value.shape) for value in inputs]
    if context.arithmetic.integer and len(tensors) == 1 and has_unused_gate(layer):
        several = with_first_step_apart(layer, tensors[0], context.name)
    else:
        several = unrolled(layer, context.name, lambda copy: context.call.call_with(copy, tensors))
    shapes = [tuple(tensor.shape[1:]) for tensor in several]
    return [
        LayoutTensor(tensor, dense_layout(shape, tuple(range(len(shape)))))
        for tensor, shape in zip(several, shapes, strict=True)
    ]
