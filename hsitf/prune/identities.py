"""Channel identities: which channel each element of a value belongs to.

A layer that makes channels (a convolution's filters, a dense layer's units) gives each a new
identity. Every value of the network is traced as an array of its own shape, without batch, that
holds at each element the identity of the channel it belongs to. Layers that only move elements
move the identities exactly as they move the data; where values are added, their identities are
joined: those channels live or go together.

Some networks reshape channels into positions and let a kernel read them there. What that kernel
makes belongs to two identities at once, the position's and its own channel's, and goes with
either: a *pair*. Where the kernel spans several such positions, what it makes belongs to a
*window* of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hsitf.graph import Call

Ids = NDArray[np.int64]
Places = NDArray[np.intp]

# The identity of elements that belong to no channel and always stay.
FIXED = 0


class Slide(NamedTuple):
    """How a kernel moves along an axis.

    Attributes:
        extent: Positions from the first it reads to the last, dilation included.
        stride: Positions from one place of the kernel to the next.
        padding: valid, same or causal.
    """

    extent: int = 1
    stride: int = 1
    padding: str = "valid"

    @property
    def moves(self) -> bool:
        """Whether a position sees its neighbors, or some are left out."""
        return self.extent > 1 or self.stride > 1

    def count(self, length: int) -> int:
        """Places of the kernel along an axis of this length."""
        if self.padding == "valid":
            return max(0, (length - self.extent) // self.stride + 1)
        return -(-length // self.stride)

    def least(self, count: int) -> int:
        """Length that an axis needs for so many places of the kernel."""
        return (count - 1) * self.stride + (self.extent if self.padding == "valid" else 1)

    def center(self, place: int, length: int) -> int:
        """The position at the center of the kernel at one of its places."""
        before = {
            "valid": 0,
            "same": max(0, self.least(self.count(length)) + self.extent - 1 - length) // 2,
            "causal": self.extent - 1,
        }[self.padding]
        return place * self.stride - before + (self.extent - 1) // 2


class Window(NamedTuple):
    """Identities made by a kernel that slides along positions that may go.

    Attributes:
        line: Identities of the positions it slides along.
        made: Identities of the places of the kernel.
        slide: How it moves.
    """

    line: Ids
    made: Ids
    slide: Slide


@dataclass
class Ledger:
    """All identities of a network, and what is known of them.

    Attributes:
        parents: Union-find forest over identities; a root stands for all that are joined.
        channel: By identity, the channel it belongs to: itself, or the second of a pair.
        place: By identity, the position it belongs to: none (FIXED), or the first of a pair.
        makers: By layer name, the identities of the channels it makes, in order.
        protected: Identities that always stay.
        approximate: Identities whose removal changes more than what is zeroed, by reason.
        least: By identity, of how many of its kind the network needs to work at all.
        windows: In the order in which they were made.
        names: Of operations, by their Python identity; two of one name are told apart.
    """

    parents: list[int] = field(default_factory=lambda: [FIXED])
    channel: list[int] = field(default_factory=lambda: [FIXED])
    place: list[int] = field(default_factory=lambda: [FIXED])
    makers: dict[str, Ids] = field(default_factory=dict)
    protected: set[int] = field(default_factory=lambda: {FIXED})
    approximate: dict[int, str] = field(default_factory=dict)
    least: dict[int, int] = field(default_factory=dict)
    windows: list[Window] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
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

    def fresh(self, count: int) -> Ids:
        """New identities that no layer can be asked to remove by itself."""
        first = len(self.parents)
        new = range(first, first + count)
        self.parents.extend(new)
        self.channel.extend(new)
        self.place.extend([FIXED] * count)
        return np.arange(first, first + count)

    def make(self, name: str, count: int) -> Ids:
        """New identities for the channels that the layer `name` makes.

        A layer used at several places makes the same channels at each.
        """
        if name not in self.makers:
            self.makers[name] = self.fresh(count)
        return self.makers[name]

    def pair(self, places: Ids, channels: Ids) -> Ids:
        """Identities that go with a position as well as with a channel, element by element."""
        where, what = np.broadcast_arrays(places, channels)
        found = np.empty(where.shape, np.int64)
        for at in np.ndindex(where.shape):
            key = int(where[at]), int(what[at])
            if key not in self._pairs:
                if key[0] == FIXED:
                    self._pairs[key] = key[1]
                else:
                    self._pairs[key] = int(self.fresh(1)[0])
                    self.place[-1], self.channel[-1] = key
            found[at] = self._pairs[key]
        return found

    def window(self, line: Ids, slide: Slide) -> Ids:
        """Identities of the places of a kernel that slides along positions."""
        made = self.fresh(slide.count(len(line)))
        self.windows.append(Window(line, made, slide))
        self._need(line, slide.least(1))
        return made

    def _need(self, line: Ids, count: int) -> None:
        for identity in line.tolist():
            self.least[identity] = max(count, self.least.get(identity, 1))
        for window in self.windows:
            if np.isin(line, window.made).any():
                self._need(window.line, window.slide.least(count))

    def root(self, identity: int) -> int:
        """The identity that stands for all that `identity` is joined with."""
        while self.parents[identity] != identity:
            # Halving the path keeps the next look short.
            self.parents[identity] = self.parents[self.parents[identity]]
            identity = self.parents[identity]
        return identity

    def channels_of(self, ids: Ids) -> Ids:
        """For each element the root of the channel it belongs to, positions left aside."""
        return self._roots(np.take(self.channel, ids))

    def places_of(self, ids: Ids) -> Ids:
        """For each element the root of the position it belongs to, FIXED where to none."""
        return self._roots(np.take(self.place, ids))

    def _roots(self, ids: Ids) -> Ids:
        known, where = np.unique(ids, return_inverse=True)
        roots = np.array([self.root(identity) for identity in known.tolist()], np.int64)
        return roots[where].reshape(ids.shape)

    def join(self, first: Ids, second: Ids) -> None:
        """Lets the channels at the same places live and go together."""
        pairs = np.stack(np.broadcast_arrays(slim(first), slim(second)), axis=-1).reshape(-1, 2)
        for a, b in np.unique(pairs, axis=0).tolist():
            self._unite(self.channel[a], self.channel[b])
            # Where only one of the two knows positions, none of these can go.
            self._unite(self.place[a], self.place[b])

    def _unite(self, a: int, b: int) -> None:
        low, high = sorted((self.root(a), self.root(b)))
        if low != high:
            for window in self.windows:
                if low in window.made or high in window.made:
                    self.protect(window.line)
            # The lower one stands for both, so that what is joined with FIXED is fixed.
            self.parents[high] = low

    def protect(self, ids: Ids) -> None:
        """Lets these channels always stay."""
        for identity in np.unique(slim(ids)).tolist():
            self.protected |= {self.channel[identity], self.place[identity]}
            for window in self.windows:
                if identity in window.made or self.place[identity] in window.made:
                    self.protect(window.line)

    def blur(self, ids: Ids, reason: str) -> None:
        """Notes that removing these channels is an approximation."""
        for identity in np.unique(slim(ids)).tolist():
            self.approximate.setdefault(self.channel[identity], reason)

    def stays(self, gone: set[int]) -> NDArray[np.bool_]:
        """By identity, whether what belongs to it is kept when the roots `gone` are removed."""
        kept = np.array([self.root(i) not in gone for i in range(len(self.parents))])
        # Identities are made after what they follow from, so one pass in order settles all.
        windows = {int(window.made[0]): window for window in self.windows if len(window.made)}
        pairs = {made: pair for pair, made in self._pairs.items() if made != pair[1]}
        for made in sorted([*windows, *pairs]):
            if made in windows:
                window = windows[made]
                kept[window.made] = survivors(kept[window.line], window.slide)
            else:
                place, channel = pairs[made]
                kept[made] = kept[place] and kept[channel]
        return kept


@dataclass(frozen=True, eq=False)
class Seen:
    """An operation at one place of the network: what enters, what leaves.

    Attributes:
        name: Of the operation, in the ledger.
        call: The operation at this place.
        inputs: Identities that enter.
        outputs: Identities that leave.
    """

    name: str
    call: Call
    inputs: tuple[Ids, ...]
    outputs: tuple[Ids, ...]


def spread(ids: Ids, shape: tuple[int, ...]) -> Ids:
    """Channel identities (channels,) at every position of a value `(..., channels)`."""
    return np.broadcast_to(ids, shape)


def slim(ids: Ids) -> Ids:
    """The same identities, with axes of length 1 where they are merely repeated."""
    return ids[tuple(slice(0, 1) if step == 0 else slice(None) for step in ids.strides)]


def varies(ids: Ids) -> list[int]:
    """The axes along which identities differ."""
    thin = slim(ids)
    return [axis for axis in range(ids.ndim) if (thin != np.take(thin, [0], axis=axis)).any()]


def line(ids: Ids, axis: int) -> Ids:
    """The identities along an axis, at the first position of all others."""
    return np.asarray(np.moveaxis(ids, axis, -1)[(0,) * (ids.ndim - 1)])


def grid(ids: Ids, stays: NDArray[np.bool_]) -> list[Places] | None:
    """The places kept along each axis, None where what is kept is not a grid of its axes.

    Args:
        ids: Identities of a value.
        stays: By identity, whether it is kept.
    """
    kept = stays[slim(ids)]
    places = [
        np.flatnonzero(kept.any(axis=tuple(a for a in range(kept.ndim) if a != axis)))
        for axis in range(kept.ndim)
    ]
    whole = np.zeros(kept.shape, bool)
    whole[np.ix_(*places)] = True
    if not np.array_equal(whole, kept):
        return None
    return [
        np.arange(length) if len(place) and short < length else place
        for place, short, length in zip(places, kept.shape, ids.shape, strict=True)
    ]


def survivors(kept: NDArray[np.bool_], slide: Slide) -> NDArray[np.bool_]:
    """Which places of a sliding kernel stand for those it has once positions are gone.

    After the cut the kernel has fewer places. Each of them is stood for by the old place whose
    center is nearest to the position now at its center, so that what follows it keeps the
    weights made for about that position.

    Args:
        kept: (positions,) which stay.
        slide: How the kernel moves.

    Returns:
        (places of the kernel,) bool.
    """
    left = np.flatnonzero(kept)
    before, after = slide.count(len(kept)), slide.count(len(left))
    centers = np.array([slide.center(place, len(kept)) for place in range(before)])
    chosen: list[int] = []
    for place in range(after):
        now = left[np.clip(slide.center(place, len(left)), 0, len(left) - 1)]
        nearest = int(np.abs(centers - now).argmin())
        # In order, each once, and leaving enough for those to come.
        low, high = (chosen[-1] + 1 if chosen else 0), before - (after - place)
        chosen.append(min(max(nearest, low), high))
    return np.isin(np.arange(before), chosen)


def ranges(lengths: Sequence[int]) -> tuple[Places, ...]:
    """All places of a weight of this shape."""
    return tuple(np.arange(length) for length in lengths)
