"""Gradient with respect to a named weight, attributed to the patch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.errors import InputError
from hsitf.explain.gradients import gradients, logit
from hsitf.explain.methods.method import Attribution, ExplanationMethod
from hsitf.explain.settings import MethodSettings
from hsitf.explain.view import NetworkView

if TYPE_CHECKING:
    import keras

    from hsitf.explain.truncation import TruncatedNetwork


def weight(
    view: NetworkView, patches: Float32Array, output: int, settings: MethodSettings
) -> Attribution:
    """The gradient of the logit in a weight `w`, carried back to the patch through its units.

    `g[j] = sum over the entries of w that produce unit j of |d logit / d w|`, and the map is `d/dx
    sum_j g[j] z[j](x)` with constant `g`, where `z[j]` is the output of unit j, summed over its
    positions: the part of the patch that activates the units whose weights have the largest
    gradient. The array `weight_gradient` is the mean of `|d logit / d w|`, in the weight's shape.
    """
    from keras import ops

    from hsitf.explain.truncation import split_weight, truncate
    from hsitf.explain.truncation import weight as named_weight

    network = view.require_network()
    layer, name = split_weight(settings.weight)
    part = truncate(network, layer)
    variable = named_weight(part, name)
    _check_units(part, variable, settings.weight)
    slopes = np.stack([_weight_gradient(network, variable, patch, output) for patch in patches])
    units = slopes.reshape(len(patches), -1, part.filters).sum(axis=1)

    def moved(x: Any, shares: Any) -> Any:
        leaving = ops.reshape(part.network(x, training=False), (len(x), -1, part.filters))
        return ops.sum(ops.sum(leaving, axis=1) * shares, axis=1)

    _, (found, _) = gradients(moved, [patches, units])
    return Attribution(found, arrays={"weight_gradient": slopes.mean(axis=0)})


def _weight_gradient(
    network: keras.Model, variable: Any, patch: Float32Array, output: int
) -> Float32Array:
    """`|d logit / d w|` of one patch, in the weight's shape."""
    import keras
    from keras import ops

    function = logit(network, output)

    def of_weight(value: Any) -> Any:
        with keras.StatelessScope(state_mapping=[(variable, value)]):
            return function(ops.convert_to_tensor(patch[None]))

    _, (slope,) = gradients(of_weight, [ops.convert_to_numpy(variable.value)])
    return np.abs(slope)


def _check_units(part: TruncatedNetwork, variable: Any, text: str) -> None:
    if variable.shape[-1] != part.filters:
        raise InputError(
            "the weight has no axis for the units of its layer",
            received=f"{text} of shape {tuple(variable.shape)}, {part.filters} units",
            allowed="kernels and biases of convolutions and dense layers, scales of normalization",
        )


METHOD = ExplanationMethod(
    "weight", "gradient in a named weight, carried back to the patch", weight
)
