"""Multiply-accumulates of the operators, one for each weight and position that it is applied to.

Each function takes a layer, or an operation, and the shapes at one place, and counts one sample.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any

from hsitf.operators.shapes import CallShapes, Shape


def kernel_per_output(layer: Any, shapes: CallShapes) -> int:
    """A kernel applied at each position that leaves: weights * positions."""
    return prod(shapes.weights[0]) * prod(shapes.output[:-1])


def every_input_per_output(layer: Any, shapes: CallShapes) -> int:
    """A matrix of weights that are no variables: each channel that enters for each that leaves."""
    return shapes.inputs[0][-1] * prod(shapes.output)


def kernel_per_input(layer: Any, shapes: CallShapes) -> int:
    """A kernel applied at each position that enters, as a transposed convolution does."""
    return prod(shapes.weights[0]) * prod(shapes.inputs[0][:-1])


def separable(layer: Any, shapes: CallShapes) -> int:
    """A depthwise and a pointwise kernel at each position that leaves."""
    return (prod(shapes.weights[0]) + prod(shapes.weights[1])) * prod(shapes.output[:-1])


def recurrent(layer: Any, shapes: CallShapes) -> int:
    """A kernel of the input and one of the units themselves, at each time step."""
    return (prod(shapes.weights[0]) + prod(shapes.weights[1])) * shapes.inputs[0][1]


def convolutional_recurrent(layer: Any, shapes: CallShapes) -> int:
    """ConvLSTM: both kernels at each time step and each position of its maps.

    The recurrent kernel is applied to the layer's own maps, which have the size of what leaves.
    """
    positions = prod(shapes.output[1 - len(shapes.weights[0]) : -1])
    return (prod(shapes.weights[0]) + prod(shapes.weights[1])) * positions * shapes.inputs[0][1]


# --- contractions --------------------------------------------------------------------------


def einsum(equation: str, operands: Sequence[Shape]) -> int:
    """Products of an Einstein sum: the size of its whole index space.

    Exact for two operands; more of them may be contracted in an order that needs fewer.

    Args:
        equation: Such as "abc,cd->abd"; an ellipsis stands for further axes.
        operands: Their shapes.
    """
    sizes: dict[str, int] = {}
    around: Shape = ()
    terms = re.sub(r"\s", "", equation).partition("->")[0].split(",")
    for term, shape in zip(terms, operands, strict=True):
        first, dots, last = term.partition("...")
        end = len(shape) - len(last)
        if dots and end - len(first) > len(around):
            around = shape[len(first) : end]
        for letter, size in [
            *zip(first, shape, strict=False),
            *zip(last, shape[end:], strict=True),
        ]:
            sizes[letter] = max(size, sizes.get(letter, 1))
    return prod(sizes.values()) * prod(around)


def einsum_layer(layer: Any, shapes: CallShapes) -> int:
    """EinsumDense: its equation over the input and its kernel."""
    return einsum(layer.equation, [shapes.inputs[0], shapes.weights[0]])


def einsum_operation(operation: Any, shapes: CallShapes) -> int:
    """The operation Einsum."""
    return einsum(operation.subscripts, shapes.inputs)


def matmul(operation: Any, shapes: CallShapes) -> int:
    """A product of matrices: each number that leaves sums over the first operand's last axis."""
    return prod(shapes.output) * shapes.inputs[0][-1]


def tensordot(operation: Any, shapes: CallShapes) -> int:
    """A contraction over the axes of one operand: outputs times the numbers summed for each."""
    axes = operation.axes
    chosen = range(-axes, 0) if isinstance(axes, int) else axes[0]
    listed = [chosen] if isinstance(chosen, int) else chosen
    return prod(shapes.output) * prod(shapes.inputs[0][axis] for axis in listed)


def dot_layer(layer: Any, shapes: CallShapes) -> int:
    """The layer Dot: outputs times the size of the axis that is summed over."""
    axis = layer.axes if isinstance(layer.axes, int) else layer.axes[0]
    first, second = (prod(shape) for shape in shapes.inputs)
    size = shapes.inputs[0][axis]
    return first // size * second


def convolution_operation(operation: Any, shapes: CallShapes) -> int:
    """A convolution whose kernel is an argument: the kernel at each position that leaves."""
    return prod(shapes.inputs[1]) * prod(shapes.output[:-1])


def transposed_operation(operation: Any, shapes: CallShapes) -> int:
    """A transposed convolution whose kernel is an argument."""
    return prod(shapes.inputs[1]) * prod(shapes.inputs[0][:-1])


def separable_operation(operation: Any, shapes: CallShapes) -> int:
    """A separable convolution whose two kernels are arguments."""
    return (prod(shapes.inputs[1]) + prod(shapes.inputs[2])) * prod(shapes.output[:-1])


# --- attention -----------------------------------------------------------------------------


def multi_head_attention(layer: Any, shapes: CallShapes) -> int:
    """MultiHeadAttention; see `_attention`."""
    return _attention(shapes, layer.attention_axes)


def grouped_query_attention(layer: Any, shapes: CallShapes) -> int:
    """GroupedQueryAttention; see `_attention`: its groups share keys and values."""
    return _attention(shapes, None)


def _attention(shapes: CallShapes, axes: Sequence[int] | None) -> int:
    """Projections of queries, keys and values, scores, weighted sums, and the output.

        T_q d_q h d_k + T_k (d_key g d_k + d_value g d_v)     projections
        + h T_q T_k (d_k + d_v)                               scores and sums
        + T_q h d_v d_out                                     output

    A gate is one more projection of the queries to h d_v numbers. The heads h of the queries and g
    of keys and values, and their widths, are read off the kernels: of queries, keys, values, of the
    gate where there is one, and of the output.

    Args:
        shapes: With the arguments query, value and, where it is given, key.
        axes: Along which attention runs, batch counted; None for all. The others are samples.
    """
    query: Shape = shapes.named["query"]
    value: Shape = shapes.named["value"]
    key: Shape = shapes.named.get("key", value)
    kernels = [shape for shape in shapes.weights if len(shape) > 2]
    (_, h, d_k), (_, g, _), d_v = kernels[0], kernels[1], kernels[-1][1]
    gated = len(kernels) > 4
    tokens, memory = prod(query[:-1]), prod(value[:-1])
    along = range(1, len(query) - 1) if axes is None else [axis % len(query) for axis in axes]
    pairs = tokens * prod(value[axis] for axis in along)
    projections = tokens * query[-1] * h * d_k + memory * g * (key[-1] * d_k + value[-1] * d_v)
    gate = tokens * query[-1] * h * d_v if gated else 0
    return projections + gate + pairs * h * (d_k + d_v) + h * d_v * prod(shapes.output)


def dot_attention(layer: Any, shapes: CallShapes) -> int:
    """The layer Attention: scores, unless they only add (score_mode "concat"), and sums."""
    query, value, *_ = shapes.inputs
    scores = query[-1] if layer.score_mode == "dot" else 0
    return prod(query[:-1]) * prod(value[1:-1]) * (scores + value[-1])


def additive_attention(layer: Any, shapes: CallShapes) -> int:
    """AdditiveAttention: a weighted sum over channels for each score, and the sums of values."""
    tensors: list[Shape] = shapes.named["inputs"]
    query, value, *_ = tensors
    return prod(query[:-1]) * prod(value[1:-1]) * (query[-1] * int(layer.use_scale) + value[-1])


def attention_operation(operation: Any, shapes: CallShapes) -> int:
    """The operation DotProductAttention on (batch, tokens, heads, dim)."""
    query, key, value = shapes.inputs[:3]
    return query[-2] * query[1] * key[1] * (query[-1] + value[-1])
