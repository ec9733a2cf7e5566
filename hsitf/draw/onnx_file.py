"""The graph of an .onnx file, for a drawing.

Constants that a file stores as integers with a DequantizeLinear behind them are shown at the
operator that takes them, with their scales; so is a QuantizeLinear with its DequantizeLinear at the
tensor between them, as engines fuse them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hsitf.draw.file_graph import FileGraph, FileOperator, FileTensor, check_number
from hsitf.errors import DataError, HsitfError
from hsitf.onnx_files import read_onnx

_SETTINGS = ("strides", "dilations", "kernel_shape", "group", "axis", "axes")
_QUANTIZERS = ("QuantizeLinear", "DequantizeLinear")


def onnx_graph(path: Path) -> FileGraph:
    """Reads the graph of an .onnx file; nothing of it is run, and no other file is opened.

    Raises:
        InputError: It has too many operators for a drawing.
        DataError: It is damaged, too large or no .onnx file.
    """
    try:
        return _Reader(path).graph()
    except HsitfError:
        raise
    # What protobuf and shape inference raise has no common base below Exception.
    except Exception as error:
        raise DataError(
            f"{path} is damaged or no .onnx file", remedy="export the network again"
        ) from error


class _Reader:
    """The tensors of a file by name, numbered as they are met."""

    def __init__(self, path: Path) -> None:
        import onnx

        model = read_onnx(path)
        check_number(path, len(model.graph.node))
        self._graph = onnx.shape_inference.infer_shapes(model).graph
        self._constants = {one.name: one for one in self._graph.initializer}
        self._tensors: list[FileTensor] = []
        self._numbers: dict[str, int] = {}
        # Names of tensors that are others, quantized and dequantized.
        self._same: dict[str, str] = {}
        self._folded = 0
        self._takers: dict[str, set[str]] = {value.name: {""} for value in self._graph.output}
        for node in self._graph.node:
            for name in node.input:
                self._takers.setdefault(name, set()).add(node.op_type)

    def graph(self) -> FileGraph:
        self._read_tensors()
        inputs = tuple(
            self._numbers[value.name]
            for value in self._graph.input
            if value.name not in self._constants
        )
        # In the order of the nodes: constants are known before what takes them.
        operators = tuple(
            self._operator(node) for node in self._graph.node if not self._is_stored(node)
        )
        return FileGraph(tuple(self._tensors), inputs, operators, folded=self._folded)

    def _read_tensors(self) -> None:
        graph = self._graph
        for value in (*graph.input, *graph.output, *graph.value_info):
            if value.name not in self._constants:
                self._add(_declared(value))
        for constant in self._constants.values():
            self._add(
                FileTensor(
                    constant.name,
                    tuple(int(size) for size in constant.dims),
                    _type_name(constant.data_type),
                    constant=True,
                )
            )

    def _add(self, tensor: FileTensor) -> int:
        if tensor.name not in self._numbers:
            self._numbers[tensor.name] = len(self._tensors)
            self._tensors.append(tensor)
        return self._numbers[tensor.name]

    def _number(self, name: str) -> int:
        return self._add(FileTensor(self._same.get(name, name), ("?",), "unknown type"))

    def _is_stored(self, node: Any) -> bool:
        """Whether a node is shown at a tensor: it makes a constant, or only quantizes."""
        stored = self._is_constant(node) or self._is_between(node)
        self._folded += stored
        return stored

    def _is_between(self, node: Any) -> bool:
        """Whether a node is one of a pair that quantizes a tensor and dequantizes it at once."""
        if node.op_type == "DequantizeLinear" and node.input[0] in self._same:
            self._same[node.output[0]] = self._same[node.input[0]]
            return True
        takers = self._takers.get(node.output[0])
        if node.op_type != "QuantizeLinear" or takers != {"DequantizeLinear"}:
            return False
        number = self._number(node.input[0])
        tensor = self._tensors[number]
        scales, zeros = self._quantization(node)
        if not scales or tensor.scales not in ((), scales):
            return False
        stored_as = self._tensors[self._number(node.output[0])].dtype
        self._tensors[number] = replace(
            tensor, scales=scales, zero_points=zeros, stored_as=stored_as
        )
        self._same[node.output[0]] = tensor.name
        return True

    def _is_constant(self, node: Any) -> bool:
        """Whether a node only makes a constant; its output is then shown as one."""
        if node.op_type == "Constant":
            number = self._number(node.output[0])
            self._tensors[number] = replace(self._tensors[number], constant=True)
            return True
        if node.op_type != "DequantizeLinear" or node.input[0] not in self._constants:
            return False
        number = self._number(node.output[0])
        stored = self._tensors[self._numbers[node.input[0]]]
        scales, zeros = self._quantization(node)
        self._tensors[number] = replace(
            stored, name=node.output[0], scales=scales, zero_points=zeros
        )
        return True

    def _operator(self, node: Any) -> FileOperator:
        given = [name for name in node.input if name]
        if node.op_type in _QUANTIZERS:
            # The scale is that of the integers, which leave one and enter the other.
            scales, zeros = self._quantization(node)
            number = self._number(node.output[0])
            self._tensors[number] = replace(self._tensors[number], scales=scales, zero_points=zeros)
            given = given[:1]
        return FileOperator(
            node.op_type,
            _settings(node),
            tuple(self._number(name) for name in given),
            tuple(self._number(name) for name in node.output if name),
        )

    def _quantization(self, node: Any) -> tuple[tuple[float, ...], tuple[int, ...]]:
        """Scales and zero points of a (de)quantizing node; empty where they are computed."""
        from onnx import numpy_helper

        values = [self._constants.get(name) for name in node.input[1:3]]
        found = [
            [] if one is None else np.ravel(numpy_helper.to_array(one)).tolist() for one in values
        ]
        scales, zeros = (*found, [])[:2]
        return tuple(map(float, scales)), tuple(map(int, zeros))


def _declared(value: Any) -> FileTensor:
    kind = value.type.tensor_type
    shape = tuple(
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?"
        for dim in kind.shape.dim
    )
    return FileTensor(value.name, shape, _type_name(kind.elem_type))


def _type_name(number: int) -> str:
    from onnx import TensorProto

    name = str(TensorProto.DataType.Name(number)).lower()
    # ONNX says "float" for 32 bits.
    return {"float": "float32", "double": "float64"}.get(name, name)


def _settings(node: Any) -> str:
    """The settings of a node that are not usual."""
    parts = []
    for one in node.attribute:
        values = list(one.ints) if len(one.ints) else [one.i]
        if one.name in _SETTINGS and (one.name in ("axis", "axes") or set(values) != {1}):
            parts.append(f"{one.name.replace('_', ' ')} {' x '.join(map(str, values))}")
    return ", ".join(parts)
