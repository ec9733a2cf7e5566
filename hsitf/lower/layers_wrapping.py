"""Lowering of layers that are applied at each time step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hsitf.graph import InnerCall
from hsitf.lower.context import LoweringContext, LoweringRule
from hsitf.lower.data_movement import reshape
from hsitf.lower.layout_tensor import LayoutTensor, compact, logical_order, rearrange
from hsitf.lower.strided_layout import Layout


def time_distributed(rule: Callable[[Any], LoweringRule]) -> LoweringRule:
    """The rule of TimeDistributed: steps become samples for the layer inside.

    Args:
        rule: Finds the rule of the layer inside.
    """

    def distributed(
        context: LoweringContext, inputs: list[LayoutTensor]
    ) -> LayoutTensor | list[LayoutTensor]:
        inner = context.layer.layer
        steps = inputs[0].shape[0]
        own = replace(context, call=InnerCall(inner, context.call.node))
        leaving = rule(inner)(own, [_steps_as_samples(inputs[0])])
        if isinstance(leaving, list):
            return [_samples_as_steps(each, steps) for each in leaving]
        return _samples_as_steps(leaving, steps)

    return distributed


def _steps_as_samples(value: LayoutTensor) -> LayoutTensor:
    """`(batch, steps, ...)` as `(batch * steps, ...)`."""
    steps = value.shape[0]
    if not _has_equal_steps(value):
        value = rearrange(value, logical_order(value))
    size = value.memory_size // steps
    tensor = value.tensor
    # Neighboring axes of memory stay axes where the first of them is the steps.
    inner = tuple(tensor.shape[2:]) if tensor.shape[1] == steps else (size,)
    return LayoutTensor(reshape(value.tensor, (value.batch * steps, *inner)), value.layout[0])


def _has_equal_steps(value: LayoutTensor) -> bool:
    """Whether steps follow each other in memory, with the same layout each."""
    steps = value.shape[0]
    size, rest = divmod(value.memory_size, steps)
    first = value.layout[0]
    inside = first.max() < size
    return not rest and bool(inside) and np.array_equal(value.layout, _of_steps(first, steps, size))


def _of_steps(layout: Layout, steps: int, size: int) -> Layout:
    """The layout of one step for all of them, `size` elements apart; zeros stay zeros."""
    starts = np.arange(steps).reshape(-1, *[1] * layout.ndim) * size
    return np.where(layout < 0, layout, layout + starts)


def _samples_as_steps(value: LayoutTensor, steps: int) -> LayoutTensor:
    """The inverse of `_steps_as_samples`."""
    value = replace(compact(value), producer=None)
    size = value.memory_size
    tensor = reshape(value.tensor, (value.batch // steps, steps, size))
    return LayoutTensor(tensor, _of_steps(value.layout, steps, size))
