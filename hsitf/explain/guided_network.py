"""Networks whose rectifiers pass back positive gradients alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import keras
from keras import ops

from hsitf.errors import InputError
from hsitf.graph import Call, copy_weights, unwrap_single, walk

# Rectifiers by the name of their function or operation, with their upper limit.
_CEILINGS = {"relu": None, "relu6": 6.0}


@keras.saving.register_keras_serializable(package="hsitf")
class GuidedReLU(keras.layers.Layer):  # type: ignore[misc]
    """A rectifier that passes back positive gradients alone.

    Args:
        ceiling: Upper limit of the ReLU; None without one.
        options: Options of every Keras layer.
    """

    def __init__(self, ceiling: float | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.ceiling = ceiling

    def call(self, inputs: Any) -> Any:
        """`min(max(x, 0), ceiling)`, any shape."""
        return _rectified(inputs, self.ceiling)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Leaves the shape as it is."""
        return input_shape


def _rectified(inputs: Any, ceiling: float | None) -> Any:
    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def rectify(x: Any) -> tuple[Any, Any]:
        open_ = x > 0 if ceiling is None else ops.logical_and(x > 0, x < ceiling)

        def back(*arguments: Any, upstream: Any = None) -> Any:
            above = arguments[0] if upstream is None else upstream
            return ops.relu(above) * ops.cast(open_, above.dtype)

        return ops.clip(x, 0.0, float("inf") if ceiling is None else ceiling), back

    return rectify(inputs)


@lru_cache(maxsize=2)
def guided(network: keras.Model) -> keras.Model:
    """The same network, of the same logits, with guided rectifiers.

    Weights are shared where a layer does not rectify, and copied where it does.

    Raises:
        InputError: The network has no rectifier.
    """
    twins: dict[int, list[Any]] = {}

    def visit(call: Call, values: list[Any]) -> Any:
        steps = twins.setdefault(id(call.operation), _steps(call.operation))
        result = call.call_with(steps[0], values)
        for step in steps[1:]:
            result = step(result)
        return list(result) if isinstance(result, list | tuple) else [result]

    inputs = [keras.Input(tensor.shape[1:], dtype=tensor.dtype) for tensor in network.inputs]
    outputs = walk(network, inputs, visit)
    if not any(isinstance(step, GuidedReLU) for steps in twins.values() for step in steps):
        raise InputError(
            "guided backpropagation guides rectifiers",
            received=f"{network.name}, which has none",
            remedy="take saliency, which is the same there",
        )
    _copy_weights(twins, network)
    return keras.Model(unwrap_single(inputs), unwrap_single(outputs), name=network.name)


def _copy_weights(twins: dict[int, list[Any]], network: keras.Model) -> None:
    def visit(call: Call, values: list[None]) -> list[None]:
        twin = twins[id(call.operation)][0]
        if twin is not call.operation and getattr(call.operation, "weights", None):
            copy_weights(call.operation, twin)
        return [None] * len(call.node.outputs)

    walk(network, [None] * len(network.inputs), visit)


def _steps(operation: Any) -> list[Any]:
    """What computes the same as an operation, its rectifier a guided layer of its own."""
    kind = type(operation).__name__.lower()
    if not isinstance(operation, keras.Layer):
        return [GuidedReLU(_CEILINGS[kind])] if kind in _CEILINGS else [operation]
    if isinstance(operation, keras.layers.ReLU):
        plain = not operation.negative_slope and not operation.threshold
        return [GuidedReLU(operation.max_value)] if plain else [operation]
    named = getattr(getattr(operation, "activation", None), "__name__", "")
    # A recurrent layer rectifies within its steps, where nothing can be put behind it.
    if named not in _CEILINGS or isinstance(operation, keras.layers.RNN):
        return [operation]
    rectifier = GuidedReLU(_CEILINGS[named])
    if isinstance(operation, keras.layers.Activation):
        return [rectifier]
    config = {**operation.get_config(), "activation": "linear"}
    return [type(operation).from_config(config), rectifier]
