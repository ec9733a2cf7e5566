"""Occlusion by band: what the logit loses when a band is hidden."""

from __future__ import annotations

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.explain.methods.method import Attribution, ExplanationMethod
from hsitf.explain.settings import MethodSettings
from hsitf.explain.view import NetworkView


def occlusion(
    view: NetworkView, patches: Float32Array, output: int, settings: MethodSettings
) -> Attribution:
    """`f(x) - f(x with the band at its mean)`, band by band over the whole patch.

    With a window of `w` the bands from `b - w // 2` to `b + (w - 1) // 2` are hidden together.

    Source: M. D. Zeiler, R. Fergus, Visualizing and understanding convolutional networks, ECCV,
    2014, section 4.2, with bands instead of squares of pixels.
    """
    bands = patches.shape[-1]
    whole = view.logits(patches)[:, output]
    found = np.empty((len(patches), bands), np.float32)
    for band in range(bands):
        hidden = patches.copy()
        low, high = band - settings.window // 2, band + (settings.window - 1) // 2
        hidden[..., max(low, 0) : high + 1] = 0
        found[:, band] = whole - view.logits(hidden)[:, output]
    return Attribution(found)


METHOD = ExplanationMethod(
    "occlusion",
    "what the logit loses without a band",
    occlusion,
    supports_files=True,
    spatial=False,
)
