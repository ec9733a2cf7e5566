"""Building the smaller network, and the masked original that it has to equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.graph import Call, alone, input_names, walk
from hsitf.prune.identities import Ids, Seen, grid, slim
from hsitf.prune.plans import Plan, removed
from hsitf.prune.rules import Cut, Stays, rule
from hsitf.prune.tracing import trace


def thin(model: keras.Model, plan: Plan) -> keras.Model:
    """A new, smaller network without the channels that the plan does not keep.

    It equals `masked(model, plan)`, up to rounding, unless the plan is approximate; of outputs that
    lose channels, those that are left. The original
    is left untouched; layers keep their names. Models inside the model come out flat, a number
    behind the names of layers that would otherwise be alike.

    Args:
        model: A functional model.
        plan: Made for this network.

    Raises:
        InputError: The plan is another network's, or would empty a layer.
    """
    traced = trace(model, plan.free)
    stays = traced.stays(removed(traced, plan))
    places = iter(traced.seen)
    built: dict[str, Any] = {}
    weights: dict[str, list[NDArray[np.generic]]] = {}

    def rebuild(call: Call, inputs: list[KerasTensor]) -> Any:
        seen, old = next(places), call.operation
        _check_left(seen, stays)
        cut = rule(old).cut(seen, stays)
        if cut.apply is not None:
            return _listed(cut.apply(inputs))
        if seen.name not in built:
            built[seen.name] = _smaller(old, seen.name, cut)
            if cut.places:
                weights[seen.name] = _chosen(old.get_weights(), cut)
        try:
            return _listed(call.repeated(built[seen.name], inputs))
        except ValueError as error:
            raise InputError(
                f"layer {seen.name!r} does not take what is left before it",
                received=", ".join(str(tuple(value.shape)) for value in inputs),
                remedy="leave the layers before it out of the pruning",
            ) from error

    inputs = [
        keras.Input(_shape_left(ids, stays), name=name, dtype=tensor.dtype)
        for name, tensor, ids in zip(input_names(model), model.inputs, traced.inputs, strict=True)
    ]
    outputs = walk(model, inputs, rebuild)
    thinned = keras.Model(alone(inputs), alone(outputs), name=model.name)
    for name, values in weights.items():
        built[name].set_weights(values)
    return thinned


def _check_left(seen: Seen, stays: Stays) -> None:
    for ids in (*seen.inputs, *seen.outputs):
        if not stays[slim(ids)].any():
            raise InputError(
                f"the plan would leave nothing at layer {seen.name!r}",
                received=f"none of {ids.shape[-1]} channels",
                allowed="1 or more",
                remedy="remove less, or leave out the layers before it with --ignore",
            )


def _smaller(operation: Any, name: str, cut: Cut) -> Any:
    if not isinstance(operation, keras.Layer):
        return operation
    return type(operation).from_config({**operation.get_config(), **cut.config, "name": name})


def _chosen(weights: list[NDArray[np.generic]], cut: Cut) -> list[NDArray[np.generic]]:
    return [values[np.ix_(*places)] for values, places in zip(weights, cut.places, strict=True)]


def masked(model: keras.Model, plan: Plan) -> Callable[[Any], Any]:
    """The original network with the removed channels zeroed wherever they are consumed.

    This is the definition that `thin` is held against. Recurrent layers consume their own units
    too.

    Args:
        model: A functional model.
        plan: Made for this network.

    Returns:
        A function of the network's inputs, one array or a list of them, to its outputs.

    Raises:
        InputError: As `thin`.
    """
    traced = trace(model, plan.free)
    stays = traced.stays(removed(traced, plan))

    def run(given: Any) -> Any:
        places = iter(traced.seen)

        def consume(call: Call, inputs: list[Any]) -> list[Any]:
            seen = next(places)
            if rule(call.operation).consumes:
                inputs = [
                    value * ops.cast(stays[slim(ids)], value.dtype)
                    for value, ids in zip(inputs, seen.inputs, strict=True)
                ]
            operation = rule(call.operation).masked(seen, stays)
            return _listed(call.repeated(operation, inputs))

        values = given if isinstance(given, list | tuple) else [given]
        return alone(walk(model, [ops.convert_to_tensor(value) for value in values], consume))

    return run


def _listed(leaving: Any) -> list[Any]:
    return list(leaving) if isinstance(leaving, list | tuple) else [leaving]


def _shape_left(ids: Ids, stays: Stays) -> tuple[int, ...]:
    return tuple(len(places) for places in grid(ids, stays) or ())
