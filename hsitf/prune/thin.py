"""Building the smaller network, and the masked original that it has to equal."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops

from hsitf.graph import Call, alone, walk
from hsitf.prune.identities import Ids, Ledger
from hsitf.prune.plan import Plan, removed, trace
from hsitf.prune.rules import Kept, rule


def thin(model: keras.Model, plan: Plan) -> keras.Model:
    """A new, smaller network without the channels that the plan does not keep.

    It equals `masked(model, plan)`, up to rounding, unless the plan is approximate. The original
    is left untouched; layers keep their names.

    Args:
        model: A functional model.
        plan: Made for this network.

    Raises:
        InputError: The plan is another network's, or would empty a layer.
    """
    traced = trace(model)
    kept = _keeper(traced.ledger, removed(traced, plan))
    places = iter(traced.seen)
    built: dict[str, keras.layers.Layer] = {}
    weights: dict[str, list[np.ndarray[Any, Any]]] = {}

    def rebuild(call: Call, inputs: list[KerasTensor]) -> KerasTensor:
        seen, layer = next(places), call.operation
        if layer.name not in built:
            cut = rule(layer).cut(seen, kept)
            built[layer.name] = type(layer).from_config({**layer.get_config(), **cut.config})
            weights[layer.name] = cut.weights
        return call.repeated(built[layer.name], inputs)

    inputs = [
        keras.Input(_shape_left(tensor, ids, kept), name=tensor.name)
        for tensor, ids in zip(model.inputs, traced.inputs, strict=True)
    ]
    outputs = walk(model, inputs, rebuild)
    smaller = keras.Model(alone(inputs), alone(outputs), name=model.name)
    for name, values in weights.items():
        if values:
            built[name].set_weights(values)
    return smaller


def masked(model: keras.Model, plan: Plan) -> keras.Model:
    """The original network with the removed channels zeroed wherever they are consumed.

    This is the definition that `thin` is held against. It shares its layers with `model`.
    """
    traced = trace(model)
    kept = _keeper(traced.ledger, removed(traced, plan))
    places = iter(traced.seen)

    def consume(call: Call, inputs: list[KerasTensor]) -> KerasTensor:
        seen = next(places)
        if rule(call.operation).consumes:
            inputs = [
                value * ops.convert_to_tensor(kept(ids).astype(np.float32))
                for value, ids in zip(inputs, seen.inputs, strict=True)
            ]
        return call.repeated(call.operation, inputs)

    inputs = [keras.Input(tensor.shape[1:], name=tensor.name) for tensor in model.inputs]
    return keras.Model(alone(inputs), alone(walk(model, inputs, consume)))


def _keeper(ledger: Ledger, gone: set[int]) -> Kept:
    """For each element of an array of identities, whether its channel stays."""
    stays = np.array([ledger.root(i) not in gone for i in range(len(ledger.parents))])
    return partial(np.take, stays)


def _shape_left(tensor: KerasTensor, ids: Ids, kept: Kept) -> tuple[int, ...]:
    shape = list(tensor.shape[1:])
    line = kept(ids)[(0,) * (ids.ndim - 1)]
    shape[-1] = int(line.sum())
    return tuple(shape)
