"""Gradients of the loss with respect to a network's weights, on any Keras backend."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from hsitf.arrays import FloatArray
from hsitf.errors import InputError
from hsitf.graph import copy_weights, functional, operations
from hsitf.tile_networks import is_tile_network
from hsitf.train.epoch_inputs import UNLABELLED


class GradientRecorder(keras.optimizers.Optimizer):  # type: ignore[misc]
    """An optimizer that only stores the gradients of the last step, on every backend."""

    def __init__(self) -> None:
        super().__init__(learning_rate=0.0, name="recorder")
        self._watched: list[keras.Variable] = []
        self._kept: list[keras.Variable] = []

    def build(self, variables: list[keras.Variable]) -> None:
        """Makes room for one gradient a variable."""
        if self.built:
            return
        super().build(variables)
        self._watched = list(variables)
        self._kept = [self.add_variable_from_reference(v, "gradient") for v in variables]

    def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
        """Keeps a gradient."""
        self.assign(self._kept[self._get_variable_index(variable)], gradient)

    def gradients_of(self, layer: Any) -> list[FloatArray]:
        """Gradients of the last step for the weights of a layer, zeros for those not trained."""
        kept = {id(v): found for v, found in zip(self._watched, self._kept, strict=True)}
        return [
            keras.ops.convert_to_numpy(kept[id(weight)])
            if id(weight) in kept
            else np.zeros(weight.shape, np.float32)
            for weight in layer.weights
        ]


def trainable_copy(model: keras.Model) -> keras.Model:
    """A copy whose weights are all trained, by the loss of the data alone.

    Regularization would be part of the gradient, every step would enforce constraints, and frozen
    weights would seem to have no influence.
    """
    copy = keras.models.clone_model(functional(model))
    copy_weights(model, copy)
    for layer in operations(copy):
        if isinstance(layer, keras.Layer):
            layer.trainable, layer.activity_regularizer = True, None
    for variable in copy.weights:
        variable.regularizer = variable.constraint = None
    return copy


class _InferenceMode(keras.Model):  # type: ignore[misc]
    """A network that is in inference even while it is trained."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__(name="inferring")
        self.network = network

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Leaves batch normalization and dropout as they are in inference."""
        return self.network(inputs, training=False)


def recording_model(model: keras.Model, recorder: GradientRecorder) -> keras.Model:
    """The network in inference mode, whose training steps only record gradients."""
    watched = _InferenceMode(model)
    if len(model.outputs) != 1:
        raise InputError(
            "criteria of gradients need a network with one output",
            received=f"{len(model.outputs)} outputs",
            remedy="choose a criterion of weights or maps",
        )
    last = getattr(model.layers[-1], "activation", None)
    soft = getattr(last, "__name__", "") == "softmax"
    # Of tiles, most pixels have no label.
    ignored = UNLABELLED if is_tile_network(model) else None
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not soft, ignore_class=ignored)
    watched.compile(recorder, loss, jit_compile=False)
    return watched
