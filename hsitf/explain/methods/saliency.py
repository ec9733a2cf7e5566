"""Gradient saliency: how the logit changes with each number of the patch."""

from __future__ import annotations

from hsitf.arrays import Float32Array
from hsitf.explain.finite_differences import finite_differences
from hsitf.explain.gradients import gradients, logit
from hsitf.explain.methods.method import Attribution, ExplanationMethod
from hsitf.explain.settings import MethodSettings
from hsitf.explain.view import NetworkView


def saliency(
    view: NetworkView, patches: Float32Array, output: int, settings: MethodSettings
) -> Attribution:
    """`d logit / d x`; of a file by finite differences.

    Source: K. Simonyan, A. Vedaldi, A. Zisserman, Deep inside convolutional networks: visualising
    image classification models and saliency maps, ICLR workshop, 2014.
    """
    if view.network is None:
        return Attribution(finite_differences(view, patches, output))
    _, (found,) = gradients(logit(view.network, output), [patches])
    return Attribution(found)


METHOD = ExplanationMethod("saliency", "gradient of the logit", saliency, supports_files=True)
