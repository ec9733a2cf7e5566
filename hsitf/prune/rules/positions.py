"""Positions that channels were reshaped into, and which of them may go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hsitf.prune.channel_graph import (
    FIXED,
    ChannelGraph,
    ChannelIds,
    SlidingKernel,
    broadcast_ids,
    ids_along,
    squeeze_repeated,
    varying_axes,
)

PositionAxis = tuple[int, ChannelIds] | None


def pointwise_kernels(count: int) -> list[SlidingKernel]:
    """Kernels that read one position along each of so many axes."""
    return [SlidingKernel()] * count


def sliding_kernels(layer: Any, extents: Sequence[int]) -> list[SlidingKernel]:
    """The kernel of a layer along each axis, from its size in taps or its window."""
    dilations = getattr(layer, "dilation_rate", 1)
    if isinstance(dilations, int):
        dilations = (dilations,) * len(extents)
    return [
        SlidingKernel((extent - 1) * dilation + 1, stride, layer.padding)
        for extent, stride, dilation in zip(extents, layer.strides, dilations, strict=True)
    ]


def position_axis(
    name: str, ids: ChannelIds, slides: Sequence[SlidingKernel], graph: ChannelGraph
) -> PositionAxis:
    """Couples input ids so that the layer can only lose whole channels or whole positions.

    Args:
        name: Name of the layer.
        ids: Input ids, `(..., channels)`.
        slides: Kernel of the layer along each axis but the last.
        graph: Receives the couplings.

    Returns:
        The axis whose positions are removable and the output ids along it, None where no position
        is.
    """
    last = ids.ndim - 1
    what, where = (
        graph.channels_of(squeeze_repeated(ids)),
        graph.positions_of(squeeze_repeated(ids)),
    )
    paired = [axis for axis in varying_axes(where) if axis != last]
    axes = [axis for axis in varying_axes(what) if axis != last]
    if not axes and not paired:
        return None
    if paired and (len(paired) > 1 or axes):
        # Positions of several kinds at once: none of them is removable.
        graph.protect(where)
        paired = []
    if paired:
        axis, positions = paired[0], ids_along(where, paired[0])
    elif last in varying_axes(what):
        graph.couple(ids, ids_along(ids, last))
        return None
    else:
        # Where a kernel does not slide, positions go exactly; along others they go together.
        axis = next((axis for axis in axes if not slides[axis].overlaps_or_skips), axes[0])
        for other in axes:
            if other != axis:
                graph.couple(ids, np.take(ids, [0], axis=other))
        positions = ids_along(what, axis)
    if set(positions.tolist()) <= {graph.root(identity) for identity in graph.protected}:
        return None
    if not slides[axis].overlaps_or_skips:
        return axis, positions
    graph.mark_approximate(positions, f"{name} slides across them")
    return axis, graph.window(positions, slides[axis])


def output_ids(
    shape: tuple[int, ...], channels: ChannelIds, found: PositionAxis, graph: ChannelGraph
) -> ChannelIds:
    """Ids of channels at every position, some of which are removable."""
    if found is None:
        return broadcast_ids(channels, shape)
    axis, positions = found
    pairs = graph.pair(positions[:, None], channels)
    around = [1] * len(shape)
    around[axis], around[-1] = pairs.shape
    return np.broadcast_to(pairs.reshape(around), shape)


def passed_ids(ids: ChannelIds, found: PositionAxis, graph: ChannelGraph) -> ChannelIds:
    """Ids of the channels that a layer passes on, without positions."""
    channels = ids_along(ids, -1)
    if found is None:
        return channels
    # Where channels were reshaped into positions, there are no other channels.
    own = graph.positions_of(channels) != FIXED
    return np.where(own, np.take(graph.channel, channels), FIXED)


def keep_positions(ids: ChannelIds, graph: ChannelGraph) -> None:
    """Protects all positions, because the layer combines them into one."""
    last = ids.ndim - 1
    what = graph.channels_of(squeeze_repeated(ids))
    graph.protect(graph.positions_of(squeeze_repeated(ids)))
    axes = [axis for axis in varying_axes(what) if axis != last]
    if axes and last in varying_axes(what):
        graph.couple(ids, ids_along(ids, last))
    elif axes:
        graph.protect(ids)
