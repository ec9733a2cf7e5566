"""Reads and writes .tflite flatbuffers as objects of their schema."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from hsitf.array_files import damage_reported

MAX_ELEMENTS = 1 << 30
"""Numbers of a tensor; of the largest here, an image of 10,000 x 10,000 pixels has fewer."""

# Inputs without which an operator is none. Kernels, and the delegate for CPUs before them, go to
# the second and third without counting.
_LEAST_INPUTS = {
    name: least
    for least, names in {
        1: """
            ABS AVERAGE_POOL_2D CAST CONCATENATION DEPTH_TO_SPACE DEQUANTIZE ELU EXP
            GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC LOG_SOFTMAX MAX_POOL_2D NEG PACK
            QUANTIZE RELU RELU6 RELU_N1_TO_1 RESHAPE RSQRT SHAPE SOFTMAX
            SPACE_TO_DEPTH SQRT SQUARE SQUEEZE TANH UNPACK
        """,
        2: """
            ADD ARG_MAX ARG_MIN BATCH_MATMUL BROADCAST_TO CONV_2D CONV_3D CUMSUM
            DEPTHWISE_CONV_2D DIV EXPAND_DIMS FULLY_CONNECTED GATHER GATHER_ND
            MAXIMUM MEAN MINIMUM MIRROR_PAD MUL PAD POW PRELU REDUCE_MAX REDUCE_MIN
            REDUCE_PROD RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 SPLIT
            SQUARED_DIFFERENCE SUB SUM TILE TRANSPOSE
        """,
        3: """
            BATCH_TO_SPACE_ND CONV_3D_TRANSPOSE DYNAMIC_UPDATE_SLICE PADV2 SELECT_V2
            SLICE SPACE_TO_BATCH_ND SPLIT_V TRANSPOSE_CONV
        """,
        4: "STRIDED_SLICE",
    }.items()
    for name in names.split()
}


def read(path: Path) -> Any:
    """Reads a .tflite file as the schema's `ModelT`, with constants inside their buffers.

    Larger files may store constants after the flatbuffer, as litert-quantizer writes them.

    Raises:
        DataError: It is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    with damage_reported(path, "a .tflite model", "export it again"):
        whole = path.read_bytes()
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(whole))
        for buffer in model.buffers:
            # Offsets 0 and 1 mean that the constant is not stored after the flatbuffer.
            if buffer.offset > 1:
                kept = whole[buffer.offset : buffer.offset + buffer.size]
                buffer.data, buffer.offset, buffer.size = np.frombuffer(kept, np.uint8), 0, 0
    return model


def check_tflite(path: Path) -> None:
    """Refuses a .tflite file whose parts are not where it says.

    Interpreters go where a file points them without looking, and end the process where that leads
    out of it.

    Raises:
        DataError: It is damaged.
    """
    model = read(path)
    with damage_reported(path, "a .tflite model", "export it again"):
        _check_indices(model)
        _check_inputs(model)


def _check_indices(model: Any) -> None:
    """Raises a ValueError where a number of a tensor, a buffer or an operator is out of range."""
    codes, buffers = len(model.operatorCodes), len(model.buffers)
    if not len(model.subgraphs):
        raise ValueError("no graph")
    for graph in model.subgraphs:
        tensors = len(graph.tensors)
        for what, found, least, end in (
            ("buffer", [one.buffer for one in graph.tensors], 0, buffers),
            ("operator", [one.opcodeIndex for one in graph.operators], 0, codes),
            ("input", _numbers(graph.inputs), 0, tensors),
            ("output", _numbers(graph.outputs), 0, tensors),
            # An input that is left out is -1.
            ("tensor", [n for one in graph.operators for n in _numbers(one.inputs)], -1, tensors),
            ("tensor", [n for one in graph.operators for n in _numbers(one.outputs)], 0, tensors),
        ):
            if outside := [number for number in found if not least <= number < end]:
                raise ValueError(f"{what} {outside[0]} of {end}")
        for tensor in graph.tensors:
            sizes = _numbers(tensor.shape)
            if any(size < 0 for size in sizes) or math.prod(sizes) > MAX_ELEMENTS:
                raise ValueError(f"a tensor of shape {sizes}")


def _check_inputs(model: Any) -> None:
    """Raises a ValueError where an operator lacks inputs that its kernels read unseen."""
    for graph in model.subgraphs:
        for operator in graph.operators:
            name = operator_name(model, operator)
            given = [number for number in _numbers(operator.inputs) if number >= 0]
            if len(given) < (least := _LEAST_INPUTS.get(name, 0)):
                raise ValueError(f"{name} with {len(given)} of {least} inputs")
            if least and not _numbers(operator.outputs):
                raise ValueError(f"{name} without an output")


def _numbers(vector: Any) -> list[int]:
    """The numbers of a vector, which is None or a list where it is empty."""
    return [] if vector is None else [int(number) for number in vector]


def to_bytes(model: Any) -> bytes:
    """Serializes a model to the content of a .tflite file."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def to_shared_bytes(model: Any) -> bytes:
    """Serializes a model with equal vectors, quantizations and options written once.

    Tables of a flatbuffer may point to the same part; readers do not see a difference.
    """
    import flatbuffers

    class Builder(flatbuffers.Builder):  # type: ignore[misc]
        """A builder that returns the place of an equal vector of numbers where there is one."""

        def CreateNumpyVector(self, x: Any) -> Any:  # noqa: N802
            key = (x.dtype.str, x.tobytes())
            if key not in written:
                written[key] = super().CreateNumpyVector(x)
            return written[key]

    written: dict[Any, Any] = {}
    builder = Builder(1 << 20)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.quantization = _shared(tensor.quantization, written)
        for operator in graph.operators:
            operator.builtinOptions = _shared(operator.builtinOptions, written)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class _Shared:
    """An object of the schema that is packed once for all equal ones.

    Args:
        part: The object.
        key: What equal ones have in common.
        written: Places of parts by their keys, for one builder.
    """

    def __init__(self, part: Any, key: Any, written: dict[Any, Any]) -> None:
        self._part, self._key, self._written = part, key, written

    def Pack(self, builder: Any) -> Any:  # noqa: N802
        """Packs the object, or returns the place of an equal one."""
        if self._key not in self._written:
            self._written[self._key] = self._part.Pack(builder)
        return self._written[self._key]


def _shared(part: Any, written: dict[Any, Any]) -> Any:
    """The part, packed once for all equal ones; as it is where it holds further objects."""
    if part is None:
        return None
    facts = []
    for name, value in vars(part).items():
        if hasattr(value, "Pack"):
            return part
        if isinstance(value, list | tuple):
            value = np.asarray(value)
        facts.append((name, value.tobytes() if isinstance(value, np.ndarray) else value))
    return _Shared(part, (type(part).__name__, *facts), written)


def operator_name(model: Any, operator: Any) -> str:
    """Name of an operator in the schema, such as CONV_2D."""
    code = model.operatorCodes[operator.opcodeIndex]
    # Codes beyond 127 did not fit into the older field.
    return _operators()[max(code.builtinCode, code.deprecatedBuiltinCode)]


@cache
def _operators() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return enum_names(schema.BuiltinOperator)


def enum_names(enumeration: type) -> dict[int, str]:
    """Names of a schema enumeration by value."""
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}
