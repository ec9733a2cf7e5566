"""What a user wants to know of a network in few bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from hsitf.errors import InputError
from hsitf.quantize.schemes import Bits, Scheme

CALIBRATION_PATCHES = 512


@dataclass(frozen=True)
class Order:
    """What a study is asked for.

    Attributes:
        scheme: How numbers are put on grids.
        most: Test pixels to judge on, drawn evenly over the scene; 0 for all.
        calibration: Class-balanced training patches that ranges are measured on, at most.
    """

    scheme: Scheme
    most: int = 0
    calibration: int = CALIBRATION_PATCHES

    def __post_init__(self) -> None:
        if self.most < 0:
            raise InputError(
                "the number of test pixels is out of range",
                received=self.most,
                allowed="1 or more, or 0 for all",
            )
        if self.calibration < 1:
            raise InputError(
                "ranges cannot be measured",
                received=f"{self.calibration} calibration patches",
                allowed="1 or more",
            )


def triples(texts: Sequence[str], grid: str | None) -> tuple[Bits, ...]:
    """The triples that a user names, and all those of a grid's numbers, each once.

    Args:
        texts: Such as "8,8,32".
        grid: Numbers such as "4,8,16,32", of which all triples are made; None for none.

    Raises:
        InputError: Something is no number of bits, or nothing is named.
    """
    found = [Bits.parse(text) for text in texts]
    if grid is not None:
        numbers = grid.split(",")
        if not all(number.strip().isdigit() for number in numbers):
            raise InputError(
                "a grid is a list of whole numbers", received=grid, allowed="such as 4,8,16,32"
            )
        found += [Bits(*three) for three in product(map(int, numbers), repeat=3)]
    if not found:
        raise InputError(
            "no bits to study",
            received="neither --bits nor --grid",
            remedy="give --bits 8,8,32 (activations,weights,accumulators) or --grid 4,8,16,32",
        )
    return tuple(dict.fromkeys(found))
