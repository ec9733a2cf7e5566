"""Finite differences, for files that provide logits but no gradients."""

from __future__ import annotations

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.explain.view import NetworkView

# Patches computed at a time: 9 x 9 x 200 ones take 66 MB.
BLOCK_SIZE = 1024


def finite_differences(view: NetworkView, patches: Float32Array, output: int) -> Float32Array:
    """Central differences of a logit in every number of a patch.

    `d[i] = (f(x + h e_i) - f(x - h e_i)) / 2h`. Through an affine reduction the differences are
    taken of the components and propagated to the bands by the chain rule, which is exact there and
    needs fewer inferences by the ratio of bands to components.

    Args:
        view: View of the network; its `difference_step` is h.
        patches: (n, patch, patch, bands) float32.
        output: Index of the logit.

    Returns:
        (n, patch, patch, bands) float32.
    """
    if view.projection is not None:
        affine = view.projection.projection
        reduced = affine.apply(patches.reshape(-1, patches.shape[-1]))
        inner = finite_differences(
            view.projection.inner, reduced.reshape(*patches.shape[:-1], -1), output
        )
        return np.asarray(inner @ affine.matrix.T, np.float32)
    return np.stack([_differences(view, patch, output) for patch in patches])


def _differences(view: NetworkView, patch: Float32Array, output: int) -> Float32Array:
    found = np.empty(patch.size, np.float32)
    for start in range(0, patch.size, BLOCK_SIZE // 2):
        elements = np.arange(start, min(start + BLOCK_SIZE // 2, patch.size))
        moved = np.repeat(patch.reshape(1, -1), 2 * len(elements), axis=0)
        rows = np.arange(len(elements))
        moved[rows, elements] += view.difference_step
        moved[len(elements) + rows, elements] -= view.difference_step
        logits = view.logits(moved.reshape(-1, *patch.shape))[:, output]
        found[elements] = (logits[: len(elements)] - logits[len(elements) :]) / (
            2 * view.difference_step
        )
    return found.reshape(patch.shape)
