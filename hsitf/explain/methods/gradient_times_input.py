"""Gradient times input: exact shares of the logit where the network is linear."""

from __future__ import annotations

from hsitf.arrays import Float32Array
from hsitf.explain.gradients import gradients, logit
from hsitf.explain.methods.method import Attribution, ExplanationMethod
from hsitf.explain.settings import MethodSettings
from hsitf.explain.view import NetworkView


def gradient_times_input(
    view: NetworkView, patches: Float32Array, output: int, settings: MethodSettings
) -> Attribution:
    """`x * d logit / d x`, of numbers that are counted from the mean spectrum.

    Source: A. Shrikumar, P. Greenside, A. Kundaje, Learning important features through propagating
    activation differences, ICML, 2017, section 2.
    """
    _, (found,) = gradients(logit(view.require_network(), output), [patches])
    return Attribution(found * patches)


METHOD = ExplanationMethod("gradient-times-input", "gradient times the patch", gradient_times_input)
