"""What is drawn before an epoch begins: which pixels are shown, and what they are mixed with.

All of it comes from the generator of the epoch, which the seed and the epoch's number decide.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Weights of a mixture travel as whole numbers beside the pixels: so many parts make 1.
WEIGHT_PARTS = 1 << 16


def balanced_order(
    pixels: NDArray[np.int64],
    classes: NDArray[np.int32],
    balance: float,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """As many pixels as given, in random order, with classes nearer to equal shares.

    A class of `n` pixels is shown in proportion to `n ** (1 - balance)`: as it is where the balance
    is 0, as often as any other where it is 1. Every pixel of a class is shown as often as the
    others of it, give or take once.

    Args:
        pixels: (n,) int64.
        classes: (n,) int32 classes of the pixels.
        balance: 0 to 1.
        generator: Draws the pixels.
    """
    labels, counts = np.unique(classes, return_counts=True)
    wanted = counts ** (1.0 - balance)
    ends = np.round(np.cumsum(wanted) / wanted.sum() * len(pixels)).astype(int)
    chosen = []
    for label, number in zip(labels, np.diff(ends, prepend=0), strict=True):
        members = pixels[classes == label]
        rounds = -(-number // len(members))
        shown = [generator.permutation(members) for _ in range(rounds)]
        chosen.append(np.concatenate([*shown, members[:0]])[:number])
    return generator.permutation(np.concatenate(chosen))


def draw_mixup(
    count: int, alpha: float, generator: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """A partner of any class for each pixel, and the weight of the pixel itself.

    mixup (Zhang, Cisse, Dauphin, Lopez-Paz, ICLR 2018): weights are drawn from Beta(alpha, alpha);
    the larger one is the pixel's own.

    Args:
        count: Number of pixels, n.
        alpha: Shape of the distribution; small values mix few patches.
        generator: Draws partners and weights.

    Returns:
        Places of the partners in the order of the pixels, (n,) int64, and the weights in 1 /
        `WEIGHT_PARTS`, (n,) int32.
    """
    rows = generator.permutation(count)
    drawn = generator.beta(alpha, alpha, count)
    parts = np.round(np.maximum(drawn, 1 - drawn) * WEIGHT_PARTS).astype(np.int32)
    return rows, parts


def mix(
    values: NDArray[np.float32], rows: NDArray[np.int64], parts: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Values of pixels mixed as their patches are.

    Args:
        values: (n, ...) float32, such as targets or sample weights.
        rows: (n,) places of the partners.
        parts: (n,) own weights in 1 / `WEIGHT_PARTS`.
    """
    own = np.asarray(parts / WEIGHT_PARTS, np.float32).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(own * values + (1 - own) * values[rows], np.float32)


def draw_neighbors(
    pixels: NDArray[np.int64],
    known: NDArray[np.int64],
    rows_of_image: NDArray[np.int64],
    cols: int,
    generator: np.random.Generator,
) -> NDArray[np.int32]:
    """One of the eight neighbors of each pixel, or the pixel itself.

    Only training pixels are taken, so that no spectrum of another set is seen; a pixel whose drawn
    neighbor is none of them keeps itself.

    Args:
        pixels: (n,) flat indices.
        known: Flat indices of the training pixels, ascending.
        rows_of_image: (rows,) number of the image that each row belongs to.
        cols: Columns of the scene.
        generator: Draws the direction.

    Returns:
        (n,) int32 flat indices.
    """
    direction = generator.integers(8, size=len(pixels))
    steps = np.array([(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)])
    rows, columns = pixels // cols + steps[direction, 0], pixels % cols + steps[direction, 1]
    inside = (rows >= 0) & (rows < len(rows_of_image)) & (columns >= 0) & (columns < cols)
    safe = np.clip(rows, 0, len(rows_of_image) - 1)
    inside &= rows_of_image[safe] == rows_of_image[pixels // cols]
    found = np.where(inside, safe * cols + columns, pixels)
    return np.where(np.isin(found, known), found, pixels).astype(np.int32)
