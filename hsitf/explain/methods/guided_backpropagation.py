"""Guided backpropagation: the gradient without what argues against the logit."""

from __future__ import annotations

from hsitf.arrays import Float32Array
from hsitf.explain.gradients import gradients, logit
from hsitf.explain.methods.method import Attribution, ExplanationMethod
from hsitf.explain.settings import MethodSettings
from hsitf.explain.view import NetworkView


def guided_backpropagation(
    view: NetworkView, patches: Float32Array, output: int, settings: MethodSettings
) -> Attribution:
    """The gradient of which each rectifier passes back the positive part alone.

    `R = (a > 0) * (R' > 0) * R'` at a ReLU with input `a` and incoming gradient `R'`; all other
    layers propagate their ordinary gradient.

    Source: J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, Striving for simplicity: the
    all convolutional net, ICLR workshop, 2015.
    """
    from hsitf.explain.guided_network import guided

    _, (found,) = gradients(logit(guided(view.require_network()), output), [patches])
    return Attribution(found)


METHOD = ExplanationMethod(
    "guided-backpropagation", "gradient without what argues against", guided_backpropagation
)
