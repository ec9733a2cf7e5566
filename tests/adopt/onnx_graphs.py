"""ONNX graphs for tests, written by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from hsitf.adopt.onnx import read
from hsitf.adopt.source import ReadingContext, SourceNetwork
from hsitf.graph import operations

CONTEXT = ReadingContext(components=6, classes=5)
RNG = np.random.default_rng(0)


def weight(*shape: int) -> np.ndarray:
    return np.asarray(RNG.normal(size=shape, scale=0.5), np.float32)


def number(value: float) -> np.ndarray:
    return np.array(value, np.float32)


def positive(*shape: int) -> np.ndarray:
    return np.asarray(RNG.uniform(0.5, 1.5, size=shape), np.float32)


def node(kind: str, inputs: str, outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    """A node; names of inputs and outputs are separated by blanks, "-" leaves one out."""
    names = [["" if name == "-" else name for name in text.split()] for text in (inputs, outputs)]
    return helper.make_node(kind, *names, name=f"{kind}_{outputs.split()[0]}", **attributes)


@dataclass
class Graph:
    """A graph from x to y, with its weights by name."""

    nodes: list[onnx.NodeProto]
    shape: tuple[int | str, ...]
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    opset: int = 17
    # Where ONNX cannot infer it.
    output: tuple[Any, ...] | None = None

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "tested",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, self.output)],
            [numpy_helper.from_array(array, name) for name, array in self.weights.items()],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8
        )
        # The output's shape, which a file has to have.
        return onnx.shape_inference.infer_shapes(model, data_prop=True)


def adopted(
    model: onnx.ModelProto, folder: Path, context: ReadingContext = CONTEXT
) -> SourceNetwork:
    path = folder / "network.onnx"
    onnx.save(model, path)
    return read(path, context)


def assert_equal(model: onnx.ModelProto, folder: Path, scale: float = 1.0) -> SourceNetwork:
    """Adopts a graph and compares it with ONNX Runtime on inputs of its own."""
    source = adopted(model, folder)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    count = model.graph.input[0].type.tensor_type.shape.dim[0].dim_value or 3
    x = scale * weight(count, *source.model.inputs[0].shape[1:])
    (expected,) = session.run(None, {"x": x})
    received = np.asarray(source.model(x))
    assert received.shape == expected.shape
    np.testing.assert_allclose(received, expected, atol=1e-5 * max(1, np.abs(expected).max()))
    assert source.reference is not None
    np.testing.assert_allclose(source.reference([x]), expected, atol=1e-6)
    return source


def kinds(source: SourceNetwork) -> list[str]:
    return [type(operation).__name__ for operation in operations(source.model)]
