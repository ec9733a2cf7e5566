"""Gradient saliency: how the logit changes with each number of the patch."""

from __future__ import annotations

from hsitf.explain.differences import differences
from hsitf.explain.gradients import gradients, score
from hsitf.explain.methods.method import Attribution, Method
from hsitf.explain.settings import Settings
from hsitf.explain.view import Floats, View


def saliency(view: View, patches: Floats, output: int, settings: Settings) -> Attribution:
    """`d logit / d x`; of a file by finite differences.

    Source: K. Simonyan, A. Vedaldi, A. Zisserman, Deep inside convolutional networks: visualising
    image classification models and saliency maps, ICLR workshop, 2014.
    """
    if view.network is None:
        return Attribution(differences(view, patches, output))
    _, (found,) = gradients(score(view.network, output), [patches])
    return Attribution(found)


METHOD = Method("saliency", "gradient of the logit", saliency, files=True)
