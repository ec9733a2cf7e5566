"""Lowered networks as .onnx files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hsitf.quiet import quietly
from hsitf.runtimes import Floats

if TYPE_CHECKING:
    import keras


def static(model: keras.Model) -> list[keras.InputSpec]:
    """The inputs of a lowered network with its batch; Keras would leave the batch open."""
    import keras

    return [keras.InputSpec(dtype=tensor.dtype, shape=tensor.shape) for tensor in model.inputs]


def convert(model: keras.Model, calibration: Floats, path: Path) -> None:
    """Writes a float32 .onnx file through tf2onnx, which Keras calls."""
    with quietly():
        model.export(path, format="onnx", verbose=False, input_signature=static(model))
