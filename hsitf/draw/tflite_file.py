"""The graph of a .tflite file, for a drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hsitf import flatbuffer
from hsitf.draw.file_graph import FileGraph, FileOperator, FileTensor, check_number
from hsitf.errors import DataError, HsitfError

# A flatbuffer counts its bytes in 31 bits.
MAX_BYTES = 2**31
_IDENTIFIER = b"TFL3"
# Settings that are shown, by the attribute of an operator's options.
_SETTINGS = {
    "strides": ("strideH", "strideW"),
    "dilation": ("dilationHFactor", "dilationWFactor"),
    "window": ("filterHeight", "filterWidth"),
}


def tflite_graph(path: Path) -> FileGraph:
    """Reads the first graph of a .tflite file; nothing of it is run.

    Raises:
        InputError: It has too many operators for a drawing.
        DataError: It is damaged, too large or no .tflite file.
    """
    _check(path)
    try:
        return _graph(path, flatbuffer.read(path))
    except HsitfError:
        raise
    # Damaged flatbuffers lead anywhere: errors of any type.
    except Exception as error:
        raise _damaged(path) from error


def _check(path: Path) -> None:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(
            f"{path} is too large for a .tflite file",
            received=f"{size:,} bytes",
            allowed=f"{MAX_BYTES:,} bytes",
        )
    with path.open("rb") as stream:
        if stream.read(8)[4:] != _IDENTIFIER:
            raise _damaged(path)


def _damaged(path: Path) -> DataError:
    return DataError(f"{path} is damaged or no .tflite file", remedy="export the network again")


def _graph(path: Path, model: Any) -> FileGraph:
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    check_number(path, len(graph.operators))
    types = {n: name.lower() for n, name in flatbuffer.enum_names(schema.TensorType).items()}
    activations = flatbuffer.enum_names(schema.ActivationFunctionType)
    made = {index for operator in graph.operators for index in operator.outputs}
    tensors = tuple(_tensor(one, model.buffers, types) for one in graph.tensors)
    found = FileGraph(
        tensors,
        tuple(int(index) for index in graph.inputs),
        tuple(
            FileOperator(
                flatbuffer.operator_name(model, operator),
                _settings(operator.builtinOptions, activations),
                # -1 stands for an optional input that is not there.
                tuple(int(index) for index in operator.inputs if index >= 0),
                tuple(int(index) for index in operator.outputs),
            )
            for operator in graph.operators
        ),
        len(model.subgraphs) - 1,
    )
    used = {index for one in found.operators for index in (*one.inputs, *one.outputs)}
    if not found.operators or not made or max(used | set(found.inputs)) >= len(tensors):
        raise _damaged(path)
    return found


def _tensor(tensor: Any, buffers: Any, types: dict[int, str]) -> FileTensor:
    shape: tuple[int | str, ...] = ()
    if tensor.shape is not None:
        shape = tuple(int(size) for size in tensor.shape)
    signature = tensor.shapeSignature
    if signature is not None and len(signature) == len(shape):
        shape = tuple("?" if open_ == -1 else n for n, open_ in zip(shape, signature, strict=True))
    data = buffers[tensor.buffer].data
    grid = tensor.quantization
    scales = () if grid is None or grid.scale is None else np.asarray(grid.scale).tolist()
    zeros = () if grid is None or grid.zeroPoint is None else np.asarray(grid.zeroPoint).tolist()
    return FileTensor(
        (tensor.name or b"").decode("utf-8", "replace"),
        shape,
        types[tensor.type],
        tuple(scales),
        tuple(zeros),
        data is not None and len(data) > 0,
    )


def _settings(options: Any, activations: dict[int, str]) -> str:
    """What the options of an operator say, as far as it is not usual."""
    parts = []
    for name, (rows, cols) in _SETTINGS.items():
        sizes = getattr(options, rows, None), getattr(options, cols, None)
        if None not in sizes and sizes != (1, 1):
            parts.append(f"{name} {sizes[0]} x {sizes[1]}")
    activation = getattr(options, "fusedActivationFunction", 0)
    if activation:
        parts.append(activations.get(activation, "activation").lower())
    return ", ".join(parts)
