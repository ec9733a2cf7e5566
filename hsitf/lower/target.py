"""What a lowered network is to run on, as far as it decides between exact rewrites."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """What the arithmetic of a lowered network wants.

    Attributes:
        width: Channels at least: neighbors along the spectrum are grouped in the channels until
            there are as many. 1 leaves all as it is, with the fewest multiply-accumulates.
    """

    width: int = 1


ANY = Target()

# Integer units multiply 32 or more channels at a time; a narrower network leaves them idle.
# On x86-64 with AMX this halves the time of he, for 1.3 times its multiply-accumulates.
INTEGER = Target(width=32)
