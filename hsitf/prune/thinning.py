"""Building the smaller network, and the masked original that it has to equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops
from numpy.typing import NDArray

from hsitf.errors import InputError
from hsitf.graph import Call, input_names, inputs_like, outputs_like, walk
from hsitf.prune.channel_graph import ChannelIds, TracedCall, kept_grid, squeeze_repeated
from hsitf.prune.plans import PruningPlan, removed_ids
from hsitf.prune.rules import KeepMask, ThinningSpec, rule
from hsitf.prune.tracing import trace


def thin(model: keras.Model, plan: PruningPlan) -> keras.Model:
    """A new, smaller network without the channels that the plan removes.

    It equals `masked(model, plan)`, up to rounding, unless the plan is approximate; outputs that
    lose channels are compared on the kept ones. The original is unchanged; layers keep their names.
    Nested models are flattened; layers whose names would otherwise be equal get a number.

    Args:
        model: A functional model.
        plan: A plan for this network.

    Raises:
        InputError: The plan is another network's, or would empty a layer.
    """
    traced = trace(model, plan.prune_io)
    keep = traced.keep_mask(removed_ids(traced, plan))
    calls = iter(traced.calls)
    built: dict[str, Any] = {}
    weights: dict[str, list[NDArray[np.generic]]] = {}

    def rebuild(call: Call, inputs: list[KerasTensor]) -> Any:
        traced_call, old = next(calls), call.operation
        _check_not_empty(traced_call, keep)
        spec = rule(old).thin(traced_call, keep)
        if spec.apply is not None:
            return _listed(spec.apply(inputs))
        if traced_call.name not in built:
            built[traced_call.name] = _thinned_operation(old, traced_call.name, spec)
            if spec.kept_indices:
                weights[traced_call.name] = _sliced_weights(old.get_weights(), spec)
        try:
            return _listed(call.call_with(built[traced_call.name], inputs))
        except ValueError as error:
            raise InputError(
                f"layer {traced_call.name!r} does not take what is left before it",
                received=", ".join(str(tuple(value.shape)) for value in inputs),
                remedy="leave the layers before it out of the pruning",
            ) from error

    inputs = [
        keras.Input(_thinned_shape(ids, keep), name=name, dtype=tensor.dtype)
        for name, tensor, ids in zip(input_names(model), model.inputs, traced.inputs, strict=True)
    ]
    outputs = walk(model, inputs, rebuild)
    thinned = keras.Model(inputs_like(model, inputs), outputs_like(model, outputs), name=model.name)
    for name, values in weights.items():
        built[name].set_weights(values)
        if isinstance(built[name], keras.layers.Normalization):
            # It computes with what it read off its weights before.
            built[name].finalize_state()
    return thinned


def _check_not_empty(traced: TracedCall, keep: KeepMask) -> None:
    for ids in (*traced.inputs, *traced.outputs):
        if not keep[squeeze_repeated(ids)].any():
            raise InputError(
                f"the plan would leave nothing at layer {traced.name!r}",
                received=f"none of {ids.shape[-1]} channels",
                allowed="1 or more",
                remedy="remove less, or leave out the layers before it with --ignore",
            )


def _thinned_operation(operation: Any, name: str, spec: ThinningSpec) -> Any:
    if not isinstance(operation, keras.Layer):
        return operation
    return type(operation).from_config({**operation.get_config(), **spec.config, "name": name})


def _sliced_weights(
    weights: list[NDArray[np.generic]], spec: ThinningSpec
) -> list[NDArray[np.generic]]:
    factors = spec.factors or [1.0] * len(weights)
    kept = [
        values[np.ix_(*calls)] for values, calls in zip(weights, spec.kept_indices, strict=True)
    ]
    return [
        values if factor == 1 else values * np.asarray(factor, values.dtype)
        for values, factor in zip(kept, factors, strict=True)
    ]


def masked(model: keras.Model, plan: PruningPlan) -> Callable[[Any], Any]:
    """The original network with the removed channels zeroed wherever they are consumed.

    This is the definition that `thin` is held against. Recurrent layers consume their own units
    too.

    Args:
        model: A functional model.
        plan: A plan for this network.

    Returns:
        A function of the network's inputs to its outputs, both arranged as the network has them.

    Raises:
        InputError: See `thin`.
    """
    traced = trace(model, plan.prune_io)
    keep = traced.keep_mask(removed_ids(traced, plan))

    def run(given: Any) -> Any:
        calls = iter(traced.calls)

        def consume(call: Call, inputs: list[Any]) -> list[Any]:
            traced_call = next(calls)
            if rule(call.operation).consumes:
                inputs = [
                    value * ops.cast(keep[squeeze_repeated(ids)], value.dtype)
                    for value, ids in zip(inputs, traced_call.inputs, strict=True)
                ]
            operation = rule(call.operation).masked(traced_call, keep)
            return _listed(call.call_with(operation, inputs))

        values = [ops.convert_to_tensor(value) for value in keras.tree.flatten(given)]
        found = outputs_like(model, walk(model, values, consume))
        # Of a list of one output, Keras returns the one.
        return found[0] if isinstance(found, list | tuple) and len(found) == 1 else found

    return run


def _listed(leaving: Any) -> list[Any]:
    return list(leaving) if isinstance(leaving, list | tuple) else [leaving]


def _thinned_shape(ids: ChannelIds, keep: KeepMask) -> tuple[int, ...]:
    return tuple(len(calls) for calls in kept_grid(ids, keep) or ())
