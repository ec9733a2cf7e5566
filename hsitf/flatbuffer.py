"""Reads and writes .tflite flatbuffers as objects of their schema."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


def read(path: Path) -> Any:
    """Reads a .tflite file as the schema's `ModelT`, with constants inside their buffers.

    Larger files may store constants after the flatbuffer, as ai-edge-quantizer writes them.
    """
    from ai_edge_litert import schema_py_generated as schema

    whole = path.read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(whole))
    for buffer in model.buffers:
        # Offsets 0 and 1 mean that the constant is not stored after the flatbuffer.
        if buffer.offset > 1:
            kept = whole[buffer.offset : buffer.offset + buffer.size]
            buffer.data, buffer.offset, buffer.size = np.frombuffer(kept, np.uint8), 0, 0
    return model


def to_bytes(model: Any) -> bytes:
    """Serializes a model to the content of a .tflite file."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


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
