"""Statistics of every tensor of an exported file on calibration patches."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hsitf.arrays import Float32Array
from hsitf.log_silencing import suppressed_output
from hsitf.quantize.range_estimation import Histogram, histogram
from hsitf.records import TensorSpec
from hsitf.runtimes import dequantize, litert_tensor, quantize


def collect_statistics(path: Path, patches: Float32Array) -> dict[str, Histogram]:
    """Runs a float file on patches and collects a histogram of every tensor.

    Args:
        path: A .tflite or .onnx file that computes in floats.
        patches: (n, patch, patch, bands) float32, n a multiple of the file's batch.

    Returns:
        Histograms by tensor name; constants are left out.
    """
    lows: dict[str, float] = {}
    highs: dict[str, float] = {}
    running = _RECORDERS[path.suffix](path)
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


class Recorder(Protocol):
    """Runs a file and records its intermediate tensors.

    Attributes:
        batch: Patches per inference.
    """

    batch: int

    def __call__(self, batch: Float32Array) -> dict[str, Float32Array]:
        """Runs one batch and returns the values by tensor name."""


def batches(running: Recorder, patches: Float32Array) -> list[Float32Array]:
    """Splits patches into batches of a file; an incomplete batch is left out."""
    size = running.batch
    return [patches[at : at + size] for at in range(0, len(patches) - size + 1, size)]


class TensorRecorder:
    """Records the outputs of every operator of a float or integer .tflite file.

    Args:
        file: Path of the file, or its bytes.
        names: Names of the tensors to record; None for all.

    Attributes:
        batch: Patches per inference.
    """

    def __init__(self, file: Path | bytes, names: Collection[str] | None = None) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        given = {"model_content": file} if isinstance(file, bytes) else {"model_path": str(file)}
        # A delegate would leave the tensors between its operators empty.
        with suppressed_output():
            self._interpreter = Interpreter(
                **given,
                experimental_preserve_all_tensors=True,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            self._interpreter.allocate_tensors()
        (source,) = self._interpreter.get_input_details()
        self._source, self._grid = source["index"], litert_tensor(source)
        self.batch = int(source["shape"][0])
        made = _real_tensors(self._interpreter)
        self._made = {at: t for at, t in made.items() if names is None or t.name in names}

    def __call__(self, batch: Float32Array) -> dict[str, Float32Array]:
        """Runs (batch, ...) float32 and returns real values by tensor name."""
        self._interpreter.set_tensor(self._source, quantize(batch, self._grid))
        self._interpreter.invoke()
        return {
            grid.name: dequantize(self._interpreter.get_tensor(at), grid)
            for at, grid in self._made.items()
        }


def _real_tensors(interpreter: Any) -> dict[int, TensorSpec]:
    """The tensors that represent real numbers and are not constants, by index."""
    made = {int(at) for node in interpreter._get_ops_details() for at in node["outputs"]}
    made |= {details["index"] for details in interpreter.get_input_details()}
    details_of = {details["index"]: details for details in interpreter.get_tensor_details()}
    tensors = {at: litert_tensor(details_of[at]) for at in sorted(made)}
    return {
        at: tensor
        for at, tensor in tensors.items()
        if tensor.dtype == "float32" or tensor.scale is not None
    }


class _OnnxRecorder:
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
        # Fused operators would not output the tensors between them.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        (source,) = self._session.get_inputs()
        self._source, self.batch = source.name, int(source.shape[0])

    def __call__(self, batch: Float32Array) -> dict[str, Float32Array]:
        found = self._session.run(self._names, {self._source: batch})
        return {self._source: batch, **dict(zip(self._names, found, strict=True))}


def _is_float(value: Any) -> bool:
    from onnx import TensorProto

    return value is not None and value.type.tensor_type.elem_type == TensorProto.FLOAT


_RECORDERS: dict[str, type[TensorRecorder] | type[_OnnxRecorder]] = {
    ".tflite": TensorRecorder,
    ".onnx": _OnnxRecorder,
}
