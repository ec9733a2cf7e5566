""".tflite files as objects of their schema, read and written."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


def read(path: Path) -> Any:
    """A .tflite file as the schema's `ModelT`, its constants inside their buffers.

    Larger files may keep constants behind the flatbuffer, as ai-edge-quantizer writes them.
    """
    from ai_edge_litert import schema_py_generated as schema

    whole = path.read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(whole))
    for buffer in model.buffers:
        # 0 and 1 say that there is nothing behind.
        if buffer.offset > 1:
            kept = whole[buffer.offset : buffer.offset + buffer.size]
            buffer.data, buffer.offset, buffer.size = np.frombuffer(kept, np.uint8), 0, 0
    return model


def written(model: Any) -> bytes:
    """The file of a model."""
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def kind(model: Any, operator: Any) -> str:
    """What an operator is called in the schema, such as CONV_2D."""
    code = model.operatorCodes[operator.opcodeIndex]
    # Codes beyond 127 did not fit into the older field.
    return _operators()[max(code.builtinCode, code.deprecatedBuiltinCode)]


@cache
def _operators() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return named(schema.BuiltinOperator)


def named(enumeration: type) -> dict[int, str]:
    """The names of an enumeration of the schema by their numbers."""
    return {value: name for name, value in vars(enumeration).items() if not name.startswith("_")}
