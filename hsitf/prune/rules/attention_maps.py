"""Maps of the channels inside attention, for criteria that look at what channels hold.

A head's map is what it has made of the values, before the output projection: a row a token, a
column a number of the head. That of a width of the values is the same with a column a head. A width
of queries and keys has those of all heads, the queries' beside the keys'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import keras
from keras import ops

from hsitf.graph import Call, named_values
from hsitf.prune.rules.attention import HEADS, KEYS, VALUES, is_grouped


def inner_maps(call: Call, values: Sequence[Any], name: str) -> dict[str, Any]:
    """The maps of the channels inside an attention layer.

    Args:
        call: The call of the layer.
        values: Its tensors in a network that is being built.
        name: Name of the layer that makes the maps.

    Returns:
        By what they are called, `(batch, rows, cols, channels)`.
    """
    found: dict[str, Any] = _InnerMaps(call, name=name)(list(values))
    return found


class _InnerMaps(keras.layers.Layer):  # type: ignore[misc]
    """Computes the maps; a layer, since the parts of all attention layers have the same names."""

    def __init__(self, traced: Call, **options: Any) -> None:
        super().__init__(**options)
        self.traced, self.attention = traced, traced.operation

    def call(self, values: list[Any]) -> dict[str, Any]:
        """The tensors of the attention layer -> its maps."""
        given = named_values(self.traced, values)
        causal = bool(self.traced.node.arguments.kwargs.get("use_causal_mask", False))
        return _maps(self.attention, given, causal)


def _maps(layer: Any, given: Mapping[str, Any], causal: bool) -> dict[str, Any]:
    query, value = given["query"], given["value"]
    key = given.get("key", value)
    mask = layer._compute_attention_mask(
        query, value, attention_mask=given.get("attention_mask"), use_causal_mask=causal
    )
    queries, keys = layer._query_dense(query), layer._key_dense(key)
    held = layer._value_dense(value)
    if is_grouped(layer):
        repeated = [ops.repeat(each, layer.num_repeats, axis=2) for each in (keys, held)]
        made, _ = layer._compute_attention(queries, *repeated, attention_mask=mask)
    else:
        made, _ = layer._compute_attention(queries, keys, held, mask)
    if getattr(layer, "_use_gate", getattr(layer, "use_gate", False)):
        made = ops.multiply(made, layer._gate_dense(query))
    tokens, others = prod(query.shape[1:-1]), prod(key.shape[1:-1])
    if is_grouped(layer):
        groups, dim = layer.num_key_value_heads, layer.head_dim
        each = layer.num_query_heads // groups
        heads = ops.reshape(made, (-1, tokens, groups, each * dim))
        numbers = ops.reshape(made, (-1, tokens, groups * each, dim))
        return {
            HEADS: ops.swapaxes(heads, 2, 3),
            KEYS: _side_by_side([queries, keys, numbers], [tokens, others, tokens]),
        }
    made = ops.reshape(made, (-1, tokens, layer.num_heads, layer.value_dim))
    return {
        HEADS: ops.swapaxes(made, 2, 3),
        KEYS: _side_by_side([queries, keys], [tokens, others]),
        VALUES: made,
    }


def _side_by_side(tensors: Sequence[keras.KerasTensor], tokens: Sequence[int]) -> keras.KerasTensor:
    """`(batch, ..., heads, width)` of several tensors as `(batch, rows, cols, width)`.

    Rows are tokens, or one where the tensors differ in tokens.
    """
    alike = len(set(tokens)) == 1
    several = []
    for tensor, count in zip(tensors, tokens, strict=True):
        heads, width = tensor.shape[-2:]
        shape = (count, heads) if alike else (1, count * heads)
        several.append(ops.reshape(tensor, (-1, *shape, width)))
    return ops.concatenate(several, axis=2)
