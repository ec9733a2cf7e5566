"""Gradient times input: exact shares of the logit where the network is linear."""

from __future__ import annotations

from hsitf.explain.gradients import gradients, score
from hsitf.explain.methods.method import Attribution, Method
from hsitf.explain.settings import Settings
from hsitf.explain.view import Floats, View


def gradient_times_input(
    view: View, patches: Floats, output: int, settings: Settings
) -> Attribution:
    """`x * d logit / d x`, of numbers that are counted from the mean spectrum.

    Source: A. Shrikumar, P. Greenside, A. Kundaje, Learning important features through propagating
    activation differences, ICML, 2017, section 2.
    """
    _, (found,) = gradients(score(view.differentiable(), output), [patches])
    return Attribution(found * patches)


METHOD = Method("gradient-times-input", "gradient times the patch", gradient_times_input)
