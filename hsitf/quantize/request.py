"""Requests for bit studies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from hsitf.compat import formerly
from hsitf.errors import InputError
from hsitf.quantize.schemes import Bits, Scheme

CALIBRATION_PATCHES = 512


@formerly(max_samples="most", calibration_patches="calibration")
@dataclass(frozen=True)
class BitStudyRequest:
    """Settings of a bit study.

    Attributes:
        scheme: How weights and activations are quantized.
        max_samples: Test pixels to evaluate at most, spread evenly over the scene; 0 for all.
        calibration_patches: Class-balanced training patches for calibration, at most.

    Raises:
        InputError: A number is out of range.
    """

    scheme: Scheme
    max_samples: int = 0
    calibration_patches: int = CALIBRATION_PATCHES

    def __post_init__(self) -> None:
        if self.max_samples < 0:
            raise InputError(
                "the number of test pixels is out of range",
                received=self.max_samples,
                allowed="1 or more, or 0 for all",
            )
        if self.calibration_patches < 1:
            raise InputError(
                "ranges cannot be measured",
                received=f"{self.calibration_patches} calibration patches",
                allowed="1 or more",
            )


def parse_bit_triples(texts: Sequence[str], grid: str | None) -> tuple[Bits, ...]:
    """Parses triples of bit widths and the grid of all combinations, each triple once.

    Args:
        texts: Triples such as "8,8,32".
        grid: Bit widths such as "4,8,16,32", of which all triples are formed; None for none.

    Raises:
        InputError: A text is not a number of bits, or there is no triple.
    """
    found = [Bits.parse(text) for text in texts]
    if grid is not None:
        numbers = grid.split(",")
        if not all(number.strip().isdecimal() and len(number) < 9 for number in numbers):
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
