"""Lowered networks as .tflite files and SavedModel folders."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsitf.errors import VerificationError
from hsitf.export.calibration import Calibration
from hsitf.export.onnx import Convert, static
from hsitf.quantize import mixed
from hsitf.quantize.mixed import Recipe
from hsitf.quantize.observed import observe
from hsitf.quiet import quietly
from hsitf.runtimes import Floats

if TYPE_CHECKING:
    import keras


def _float32(converter: Any, calibration: Calibration, batch: int) -> None:
    """The converter's own default."""


def _float16(converter: Any, calibration: Calibration, batch: int) -> None:
    """Weights of 16 bits; arithmetic in 32, or in 16 where a delegate offers it."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _dynamic(converter: Any, calibration: Calibration, batch: int) -> None:
    """Weights of 8 bits; the range of each activation is measured while running."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _int8(converter: Any, calibration: Calibration, batch: int) -> None:
    """Integers from input to output; ranges measured on calibration patches beforehand."""
    import tensorflow as tf

    _static(converter, calibration, batch, tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.int8)


def _int16(converter: Any, calibration: Calibration, batch: int) -> None:
    """Activations of 16 bits, weights of 8, integers from input to output."""
    import tensorflow as tf

    operators = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    _static(converter, calibration, batch, operators, tf.int16)


def _static(
    converter: Any, calibration: Calibration, batch: int, operators: Any, kind: Any
) -> None:
    import tensorflow as tf

    def patches() -> Iterator[list[Floats]]:
        seen = calibration.patches
        for start in range(0, len(seen) - batch + 1, batch):
            yield [seen[start : start + batch]]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = patches
    converter.target_spec.supported_ops = [operators]
    converter.inference_input_type = converter.inference_output_type = kind
    if calibration.coarse:
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True


# How the converter says so; it has no error of its own for it.
_UNSUPPORTED = r"16x8-bit not yet supported for op: '(\w+)'"


def _converter(configure: Callable[[Any, Calibration, int], None]) -> Convert:
    def convert(model: keras.Model, calibration: Calibration, path: Path) -> None:
        import tensorflow as tf

        with quietly():
            converter = tf.lite.TFLiteConverter.from_keras_model(model)
            configure(converter, calibration, int(model.inputs[0].shape[0] or 1))
            try:
                content = converter.convert()
            except RuntimeError as error:
                if not (found := re.search(_UNSUPPORTED, str(error))):
                    raise
                operator = found[1]
            else:
                operator = ""
        if operator:
            raise VerificationError(
                "the converter has no such integer operator, so no file was made",
                received=f"{operator} in 16 bits",
                remedy="choose another variant",
            )
        path.write_bytes(content)

    return convert


def _by_recipe(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Integers from input to output; ranges by a method that the converter has not."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain = Path(folder) / "float32.tflite"
        CONVERTERS["float32"](model, calibration, plain)
        seen = observe(plain, calibration.patches)
        mixed.write(plain, seen, Recipe(calibration.method or "min-max"), path)


def _int8_by_method(model: keras.Model, calibration: Calibration, path: Path) -> None:
    convert = _converter(_int8) if calibration.method is None else _by_recipe
    convert(model, calibration, path)


def _weight_only(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Weights of 8 bits that are made floats again while running; arithmetic in floats."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain = Path(folder) / "float32.tflite"
        CONVERTERS["float32"](model, calibration, plain)
        mixed.weights_only(plain, path)


CONVERTERS: dict[str, Convert] = {
    "float32": _converter(_float32),
    "float16": _converter(_float16),
    "dynamic": _converter(_dynamic),
    "weight-only": _weight_only,
    "int8": _int8_by_method,
    "int16": _converter(_int16),
}


def saved_model(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Writes a TensorFlow SavedModel folder with one endpoint for inference."""
    with quietly():
        model.export(path, format="tf_saved_model", verbose=False, input_signature=static(model))
