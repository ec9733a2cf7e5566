"""Targets of lowering: the properties of a device that decide between exact rewrites."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.errors import InputError
from hsitf.registry import Registry


@dataclass(frozen=True)
class Target:
    """Properties of a device that lowering takes into account.

    Attributes:
        channel_alignment: Smallest number of channels for convolutions: neighboring bands are
            grouped in the channels until there are as many. 1 leaves channels as they are, with
            the fewest multiply-accumulates.
        grouped_input: Whether bands may be grouped while the input is transposed. Moving pairs of
            bytes is as fast as moving bytes; moving pairs of floats is not.
        square_root_powers: Whether powers are computed from square roots, which every quantizer
            supports, rather than from exponential and logarithm, whose integer kernels are lookup
            tables and ten times as fast.
        integer: Whether files compute in integers, whose rounding exact rewrites can make smaller
            or larger.

    Raises:
        InputError: The channel alignment is out of range.
    """

    channel_alignment: int
    grouped_input: bool = False
    square_root_powers: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.channel_alignment <= 1024:
            raise InputError(
                "the channel alignment is out of range",
                received=self.channel_alignment,
                allowed="1 to 1024 channels",
            )


# Largest side of a tile, in pixels: a map of it with 16 bands of 16 filters is 1 GB in float32.
MAX_TILE = 1024

# Vector units multiply 16 to 64 channels at a time; a narrower network leaves them idle. Measured
# on x86-64 with AVX-512 and AMX, where 32 channels for 16 make he 1.1 (float32) to 1.5 (int8) times
# as fast although they are 1.3 times the multiply-accumulates.
FLOAT = Target(channel_alignment=32)
INTEGER = Target(channel_alignment=32, grouped_input=True, integer=True)

# What networks can be lowered for, by name.
TARGETS: Registry[Target] = Registry("target", {"float": FLOAT, "integer": INTEGER})
