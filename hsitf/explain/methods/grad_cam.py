"""Grad-CAM: which positions of a layer's maps speak for the logit."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.explain.gradients import gradients
from hsitf.explain.methods.method import Attribution, ExplanationMethod
from hsitf.explain.settings import MethodSettings
from hsitf.explain.view import NetworkView


def grad_cam(
    view: NetworkView, patches: Float32Array, output: int, settings: MethodSettings
) -> Attribution:
    """`relu(sum_k a[k] A[k])`, where `a[k]` is the mean of `d logit / d A[k]` over its positions.

    `A[k]` are the maps of `--layer`, or of the last layer with maps; the result is resized to the
    patch, bilinearly. Maps with further axes, such as those of 3-D convolutions, are rectified
    and then averaged over these.

    Source: R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh, D. Batra, Grad-CAM: visual
    explanations from deep networks via gradient-based localization, ICCV, 2017, eq. 1 and 2.
    """
    from keras import ops

    from hsitf.explain.feature_maps import behind, chosen_maps
    from hsitf.explain.truncation import truncate

    network = view.require_network()
    layer = chosen_maps(network, settings.layer).layer
    before, after = truncate(network, layer).network, behind(network, layer)
    maps = np.asarray(ops.convert_to_numpy(before(patches, training=False)), np.float32)

    def answer(entering: Any, x: Any) -> Any:
        return after([x, entering], training=False)[:, output]

    _, (slopes, _) = gradients(answer, [maps, patches])
    places = tuple(range(1, maps.ndim - 1))
    weights = slopes.mean(axis=places, keepdims=True)
    found = np.maximum((weights * maps).sum(axis=-1), 0)
    found = found.mean(axis=tuple(range(3, found.ndim)))[..., None]
    side = patches.shape[1:3]
    resized = ops.image.resize(found, side, "bilinear", data_format="channels_last")
    return Attribution(np.asarray(ops.convert_to_numpy(resized), np.float32))


METHOD = ExplanationMethod(
    "grad-cam",
    "where the maps of a layer speak for the logit",
    grad_cam,
    spectral=False,
    takes_layer=True,
)
