"""Integer files with unsigned borders, which LiteRT.js takes: it refuses int8 there.

One operator more at each border, QUANTIZE between uint8 and int8 of the same scale, adds or
subtracts 128: `stored uint8 = stored int8 + 128`, so that outputs are the same to the bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hsitf import flatbuffer

_SHIFT = 128


def with_unsigned_borders(file: Path) -> bytes:
    """Content of a .tflite file whose int8 inputs and outputs are uint8.

    Args:
        file: A file of one subgraph; borders of other types stay as they are.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = flatbuffer.read(file)
    graph = model.subgraphs[0]
    code = _quantize_code(model, schema)
    # The schema's objects hold their lists as read-only arrays.
    graph.inputs, graph.outputs = list(graph.inputs), list(graph.outputs)
    renamed = {}
    for position, index in enumerate(graph.inputs):
        if graph.tensors[index].type == schema.TensorType.INT8:
            outer = _unsigned(graph, index, schema)
            graph.operators.insert(0, _operator(code, outer, int(index), schema))
            graph.inputs[position] = renamed["input", int(index)] = outer
    for position, index in enumerate(graph.outputs):
        if graph.tensors[index].type == schema.TensorType.INT8:
            outer = _unsigned(graph, index, schema)
            graph.operators.append(_operator(code, int(index), outer, schema))
            graph.outputs[position] = renamed["output", int(index)] = outer
    for signature in model.signatureDefs or []:
        for border, maps in (("input", signature.inputs), ("output", signature.outputs)):
            for each in maps or []:
                key = (border, int(each.tensorIndex))
                each.tensorIndex = renamed.get(key, each.tensorIndex)
    return flatbuffer.to_bytes(model)


def _unsigned(graph: Any, index: int, schema: Any) -> int:
    """Adds a uint8 tensor beside an int8 tensor, and returns its index."""
    inner = graph.tensors[index]
    quantization = schema.QuantizationParametersT()
    quantization.scale = inner.quantization.scale
    quantization.zeroPoint = np.asarray(inner.quantization.zeroPoint) + _SHIFT
    outer = schema.TensorT()
    outer.shape, outer.shapeSignature = inner.shape, inner.shapeSignature
    outer.type, outer.buffer = schema.TensorType.UINT8, 0
    outer.name, outer.quantization = inner.name + b"_unsigned", quantization
    outer.hasRank = inner.hasRank
    graph.tensors.append(outer)
    return len(graph.tensors) - 1


def _operator(code: int, source: int, result: int, schema: Any) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = [source], [result]
    operator.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    operator.builtinOptions = schema.QuantizeOptionsT()
    return operator


def _quantize_code(model: Any, schema: Any) -> int:
    """Index of the operator QUANTIZE among the codes of a model; added where it is not there."""
    quantize = schema.BuiltinOperator.QUANTIZE
    for index, code in enumerate(model.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == quantize:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = quantize
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
