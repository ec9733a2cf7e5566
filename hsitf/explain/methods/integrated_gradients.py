"""Integrated gradients: what each number of the patch adds to the logit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.explain.gradients import Function, gradients, logit
from hsitf.explain.methods.method import Attribution, ExplanationMethod, block_size
from hsitf.explain.settings import MethodSettings
from hsitf.explain.view import NetworkView

# The attributions of a patch sum up to the difference of its logit to the mean spectrum's within
# this share of it. Steps are doubled until they do.
COMPLETENESS_TOLERANCE = 0.01
FIRST_STEPS, MAX_STEPS = 32, 2048


def integrated_gradients(
    view: NetworkView, patches: Float32Array, output: int, settings: MethodSettings
) -> Attribution:
    """`x * (integral of the gradient at a x for a from 0 to 1)`, by the midpoint rule.

    The baseline is a patch of zeros, which is the mean spectrum of the training pixels. The
    figure `completeness` is the largest share by which a sum is off.

    Source: M. Sundararajan, A. Taly, Q. Yan, Axiomatic attribution for deep networks, ICML, 2017.
    """
    function = logit(view.require_network(), output)
    wanted = view.logits(patches)[:, output] - view.logits(np.zeros_like(patches[:1]))[:, output]
    found = np.empty_like(patches)
    errors = np.full(len(patches), np.inf, np.float32)
    steps, open_ = FIRST_STEPS, np.arange(len(patches))
    while len(open_) and steps <= MAX_STEPS:
        for index in open_:
            found[index] = patches[index] * _mean_gradient(function, patches[index], steps)
        sums = found[open_].sum(axis=(1, 2, 3), dtype=np.float64)
        errors[open_] = _shares(sums - wanted[open_], wanted[open_])
        open_ = np.flatnonzero(errors > COMPLETENESS_TOLERANCE)
        steps *= 2
    return Attribution(found, {"completeness": float(errors.max())})


def _mean_gradient(function: Function, patch: Float32Array, steps: int) -> Float32Array:
    """Mean gradient over the midpoints of `steps` intervals from zeros to a patch."""
    middles = (np.arange(steps, dtype=np.float32) + np.float32(0.5)) / np.float32(steps)
    total = np.zeros(patch.shape, np.float64)
    size = block_size(patch[None])
    for start in range(0, steps, size):
        path_points = middles[start : start + size].reshape(-1, 1, 1, 1) * patch
        _, (slopes,) = gradients(function, [path_points])
        total += slopes.sum(axis=0, dtype=np.float64)
    return np.asarray(total / steps, np.float32)


def _shares(errors: NDArray[np.float64], wanted: Float32Array) -> Float32Array:
    """Errors relative to the values that they refer to; 0 where both are 0."""
    whole = np.abs(wanted).astype(np.float64)
    safe = np.where(whole > 0, whole, 1.0)
    return np.asarray(np.where(errors == 0, 0.0, np.abs(errors) / safe), np.float32)


METHOD = ExplanationMethod(
    "integrated-gradients",
    "what each number adds to the logit of the mean spectrum",
    integrated_gradients,
)
