"""What a user wants exported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hsitf.bands import Reducer
from hsitf.errors import InputError
from hsitf.export import bundle
from hsitf.export.variants import Variant
from hsitf.quantize.ranges import known
from hsitf.targets import LARGEST_TILE, Target


@dataclass(frozen=True)
class Request:
    """What to export and how.

    Attributes:
        variants: Kinds of file.
        batch: Patches an inference takes.
        max_drop: Largest loss of overall accuracy in percentage points; None for each variant's
            own bound.
        width: Channels that the arithmetic wants at least (see `lower.Target`); None for each
            variant's own.
        threads: Threads that latency is measured with.
        root: Folder of the bundles.
        fuse: Whether normalization and reduction of bands go into the file, so that it takes
            the sensor's units; None: as `fuses` says.
        tile: Side of the tile in pixels that an inference takes (see `lower.dense`); 0 for
            patches.
        qat: Whether the network of an integer file learns what rounding does to it before.
        equalize: Whether channels are brought to comparable ranges before ranges are measured (see
            `quantize.equalized`).
        correct: Whether the biases of an int8 file take back what rounding shifts (see
            `quantize.corrected`).
        calibration: What chooses ranges (see `ranges.METHODS`); None for each converter's own.
        c_array: Whether C sources of .tflite files are written beside them.
        micro: Whether .tflite files are run as microcontrollers do.
        android: Whether .tflite files are packed for the Android demo.
    """

    variants: tuple[Variant, ...]
    batch: int = 1
    max_drop: float | None = None
    width: int | None = None
    threads: int = 1
    root: Path = bundle.EXPORT
    fuse: bool | None = None
    tile: int = 0
    qat: bool = False
    calibration: str | None = None
    c_array: bool = False
    micro: bool = False
    android: bool = False
    equalize: bool = False
    correct: bool = False

    def __post_init__(self) -> None:
        if not self.variants:
            raise InputError("no variant to export", remedy="name one, such as --int8, or --all")
        for name in ("batch", "threads"):
            if getattr(self, name) < 1:
                raise InputError(
                    f"{name} is out of range", received=getattr(self, name), allowed="1 or more"
                )
        integer = any(variant.mended for variant in self.variants)
        for option, given, what in (
            ("--qat", self.qat, "training with rounded numbers"),
            ("--correct-bias", self.correct, "correcting biases"),
        ):
            if given and not integer:
                raise InputError(
                    f"{what} is for int8 .tflite files",
                    received=f"{option} without --int8",
                    remedy=f"add --int8, or leave {option} out",
                )
        if self.equalize and not any(variant.calibrated for variant in self.variants):
            raise InputError(
                "no file of these has ranges that channels share",
                received="--equalize",
                remedy="add --int8, --int16 or --onnx-int8, or leave --equalize out",
            )
        if self.calibration is not None:
            known(self.calibration)
            if not any(variant.methods for variant in self.variants):
                raise InputError(
                    "no file of these takes ranges by a method of choice",
                    received=f"--calibration {self.calibration}",
                    remedy="add --int8 or --onnx-int8, or leave --calibration out",
                )
        for option, given in (
            ("--c-array", self.c_array),
            ("--micro", self.micro),
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
                "a dense form takes one tile at a time",
                received=f"--batch {self.batch}",
                remedy="leave --batch out, or --dense",
            )
        if not 0 <= self.tile <= LARGEST_TILE:
            raise InputError(
                "the side of the tile is out of range",
                received=self.tile,
                allowed=f"1 to {LARGEST_TILE} pixels",
            )
        if self.max_drop is not None and not 0 <= self.max_drop <= 100:
            raise InputError(
                "the accuracy drop is out of range",
                received=self.max_drop,
                allowed="0 to 100 percentage points",
            )

    def forms(self) -> tuple[Request, ...]:
        """One request a form: the Android demo compares patches with tiles."""
        if self.android and self.tile:
            return replace(self, tile=0), self
        return (self,)

    def fuses(self, variant: Variant, reducer: Reducer | None) -> bool:
        """Whether what comes before the network goes into a file of this kind.

        By default where bands are reduced, in files that compute in floats: components that
        hang on small differences of large counts drown in weights of 8 bits, and in the one
        scale that an integer file has for all bands of its input.
        """
        if self.fuse is not None:
            return self.fuse
        return reducer is not None and reducer.fusable and not variant.calibrated

    def writes_c(self, variant: Variant) -> bool:
        """Whether C sources of this kind of file are written."""
        return self.c_array and _is_tflite(variant)

    def rehearses(self, variant: Variant) -> bool:
        """Whether this kind of file is run as microcontrollers do."""
        return self.micro and _is_tflite(variant)

    def method(self, variant: Variant) -> str | None:
        """What chooses the ranges of this kind of file; None for its converter's own."""
        return self.calibration if variant.methods else None

    def coarse(self, variant: Variant) -> bool:
        """Whether dense layers of this kind of file have one scale (see `Calibration`).

        The demo's runtime is TensorFlow Lite 2.16, and is to name every pixel as Python does. What
        chooses ranges by a method has one scale a unit in any case, and a dense form no dense
        layers.
        """
        integer = variant.calibrated and _is_tflite(variant)
        return self.android and not self.tile and integer and self.method(variant) is None

    def teaches(self, variant: Variant) -> bool:
        """Whether the network of this kind of file learns with its numbers rounded before."""
        return self.qat and variant.mended

    def equalizes(self, variant: Variant) -> bool:
        """Whether channels of the network of this kind of file are equalized."""
        return self.equalize and variant.calibrated

    def corrects(self, variant: Variant) -> bool:
        """Whether the biases of this kind of file are corrected."""
        return self.correct and variant.mended

    def target(self, variant: Variant) -> Target:
        """What a variant is lowered for."""
        target = variant.target if self.width is None else replace(variant.target, width=self.width)
        # Recipes are another quantizer's.
        recipes = self.max_drop is not None or self.method(variant) is not None
        return replace(target, roots=variant.mended and recipes)


def _is_tflite(variant: Variant) -> bool:
    return variant.suffix == ".tflite"
