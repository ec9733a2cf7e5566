"""How much a channel matters: one function a criterion, from a layer's weights to scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def rows(layer: Any) -> NDArray[np.float64]:
    """The weights that make each channel of a layer: (channels, weights) float64."""
    weights = [np.asarray(weight, np.float64) for weight in layer.get_weights()]
    kind = type(layer).__name__
    if kind.endswith("Transpose"):
        return np.asarray(np.moveaxis(weights[0], -2, 0).reshape(layer.filters, -1))
    if kind.startswith("Separable"):
        return np.asarray(weights[1].reshape(-1, layer.filters).T)
    if kind in ("SimpleRNN", "GRU", "LSTM"):
        # One column a gate and unit, gate by gate.
        gates = weights[0].reshape(weights[0].shape[0], -1, layer.units)
        return np.asarray(gates.transpose(2, 0, 1).reshape(layer.units, -1))
    return np.asarray(np.moveaxis(weights[0], -1, 0).reshape(weights[0].shape[-1], -1))


def l1(kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean absolute weight (Li et al., ICLR 2017): s_j = mean |w_j|."""
    return np.asarray(np.abs(kernels).mean(axis=1))


def l2(kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root mean square weight: s_j = sqrt(mean w_j^2)."""
    return np.asarray(np.sqrt((kernels**2).mean(axis=1)))


def fpgm(kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of distances to all kernels of the layer (He et al., CVPR 2019).

    A kernel near the geometric median is the one that the others can stand in for:
    s_j = sum_k ||w_j - w_k||.
    """
    squares = (kernels**2).sum(axis=1)
    products = kernels @ kernels.T
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * products, 0)
    # Rounding leaves a little where there is nothing.
    np.fill_diagonal(distances, 0)
    return np.asarray(np.sqrt(distances).sum(axis=1))


def random(kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers that say nothing, the same for the same layer size: what others have to beat."""
    return np.random.default_rng(len(kernels)).random(len(kernels))


CRITERIA = {function.__name__: function for function in (l1, l2, fpgm, random)}
