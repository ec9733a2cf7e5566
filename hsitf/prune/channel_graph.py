"""Channel identities: which channel each element of a value belongs to.

A layer that produces channels (the filters of a convolution, the units of a dense layer) gives each
a new id. Every tensor of the network is traced as an array of its own shape, without batch, that
holds for each element the id of the channel it belongs to. Layers that only move elements move the
ids exactly as they move the data; where tensors are added, their ids are coupled: those channels
can only be removed together.

Some networks reshape channels into positions and let a kernel slide over them. An output of that
kernel belongs to two ids at once, that of the position and that of its own channel, and is removed
with either: a *pair*. Where the kernel spans several such positions, its output belongs to a
*window* of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hsitf.graph import Call

ChannelIds = NDArray[np.int64]
Indices = NDArray[np.intp]

MIXED_TOKENS = (
    "they are tokens behind that layer, and the softmax of attention takes a token of zeros into "
    "account; --sparsity, --alpha or --cluster thin the weights that mix them"
)

# The identity of elements that belong to no channel and always stay.
FIXED = 0


class SlidingKernel(NamedTuple):
    """How a kernel moves along an axis.

    Attributes:
        extent: Positions from the first to the last that the kernel reads, dilation included.
        stride: Step of the kernel in positions.
        padding: valid, same or causal.
    """

    extent: int = 1
    stride: int = 1
    padding: str = "valid"

    @property
    def overlaps_or_skips(self) -> bool:
        """Whether an output reads several positions, or some positions are skipped."""
        return self.extent > 1 or self.stride > 1

    def output_length(self, length: int) -> int:
        """Places of the kernel along an axis of this length."""
        if self.padding == "valid":
            return max(0, (length - self.extent) // self.stride + 1)
        return -(-length // self.stride)

    def required_length(self, count: int) -> int:
        """Input length that is needed for this number of output positions."""
        return (count - 1) * self.stride + (self.extent if self.padding == "valid" else 1)

    def center(self, index: int, length: int) -> int:
        """The input position at the center of the kernel for one output position."""
        before = {
            "valid": 0,
            "same": max(
                0, self.required_length(self.output_length(length)) + self.extent - 1 - length
            )
            // 2,
            "causal": self.extent - 1,
        }[self.padding]
        return index * self.stride - before + (self.extent - 1) // 2


class SlidPositions(NamedTuple):
    """Ids produced by a kernel that slides along removable positions.

    Attributes:
        inputs: Ids of the positions that it slides along.
        outputs: Ids of its output positions.
        kernel: Extent, stride and padding of the kernel.
    """

    inputs: ChannelIds
    outputs: ChannelIds
    kernel: SlidingKernel


@dataclass
class ChannelGraph:
    """All identities of a network, and what is known of them.

    Attributes:
        parents: Union-find forest over the ids; a root represents all ids coupled with it.
        channel: For each id, the channel it belongs to: itself, or the second of a pair.
        position: For each id, the position it belongs to: none (FIXED), or the first of a pair.
        producers: For each layer name, the ids of the channels that it produces, in order.
        protected: Ids that are never removed.
        approximate: Ids whose removal is not equal to masking them, with the reason.
        min_counts: For each id, how many of its kind the network needs at least.
        windows: Slid positions, in the order in which they were created.
        names: Names of the operations by their Python identity; equal names get a number.
        reasons: Why channels are never removed, by id, where there is more to say than that they
            are inputs or outputs.
        tokens: Channels of a layer that are tokens behind it.
    """

    parents: list[int] = field(default_factory=lambda: [FIXED])
    channel: list[int] = field(default_factory=lambda: [FIXED])
    position: list[int] = field(default_factory=lambda: [FIXED])
    producers: dict[str, ChannelIds] = field(default_factory=dict)
    protected: set[int] = field(default_factory=lambda: {FIXED})
    approximate: dict[int, str] = field(default_factory=dict)
    min_counts: dict[int, int] = field(default_factory=dict)
    windows: list[SlidPositions] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    tokens: set[int] = field(default_factory=set)
    _pairs: dict[tuple[int, int], int] = field(default_factory=dict)

    def name(self, operation: object) -> str:
        """The name of an operation, with a number where another one has the same."""
        if id(operation) not in self.names:
            name = given = str(getattr(operation, "name", type(operation).__name__))
            count = 1
            while name in self.names.values():
                name, count = f"{given}_{count}", count + 1
            self.names[id(operation)] = name
        return self.names[id(operation)]

    def inner(self, name: str) -> dict[str, ChannelIds]:
        """Ids of the channels inside a layer, which are named "layer/heads", by their last word."""
        return {
            producer.partition("/")[2]: made
            for producer, made in self.producers.items()
            if producer.startswith(f"{name}/")
        }

    def new_ids(self, count: int) -> ChannelIds:
        """New ids that no layer can be asked to remove by itself."""
        first = len(self.parents)
        new = range(first, first + count)
        self.parents.extend(new)
        self.channel.extend(new)
        self.position.extend([FIXED] * count)
        return np.arange(first, first + count)

    def new_channels(self, name: str, count: int) -> ChannelIds:
        """Ids of the channels that the layer `name` produces.

        A layer that is called several times produces the same channels at each call.
        """
        if name not in self.producers:
            self.producers[name] = self.new_ids(count)
        return self.producers[name]

    def pair(self, positions: ChannelIds, channels: ChannelIds) -> ChannelIds:
        """Ids that depend on a position as well as on a channel, element by element."""
        where, what = np.broadcast_arrays(positions, channels)
        found = np.empty(where.shape, np.int64)
        for at in np.ndindex(where.shape):
            key = int(where[at]), int(what[at])
            if key not in self._pairs:
                if key[0] == FIXED:
                    self._pairs[key] = key[1]
                else:
                    self._pairs[key] = int(self.new_ids(1)[0])
                    self.position[-1], self.channel[-1] = key
            found[at] = self._pairs[key]
        return found

    def window(self, line: ChannelIds, slide: SlidingKernel) -> ChannelIds:
        """Ids of the output positions of a kernel that slides along positions."""
        made = self.new_ids(slide.output_length(len(line)))
        self.windows.append(SlidPositions(line, made, slide))
        self._require(line, slide.required_length(1))
        return made

    def _require(self, line: ChannelIds, count: int) -> None:
        for identity in line.tolist():
            self.min_counts[identity] = max(count, self.min_counts.get(identity, 1))
        for window in self.windows:
            if np.isin(line, window.outputs).any():
                self._require(window.inputs, window.kernel.required_length(count))

    def root(self, identity: int) -> int:
        """The id that represents all ids coupled with `identity`."""
        while self.parents[identity] != identity:
            # Halving the path keeps the next look short.
            self.parents[identity] = self.parents[self.parents[identity]]
            identity = self.parents[identity]
        return identity

    def channels_of(self, ids: ChannelIds) -> ChannelIds:
        """For each element the root of the channel it belongs to, positions left aside."""
        return self._roots(np.take(self.channel, ids))

    def positions_of(self, ids: ChannelIds) -> ChannelIds:
        """For each element the root of the position that it belongs to, FIXED where it has none."""
        return self._roots(np.take(self.position, ids))

    def _roots(self, ids: ChannelIds) -> ChannelIds:
        known, where = np.unique(ids, return_inverse=True)
        roots = np.array([self.root(identity) for identity in known.tolist()], np.int64)
        return roots[where].reshape(ids.shape)

    def couple(self, first: ChannelIds, second: ChannelIds) -> None:
        """Couples the channels at equal positions: they can only be removed together."""
        pairs = np.stack(
            np.broadcast_arrays(squeeze_repeated(first), squeeze_repeated(second)), axis=-1
        ).reshape(-1, 2)
        for a, b in np.unique(pairs, axis=0).tolist():
            self._union(self.channel[a], self.channel[b])
            # Where only one of the two has positions, none of these is removable.
            self._union(self.position[a], self.position[b])

    def _union(self, a: int, b: int) -> None:
        low, high = sorted((self.root(a), self.root(b)))
        if low != high:
            for window in self.windows:
                if low in window.outputs or high in window.outputs:
                    self.protect(window.inputs)
            # The lower root represents both, so that ids coupled with FIXED are fixed.
            self.parents[high] = low

    def protect(self, ids: ChannelIds, reason: str = "") -> None:
        """Protects these channels from removal, with the reason where there is more to say."""
        for identity in np.unique(squeeze_repeated(ids)).tolist():
            own = {self.channel[identity], self.position[identity]}
            self.protected |= own
            for each in own - {FIXED} if reason else ():
                self.reasons.setdefault(each, reason)
            for window in self.windows:
                if identity in window.outputs or self.position[identity] in window.outputs:
                    self.protect(window.inputs, reason)

    def settled(self, ids: ChannelIds) -> ChannelIds:
        """Ids of a tensor as the layers behind it read them.

        Where a convolution has had tokens as its channels and embedding channels as its positions,
        and both have changed places since, the embedding is what can go. Its tokens stay: they are
        positions of what follows, and a softmax over them would notice.
        """
        thin = squeeze_repeated(ids)
        axes, last = varying_axes(self.channels_of(thin)), ids.ndim - 1
        if varying_axes(self.positions_of(thin)) != [last] or not axes or last in axes:
            return ids
        tokens = np.take(self.channel, thin)
        self.protect(tokens, MIXED_TOKENS)
        self.tokens.update(np.unique(tokens).tolist())
        return np.broadcast_to(np.take(self.position, thin), ids.shape)

    def mark_approximate(self, ids: ChannelIds, reason: str) -> None:
        """Notes that removing these channels is an approximation."""
        for identity in np.unique(squeeze_repeated(ids)).tolist():
            self.approximate.setdefault(self.channel[identity], reason)

    def keep_mask(self, removed: set[int]) -> NDArray[np.bool_]:
        """By identity, whether what belongs to it is kept when the roots `removed` are removed."""
        kept = np.array([self.root(i) not in removed for i in range(len(self.parents))])
        # Identities are made after what they follow from, so one pass in order settles all.
        windows = {int(window.outputs[0]): window for window in self.windows if len(window.outputs)}
        pairs = {made: pair for pair, made in self._pairs.items() if made != pair[1]}
        for made in sorted([*windows, *pairs]):
            if made in windows:
                window = windows[made]
                kept[window.outputs] = surviving_positions(kept[window.inputs], window.kernel)
            else:
                position, channel = pairs[made]
                kept[made] = kept[position] and kept[channel]
        return kept


@dataclass(frozen=True, eq=False)
class TracedCall:
    """One call of an operation, with its input and output ids.

    Attributes:
        name: Name of the operation in the channel graph.
        call: The call.
        inputs: Ids of the inputs.
        outputs: Ids of the outputs.
        inner: Ids of channels inside the operation, such as the heads of attention, by what they
            are called.
    """

    name: str
    call: Call
    inputs: tuple[ChannelIds, ...]
    outputs: tuple[ChannelIds, ...]
    inner: Mapping[str, ChannelIds] = field(default_factory=dict)


def broadcast_ids(ids: ChannelIds, shape: tuple[int, ...]) -> ChannelIds:
    """Channel identities (channels,) at every position of a value `(..., channels)`."""
    return np.broadcast_to(ids, shape)


def squeeze_repeated(ids: ChannelIds) -> ChannelIds:
    """The same identities, with axes of length 1 where they are merely repeated."""
    return ids[tuple(slice(0, 1) if step == 0 else slice(None) for step in ids.strides)]


def varying_axes(ids: ChannelIds) -> list[int]:
    """The axes along which identities differ."""
    thin = squeeze_repeated(ids)
    return [axis for axis in range(ids.ndim) if (thin != np.take(thin, [0], axis=axis)).any()]


def ids_along(ids: ChannelIds, axis: int) -> ChannelIds:
    """The identities along an axis, at the first position of all others."""
    return np.asarray(np.moveaxis(ids, axis, -1)[(0,) * (ids.ndim - 1)])


def kept_grid(ids: ChannelIds, keep: NDArray[np.bool_]) -> list[Indices] | None:
    """The kept indices along each axis, None where the kept elements are not a grid of the axes.

    Args:
        ids: Ids of a tensor.
        keep: For each id, whether it is kept.
    """
    kept = keep[squeeze_repeated(ids)]
    indices = [
        np.flatnonzero(kept.any(axis=tuple(a for a in range(kept.ndim) if a != axis)))
        for axis in range(kept.ndim)
    ]
    whole = np.zeros(kept.shape, bool)
    whole[np.ix_(*indices)] = True
    if not np.array_equal(whole, kept):
        return None
    return [
        np.arange(length) if len(index) and short < length else index
        for index, short, length in zip(indices, kept.shape, ids.shape, strict=True)
    ]


def surviving_positions(kept: NDArray[np.bool_], slide: SlidingKernel) -> NDArray[np.bool_]:
    """Which output positions of a sliding kernel remain once input positions are removed.

    After pruning the kernel has fewer output positions. For each of them, the old output position
    is kept whose center is nearest to the input now at its center, so that the following layers
    keep the weights trained for about that position.

    Args:
        kept: (positions,) whether each input position is kept.
        slide: Extent, stride and padding of the kernel.

    Returns:
        (output positions,) bool.
    """
    kept_positions = np.flatnonzero(kept)
    before, after = slide.output_length(len(kept)), slide.output_length(len(kept_positions))
    centers = np.array([slide.center(index, len(kept)) for index in range(before)])
    chosen: list[int] = []
    for index in range(after):
        now = kept_positions[
            np.clip(slide.center(index, len(kept_positions)), 0, len(kept_positions) - 1)
        ]
        nearest = int(np.abs(centers - now).argmin())
        # In order, each once, and leaving enough for those to come.
        low, high = (chosen[-1] + 1 if chosen else 0), before - (after - index)
        chosen.append(min(max(nearest, low), high))
    return np.isin(np.arange(before), chosen)


def all_indices(lengths: Sequence[int]) -> tuple[Indices, ...]:
    """All indices along each axis of a weight of this shape."""
    return tuple(np.arange(length) for length in lengths)
