"""The kinds of file that a network can be exported to: one row each in `VARIANTS`.

To add one, write a converter `(lowered network, calibration, path)` and give it a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsitf import contents, runtimes
from hsitf.contents import Contents
from hsitf.errors import unknown
from hsitf.export import onnx, tflite
from hsitf.export.calibration import Calibration
from hsitf.runtimes import Runtime
from hsitf.targets import FLOAT, INTEGER, Target
from hsitf.verify import Bounds

if TYPE_CHECKING:
    import keras

# Rounding may break a tie between two classes, which is why no bound asks for every pixel.
_EXACT = Bounds(agreement=0.999, relative_error=1e-3, oa_drop=1.0)
_HALF = Bounds(agreement=0.999, relative_error=1e-2, oa_drop=1.0)
_QUANTIZED = Bounds(agreement=0.95, relative_error=None, oa_drop=1.0)


@dataclass(frozen=True)
class Variant:
    """A kind of exported file.

    Attributes:
        name: As on the command line.
        suffix: Of the file; empty for a folder.
        convert: Writes the file.
        runtime: Opens the file in its engine, with a number of threads.
        contents: Reads what the file is made of.
        bounds: How far it may be from its network.
        target: What the network is lowered for.
        calibrated: Whether ranges are measured on calibration patches.
        integer: Whether every arithmetic operator has to compute in integers.
        methods: Whether ranges can be chosen by any method.
        mended: Whether means against loss of accuracy are tried where a bound is given; see
            `means`.
        needs: Package of an extra that it takes; nothing where none.
    """

    name: str
    suffix: str
    convert: Callable[[keras.Model, Calibration, Path], None]
    runtime: Callable[[Path, int], Runtime]
    contents: Callable[[Path], Contents]
    bounds: Bounds
    target: Target = FLOAT
    calibrated: bool = False
    integer: bool = False
    methods: bool = False
    mended: bool = False
    needs: str = ""


def _tflite(name: str, bounds: Bounds, target: Target = FLOAT, **features: Any) -> Variant:
    return Variant(
        name,
        ".tflite",
        tflite.CONVERTERS[name],
        runtimes.LiteRT,
        contents.tflite,
        bounds,
        target,
        **features,
    )


def _onnx(
    name: str, convert: onnx.Convert, bounds: Bounds, target: Target = FLOAT, **features: Any
) -> Variant:
    return Variant(
        name, ".onnx", convert, runtimes.OnnxRuntime, contents.onnx, bounds, target, **features
    )


VARIANTS = {
    variant.name: variant
    for variant in (
        _tflite("float32", _EXACT),
        _tflite("float16", _HALF),
        _tflite("dynamic", _QUANTIZED),
        _tflite("weight-only", _QUANTIZED, needs="ai_edge_quantizer"),
        _tflite(
            "int8", _QUANTIZED, INTEGER, calibrated=True, integer=True, methods=True, mended=True
        ),
        _tflite("int16", _QUANTIZED, INTEGER, calibrated=True, integer=True),
        _onnx("onnx", onnx.convert, _EXACT),
        _onnx("onnx-float16", onnx.half, _HALF),
        # Engines compute in floats what they have no integer kernel for.
        _onnx("onnx-int8", onnx.integer, _QUANTIZED, INTEGER, calibrated=True, methods=True),
        Variant(
            "saved-model", "", tflite.saved_model, runtimes.SavedModel, contents.saved_model, _EXACT
        ),
    )
}


def missing(variant: Variant) -> bool:
    """Whether a variant takes a package that is not installed."""
    return bool(variant.needs) and find_spec(variant.needs) is None


def variant(name: str) -> Variant:
    """The variant `name`.

    Raises:
        InputError: There is no such variant; the nearest names are offered.
    """
    if name not in VARIANTS:
        raise unknown("variant", name, VARIANTS)
    return VARIANTS[name]
