"""SmoothGrad: the mean gradient of noisy copies of the patch."""

from __future__ import annotations

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.explain.gradients import gradients, logit
from hsitf.explain.methods.method import Attribution, ExplanationMethod, block_size
from hsitf.explain.settings import MethodSettings
from hsitf.explain.view import NetworkView


def smoothgrad(
    view: NetworkView, patches: Float32Array, output: int, settings: MethodSettings
) -> Attribution:
    """Mean over copies of `d logit / d x` at `x + noise`.

    The noise is normal; its deviation is `noise` times the range of the patch's numbers.

    Source: D. Smilkov, N. Thorat, B. Kim, F. Viegas, M. Wattenberg, SmoothGrad: removing noise by
    adding noise, ICML workshop on visualization, 2017.
    """
    function = logit(view.require_network(), output)
    generator = np.random.default_rng(settings.seed)
    found = np.empty_like(patches)
    size = block_size(patches)
    for index, patch in enumerate(patches):
        spread = np.float32(settings.noise_level) * np.ptp(patch)
        noise = spread * generator.standard_normal((settings.num_samples, *patch.shape), np.float32)
        slopes = [
            gradients(function, [patch + noise[start : start + size]])[1][0]
            for start in range(0, settings.num_samples, size)
        ]
        found[index] = np.concatenate(slopes).mean(axis=0)
    return Attribution(found)


METHOD = ExplanationMethod("smoothgrad", "mean gradient of noisy copies", smoothgrad)
