"""Inspection of exported files: operators by the type they compute in, and tensor ranks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hsitf import flatbuffer, trust
from hsitf.array_files import damage_reported
from hsitf.onnx_files import read_onnx
from hsitf.records import OperatorCount

# Operators that move or convert data without arithmetic. All others count as arithmetic.
DATA_MOVEMENT = frozenset(
    {"CONCATENATION", "DEQUANTIZE", "EXPAND_DIMS", "GATHER", "PACK", "PAD", "PADV2", "QUANTIZE"}
    | {"RESHAPE", "SHAPE", "SLICE", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TRANSPOSE"}
    | {"UNPACK"}
    # ONNX has names of its own.
    | {"Cast", "Concat", "DequantizeLinear", "Expand", "Gather", "Identity", "Pad"}
    | {"QuantizeLinear", "Reshape", "Shape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
)
_INTEGERS = frozenset({"int8", "uint8", "int16"})


@dataclass(frozen=True)
class Contents:
    """Operators of a file and the largest rank of its tensors.

    Attributes:
        operators: Operator counts by name and type, the most frequent first.
        max_rank: Largest number of axes of a tensor.
        dynamic: Whether the size of a tensor is known only at run time.
    """

    operators: tuple[OperatorCount, ...]
    max_rank: int
    dynamic: bool

    @property
    def arithmetic(self) -> tuple[OperatorCount, ...]:
        """The arithmetic operators."""
        return tuple(operator for operator in self.operators if operator.op not in DATA_MOVEMENT)

    @property
    def floating(self) -> tuple[OperatorCount, ...]:
        """The arithmetic operators that do not compute in integers."""
        return tuple(o for o in self.arithmetic if o.dtype not in _INTEGERS)

    @property
    def integer_share(self) -> float:
        """Share of the arithmetic operators that compute in integers."""
        total = sum(operator.count for operator in self.arithmetic)
        return 1 - sum(o.count for o in self.floating) / total if total else 0.0


class Operand(NamedTuple):
    """A tensor read or written by an operator.

    Attributes:
        shape: Shape, batch included.
        dtype: Type as NumPy names it.
        constant: Whether its values are stored in the file.
        dynamic: Whether its size is known only at run time.
    """

    shape: tuple[int, ...]
    dtype: str
    constant: bool
    dynamic: bool


@dataclass(frozen=True, eq=False)
class Node:
    """An operator in the graph of a .tflite file.

    Attributes:
        op: Name in the schema, such as CONV_2D.
        inputs: Input tensors.
        outputs: Output tensors.
        options: Options in the schema's classes; None where it has none.
    """

    op: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    options: Any


def nodes(path: Path) -> tuple[Node, ...]:
    """The operators of a .tflite file, in execution order."""
    from ai_edge_litert import schema_py_generated as schema

    # Named as in NumPy.
    types = {
        value: name.lower() for value, name in flatbuffer.enum_names(schema.TensorType).items()
    }
    model = flatbuffer.read(path)
    found: list[Node] = []
    for graph in model.subgraphs:
        seen = [_operand(tensor, model.buffers, types) for tensor in graph.tensors]
        found += [
            Node(
                flatbuffer.operator_name(model, operator),
                tuple(seen[index] for index in operator.inputs if index >= 0),
                tuple(seen[index] for index in operator.outputs),
                operator.builtinOptions,
            )
            for operator in graph.operators
        ]
    return tuple(found)


def _operand(tensor: Any, buffers: Any, types: dict[int, str]) -> Operand:
    shape = () if tensor.shape is None else tuple(int(size) for size in tensor.shape)
    data = buffers[tensor.buffer].data
    signature = tensor.shapeSignature
    dynamic = signature is not None and -1 in list(signature)
    return Operand(shape, types[tensor.type], data is not None and len(data) > 0, dynamic)


def tflite(path: Path) -> Contents:
    """Reads a .tflite file.

    The type of an operator is that of its first input; float32 arithmetic with int8 weights is
    reported as "float32 (int8 weights)".

    Raises:
        DataError: It is damaged.
    """
    with damage_reported(path, "a .tflite model", "export it again"):
        graph = nodes(path)
        tensors = {tensor for node in graph for tensor in (*node.inputs, *node.outputs)}
        return Contents(
            _counted((node.op, _computing([one.dtype for one in node.inputs])) for node in graph),
            max(len(tensor.shape) for tensor in tensors),
            any(tensor.dynamic for tensor in tensors),
        )


def _computing(kinds: list[str]) -> str:
    if not kinds:
        return "none"
    # What a selection chooses by is no number.
    kinds = [kind for kind in kinds if kind != "bool"] or kinds
    weights = kinds[1] if len(kinds) > 1 else kinds[0]
    return (
        f"{kinds[0]} ({weights} weights)"
        if (kinds[0], weights) == ("float32", "int8")
        else kinds[0]
    )


def onnx(path: Path) -> Contents:
    """Reads an .onnx file.

    The type of an operator is that of its first input, or int8 where all inputs come from
    DequantizeLinear and all outputs go to QuantizeLinear: engines fuse the three.

    Raises:
        DataError: It is damaged.
        InputError: It keeps weights in other files.
    """
    model = read_onnx(path)
    with damage_reported(path, "an ONNX model", "export it again"):
        return _onnx_contents(model)


def _onnx_contents(model: Any) -> Contents:
    from onnx import TensorProto, shape_inference

    try:
        graph = shape_inference.infer_shapes(model).graph
    except shape_inference.InferenceError as error:
        raise ValueError(str(error)) from error
    tensors = {v.name: v.type.tensor_type for v in [*graph.input, *graph.output, *graph.value_info]}
    kinds = {name: tensor.elem_type for name, tensor in tensors.items()}
    kinds |= {constant.name: constant.data_type for constant in graph.initializer}
    fused = _between_integers(graph)
    found = [
        (node.op_type, "int8")
        if node.output[0] in fused
        else (node.op_type, TensorProto.DataType.Name(kinds.get(node.input[0], 0)).lower())
        if node.input
        else (node.op_type, "none")
        for node in graph.node
    ]
    # ONNX says "float" for 32 bits.
    named = [(op, "float32" if kind == "float" else kind) for op, kind in found]
    ranks = [len(tensor.shape.dim) for tensor in tensors.values()]
    ranks += [len(constant.dims) for constant in graph.initializer]
    dynamic = any(dim.dim_param for tensor in tensors.values() for dim in tensor.shape.dim)
    return Contents(_counted(named), max(ranks), dynamic)


def _between_integers(graph: Any) -> set[str]:
    """First outputs of the nodes between DequantizeLinear and QuantizeLinear.

    Constant inputs of a node, such as sizes, are not considered.
    """
    makers = {name: node.op_type for node in graph.node for name in node.output}
    users: dict[str, set[str]] = {value.name: {"the file's user"} for value in graph.output}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, set()).add(node.op_type)
    return {
        node.output[0]
        for node in graph.node
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear")
        and {makers[name] for name in node.input if name in makers} == {"DequantizeLinear"}
        and all(users.get(name, set()) == {"QuantizeLinear"} for name in node.output)
    }


def saved_model(path: Path) -> Contents:
    """Reads a TensorFlow SavedModel folder, its `serve` function with the weights frozen in.

    Raises:
        DataError: It was made elsewhere and is not trusted.
    """
    trust.require(path)
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    loaded = tf.saved_model.load(str(path))
    frozen = convert_variables_to_constants_v2(loaded.signatures["serving_default"])
    found, ranks, dynamic = [], [0], False
    for operation in frozen.graph.get_operations():
        for tensor in operation.outputs:
            ranks.append(tensor.shape.rank or 0)
            dynamic |= not tensor.shape.is_fully_defined()
        if operation.type not in ("Const", "Placeholder", "NoOp", "Identity"):
            kind = operation.inputs[0].dtype.name if operation.inputs else "none"
            found.append((operation.type, kind))
    return Contents(_counted(found), max(ranks), dynamic)


def _counted(found: Iterable[tuple[str, str]]) -> tuple[OperatorCount, ...]:
    return tuple(
        OperatorCount(op, kind, count)
        for (op, kind), count in sorted(Counter(found).items(), key=lambda item: (-item[1], item))
    )
