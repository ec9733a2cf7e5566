"""Channel identities: which channel each element of a value belongs to.

A layer that makes channels (a convolution's filters, a dense layer's units) gives each a new
identity. Every value of the network is traced as an array of its own shape, without batch, that
holds at each element the identity of the channel it belongs to. Layers that only move elements
move the identities exactly as they move the data; where values are added, their identities are
joined: those channels live or go together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]

# The identity of elements that belong to no channel and always stay.
FIXED = 0


@dataclass
class Ledger:
    """All identities of a network, and what is known of them.

    Attributes:
        parents: Union-find forest over identities; a root stands for all that are joined.
        makers: By layer name, the identities of the channels it makes, in order.
        protected: Identities that always stay.
        approximate: Identities whose removal changes more than what is zeroed, by reason.
    """

    parents: list[int] = field(default_factory=lambda: [FIXED])
    makers: dict[str, Ids] = field(default_factory=dict)
    protected: set[int] = field(default_factory=lambda: {FIXED})
    approximate: dict[int, str] = field(default_factory=dict)

    def make(self, name: str, count: int) -> Ids:
        """New identities for the channels that the layer `name` makes.

        A layer used at several places makes the same channels at each.
        """
        if name not in self.makers:
            first = len(self.parents)
            self.parents.extend(range(first, first + count))
            self.makers[name] = np.arange(first, first + count)
        return self.makers[name]

    def root(self, identity: int) -> int:
        """The identity that stands for all that `identity` is joined with."""
        while self.parents[identity] != identity:
            # Halving the path keeps the next look short.
            self.parents[identity] = self.parents[self.parents[identity]]
            identity = self.parents[identity]
        return identity

    def join(self, first: Ids, second: Ids) -> None:
        """Lets the channels at the same places live and go together."""
        pairs = np.stack(np.broadcast_arrays(first, second), axis=-1).reshape(-1, 2)
        for a, b in np.unique(pairs, axis=0).tolist():
            low, high = sorted((self.root(a), self.root(b)))
            # The lower one stands for both, so that what is joined with FIXED is fixed.
            self.parents[high] = low

    def protect(self, ids: Ids) -> None:
        """Lets these channels always stay."""
        self.protected.update(np.unique(ids).tolist())

    def blur(self, ids: Ids, reason: str) -> None:
        """Notes that removing these channels is an approximation."""
        for identity in np.unique(ids).tolist():
            self.approximate.setdefault(identity, reason)


def spread(ids: Ids, shape: tuple[int, ...]) -> Ids:
    """Channel identities (channels,) at every position of a value `(..., channels)`."""
    return np.broadcast_to(ids, shape)


def channels(ids: Ids, axis: int = -1) -> Ids | None:
    """The identities along an axis, None where they differ between positions."""
    moved = np.moveaxis(ids, axis, -1)
    line = moved[(0,) * (moved.ndim - 1)]
    return np.asarray(line) if bool((moved == line).all()) else None


def grid(kept: NDArray[np.bool_]) -> list[NDArray[np.int64]] | None:
    """The places kept along each axis, None where what is kept is not a grid of its axes."""
    places = [
        np.flatnonzero(kept.any(axis=tuple(a for a in range(kept.ndim) if a != axis)))
        for axis in range(kept.ndim)
    ]
    whole = np.zeros(kept.shape, bool)
    whole[np.ix_(*places)] = True
    return places if np.array_equal(whole, kept) else None


@dataclass(frozen=True, eq=False)
class Seen:
    """A layer at one place of the network: what enters, what leaves."""

    layer: Any
    inputs: tuple[Ids, ...]
    output: Ids
