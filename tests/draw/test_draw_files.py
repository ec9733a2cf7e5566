"""Drawings of exported files: operators, shapes, types, scales and zero points."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from hsitf.commands.draw import app
from hsitf.draw.file_graph import file_boxes, file_title
from hsitf.draw.onnx_file import onnx_graph
from hsitf.draw.tflite_file import tflite_graph
from hsitf.errors import DataError, InputError


@pytest.fixture(scope="module")
def int8_file(tmp_path_factory):
    """A convolution of four filters and a dense layer, in 8-bit integers."""
    import tensorflow as tf

    inputs = tf.keras.Input((6, 6, 3), batch_size=1)
    x = tf.keras.layers.Conv2D(4, 3, 2, activation="relu")(inputs)
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(2)(tf.keras.layers.Flatten()(x)))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    rng = np.random.default_rng(0)
    converter.representative_dataset = lambda: iter(
        [[rng.standard_normal((1, 6, 6, 3)).astype(np.float32)] for _ in range(4)]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    path = tmp_path_factory.mktemp("files") / "small.tflite"
    path.write_bytes(converter.convert())
    return path


def test_a_tflite_file_by_its_interpreter(int8_file):
    from ai_edge_litert.interpreter import Interpreter

    graph = tflite_graph(int8_file)
    found = {box.title: box for box in file_boxes(graph)}
    interpreter = Interpreter(str(int8_file))
    scale, zero = interpreter.get_input_details()[0]["quantization"]
    first, conv = next(iter(found.values())), found["CONV_2D"]
    assert first.corner == "1 x 6 x 6 x 3 int8"
    assert first.lines == ("input", f"scale {scale:.4g}, zero point {zero}")
    assert conv.corner == "1 x 2 x 2 x 4 int8"
    assert "strides 2 x 2, relu" in conv.lines[0]
    assert conv.lines[1] == "4 x 3 x 3 x 3 int8; 4 int32"
    assert conv.lines[2].startswith("4 scales ")
    assert conv.lines[2].endswith("zero point 0")
    scale, zero = interpreter.get_output_details()[0]["quantization"]
    assert found["FULLY_CONNECTED"].lines[3] == f"output: scale {scale:.4g}, zero point {zero}"
    assert (conv.family, found["FULLY_CONNECTED"].family) == ("convolution", "dense")
    assert file_title("small.tflite", graph, 10).startswith("small.tflite: ")


def onnx_file(path):
    """A matrix product whose matrix is stored as int8, its input quantized on the spot."""
    arrays = {
        "w8": np.ones((3, 2), np.int8),
        "ws": np.array([0.5, 0.25], np.float32),
        "wz": np.zeros(2, np.int8),
        "xs": np.float32(0.1),
        "xz": np.int8(-5),
        "b": np.zeros(2, np.float32),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["w8", "ws", "wz"], ["w"], axis=1),
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["x8"]),
        helper.make_node("DequantizeLinear", ["x8", "xs", "xz"], ["xd"]),
        helper.make_node("Gemm", ["xd", "w", "b"], ["y"], name="product"),
        helper.make_node("Relu", ["y"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def test_an_onnx_file_by_hand(tmp_path):
    graph = onnx_graph(onnx_file(tmp_path / "small.onnx"))
    boxes = file_boxes(graph)
    assert [box.title for box in boxes] == ["x", "Gemm", "Relu"]
    x, product, relu = boxes
    assert x.corner == "batch x 3 float32"
    assert x.lines == ("input", "int8, scale 0.1, zero point -5")
    assert product.lines[1] == "3 x 2 int8; 2 float32"
    assert product.lines[2] == "2 scales 0.25 to 0.5, zero point 0"
    assert (product.inputs, relu.inputs, relu.row) == ((0,), (1,), 2)
    assert "5 operators (3 of them written" in file_title("small.onnx", graph, 10)


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_a_file_is_drawn_as_a_user_types_it(tmp_path, kind):
    path = onnx_file(tmp_path / "small.onnx")
    out = tmp_path / f"small.{kind}"
    done = CliRunner().invoke(app, ["--from", str(path), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "5 operators" in done.stdout
    if kind == "svg":
        assert ElementTree.parse(out).getroot().tag.endswith("svg")


def test_damaged_files_end_in_a_message(tmp_path, int8_file):
    whole = int8_file.read_bytes()
    path = tmp_path / "damaged.tflite"
    rng = np.random.default_rng(0)
    for cut in (0, 5, 40, len(whole) // 3):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"damaged or no|does not hold a \.tflite model"):
            tflite_graph(path)
    for _ in range(40):
        content = bytearray(whole)
        for place in rng.integers(8, len(whole), 30):
            content[place] = rng.integers(256)
        path.write_bytes(bytes(content))
        try:
            file_boxes(tflite_graph(path))
        except (DataError, InputError):
            continue
    whole = onnx_file(tmp_path / "small.onnx").read_bytes()
    path = tmp_path / "damaged.onnx"
    # A name that is no UTF-8 among them.
    for content in (b"", b"text", whole[: len(whole) // 2], whole.replace(b"Gemm", b"Ge\xffm")):
        path.write_bytes(content)
        with pytest.raises(DataError, match="damaged or no"):
            onnx_graph(path)


def test_size_is_bounded(tmp_path, monkeypatch, int8_file):
    path = onnx_file(tmp_path / "small.onnx")
    for module in ("onnx_files", "draw.tflite_file"):
        monkeypatch.setattr(f"hsitf.{module}.MAX_BYTES", 10)
    for read, file in ((onnx_graph, path), (tflite_graph, int8_file)):
        with pytest.raises(DataError, match="too large"):
            read(file)
    monkeypatch.undo()
    monkeypatch.setattr("hsitf.draw.file_graph.MAX_OPERATORS", 1)
    for read, file in ((onnx_graph, path), (tflite_graph, int8_file)):
        with pytest.raises(InputError, match="too many operators for a drawing"):
            read(file)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--from", "nowhere.tflite"), "there is no file nowhere.tflite"),
        (("--from", "small.onnx", "--against", "x"), "between runs"),
    ],
)
def test_what_cannot_be_drawn_of_a_file_is_said(words, message, tmp_path, monkeypatch):
    onnx_file(tmp_path / "small.onnx")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, list(words))
    assert message in str(done.exception)
