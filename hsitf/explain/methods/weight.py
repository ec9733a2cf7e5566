"""Gradient with respect to a named weight, and where in the patch it comes from."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from hsitf.errors import InputError
from hsitf.explain.cutting import Cut, cut, split_weight
from hsitf.explain.cutting import weight as named_weight
from hsitf.explain.gradients import gradients, score
from hsitf.explain.methods.method import Attribution, Method
from hsitf.explain.settings import Settings
from hsitf.explain.view import Floats, View


def weight(view: View, patches: Floats, output: int, settings: Settings) -> Attribution:
    """The gradient of the logit in a weight `w`, carried back to the patch through its units.

    `g[j] = sum over the entries of w that make unit j of |d logit / d w|`, and the map is
    `d/dx sum_j g[j] z[j](x)` with `g` held fast, where `z[j]` is what leaves unit j, summed over
    its positions: what of the patch moves the units that the logit would most have the weight
    change. The array `weight_gradient` is the mean of `|d logit / d w|`, in the weight's shape.
    """
    network = view.differentiable()
    layer, name = split_weight(settings.weight)
    part = cut(network, layer)
    variable = named_weight(part, name)
    _check_units(part, variable, settings.weight)
    slopes = np.stack([_weight_gradient(network, variable, patch, output) for patch in patches])
    units = slopes.reshape(len(patches), -1, part.filters).sum(axis=1)

    def moved(x: Any, shares: Any) -> Any:
        leaving = ops.reshape(part.network(x, training=False), (len(x), -1, part.filters))
        return ops.sum(ops.sum(leaving, axis=1) * shares, axis=1)

    _, (found, _) = gradients(moved, [patches, units])
    return Attribution(found, arrays={"weight_gradient": slopes.mean(axis=0)})


def _weight_gradient(network: keras.Model, variable: Any, patch: Floats, output: int) -> Floats:
    """`|d logit / d w|` of one patch, in the weight's shape."""
    function = score(network, output)

    def of_weight(value: Any) -> Any:
        with keras.StatelessScope(state_mapping=[(variable, value)]):
            return function(ops.convert_to_tensor(patch[None]))

    _, (slope,) = gradients(of_weight, [ops.convert_to_numpy(variable.value)])
    return np.abs(slope)


def _check_units(part: Cut, variable: Any, text: str) -> None:
    if variable.shape[-1] != part.filters:
        raise InputError(
            "the weight does not tell the units of its layer apart",
            received=f"{text} of shape {tuple(variable.shape)}, {part.filters} units",
            allowed="kernels and biases of convolutions and dense layers, scales of normalization",
        )


METHOD = Method("weight", "gradient in a named weight, carried back to the patch", weight)
