"""Channels of products of two activations, in cross-layer equalization."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from hsitf.arrays import Float64Array, IndexArray
from hsitf.graph import Call

# The number of what must not be scaled.
FIXED = 1

# A tensor and the channel number at each position of it, batch included.
Side = tuple[Any, IndexArray]


class ScaledProduct(NamedTuple):
    """Two tensors whose product sums over channels of both.

    Attributes:
        one: `(..., rows, summed)`.
        other: `(..., summed, columns)`.
    """

    one: Side
    other: Side


def product_numbers(
    call: Call,
    values: Sequence[IndexArray],
    products: list[ScaledProduct],
    fix: Callable[[IndexArray], None],
) -> IndexArray:
    """Channel numbers of a product of matrices, `(..., rows, columns)`.

    Args:
        call: The call of the operation.
        values: Channel numbers of both tensors.
        products: Receives the two tensors where channels of both are summed over.
        fix: Called with the numbers that must not be scaled because of this product.
    """
    one, other = values
    shape = (*one.shape[:-1], other.shape[-1])
    unscaled = [(numbers <= FIXED).all() for numbers in values]
    if unscaled[0] and (other == other[..., :1, :]).all():
        return np.broadcast_to(other[..., :1, :], shape)
    if unscaled[1] and (one == one[..., :1]).all():
        return np.broadcast_to(one[..., :1], shape)
    pairs = _pairs(one, other)
    if not any(unscaled) and pairs is not None:
        tensors = call.node.arguments.keras_tensors
        products.append(ScaledProduct((tensors[0], one), (tensors[1], other)))
    else:
        fix(one)
        fix(other)
    return np.full(shape, FIXED, np.int64)


def _pairs(one: IndexArray, other: IndexArray) -> dict[int, int] | None:
    """Channels of one tensor by those of the other that they are multiplied with.

    None where they are not one to one, or a channel is not the same in all rows and columns.
    """
    if (one != one[..., :1, :]).any() or (other != other[..., :1]).any():
        return None
    first, second = one[..., 0, :].ravel(), other[..., 0].ravel()
    found = np.unique(np.stack([first, second], axis=1), axis=0)
    alone = all(len(np.unique(column)) == len(found) for column in found.T)
    if not alone or (found <= FIXED).any() or np.intersect1d(*found.T).size:
        return None
    return dict(found.tolist())


def paired(products: Sequence[ScaledProduct], consumed: Sequence[IndexArray]) -> dict[int, int]:
    """Channels by those that their factor is the inverse of, of all products.

    A channel that something else reads too, or that has two partners, has none.

    Args:
        products: The products.
        consumed: Channel numbers of what layers with weights read.
    """
    found: dict[int, int] = {}
    taken = set(np.concatenate([[], *(numbers.ravel() for numbers in consumed)]).tolist())
    for product in products:
        for first, second in (_pairs(product.one[1], product.other[1]) or {}).items():
            if {first, second} & taken:
                # Whatever has them already keeps its factor out of this.
                taken |= {first, second}
                found = {a: b for a, b in found.items() if not {a, b} & {first, second}}
            else:
                found[first] = second
                taken |= {first, second}
    return found


def settle_pairs(
    powers: Float64Array, products: Sequence[ScaledProduct], partners: dict[int, int]
) -> None:
    """Makes the factors of products inverse to each other, in place; 1 where that is not possible.

    Args:
        powers: Divisors by channel number.
        products: The products.
        partners: As `paired` has them.
    """
    for product in products:
        for first, second in (_pairs(product.one[1], product.other[1]) or {}).items():
            if partners.get(first) != second:
                powers[[first, second]] = 1
    for first, second in partners.items():
        # What is fixed elsewhere has 1 by now, and its partner has not.
        if powers[first] * powers[second] != 1:
            powers[[first, second]] = 1
