"""What lowering takes into account of a device: the properties that decide between exact rewrites.

Every convolution can be computed in several ways, all exact (`hsitf.lower.convolution`). By default
an estimate chooses among them; a `ConvolutionMethod` chosen by the measured cost of a target
(`hsitf.export.tuning`) takes its place for the layers that it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from hsitf.errors import InputError
from hsitf.registry import Registry

Unfolding = Literal["auto", "block-toeplitz", "im2col", "spectral-im2col"]
UNFOLDINGS: tuple[Unfolding, ...] = get_args(Unfolding)

# Largest number of channels that neighboring bands are grouped to.
MAX_ALIGNMENT = 1024


@dataclass(frozen=True, order=True)
class ConvolutionMethod:
    """How one convolution of a volume becomes a 2-D convolution.

    Attributes:
        channel_alignment: Smallest number of channels: neighboring bands are grouped in the
            channels until there are as many. 1 leaves channels as they are, with the fewest
            multiply-accumulates.
        unfolding: How a kernel that spans the folded axis is computed; see
            `hsitf.lower.convolution`. "auto" estimates which of them costs least.

    Raises:
        InputError: One of them is out of range.
    """

    channel_alignment: int
    unfolding: Unfolding = "auto"

    def __post_init__(self) -> None:
        if not 1 <= self.channel_alignment <= MAX_ALIGNMENT:
            raise InputError(
                "the channel alignment is out of range",
                received=self.channel_alignment,
                allowed=f"1 to {MAX_ALIGNMENT} channels",
            )
        if self.unfolding not in UNFOLDINGS:
            raise InputError(
                "there is no such way to compute a convolution",
                received=self.unfolding,
                allowed=", ".join(UNFOLDINGS),
            )


@dataclass(frozen=True)
class Arithmetic:
    """Properties of a device that lowering takes into account.

    Attributes:
        channel_alignment: Smallest number of channels for convolutions; see `ConvolutionMethod`.
        grouped_input: Whether bands may be grouped while the input is transposed. Moving pairs of
            bytes is as fast as moving bytes; moving pairs of floats is not.
        square_root_powers: Whether powers are computed from square roots, which every quantizer
            supports, rather than from exponential and logarithm, whose integer kernels are lookup
            tables and ten times as fast.
        integer: Whether files compute in integers, whose rounding exact rewrites can make smaller
            or larger.
        methods: Convolutions that are computed in another way than the others, by the names of
            their lowered layers, in alphabetical order.

    Raises:
        InputError: The channel alignment is out of range.
    """

    channel_alignment: int
    grouped_input: bool = False
    square_root_powers: bool = False
    integer: bool = False
    methods: tuple[tuple[str, ConvolutionMethod], ...] = ()

    def __post_init__(self) -> None:
        ConvolutionMethod(self.channel_alignment)

    def method(self, layer: str) -> ConvolutionMethod:
        """How the convolution of a lowered layer is computed."""
        return dict(self.methods).get(layer, ConvolutionMethod(self.channel_alignment))


# Largest side of a tile, in pixels: a map of it with 16 bands of 16 filters is 1 GB in float32.
MAX_TILE = 1024

# Vector units multiply 16 to 64 channels at a time; a narrower network leaves them idle. Measured
# on x86-64 with AVX-512 and AMX, where 32 channels for 16 make he 1.1 (float32) to 1.5 (int8) times
# as fast although they are 1.3 times the multiply-accumulates.
FLOAT = Arithmetic(channel_alignment=32)
INTEGER = Arithmetic(channel_alignment=32, grouped_input=True, integer=True)

# What networks can be lowered for, by name.
ARITHMETICS: Registry[Arithmetic] = Registry("arithmetic", {"float": FLOAT, "integer": INTEGER})
