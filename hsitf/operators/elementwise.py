"""Activations, and what does nothing, or something to each number by itself, in inference."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras

from hsitf.operators.row import OperatorType, Role, Rows, always


def _plain_relu(layer: Any) -> bool:
    return layer.max_value is None and not layer.threshold


def _linear_or_relu(layer: Any) -> bool:
    return layer.activation in (keras.activations.linear, keras.activations.relu)


_elementwise = partial(OperatorType, Role.PASSES, elementwise=True)
_activation = partial(_elementwise, activation=True)
_training_only = partial(_elementwise, training_only=True, homogeneous=always)

LAYERS: Rows = {
    "Activation": _activation(homogeneous=_linear_or_relu),
    "ReLU": _activation(homogeneous=_plain_relu),
    "LeakyReLU": _activation(homogeneous=always),
    "ELU": _activation(),
    "PReLU": _activation(),
    "Softmax": OperatorType(Role.MIXES, activation=True),
    "Dropout": _training_only(),
    "SpatialDropout1D": _training_only(rank=1),
    "SpatialDropout2D": _training_only(rank=2),
    "SpatialDropout3D": _training_only(rank=3),
    "GaussianDropout": _training_only(),
    "GaussianNoise": _training_only(),
    "AlphaDropout": _training_only(),
    "ActivityRegularization": _training_only(),
    "Identity": _elementwise(homogeneous=always),
    "Rescaling": _elementwise(),
    "Normalization": _elementwise(),
    # Of the networks that come with Keras.
    "LayerScale": _elementwise(homogeneous=always),
    "StochasticDepth": _training_only(),
}
