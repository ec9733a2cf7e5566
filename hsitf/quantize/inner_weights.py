"""Weights of layers whose sums are not simulated: their kernels and shifts alone are quantized.

These are recurrent layers, attention, separable convolutions, products by an equation, and tokens
and positions that a network has learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import layers

from hsitf.arrays import Float32Array
from hsitf.layers import LearnedTokens, PositionEmbedding
from hsitf.operators.equations import EinsumEquation


def is_attention(operation: Any) -> bool:
    """Whether an operation is attention with projections of its own."""
    return isinstance(operation, layers.MultiHeadAttention | layers.GroupQueryAttention)


def is_shift(operation: Any) -> bool:
    """Whether an operation puts learned numbers beside others, or adds them.

    In an integer file they are biases of a factor of 1.
    """
    return isinstance(operation, LearnedTokens | PositionEmbedding)


def has_inner_weights(operation: Any) -> bool:
    """Whether the weights of an operation are quantized, and its sums not simulated.

    Recurrent layers, whose sums are not simulated either, are known by their row.
    """
    others = layers.SeparableConv1D | layers.SeparableConv2D | layers.EinsumDense
    return is_attention(operation) or is_shift(operation) or isinstance(operation, others)


@dataclass(frozen=True)
class InnerKernel:
    """A kernel inside a layer whose sums are not simulated, whose weights alone are quantized.

    Attributes:
        number: Its number among the layer's weights.
        summed: Its axes over which products are summed.
    """

    number: int
    summed: tuple[int, ...]

    def to_rows(self, values: Float32Array) -> Float32Array:
        """The kernel as (output channels, products per sum)."""
        first = np.moveaxis(values, self.summed, range(len(self.summed)))
        sums = int(np.prod(first.shape[: len(self.summed)]))
        return np.asarray(first.reshape(sums, -1).T)

    def from_rows(self, rows: Float32Array, shape: Sequence[int]) -> Float32Array:
        """The inverse of `to_rows`."""
        others = [size for axis, size in enumerate(shape) if axis not in self.summed]
        first = rows.T.reshape([shape[axis] for axis in self.summed] + others)
        return np.asarray(np.moveaxis(first, range(len(self.summed)), self.summed))


def inner_kernels(layer: Any) -> tuple[InnerKernel, ...]:
    """The kernels inside a layer whose sums are not simulated."""
    weights = layer.weights
    if is_shift(layer):
        return ()
    if isinstance(layer, layers.EinsumDense):
        equation = EinsumEquation.of(layer)
        axes = [at for at, letter in enumerate(equation.kernel) if letter in equation.summed]
        return (InnerKernel(0, tuple(axes)),)
    if isinstance(layer, layers.SeparableConv1D | layers.SeparableConv2D):
        taps = len(weights[0].shape) - 2
        return (InnerKernel(0, tuple(range(taps))), InnerKernel(1, tuple(range(taps + 1))))
    if not is_attention(layer):
        kernels = [number for number, weight in enumerate(weights) if len(weight.shape) > 1]
        return tuple(InnerKernel(number, (0,)) for number in kernels)
    output = layer._output_dense.kernel
    return tuple(
        InnerKernel(number, tuple(range(len(weight.shape) - 1)) if weight is output else (0,))
        for number, weight in enumerate(weights)
        if weight.name == "kernel"
    )
