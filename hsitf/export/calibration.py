"""Calibration data of integer files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hsitf.arrays import Float32Array
from hsitf.quantize import range_estimation

if TYPE_CHECKING:
    from hsitf.quantize.learned_ranges import LearnedRanges


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration inputs and the estimator of activation ranges.

    Attributes:
        patches: Inputs of the file, (n, ...) float32; n a multiple of its batch.
        range_estimator: Name of an estimator in `range_estimation.ESTIMATORS`; None for the
            converter's own ranges, which are minimum and maximum.
        per_tensor_dense: Whether the weights of a dense layer share one scale instead of having
            one per unit. TensorFlow Lite up to 2.16 computes dense layers of several scales with
            kernels that round differently from today's.
        learned_ranges: Ranges that quantization-aware training learned, which come before those
            that are measured; None for measured ones alone.

    Raises:
        InputError: There is no such estimator.
    """

    patches: Float32Array
    range_estimator: str | None = None
    per_tensor_dense: bool = False
    learned_ranges: LearnedRanges | None = None

    def __post_init__(self) -> None:
        if self.range_estimator is not None:
            range_estimation.known_estimator(self.range_estimator)
