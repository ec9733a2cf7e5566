"""Finite differences, for files that give logits and no gradients."""

from __future__ import annotations

import numpy as np

from hsitf.explain.view import Floats, View

# Patches computed at a time: 9 x 9 x 200 ones take 66 MB.
BLOCK = 1024


def differences(view: View, patches: Floats, output: int) -> Floats:
    """Central differences of a logit in every number of a patch.

    `d[i] = (f(x + h e_i) - f(x - h e_i)) / 2h`. Through an affine reduction the differences are
    taken of the components and carried to the bands by the chain rule, which is exact there and
    takes as many inferences fewer as there are bands for each component.

    Args:
        view: Of the network; its `step` is h.
        patches: (n, patch, patch, bands) float32.
        output: Which logit.

    Returns:
        (n, patch, patch, bands) float32.
    """
    if view.through is not None:
        affine = view.through.affine
        reduced = affine.apply(patches.reshape(-1, patches.shape[-1]))
        inner = differences(view.through.inner, reduced.reshape(*patches.shape[:-1], -1), output)
        return np.asarray(inner @ affine.matrix.T, np.float32)
    return np.stack([_differences(view, patch, output) for patch in patches])


def _differences(view: View, patch: Floats, output: int) -> Floats:
    found = np.empty(patch.size, np.float32)
    for start in range(0, patch.size, BLOCK // 2):
        places = np.arange(start, min(start + BLOCK // 2, patch.size))
        moved = np.repeat(patch.reshape(1, -1), 2 * len(places), axis=0)
        rows = np.arange(len(places))
        moved[rows, places] += view.step
        moved[len(places) + rows, places] -= view.step
        logits = view.answers(moved.reshape(-1, *patch.shape))[:, output]
        found[places] = (logits[: len(places)] - logits[len(places) :]) / (2 * view.step)
    return found.reshape(patch.shape)
