"""Linear quantization: bit widths, scale and zero point, and quantized weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.compat import formerly
from hsitf.errors import InputError

# Wider activations and weights gain nothing: these are the bits of a float32.
MAX_BITS = 32
MAX_ACCUMULATOR_BITS = 64
GRANULARITIES = ("channel", "tensor")
ACTIVATION_SCHEMES = ("symmetric", "asymmetric")
# What records of schema 1 and older command lines call the asymmetric scheme.
_FORMER_ASYMMETRIC = "affine"


@dataclass(frozen=True, order=True)
class Bits:
    """Bit widths of a network's numbers.

    Attributes:
        activations: Bits of every tensor between two layers.
        weights: Bits of kernels.
        accumulators: Bits of a sum of products; a larger sum saturates.
    """

    activations: int
    weights: int
    accumulators: int

    def __post_init__(self) -> None:
        for name, largest in (
            ("activations", MAX_BITS),
            ("weights", MAX_BITS),
            ("accumulators", MAX_ACCUMULATOR_BITS),
        ):
            count = getattr(self, name)
            if not 1 <= count <= largest:
                raise InputError(
                    f"the bits of {name} are out of range",
                    received=count,
                    allowed=f"1 to {largest}",
                    remedy="give ACTIVATIONS,WEIGHTS,ACCUMULATORS, such as 8,8,32",
                )

    @classmethod
    def parse(cls, text: str) -> Bits:
        """Reads "8,8,32".

        Raises:
            InputError: The text is not a triple of whole numbers in range.
        """
        parts = text.split(",")
        if len(parts) != 3 or not all(part.strip().isdecimal() and len(part) < 9 for part in parts):
            raise InputError(
                "bits are three whole numbers",
                received=text,
                allowed="ACTIVATIONS,WEIGHTS,ACCUMULATORS",
                remedy="write, for example, --bits 8,8,32",
            )
        return cls(*map(int, parts))

    def __str__(self) -> str:
        return f"{self.activations},{self.weights},{self.accumulators}"


@formerly(range_estimator="method")
@dataclass(frozen=True)
class Scheme:
    """How weights and activations are quantized.

    Attributes:
        weights: "channel" for a scale per output channel of a kernel (per-channel
            quantization), "tensor" for one scale per kernel (per-tensor quantization).
        activations: "symmetric" for a zero point of 0, "asymmetric" for a zero point that
            follows the range, as in a .tflite file.
        range_estimator: Name of the estimator of activation ranges; see
            `range_estimation.ESTIMATORS`.

    Raises:
        InputError: There is no such scheme.
    """

    weights: str = "channel"
    activations: str = "symmetric"
    range_estimator: str = "min-max"

    def __post_init__(self) -> None:
        if self.activations == _FORMER_ASYMMETRIC:
            object.__setattr__(self, "activations", "asymmetric")
        for name, allowed in (("weights", GRANULARITIES), ("activations", ACTIVATION_SCHEMES)):
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"there is no such scheme for {name}",
                    received=getattr(self, name),
                    allowed=", ".join(allowed),
                )


@dataclass(frozen=True)
class QuantizationParams:
    """Parameters of linear quantization: real = scale * (q - zero_point).

    Attributes:
        scale: Distance between neighboring quantized values.
        zero_point: Quantized value of the real number 0; half-integer for 1-bit signs.
        qmin: Smallest quantized value.
        qmax: Largest quantized value.
    """

    scale: float
    zero_point: float
    qmin: float
    qmax: float

    @property
    def accumulator_scale(self) -> float:
        """Scale of a sum of products: half a step where zero lies between two values."""
        return self.scale / 2 if self.zero_point % 1 else self.scale

    @property
    def real_range(self) -> tuple[float, float]:
        """Smallest and largest real number that is represented."""
        return (self.qmin - self.zero_point) * self.scale, (
            self.qmax - self.zero_point
        ) * self.scale

    def round(self, values: Float32Array) -> Float32Array:
        """Quantizes and dequantizes values; ties go to the even quantized value."""
        steps = np.rint(np.asarray(values, np.float64) / self.scale + self.zero_point)
        steps = np.clip(steps, self.qmin, self.qmax)
        return np.asarray((steps - self.zero_point) * self.scale, np.float32)


def symmetric_params(largest: float, bits: int) -> QuantizationParams:
    """Parameters for the range `-largest` to `largest`: 2^bits - 1 values, zero point 0.

    A single bit encodes the sign alone: `-largest` or `largest`.
    """
    largest = _positive(largest)
    if bits == 1:
        return QuantizationParams(2 * largest, 0.5, 0, 1)
    steps = 2 ** (bits - 1) - 1
    return QuantizationParams(largest / steps, 0, -steps, steps)


def asymmetric_params(low: float, high: float, bits: int) -> QuantizationParams:
    """Parameters for the range `low` to `high`, widened and shifted to represent 0 exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = _positive(high - low) / (2**bits - 1)
    return QuantizationParams(scale, float(np.rint(-low / scale)), 0, 2**bits - 1)


def accumulator_range(bits: int) -> tuple[float, float]:
    """Smallest and largest sum that two's complement of `bits` bits represents."""
    return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1


def required_accumulator_bits(bits: Bits, products: int) -> int:
    """Accumulator bits with which no sum of `products` products of any operands saturates.

    Source: n-bit operands over c channels and k x k positions need 2n + ceil(log2(c k^2)) bits;
    here with the operands' own widths in place of 2n.
    """
    return bits.activations + bits.weights + int(np.ceil(np.log2(products)))


def quantize_weights(
    rows: Float32Array, bits: int, granularity: str
) -> tuple[Float32Array, Float32Array]:
    """Quantizes and dequantizes weights.

    Args:
        rows: (channels, weights per channel) float32.
        bits: Bits per weight. A single bit encodes the sign of the mean magnitude, which is the
            value of least squared error.
        granularity: "channel" for a scale per row, "tensor" for one scale.

    Returns:
        (channels, weights) float32, and (channels,) float32 accumulator scales of their sums.
    """
    magnitudes = np.abs(rows)
    groups = magnitudes if granularity == "channel" else magnitudes.reshape(1, -1)
    largest = groups.mean(axis=1) if bits == 1 else groups.max(axis=1)
    largest = np.broadcast_to(largest, len(rows))
    params = [symmetric_params(float(size), bits) for size in largest]
    values = np.stack([grid.round(row) for grid, row in zip(params, rows, strict=True)])
    return values, np.asarray([grid.accumulator_scale for grid in params], np.float32)


def _positive(size: float) -> float:
    """An empty range still needs a scale above 0."""
    return max(float(size), float(np.finfo(np.float32).tiny) * 2**40)
