"""Ranges of every tensor of a float .tflite file, seen on calibration patches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hsitf.quantize.ranges import Histogram, histogram
from hsitf.quantize.schemes import Floats
from hsitf.quiet import quietly


def observe(path: Path, patches: Floats) -> dict[str, Histogram]:
    """Runs a file and counts the values of its tensors.

    Args:
        path: A .tflite file that computes in floats.
        patches: (n, patch, patch, bands) float32, n a multiple of the file's batch.

    Returns:
        By name of the tensor; constants are left out.
    """
    lows: dict[str, float] = {}
    highs: dict[str, float] = {}
    running = _Running(path)
    for batch in running.batches(patches):
        for name, values in running(batch).items():
            lows[name] = min(lows.get(name, np.inf), float(values.min()))
            highs[name] = max(highs.get(name, -np.inf), float(values.max()))
    counts: dict[str, Histogram] = {}
    for batch in running.batches(patches):
        for name, values in running(batch).items():
            part = histogram(values, lows[name], highs[name])
            known = counts.get(name)
            counts[name] = (
                part
                if known is None
                else Histogram(part.low, part.high, known.counts + part.counts)
            )
    return counts


class _Running:
    """A file whose tensors can all be looked at after each inference."""

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
        self._source, self._shape = source["index"], tuple(source["shape"])
        self._tensors = _variable(self._interpreter, path)

    def batches(self, patches: Floats) -> list[Floats]:
        """Patches as the file takes them."""
        size = self._shape[0]
        return [patches[at : at + size] for at in range(0, len(patches) - size + 1, size)]

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
