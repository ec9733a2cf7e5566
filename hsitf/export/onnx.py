"""Lowered networks as .onnx files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hsitf.export.calibration import Calibration
from hsitf.quantize import ranges
from hsitf.quantize.observed import observe
from hsitf.quiet import quietly

if TYPE_CHECKING:
    import keras
    import onnx


Convert = Callable[["keras.Model", Calibration, Path], None]


def static(model: keras.Model) -> list[keras.InputSpec]:
    """The inputs of a lowered network with its batch; Keras would leave the batch open."""
    import keras

    return [keras.InputSpec(dtype=tensor.dtype, shape=tensor.shape) for tensor in model.inputs]


def convert(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Writes a float32 .onnx file through tf2onnx, which Keras calls."""
    import onnx

    with quietly():
        model.export(path, format="onnx", verbose=False, input_signature=static(model))
    whole = onnx.load(path)
    if _one_bias_each(whole.graph):
        onnx.save(whole, path)


def _one_bias_each(graph: onnx.GraphProto) -> bool:
    """Makes second biases of convolutions the sums that they are; says whether there were any.

    What is added to a convolution's single pixel has the shape of a bias, so Keras adds it as one,
    and tf2onnx hands it to the convolution even if that has a bias, as a fourth input, which ONNX
    does not know.
    """
    from onnx import helper, numpy_helper

    crowded = [node for node in graph.node if node.op_type == "Conv" and len(node.input) > 3]
    for node in crowded:
        (output,), second = node.output, node.input.pop()
        alone, channels, axes = (f"{output}/{part}" for part in ("alone", "channels", "axes"))
        node.output[:] = [alone]
        graph.initializer.append(numpy_helper.from_array(np.array([0, 2, 3]), axes))
        added = [
            helper.make_node("Unsqueeze", [second, axes], [channels], name=channels),
            helper.make_node("Add", [alone, channels], [output], name=f"{output}/sum"),
        ]
        place = list(graph.node).index(node) + 1
        for offset, following in enumerate(added):
            graph.node.insert(place + offset, following)
    return bool(crowded)


def half(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Writes an .onnx file with weights and arithmetic of 16-bit floats, ends of 32 bits."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    convert(model, calibration, path)
    with quietly():
        onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), path)


def integer(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Writes an .onnx file whose tensors pass through int8: weights on one grid a channel.

    Operators stand between QuantizeLinear and DequantizeLinear (QDQ), which engines fuse into
    integer kernels where they have them. Ranges are ours, by the method that is asked for.
    """
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.registry import QDQRegistry
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain, ready = Path(folder) / "plain.onnx", Path(folder) / "ready.onnx"
        convert(model, calibration, plain)
        with quietly():
            # The symbolic inference needs another package, and no size is open here.
            quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
        limits = _limits(ready, calibration)
        with quietly():
            quantizer = QDQQuantizer(
                onnx.load(ready),
                per_channel=True,
                reduce_range=True,
                weight_qType=QuantType.QInt8,
                activation_qType=QuantType.QInt8,
                tensors_range=limits,
                nodes_to_quantize=[],
                nodes_to_exclude=[],
                op_types_to_quantize=list(QDQRegistry),
                extra_options={},
            )
            quantizer.quantize_model()
            quantizer.model.save_model_to_file(str(path))


def _limits(path: Path, calibration: Calibration) -> Any:
    """Least and greatest value that each tensor of a file keeps."""
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData

    method = calibration.method or "min-max"
    found = {}
    for name, seen in observe(path, calibration.patches).items():
        grid = ranges.grid(seen, 8, method, "affine")
        low, high = (grid.low - grid.zero) * grid.scale, (grid.high - grid.zero) * grid.scale
        found[name] = TensorData(lowest=np.float32(low), highest=np.float32(high))
    return TensorsData(CalibrationMethod.MinMax, found)
