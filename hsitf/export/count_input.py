"""Integer files that take counts: the first sum in 16 bits, all others in 8.

Counts of a sensor have 12 to 16 bits and bands of very different spread; rounded to 256 steps that
all bands share, those that vary little lose what they have. A network that normalizes spectra (see
`hsitf.layers.pixel_normalization`) makes much of just these. Its 8-bit file therefore takes 16-bit
counts: one convolution with 16-bit inputs and outputs and 8-bit weights makes normalized bands, or
differences of bands, of them, which QUANTIZE brings to 8 bits; all operators compute in integers.

The converter mixes no widths. Both parts are converted by themselves and put together here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hsitf import flatbuffer
from hsitf.arrays import Float32Array
from hsitf.graph import Call, operations, unwrap_single, walk
from hsitf.lower.layers_pixel_normalization import FROM_COUNTS

if TYPE_CHECKING:
    import keras


class CountInput(NamedTuple):
    """A lowered network in two parts.

    Attributes:
        first: Counts -> what is normalized: one convolution.
        rest: What is normalized -> logits.
    """

    first: keras.Model
    rest: keras.Model

    def normalized(self, patches: Float32Array) -> Float32Array:
        """What the first part makes of calibration patches, (n, ...) float32."""
        batch = int(self.first.inputs[0].shape[0])
        return np.concatenate(
            [
                np.asarray(self.first(patches[start : start + batch]))
                for start in range(0, len(patches) - batch + 1, batch)
            ]
        )


def split_count_input(model: keras.Model) -> CountInput | None:
    """Splits a lowered network that normalizes counts itself; None for any other.

    Args:
        model: A lowered network, or one inside a model that gives it several patches.
    """
    import keras

    if sum(_makes_normalized(operation) for operation in operations(model)) != 1:
        return None
    borders = []

    def visit(call: Call, values: list[Any]) -> Any:
        result = call.call_with(call.operation, values)
        if _makes_normalized(call.operation):
            borders.append(result)
        return list(result) if isinstance(result, list | tuple) else result

    (given,) = model.inputs
    inputs = keras.Input(batch_shape=given.shape, name=given.name)
    outputs = walk(model, [inputs], visit)
    (border,) = borders
    return CountInput(
        keras.Model(inputs, border, name="counts"),
        keras.Model(border, unwrap_single(outputs), name=model.name),
    )


def _makes_normalized(operation: Any) -> bool:
    return str(operation.name).endswith(FROM_COUNTS)


def joined(first: Path, rest: Path) -> bytes:
    """The content of a .tflite file that computes one file after the other.

    Args:
        first: A file of one input and one output.
        rest: A file whose input has the same shape, but is quantized otherwise.
    """
    from ai_edge_litert import schema_py_generated as schema

    before, after = flatbuffer.read(first), flatbuffer.read(rest)
    graph, added = after.subgraphs[0], before.subgraphs[0]
    buffers, tensors, codes = len(after.buffers), len(graph.tensors), len(after.operatorCodes)
    for tensor in added.tensors:
        tensor.buffer += buffers
        tensor.name = b"counts/" + tensor.name
    for operator in added.operators:
        operator.opcodeIndex += codes
        operator.inputs = _moved(operator.inputs, tensors)
        operator.outputs = _moved(operator.outputs, tensors)
    quantize = schema.OperatorT()
    quantize.opcodeIndex = codes + len(before.operatorCodes)
    quantize.inputs = _moved(added.outputs, tensors)
    quantize.outputs = np.asarray(graph.inputs, np.int32)
    quantize.builtinOptionsType = schema.BuiltinOptions.QuantizeOptions
    quantize.builtinOptions = schema.QuantizeOptionsT()
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    # Requantization between widths came with the second version.
    code.version = 2
    after.buffers += before.buffers
    after.operatorCodes += [*before.operatorCodes, code]
    graph.tensors += added.tensors
    graph.operators = [*added.operators, quantize, *graph.operators]
    graph.inputs = _moved(added.inputs, tensors)
    for signature in after.signatureDefs or []:
        for entry in signature.inputs:
            entry.tensorIndex = int(graph.inputs[0])
    return flatbuffer.to_bytes(after)


def _moved(indices: Sequence[int], by: int) -> Any:
    """Indices of tensors behind others; -1 stands for none."""
    found = np.asarray(indices, np.int32)
    return np.where(found < 0, found, found + by).astype(np.int32)
