"""Integrated gradients: what each number of the patch adds to the logit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hsitf.explain.gradients import Function, gradients, score
from hsitf.explain.methods.method import Attribution, Method, block
from hsitf.explain.settings import Settings
from hsitf.explain.view import Floats, View

# The attributions of a patch sum up to the difference of its logit to the mean spectrum's within
# this share of it. Steps are doubled until they do.
COMPLETE = 0.01
FIRST_STEPS, MOST_STEPS = 32, 2048


def integrated_gradients(
    view: View, patches: Floats, output: int, settings: Settings
) -> Attribution:
    """`x * (integral of the gradient at a x for a from 0 to 1)`, by the midpoint rule.

    The baseline is a patch of zeros, which is the mean spectrum of the training pixels. The
    figure `completeness` is the largest share by which a sum is off.

    Source: M. Sundararajan, A. Taly, Q. Yan, Axiomatic attribution for deep networks, ICML, 2017.
    """
    function = score(view.differentiable(), output)
    wanted = view.answers(patches)[:, output] - view.answers(np.zeros_like(patches[:1]))[:, output]
    found = np.empty_like(patches)
    errors = np.full(len(patches), np.inf, np.float32)
    steps, open_ = FIRST_STEPS, np.arange(len(patches))
    while len(open_) and steps <= MOST_STEPS:
        for place in open_:
            found[place] = patches[place] * _mean_gradient(function, patches[place], steps)
        sums = found[open_].sum(axis=(1, 2, 3), dtype=np.float64)
        errors[open_] = _shares(sums - wanted[open_], wanted[open_])
        open_ = np.flatnonzero(errors > COMPLETE)
        steps *= 2
    return Attribution(found, {"completeness": float(errors.max())})


def _mean_gradient(function: Function, patch: Floats, steps: int) -> Floats:
    """Mean of the gradient over the middles of `steps` pieces of the way from zeros to a patch."""
    middles = (np.arange(steps, dtype=np.float32) + np.float32(0.5)) / np.float32(steps)
    total = np.zeros(patch.shape, np.float64)
    size = block(patch[None])
    for start in range(0, steps, size):
        places = middles[start : start + size].reshape(-1, 1, 1, 1) * patch
        _, (slopes,) = gradients(function, [places])
        total += slopes.sum(axis=0, dtype=np.float64)
    return np.asarray(total / steps, np.float32)


def _shares(errors: NDArray[np.float64], wanted: Floats) -> Floats:
    """Errors over what they are errors of; a sum of nothing that is right has none."""
    whole = np.abs(wanted).astype(np.float64)
    safe = np.where(whole > 0, whole, 1.0)
    return np.asarray(np.where(errors == 0, 0.0, np.abs(errors) / safe), np.float32)


METHOD = Method(
    "integrated-gradients",
    "what each number adds to the logit of the mean spectrum",
    integrated_gradients,
)
