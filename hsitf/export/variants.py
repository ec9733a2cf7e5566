"""The kinds of file that a network can be exported to: one row each in `VARIANTS`.

To add one, write a converter `(lowered network, calibration patches, path)` and give it a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hsitf import contents, runtimes
from hsitf.contents import Contents
from hsitf.errors import unknown
from hsitf.export import onnx, tflite
from hsitf.runtimes import Floats, Runtime
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
        integer: Whether every arithmetic operator has to compute in integers, with ranges
            measured on calibration patches.
        mended: Whether means against loss of accuracy are tried where a bound is given; see
            `means`.
    """

    name: str
    suffix: str
    convert: Callable[[keras.Model, Floats, Path], None]
    runtime: Callable[[Path, int], Runtime]
    contents: Callable[[Path], Contents]
    bounds: Bounds
    target: Target = FLOAT
    integer: bool = False
    mended: bool = False


def _tflite(
    name: str,
    bounds: Bounds,
    target: Target = FLOAT,
    *,
    integer: bool = False,
    mended: bool = False,
) -> Variant:
    return Variant(
        name, ".tflite", tflite.CONVERTERS[name], runtimes.LiteRT, contents.tflite, bounds,
        target, integer, mended,
    )  # fmt: skip


VARIANTS = {
    variant.name: variant
    for variant in (
        _tflite("float32", _EXACT),
        _tflite("float16", _HALF),
        _tflite("dynamic", _QUANTIZED),
        _tflite("int8", _QUANTIZED, INTEGER, integer=True, mended=True),
        Variant("onnx", ".onnx", onnx.convert, runtimes.OnnxRuntime, contents.onnx, _EXACT),
        Variant(
            "saved-model", "", tflite.saved_model, runtimes.SavedModel, contents.saved_model, _EXACT
        ),
    )
}


def variant(name: str) -> Variant:
    """The variant `name`.

    Raises:
        InputError: There is no such variant; the nearest names are offered.
    """
    if name not in VARIANTS:
        raise unknown("variant", name, VARIANTS)
    return VARIANTS[name]
