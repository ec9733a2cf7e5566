"""Ranges of every tensor of a float file, seen on calibration patches."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hsitf.quantize.ranges import Histogram, histogram
from hsitf.quantize.schemes import Floats
from hsitf.quiet import quietly
from hsitf.records import Tensor
from hsitf.runtimes import dequantize, litert_tensor, quantize


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
    for batch in batches(running, patches):
        for name, values in running(batch).items():
            lows[name] = min(lows.get(name, np.inf), float(values.min()))
            highs[name] = max(highs.get(name, -np.inf), float(values.max()))
    counts: dict[str, Histogram] = {}
    for batch in batches(running, patches):
        for name, values in running(batch).items():
            part = histogram(values, lows[name], highs[name])
            known = counts.get(name)
            counts[name] = (
                part
                if known is None
                else Histogram(part.low, part.high, known.counts + part.counts)
            )
    return counts


class Running(Protocol):
    """A file whose tensors can all be looked at after each inference.

    Attributes:
        batch: Patches an inference takes.
    """

    batch: int

    def __call__(self, batch: Floats) -> dict[str, Floats]:
        """Values by name of the tensor."""


def batches(running: Running, patches: Floats) -> list[Floats]:
    """Patches as the file takes them; what fills no batch is left out."""
    size = running.batch
    return [patches[at : at + size] for at in range(0, len(patches) - size + 1, size)]


class Stepping:
    """A .tflite file, of floats or integers, that shows what every operator makes.

    Args:
        file: Where it lies, or its bytes.
        names: Of the tensors to show; None for all.

    Attributes:
        batch: Patches an inference takes.
    """

    def __init__(self, file: Path | bytes, names: Collection[str] | None = None) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        given = {"model_content": file} if isinstance(file, bytes) else {"model_path": str(file)}
        # A delegate would compute without ever filling the tensors between its operators.
        with quietly():
            self._interpreter = Interpreter(
                **given,
                experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            self._interpreter.allocate_tensors()
        (source,) = self._interpreter.get_input_details()
        self._source, self._grid = source["index"], litert_tensor(source)
        self.batch = int(source["shape"][0])
        made = _real(self._interpreter)
        self._made = {at: t for at, t in made.items() if names is None or t.name in names}

    def __call__(self, batch: Floats) -> dict[str, Floats]:
        """Runs (batch, ...) float32; values by name of the tensor, integers as what they mean."""
        self._interpreter.set_tensor(self._source, quantize(batch, self._grid))
        self._interpreter.invoke()
        return {
            grid.name: dequantize(self._interpreter.get_tensor(at), grid)
            for at, grid in self._made.items()
        }


def _real(interpreter: Any) -> dict[int, Tensor]:
    """By number, the tensors that stand for real numbers and are not constants."""
    made = {int(at) for node in interpreter._get_ops_details() for at in node["outputs"]}
    made |= {details["index"] for details in interpreter.get_input_details()}
    told = {details["index"]: details for details in interpreter.get_tensor_details()}
    tensors = {at: litert_tensor(told[at]) for at in sorted(made)}
    return {
        at: tensor
        for at, tensor in tensors.items()
        if tensor.dtype == "float32" or tensor.scale is not None
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


_RUNNING: dict[str, type[Stepping] | type[_OnnxRuntime]] = {
    ".tflite": Stepping,
    ".onnx": _OnnxRuntime,
}
