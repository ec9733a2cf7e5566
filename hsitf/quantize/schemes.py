"""Linear quantization: bits, grids of numbers, and weights rounded to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hsitf.errors import InputError

Floats = NDArray[np.float32]

# Wider words are those of float32 itself.
MOST_BITS = 32
MOST_ACCUMULATOR_BITS = 64
GRANULARITIES = ("channel", "tensor")
ACTIVATION_GRIDS = ("symmetric", "affine")


@dataclass(frozen=True, order=True)
class Bits:
    """Bits of a network's numbers.

    Attributes:
        activations: Of every tensor between two layers.
        weights: Of kernels.
        accumulators: Of a sum of products; a larger sum saturates.
    """

    activations: int
    weights: int
    accumulators: int

    def __post_init__(self) -> None:
        for name, most in (
            ("activations", MOST_BITS),
            ("weights", MOST_BITS),
            ("accumulators", MOST_ACCUMULATOR_BITS),
        ):
            count = getattr(self, name)
            if not 1 <= count <= most:
                raise InputError(
                    f"the bits of {name} are out of range",
                    received=count,
                    allowed=f"1 to {most}",
                    remedy="give ACTIVATIONS,WEIGHTS,ACCUMULATORS, such as 8,8,32",
                )

    @classmethod
    def parse(cls, text: str) -> Bits:
        """Reads "8,8,32".

        Raises:
            InputError: It is no triple of whole numbers in range.
        """
        parts = text.split(",")
        if len(parts) != 3 or not all(part.strip().isdigit() for part in parts):
            raise InputError(
                "bits are three whole numbers",
                received=text,
                allowed="ACTIVATIONS,WEIGHTS,ACCUMULATORS",
                remedy="write, for example, --bits 8,8,32",
            )
        return cls(*map(int, parts))

    def __str__(self) -> str:
        return f"{self.activations},{self.weights},{self.accumulators}"


@dataclass(frozen=True)
class Scheme:
    """How numbers are put on their grids.

    Attributes:
        weights: Whether each output channel of a kernel has its own scale, or all have one.
        activations: symmetric: zero is in the middle; affine: wherever the range wants it, as
            in a .tflite file.
        method: What chooses the range of activations; see `ranges.METHODS`.
    """

    weights: str = "channel"
    activations: str = "symmetric"
    method: str = "min-max"

    def __post_init__(self) -> None:
        for name, allowed in (("weights", GRANULARITIES), ("activations", ACTIVATION_GRIDS)):
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"there is no such scheme for {name}",
                    received=getattr(self, name),
                    allowed=", ".join(allowed),
                )


@dataclass(frozen=True)
class Grid:
    """Numbers that n bits can say: `scale * (q - zero)` for whole q from `low` to `high`."""

    scale: float
    zero: float
    low: float
    high: float

    @property
    def unit(self) -> float:
        """What a sum of products counts in: a step, or half of it where zero lies between two."""
        return self.scale / 2 if self.zero % 1 else self.scale

    def round(self, values: Floats) -> Floats:
        """The nearest numbers of the grid; ties to the even q."""
        steps = np.rint(np.asarray(values, np.float64) / self.scale + self.zero)
        steps = np.clip(steps, self.low, self.high)
        return np.asarray((steps - self.zero) * self.scale, np.float32)


def symmetric(largest: float, bits: int) -> Grid:
    """The grid from `-largest` to `largest`, zero in the middle: 2^bits - 1 numbers.

    A single bit says the sign alone: `-largest` or `largest`.
    """
    largest = _positive(largest)
    if bits == 1:
        return Grid(2 * largest, 0.5, 0, 1)
    steps = 2 ** (bits - 1) - 1
    return Grid(largest / steps, 0, -steps, steps)


def affine(low: float, high: float, bits: int) -> Grid:
    """The grid from `low` to `high`, widened to hold zero and shifted so that zero is on it."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = _positive(high - low) / (2**bits - 1)
    return Grid(scale, float(np.rint(-low / scale)), 0, 2**bits - 1)


def accumulator(bits: int) -> tuple[float, float]:
    """Least and greatest sum that two's complement of so many bits holds."""
    return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1


def needed(bits: Bits, products: int) -> int:
    """Accumulator bits with which no sum of so many products of any operands saturates.

    Source: n-bit operands over c channels and k x k positions need 2n + ceil(log2(c k^2)) bits;
    here with the operands' own widths in place of 2n.
    """
    return bits.activations + bits.weights + int(np.ceil(np.log2(products)))


def rounded(rows: Floats, bits: int, granularity: str) -> tuple[Floats, Floats]:
    """Weights on their grids.

    Args:
        rows: (channels, weights of each) float32.
        bits: Of a weight. A single bit says a sign, at the mean magnitude of its grid, which is
            the value of least squared error.
        granularity: channel or tensor.

    Returns:
        (channels, weights) float32, and (channels,) float32 units that sums of them count in.
    """
    magnitudes = np.abs(rows)
    groups = magnitudes if granularity == "channel" else magnitudes.reshape(1, -1)
    largest = groups.mean(axis=1) if bits == 1 else groups.max(axis=1)
    largest = np.broadcast_to(largest, len(rows))
    grids = [symmetric(float(size), bits) for size in largest]
    values = np.stack([grid.round(row) for grid, row in zip(grids, rows, strict=True)])
    return values, np.asarray([grid.unit for grid in grids], np.float32)


def _positive(size: float) -> float:
    """A range of nothing still needs a step."""
    return max(float(size), float(np.finfo(np.float32).tiny) * 2**40)
