"""Requests for an export."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hsitf.arithmetic import MAX_TILE
from hsitf.bands import Reducer
from hsitf.errors import InputError
from hsitf.export import bundle
from hsitf.export.variants import TFLITE, Variant
from hsitf.quantize.range_estimation import known_estimator
from hsitf.targets import find_target


@dataclass(frozen=True)
class ExportRequest:
    """Settings of an export.

    Attributes:
        variants: Kinds of exported file.
        batch: Patches per inference.
        max_drop: Largest loss of overall accuracy in percentage points; None for the bound of each
            variant.
        channel_alignment: Smallest number of channels that convolutions are given (see
            `arithmetic.Arithmetic`); None for the value of each variant.
        threads: Threads with which latency is measured.
        root: Folder of the bundles.
        fold_preprocessing: Whether normalization and band reduction are folded into the file, so
            that it takes the sensor's units; None to fold band reductions into float files alone.
        tile: Side in pixels of the tile that an inference takes (see
            `lower.fully_convolutional`); 0 for patches.
        qat: Whether int8 files are made from a network after quantization-aware training.
        equalize: Whether channels are equalized before calibration (see
            `quantize.equalization`).
        correct_bias: Whether the biases of int8 files are corrected (see
            `quantize.bias_correction`).
        calibration: Name of the range estimator (see `range_estimation.ESTIMATORS`); None for the
            converter's own ranges.
        c_array: Whether C sources of .tflite files are written beside them.
        tflm: Whether .tflite files are run in TensorFlow Lite Micro.
        android: Whether .tflite files are packed for the Android demo.
        tta: Whether files compute the mean over the eight sides of a patch (test-time
            augmentation; see `lower.test_time_augmentation`).
        web: Whether a page for the browser is made of them.
        target: Name of the target that files are made for (see `hsitf.targets`); None for none.
    """

    variants: tuple[Variant, ...]
    batch: int = 1
    max_drop: float | None = None
    channel_alignment: int | None = None
    threads: int = 1
    root: Path = bundle.EXPORT
    fold_preprocessing: bool | None = None
    tile: int = 0
    qat: bool = False
    calibration: str | None = None
    c_array: bool = False
    tflm: bool = False
    android: bool = False
    equalize: bool = False
    correct_bias: bool = False
    tta: bool = False
    target: str | None = None
    web: bool = False

    def __post_init__(self) -> None:
        if not self.variants:
            raise InputError("no variant to export", remedy="name one, such as --int8, or --all")
        for name in ("batch", "threads"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name} is out of range", received=getattr(self, name), allowed="1 or more"
                )
        integer = any(variant.supports_recovery for variant in self.variants)
        for option, given, what in (
            ("--qat", self.qat, "quantization-aware training"),
            ("--correct-bias", self.correct_bias, "bias correction"),
        ):
            if given and not integer:
                raise InputError(
                    f"{what} is for int8 .tflite files",
                    received=f"{option} without --int8",
                    remedy=f"add --int8, or leave {option} out",
                )
        if self.equalize and not any(variant.calibrated for variant in self.variants):
            raise InputError(
                "none of these files has a scale that channels share",
                received="--equalize",
                remedy="add --int8, --int16 or --onnx-int8, or leave --equalize out",
            )
        if self.calibration is not None:
            known_estimator(self.calibration)
            if not any(variant.selectable_ranges for variant in self.variants):
                raise InputError(
                    "none of these files has a selectable range estimator",
                    received=f"--calibration {self.calibration}",
                    remedy="add --int8 or --onnx-int8, or leave --calibration out",
                )
        for option, given in (
            ("--c-array", self.c_array),
            ("--tflm", self.tflm),
            ("--android", self.android),
        ):
            if given and not any(map(_is_tflite, self.variants)):
                raise InputError(
                    "this is for .tflite files",
                    received=f"{option} without one",
                    remedy=f"add --int8, or leave {option} out",
                )
        if self.tile and self.batch > 1:
            raise InputError(
                "a tile form takes one tile per inference",
                received=f"--batch {self.batch}",
                remedy="leave --batch out, or --tile",
            )
        if self.tta and self.tile:
            raise InputError(
                "a tile form has one orientation, which all its patches share",
                received=f"--tta with --tile {self.tile}",
                remedy="leave one of them out",
            )
        if not 0 <= self.tile <= MAX_TILE:
            raise InputError(
                "the side of the tile is out of range",
                received=self.tile,
                allowed=f"1 to {MAX_TILE} pixels",
            )
        if self.target is not None:
            self._check_target(self.target)
        if self.max_drop is not None and not 0 <= self.max_drop <= 100:
            raise InputError(
                "the accuracy drop is out of range",
                received=self.max_drop,
                allowed="0 to 100 percentage points",
            )

    def _check_target(self, name: str) -> None:
        """Checks that a target takes files like these and that its toolchain is at hand."""
        target = find_target(name)
        for variant in self.variants:
            if variant.name not in target.variants:
                raise InputError(
                    f"{name} takes no {variant.name} files",
                    received=f"--target {name} with --{variant.name}",
                    allowed=", ".join(f"--{kind}" for kind in target.variants),
                )
        if self.channel_alignment is not None and target.cost is not None:
            raise InputError(
                "the target chooses the channel alignment by its cost",
                received=f"--target {name} with --channel-alignment {self.channel_alignment}",
                remedy="leave one of them out",
            )
        for tool in target.toolchain:
            tool.check(name)

    def patch_and_tile_requests(self) -> tuple[ExportRequest, ...]:
        """The requests for patches and for tiles: the demos compare both."""
        if (self.android or self.web) and self.tile:
            return replace(self, tile=0), self
        return (self,)

    def folds_preprocessing(self, variant: Variant, reducer: Reducer | None) -> bool:
        """Whether preprocessing is folded into files of a variant.

        By default it is where bands are reduced and the file computes in floats. Components that
        are small differences of large counts lose their precision in 8-bit weights, and in the
        single scale that an integer file has for all bands of its input.
        """
        if self.fold_preprocessing is not None:
            return self.fold_preprocessing
        return reducer is not None and reducer.foldable and not variant.calibrated


def _is_tflite(variant: Variant) -> bool:
    return variant.format is TFLITE
