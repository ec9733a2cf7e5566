"""What a lowered network is to run on, as far as it decides between exact rewrites."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.errors import InputError


@dataclass(frozen=True)
class Target:
    """What the arithmetic of a lowered network wants.

    Attributes:
        width: Channels at least: neighbors along the spectrum are grouped in the channels until
            there are as many. 1 leaves all as it is, with the fewest multiply-accumulates.
        grouped_input: Whether bands may be grouped while the input is moved. Moving pairs of
            bytes is as fast as moving bytes; moving pairs of floats is not.
        roots: Whether powers are made of square roots, which every quantizer takes, rather than
            of exponential and logarithm, whose integer kernels are tables and ten times as fast.

    Raises:
        InputError: The width is out of range.
    """

    width: int
    grouped_input: bool = False
    roots: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.width <= 1024:
            raise InputError(
                "the width is out of range", received=self.width, allowed="1 to 1024 channels"
            )


# Side of a tile at most, in pixels: a map of it with 16 bands of 16 filters is 1 GB in float32.
LARGEST_TILE = 1024

# Units multiply 16 to 64 channels at a time; a narrower network leaves them idle. Measured on
# x86-64 with AVX-512 and AMX, where 32 channels for 16 make he 1.1 (float32) to 1.5 (int8) times
# as fast although they are 1.3 times the multiply-accumulates.
FLOAT = Target(width=32)
INTEGER = Target(width=32, grouped_input=True)
