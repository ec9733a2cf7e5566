"""Lowering of attention: projections, scores, softmax, weighted sums and the output projection.

Every head is a product of matrices of two activations, for which LiteRT has integer kernels; the
scale of the scores is folded into the projection of the queries.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from string import ascii_lowercase
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from hsitf.graph import named_values
from hsitf.lower.context import LoweringContext
from hsitf.lower.depthwise import scale_and_shift
from hsitf.lower.layers_dense import check_biases
from hsitf.lower.layers_dense import einsum as projection
from hsitf.lower.layers_elementwise import softmax_along
from hsitf.lower.layers_merging import combined
from hsitf.lower.layout_tensor import LayoutTensor
from hsitf.lower.products import tensor_product

# Axes of the heads: heads that share keys and values, groups of them, and numbers of a head.
_SHARED, _HEAD, _KEY, _VALUE = "R", "H", "K", "V"


class AttentionInputs(NamedTuple):
    """The tensors that attention takes."""

    query: LayoutTensor
    value: LayoutTensor
    key: LayoutTensor


def multi_head_attention(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """MultiHeadAttention, along all axes or some, with or without a gate."""
    layer, given = context.layer, _inputs(context, inputs)
    rank = len(given.query.shape) + 1
    asked = getattr(layer, "_attention_axes", None) or tuple(range(1, rank - 1))
    along = [axis % rank - 1 for axis in asked]
    query = _projected(context, layer._query_dense, given.query, "query")
    query = scale_and_shift(
        query, float(layer._inverse_sqrt_key_dim), 0.0, context.for_part("scaled").name
    )
    key = _projected(context, layer._key_dense, given.key, "key")
    value = _projected(context, layer._value_dense, given.value, "value")
    sums = _attended(context, query, key, value, along)
    gate = getattr(layer, "_gate_dense", None) if getattr(layer, "_use_gate", False) else None
    if gate is not None:
        factor = _projected(context, gate, given.query, "gate")
        multiply = layers.Multiply(name=context.for_part("gated").name)
        sums = combined(multiply, [sums, factor])
    return _projected(context, layer._output_dense, sums, "output")


def grouped_query_attention(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """GroupQueryAttention: several heads of queries share a head of keys and values."""
    layer, given = context.layer, _inputs(context, inputs)
    groups, dim = layer.num_key_value_heads, layer.head_dim
    query = _projected(context, layer._query_dense, given.query, "query")
    query = scale_and_shift(query, dim**-0.5, 0.0, context.for_part("scaled").name)
    tokens, heads, _ = query.shape
    query = replace(query, layout=query.layout.reshape(tokens, groups, heads // groups, dim))
    key = _projected(context, layer._key_dense, given.key, "key")
    value = _projected(context, layer._value_dense, given.value, "value")
    sums = _attended(context, query, key, value, [0], _HEAD + _SHARED)
    sums = replace(sums, layout=sums.layout.reshape(tokens, heads, dim))
    if getattr(layer, "use_gate", False):
        factor = _projected(context, layer._gate_dense, given.query, "gate")
        multiply = layers.Multiply(name=context.for_part("gated").name)
        sums = combined(multiply, [sums, factor])
    return _projected(context, layer._output_dense, sums, "output")


def dot_attention(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """The layer Attention: scores of whole tokens, without projections."""
    layer = context.layer
    if layer.score_mode != "dot":
        raise context.error(
            "adds queries and keys", received=layer.score_mode, allowed='score_mode="dot"'
        )
    _bound(context, inputs)
    query, value, *rest = inputs
    (key,) = rest or [value]
    if layer.use_scale:
        scale = float(np.asarray(layer.scale))
        query = scale_and_shift(query, scale, 0.0, context.for_part("scaled").name)
    scores = tensor_product(query, "tk", key, "sk", "ts")
    weights = softmax_along(scores, (1,), context.for_part("weights").name)
    return tensor_product(weights, "ts", value, "sv", "tv")


def _attended(
    context: LoweringContext,
    query: LayoutTensor,
    key: LayoutTensor,
    value: LayoutTensor,
    along: list[int],
    heads: str = _HEAD,
) -> LayoutTensor:
    """Weighted sums of values.

    Args:
        context: The attention layer.
        query: Axes of the tokens, of the heads, and the numbers of a head; scaled.
        key: Axes of the tokens, of the heads that share it, and the numbers of a head.
        value: Likewise.
        along: Axes of the tokens over which the weights are a softmax.
        heads: Letters of the axes of the query's heads, the one that keys have first.
    """
    places = len(query.shape) - len(heads) - 1
    own = ascii_lowercase[:places]
    other = "".join(
        ascii_lowercase[places + axis] if axis in along else own[axis] for axis in range(places)
    )
    same = [letter for letter in own if letter in other]
    tokens = [letter for letter in own if letter not in other]
    memory = [letter for letter in other if letter not in own]
    axes = "".join([*same, *heads, *tokens, *memory])
    scores = tensor_product(query, own + heads + _KEY, key, other + _HEAD + _KEY, axes)
    last = tuple(range(len(axes) - len(memory), len(axes)))
    weights = softmax_along(scores, last, context.for_part("weights").name)
    return tensor_product(weights, axes, value, other + _HEAD + _VALUE, own + heads + _VALUE)


def _projected(
    context: LoweringContext, layer: Any, value: LayoutTensor, part: str
) -> LayoutTensor:
    if part != "output":
        check_biases(context, layer, (*value.shape[:-1], *layer.kernel.shape[1:]))
    return projection(context.for_part(part).with_layer(layer), [value])


def _bound(context: LoweringContext, inputs: list[LayoutTensor]) -> dict[str, LayoutTensor]:
    """The tensors of a call by the name of its argument; what attention cannot take is refused."""
    arguments = context.call.node.arguments
    bound = inspect.signature(context.layer.call).bind(*arguments.args, **arguments.kwargs)
    for name, given in bound.arguments.items():
        tensor = isinstance(given, keras.KerasTensor)
        wanted = name in ("query", "value", "key", "inputs", "training")
        if not wanted and (tensor or given not in (None, False)):
            raise context.error(
                f"is called with {name}",
                received=f"the tensor {name}" if tensor else f"{name}={given!r}",
                allowed="tensors of queries, values and keys alone",
                remedy="build the network without it",
            )
    return named_values(context.call, inputs)


def _inputs(context: LoweringContext, inputs: list[LayoutTensor]) -> AttentionInputs:
    found = _bound(context, inputs)
    for name in ("_sliding_window", "sliding_window"):
        if getattr(context.layer, name, None) is not None:
            raise context.error("sees a window of tokens alone", received="sliding_window")
    return AttentionInputs(found["query"], found["value"], found.get("key", found["value"]))
