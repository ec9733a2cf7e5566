"""Lowered networks as .tflite files and SavedModel folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsitf.export.onnx import static
from hsitf.quiet import quietly
from hsitf.runtimes import Floats

if TYPE_CHECKING:
    import keras


def _float32(converter: Any, calibration: Floats, batch: int) -> None:
    """The converter's own default."""


def _float16(converter: Any, calibration: Floats, batch: int) -> None:
    """Weights of 16 bits; arithmetic in 32, or in 16 where a delegate offers it."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _dynamic(converter: Any, calibration: Floats, batch: int) -> None:
    """Weights of 8 bits; the range of each activation is measured while running."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _int8(converter: Any, calibration: Floats, batch: int) -> None:
    """Integers from input to output; ranges measured on calibration patches beforehand."""
    import tensorflow as tf

    def patches() -> Iterator[list[Floats]]:
        for start in range(0, len(calibration) - batch + 1, batch):
            yield [calibration[start : start + batch]]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = patches
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8


def _converter(
    configure: Callable[[Any, Floats, int], None],
) -> Callable[[keras.Model, Floats, Path], None]:
    def convert(model: keras.Model, calibration: Floats, path: Path) -> None:
        import tensorflow as tf

        with quietly():
            converter = tf.lite.TFLiteConverter.from_keras_model(model)
            configure(converter, calibration, int(model.inputs[0].shape[0] or 1))
            content = converter.convert()
        path.write_bytes(content)

    return convert


CONVERTERS = {
    "float32": _converter(_float32),
    "float16": _converter(_float16),
    "dynamic": _converter(_dynamic),
    "int8": _converter(_int8),
}


def saved_model(model: keras.Model, calibration: Floats, path: Path) -> None:
    """Writes a TensorFlow SavedModel folder with one endpoint for inference."""
    with quietly():
        model.export(path, format="tf_saved_model", verbose=False, input_signature=static(model))
