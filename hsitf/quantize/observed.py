"""Ranges of every tensor of a float file, seen on calibration patches."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hsitf.quantize.ranges import Histogram, histogram
from hsitf.quantize.schemes import Floats
from hsitf.quiet import quietly


def observe(path: Path, patches: Floats) -> dict[str, Histogram]:
    """Runs a file and counts the values of its tensors.

    Args:
        path: A .tflite or .onnx file that computes in floats.
        patches: (n, patch, patch, bands) float32, n a multiple of the file's batch.

    Returns:
        By name of the tensor; constants are left out.
    """
    lows: dict[str, float] = {}
    highs: dict[str, float] = {}
    running = _RUNNING[path.suffix](path)
    for batch in _batches(running, patches):
        for name, values in running(batch).items():
            lows[name] = min(lows.get(name, np.inf), float(values.min()))
            highs[name] = max(highs.get(name, -np.inf), float(values.max()))
    counts: dict[str, Histogram] = {}
    for batch in _batches(running, patches):
        for name, values in running(batch).items():
            part = histogram(values, lows[name], highs[name])
            known = counts.get(name)
            counts[name] = (
                part
                if known is None
                else Histogram(part.low, part.high, known.counts + part.counts)
            )
    return counts


class _Running(Protocol):
    """A file whose tensors can all be looked at after each inference.

    Attributes:
        batch: Patches an inference takes.
    """

    batch: int

    def __call__(self, batch: Floats) -> dict[str, Floats]:
        """Values by name of the tensor."""


def _batches(running: _Running, patches: Floats) -> list[Floats]:
    """Patches as the file takes them."""
    size = running.batch
    return [patches[at : at + size] for at in range(0, len(patches) - size + 1, size)]


class _LiteRT:
    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        # A delegate would compute without ever filling the tensors between its operators.
        with quietly():
            self._interpreter = Interpreter(
                model_path=str(path), experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )  # fmt: skip
            self._interpreter.allocate_tensors()
        (source,) = self._interpreter.get_input_details()
        self._source, self.batch = source["index"], int(source["shape"][0])
        self._tensors = _variable(self._interpreter, path)

    def __call__(self, batch: Floats) -> dict[str, Floats]:
        self._interpreter.set_tensor(self._source, batch)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(at) for name, at in self._tensors.items()}


def _variable(interpreter: Any, path: Path) -> dict[str, int]:
    """Number by name of the float tensors that are not constants."""
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes())).subgraphs[0]
    made = {int(at) for operator in graph.operators for at in operator.outputs}
    made |= {int(at) for at in graph.inputs}
    return {
        graph.tensors[at].name.decode(): at
        for at in sorted(made)
        if graph.tensors[at].type == schema.TensorType.FLOAT32
    }


class _OnnxRuntime:
    def __init__(self, path: Path) -> None:
        import onnx
        import onnxruntime as ort

        model = onnx.load(path)
        graph = model.graph
        known = {value.name: value for value in [*graph.value_info, *graph.output]}
        made = [name for node in graph.node for name in node.output]
        self._names = [name for name in made if _is_float(known.get(name))]
        given = {value.name for value in graph.output}
        graph.output.extend(known[name] for name in self._names if name not in given)
        options = ort.SessionOptions()
        options.log_severity_level = 3
        # Fused operators would leave out what lies between them.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        (source,) = self._session.get_inputs()
        self._source, self.batch = source.name, int(source.shape[0])

    def __call__(self, batch: Floats) -> dict[str, Floats]:
        found = self._session.run(self._names, {self._source: batch})
        return {self._source: batch, **dict(zip(self._names, found, strict=True))}


def _is_float(value: Any) -> bool:
    from onnx import TensorProto

    return value is not None and value.type.tensor_type.elem_type == TensorProto.FLOAT


_RUNNING: dict[str, type[_LiteRT] | type[_OnnxRuntime]] = {
    ".tflite": _LiteRT, ".onnx": _OnnxRuntime,
}  # fmt: skip
