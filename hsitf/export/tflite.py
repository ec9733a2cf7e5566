"""Lowered networks as .tflite files and SavedModel folders."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hsitf import flatbuffer, trust
from hsitf.arrays import Float32Array
from hsitf.errors import OutputError, VerificationError
from hsitf.export.calibration import Calibration
from hsitf.export.count_input import joined, split_count_input
from hsitf.export.onnx import Convert, static
from hsitf.files import os_errors_reported
from hsitf.log_silencing import suppressed_output
from hsitf.quantize import mixed_precision
from hsitf.quantize.mixed_precision import MixedPrecisionRecipe
from hsitf.quantize.tensor_statistics import collect_statistics

if TYPE_CHECKING:
    import keras


def _float32(converter: Any, calibration: Calibration, batch: int) -> None:
    """The converter's default: 32-bit floats."""


def _float16(converter: Any, calibration: Calibration, batch: int) -> None:
    """16-bit float weights; arithmetic in 32 bits, or in 16 where a delegate supports it."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _dynamic(converter: Any, calibration: Calibration, batch: int) -> None:
    """Dynamic-range quantization: 8-bit weights; activation ranges are measured at inference."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _int8_converted(converter: Any, calibration: Calibration, batch: int) -> None:
    """Full-integer quantization with the converter's own calibration."""
    import tensorflow as tf

    _static(converter, calibration, batch, tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.int8)


def _int16_converted(converter: Any, calibration: Calibration, batch: int) -> None:
    """Full-integer quantization with 16-bit activations and 8-bit weights."""
    import tensorflow as tf

    operators = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    _static(converter, calibration, batch, operators, tf.int16)


def _static(
    converter: Any, calibration: Calibration, batch: int, operators: Any, kind: Any
) -> None:
    import tensorflow as tf

    def patches() -> Iterator[list[Float32Array]]:
        inputs = calibration.patches
        for start in range(0, len(inputs) - batch + 1, batch):
            yield [inputs[start : start + batch]]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = patches
    converter.target_spec.supported_ops = [operators]
    converter.inference_input_type = converter.inference_output_type = kind
    if calibration.per_tensor_dense:
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True


# Message of the converter, which has no error class for it.
_UNSUPPORTED = r"16x8-bit not yet supported for op: '(\w+)'"


def _converted(converter: Any, model: keras.Model) -> bytes:
    """The content of a file.

    Raises:
        OutputError: The SavedModel that the converter reads could not be written. It hides that,
            and fails on another way.
    """
    try:
        content: bytes = converter.convert()
    except Exception:
        if converter.saved_model_dir is None:
            _check_saved_model_can_be_written(model)
        raise
    return content


def _check_saved_model_can_be_written(model: keras.Model) -> None:
    """Does what the converter began with, to see why that failed."""
    import tensorflow as tf

    # TensorFlow's names for "no space left on the device" and "file too large".
    full = (tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError)
    place = Path(tempfile.gettempdir())
    with os_errors_reported(place), tempfile.TemporaryDirectory() as folder:
        try:
            model.export(folder, verbose=False)
        except tf.errors.OpError as error:
            raise OutputError(
                f"no room left on the disk for {place}"
                if isinstance(error, full)
                else f"cannot write {place}",
                received="the intermediate model of a conversion",
                remedy="free some space there, or name another folder in TMPDIR",
            ) from error


def _converter(configure: Callable[[Any, Calibration, int], None]) -> Convert:
    def convert(model: keras.Model, calibration: Calibration, path: Path) -> None:
        import tensorflow as tf

        with suppressed_output():
            converter = tf.lite.TFLiteConverter.from_keras_model(model)
            configure(converter, calibration, int(model.inputs[0].shape[0] or 1))
            try:
                content = _converted(converter, model)
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


def _int8_with_estimator(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Full-integer quantization with a range estimator that the converter does not have."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain = Path(folder) / "float32.tflite"
        CONVERTERS["float32"](model, calibration, plain)
        inputs = collect_statistics(plain, calibration.patches)
        mixed_precision.quantize_file(
            plain, inputs, MixedPrecisionRecipe(calibration.range_estimator or "min-max"), path
        )


def _int8_with_learned_ranges(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Full-integer quantization with learned ranges, and measured ones where none were learned.

    The converter measures ranges in a float file before it quantizes that; in between, those that
    were learned are put in their place.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    if calibration.learned_ranges is None:
        raise ValueError("there are no learned ranges")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        measured = Path(folder) / "measured.tflite"
        _converter(_int8_measured)(model, calibration, measured)
        ranges = calibration.learned_ranges.of_tensors(measured)
        content = flatbuffer.read(measured)
    for tensor in content.subgraphs[0].tensors:
        if found := ranges.get(tensor.name.decode()):
            # An integer file represents 0 exactly.
            low, high = min(found[0], 0.0), max(found[1], 0.0)
            tensor.quantization.min = np.array([low], np.float32)
            tensor.quantization.max = np.array([high], np.float32)
    with suppressed_output():
        quantized = mlir_quantize(
            flatbuffer.to_bytes(content),
            input_data_type=tf.int8,
            output_data_type=tf.int8,
            disable_per_channel_for_dense_layers=calibration.per_tensor_dense,
        )
    path.write_bytes(quantized)


def _int8_measured(converter: Any, calibration: Calibration, batch: int) -> None:
    """The float file from which the converter makes an integer one, with its measured ranges."""
    _int8_converted(converter, calibration, batch)
    converter._experimental_calibrate_only = True


def _int8(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Full-integer quantization, of a network that normalizes counts with 16-bit inputs.

    Runtimes that want one scale a dense layer, as in the Android demo, take no 16-bit inputs.
    """
    parts = None if calibration.per_tensor_dense else split_count_input(model)
    if parts is None:
        _int8_any_ranges(model, calibration, path)
        return
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        first, rest = Path(folder) / "first.tflite", Path(folder) / "rest.tflite"
        _converter(_int16_converted)(parts.first, calibration, first)
        normalized = replace(calibration, patches=parts.normalized(calibration.patches))
        _int8_any_ranges(parts.rest, normalized, rest)
        path.write_bytes(joined(first, rest))


def _int8_any_ranges(model: keras.Model, calibration: Calibration, path: Path) -> None:
    if calibration.range_estimator is not None:
        _int8_with_estimator(model, calibration, path)
    elif calibration.learned_ranges is not None:
        _int8_with_learned_ranges(model, calibration, path)
    else:
        _converter(_int8_converted)(model, calibration, path)


def _weight_only(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """8-bit weights that are dequantized at inference; float arithmetic."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain = Path(folder) / "float32.tflite"
        CONVERTERS["float32"](model, calibration, plain)
        mixed_precision.quantize_weights_only(plain, path)


CONVERTERS: dict[str, Convert] = {
    "float32": _converter(_float32),
    "float16": _converter(_float16),
    "dynamic": _converter(_dynamic),
    "weight-only": _weight_only,
    "int8": _int8,
    "int16": _converter(_int16_converted),
}


def saved_model(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Writes a TensorFlow SavedModel folder, with one endpoint for inference, and signs it."""
    with suppressed_output():
        model.export(path, format="tf_saved_model", verbose=False, input_signature=static(model))
    trust.sign(path)
