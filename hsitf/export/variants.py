"""The kinds of file that a network can be exported to: one row each in `VARIANTS`.

A row imports what it runs on when it is first used, so that the command line can list all of them
at once. A kind of your own is added by `VARIANTS.register(name, Variant(...))`; its converter is
a function `(lowered network, calibration, path)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hsitf.arithmetic import FLOAT, INTEGER, Arithmetic
from hsitf.bounds import Bounds
from hsitf.errors import InputError
from hsitf.registry import Registry

if TYPE_CHECKING:
    import keras

    from hsitf.export.calibration import Calibration
    from hsitf.inspection import Contents
    from hsitf.runtimes import Runtime

    Convert = Callable[[keras.Model, Calibration, Path], None]

# Rounding may break a tie between two classes, which is why no bound asks for every pixel.
_EXACT = Bounds(agreement=0.999, relative_error=1e-3, oa_drop=1.0)
_HALF = Bounds(agreement=0.999, relative_error=1e-2, oa_drop=1.0)
_QUANTIZED = Bounds(agreement=0.95, relative_error=None, oa_drop=1.0)


def _untried(path: Path) -> None:
    """Of engines that say what they cannot run."""


@dataclass(frozen=True)
class FileFormat:
    """A file format: what opens its files, and what reads them without running them.

    Attributes:
        name: Name of the format, such as "tflite".
        suffix: Suffix of its files; empty where one is a folder.
        runtime: Opens a file in its engine, with a number of threads.
        inspect: Reads the operators and tensors of a file.
        check_survival: Refuses a file that would end the process of its engine.
    """

    name: str
    suffix: str
    runtime: Callable[[Path, int], Runtime]
    inspect: Callable[[Path], Contents]
    check_survival: Callable[[Path], None] = _untried

    def runtime_of_any(self, path: Path, threads: int) -> Runtime:
        """Opens a file that may be anybody's, unlike one that was written a moment ago.

        Raises:
            DataError: The file cannot be run.
        """
        self.check_survival(path)
        return self.runtime(path, threads)


@dataclass(frozen=True)
class Variant:
    """A kind of exported file.

    Attributes:
        name: Name on the command line.
        description: One line for `--help`.
        format: Format of the file.
        convert: Writes the file.
        bounds: How far it may be from its network.
        arithmetic: Arithmetic that the network is lowered for.
        calibrated: Whether ranges are measured on calibration patches.
        integer: Whether every arithmetic operator has to compute in integers.
        selectable_ranges: Whether a range estimator can be chosen.
        supports_recovery: Whether accuracy-recovery techniques are applied where its loss is
            bounded; see `hsitf.export.recovery`.
        required_package: Package of an extra that it needs; empty where none.
    """

    name: str
    description: str
    format: FileFormat
    convert: Convert
    bounds: Bounds
    arithmetic: Arithmetic = FLOAT
    calibrated: bool = False
    integer: bool = False
    selectable_ranges: bool = False
    supports_recovery: bool = False
    required_package: str = ""

    @property
    def suffix(self) -> str:
        """Suffix of its files; empty where one is a folder."""
        return self.format.suffix

    def runtime(self, path: Path, threads: int) -> Runtime:
        """Opens a file in its engine.

        Raises:
            DataError: The file cannot be run.
        """
        return self.format.runtime(path, threads)

    def inspect(self, path: Path) -> Contents:
        """Reads the operators and tensors of a file.

        Raises:
            DataError: The file is damaged.
        """
        return self.format.inspect(path)


def _litert(path: Path, threads: int) -> Runtime:
    from hsitf.runtimes import LiteRT

    return LiteRT(path, threads)


def _survives_litert(path: Path) -> None:
    from hsitf.litert_trial import check_survival

    check_survival(path)


def _inspect_tflite(path: Path) -> Contents:
    from hsitf import inspection

    return inspection.tflite(path)


def _onnx_runtime(path: Path, threads: int) -> Runtime:
    from hsitf.runtimes import OnnxRuntime

    return OnnxRuntime(path, threads)


def _inspect_onnx(path: Path) -> Contents:
    from hsitf import inspection

    return inspection.onnx(path)


def _tensorflow(path: Path, threads: int) -> Runtime:
    from hsitf.runtimes import SavedModel

    return SavedModel(path, threads)


def _inspect_saved_model(path: Path) -> Contents:
    from hsitf import inspection

    return inspection.saved_model(path)


TFLITE = FileFormat("tflite", ".tflite", _litert, _inspect_tflite, _survives_litert)
ONNX = FileFormat("onnx", ".onnx", _onnx_runtime, _inspect_onnx)
SAVED_MODEL = FileFormat("saved-model", "", _tensorflow, _inspect_saved_model)


def _tflite(kind: str) -> Convert:
    def convert(model: keras.Model, calibration: Calibration, path: Path) -> None:
        from hsitf.export import tflite

        tflite.CONVERTERS[kind](model, calibration, path)

    return convert


def _onnx(kind: str) -> Convert:
    def convert(model: keras.Model, calibration: Calibration, path: Path) -> None:
        from hsitf.export import onnx

        onnx.CONVERTERS[kind](model, calibration, path)

    return convert


def _saved_model(model: keras.Model, calibration: Calibration, path: Path) -> None:
    from hsitf.export import tflite

    tflite.saved_model(model, calibration, path)


VARIANTS: Registry[Variant] = Registry(
    "variant",
    {
        variant.name: variant
        for variant in (
            Variant("float32", "32-bit floats (TFLite).", TFLITE, _tflite("float32"), _EXACT),
            Variant(
                "float16", "Weights as 16-bit floats (TFLite).", TFLITE, _tflite("float16"), _HALF
            ),
            Variant(
                "dynamic",
                "8-bit weights, float arithmetic (TFLite).",
                TFLITE,
                _tflite("dynamic"),
                _QUANTIZED,
            ),
            Variant(
                "weight-only",
                "8-bit weights made floats while running (TFLite).",
                TFLITE,
                _tflite("weight-only"),
                _QUANTIZED,
                required_package="litert_quantizer",
            ),
            Variant(
                "int8",
                "8-bit integers from input to output (TFLite).",
                TFLITE,
                _tflite("int8"),
                _QUANTIZED,
                INTEGER,
                calibrated=True,
                integer=True,
                selectable_ranges=True,
                supports_recovery=True,
            ),
            Variant(
                "int16",
                "16-bit activations, 8-bit weights, integers (TFLite).",
                TFLITE,
                _tflite("int16"),
                _QUANTIZED,
                INTEGER,
                calibrated=True,
                integer=True,
            ),
            Variant("onnx", "32-bit floats (ONNX).", ONNX, _onnx("float32"), _EXACT),
            Variant("onnx-float16", "16-bit floats (ONNX).", ONNX, _onnx("float16"), _HALF),
            # Engines compute in floats what they have no integer kernel for.
            Variant(
                "onnx-int8",
                "8-bit integers (ONNX, QDQ).",
                ONNX,
                _onnx("int8"),
                _QUANTIZED,
                INTEGER,
                calibrated=True,
                selectable_ranges=True,
            ),
            Variant("saved-model", "TensorFlow SavedModel.", SAVED_MODEL, _saved_model, _EXACT),
        )
    },
)

# The files that pruning measures a network in before and after.
MEASURED_VARIANTS = ("float32", "int8")


def lacks_package(variant: Variant) -> bool:
    """Whether a variant needs a package that is not installed."""
    return bool(variant.required_package) and find_spec(variant.required_package) is None


def variant(name: str) -> Variant:
    """The variant `name`.

    Raises:
        InputError: There is no such variant; the nearest names are offered.
    """
    return VARIANTS.known(name)


def formats() -> dict[str, FileFormat]:
    """The formats of all variants by suffix; a folder's is the empty one."""
    return {variant.suffix: variant.format for variant in VARIANTS.values()}


def format_of(path: Path) -> FileFormat:
    """The format of a file (or folder), by its suffix.

    Raises:
        InputError: No variant has such files.
    """
    suffix = "" if path.is_dir() else path.suffix
    if suffix not in formats() or (not suffix and not path.is_dir()):
        raise InputError(
            f"{path} is no exported file",
            received=path.suffix or "no suffix",
            allowed=", ".join(sorted(filter(None, formats()))) + ", or a SavedModel's folder",
        )
    return formats()[suffix]
