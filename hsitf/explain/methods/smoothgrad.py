"""SmoothGrad: the mean gradient of noisy copies of the patch."""

from __future__ import annotations

import numpy as np

from hsitf.explain.gradients import gradients, score
from hsitf.explain.methods.method import Attribution, Method, block
from hsitf.explain.settings import Settings
from hsitf.explain.view import Floats, View


def smoothgrad(view: View, patches: Floats, output: int, settings: Settings) -> Attribution:
    """Mean over copies of `d logit / d x` at `x + noise`.

    The noise is normal; its deviation is `noise` times the range of the patch's numbers.

    Source: D. Smilkov, N. Thorat, B. Kim, F. Viegas, M. Wattenberg, SmoothGrad: removing noise by
    adding noise, ICML workshop on visualization, 2017.
    """
    function = score(view.differentiable(), output)
    generator = np.random.default_rng(settings.seed)
    found = np.empty_like(patches)
    size = block(patches)
    for place, patch in enumerate(patches):
        spread = np.float32(settings.noise) * np.ptp(patch)
        noise = spread * generator.standard_normal((settings.copies, *patch.shape), np.float32)
        slopes = [
            gradients(function, [patch + noise[start : start + size]])[1][0]
            for start in range(0, settings.copies, size)
        ]
        found[place] = np.concatenate(slopes).mean(axis=0)
    return Attribution(found)


METHOD = Method("smoothgrad", "mean gradient of noisy copies", smoothgrad)
