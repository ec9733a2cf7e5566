"""What an integer file's scales are taken from."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.quantize import ranges
from hsitf.runtimes import Floats


@dataclass(frozen=True, eq=False)
class Calibration:
    """Patches and what chooses ranges from the values they make.

    Attributes:
        patches: What the file takes, (n, ...) float32; n a multiple of its batch.
        method: See `ranges.METHODS`; None for the converter's own, which is everything seen.
        coarse: Whether the weights of a dense layer share one scale instead of having one a unit.
            TensorFlow Lite up to 2.16 leaves dense layers of many scales to kernels that round
            differently from today's.

    Raises:
        InputError: There is no such method.
    """

    patches: Floats
    method: str | None = None
    coarse: bool = False

    def __post_init__(self) -> None:
        if self.method is not None:
            ranges.known(self.method)
