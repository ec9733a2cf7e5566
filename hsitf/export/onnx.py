"""Lowered networks as .onnx files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hsitf.export.calibration import Calibration
from hsitf.log_silencing import suppressed_output
from hsitf.quantize import range_estimation
from hsitf.quantize.tensor_statistics import collect_statistics

if TYPE_CHECKING:
    import keras
    import onnx


Convert = Callable[["keras.Model", Calibration, Path], None]


def static(model: keras.Model) -> list[keras.InputSpec]:
    """Input specifications of a lowered network with a static batch, which Keras would omit."""
    import keras

    return [keras.InputSpec(dtype=tensor.dtype, shape=tensor.shape) for tensor in model.inputs]


def convert(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Writes a float32 .onnx file through tf2onnx, which Keras calls."""
    import onnx

    with suppressed_output():
        model.export(path, format="onnx", verbose=False, input_signature=static(model))
    whole = onnx.load(path)
    changes = [_split_second_biases(whole.graph), _express_erfc(whole.graph)]
    if any(changes):
        onnx.save(whole, path)


def _express_erfc(graph: onnx.GraphProto) -> bool:
    """Replaces `erfc(x)` by `1 - erf(x)`; returns whether there was any.

    TensorFlow computes GELU with the complementary error function, which ONNX does not define and
    tf2onnx passes on as it is.
    """
    from onnx import helper, numpy_helper

    found = [node for node in graph.node if node.op_type == "Erfc"]
    for node in found:
        (output,) = node.output
        error, one = f"{output}/erf", f"{output}/one"
        graph.initializer.append(numpy_helper.from_array(np.array(1, np.float32), one))
        node.op_type, node.output[:] = "Erf", [error]
        position = list(graph.node).index(node) + 1
        difference = helper.make_node("Sub", [one, error], [output], name=f"{output}/difference")
        graph.node.insert(position, difference)
    return bool(found)


def _split_second_biases(graph: onnx.GraphProto) -> bool:
    """Replaces second biases of convolutions by additions; returns whether there were any.

    A tensor added to the single output pixel of a convolution has the shape of a bias. tf2onnx then
    makes it a bias of the convolution even where that has one, as a fourth input, which ONNX does
    not define.
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
        position = list(graph.node).index(node) + 1
        for offset, following in enumerate(added):
            graph.node.insert(position + offset, following)
    return bool(crowded)


def convert_float16(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Writes an .onnx file with float16 weights and arithmetic, float32 input and output."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    convert(model, calibration, path)
    with suppressed_output():
        onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), path)


def convert_int8(model: keras.Model, calibration: Calibration, path: Path) -> None:
    """Writes an int8 .onnx file in QDQ format, with weights quantized per channel.

    Operators lie between DequantizeLinear and QuantizeLinear nodes, which engines fuse into integer
    kernels where they have them. Activation ranges come from the requested range estimator.
    """
    import onnx
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.registry import QDQRegistry
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain, ready = Path(folder) / "plain.onnx", Path(folder) / "ready.onnx"
        convert(model, calibration, plain)
        with suppressed_output():
            # The symbolic inference needs another package, and no size is open here.
            quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
        limits = _tensor_ranges(ready, calibration)
        with suppressed_output():
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


def _tensor_ranges(path: Path, calibration: Calibration) -> Any:
    """Smallest and largest value that each tensor of a file represents."""
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorData, TensorsData

    method = calibration.range_estimator or "min-max"
    found = {}
    for name, histogram in collect_statistics(path, calibration.patches).items():
        params = range_estimation.estimate_params(histogram, 8, method, "asymmetric")
        low, high = params.real_range
        found[name] = TensorData(lowest=np.float32(low), highest=np.float32(high))
    return TensorsData(CalibrationMethod.MinMax, found)


CONVERTERS: dict[str, Convert] = {
    "float32": convert,
    "float16": convert_float16,
    "int8": convert_int8,
}
