"""Rules of LiteRT's NNAPI delegate on Android 11 and later (NNAPI 1.3).

Operators and types: `NNAPIDelegateKernel::Validate` in `lite/delegates/nnapi/nnapi_delegate.cc` of
TensorFlow. Ranks: NNAPI's operands have four axes at most (tensorflow/tensorflow issue 47546 and
pull request 48323). Google deprecated NNAPI with Android 15; phones before have it.
"""

from __future__ import annotations

from hsitf.inspection import Node
from hsitf.targets._rules import reject_shapes, reject_types
from hsitf.targets._target import Target

_FLOATS = frozenset({"float32", "float16"})
_BYTES = frozenset({"int8", "uint8"})
_BOTH = _FLOATS | _BYTES
_INTS = _BOTH | {"int32"}

TYPES = {
    **dict.fromkeys(
        (
            "AVERAGE_POOL_2D",
            "CONCATENATION",
            "CONV_2D",
            "DEPTHWISE_CONV_2D",
            "DEPTH_TO_SPACE",
            "FULLY_CONNECTED",
            "HARD_SWISH",
            "L2_NORMALIZATION",
            "LEAKY_RELU",
            "LOGISTIC",
            "MAX_POOL_2D",
            "MEAN",
            "PAD",
            "PADV2",
            "PRELU",
            "QUANTIZE",
            "REDUCE_MAX",
            "REDUCE_MIN",
            "RELU",
            "RELU6",
            "RELU_N1_TO_1",
            "RESHAPE",
            "RESIZE_BILINEAR",
            "RESIZE_NEAREST_NEIGHBOR",
            "SOFTMAX",
            "SPACE_TO_DEPTH",
            "SQUEEZE",
            "STRIDED_SLICE",
            "SPACE_TO_BATCH_ND",
            "BATCH_TO_SPACE_ND",
            "TANH",
            "TRANSPOSE",
            "TRANSPOSE_CONV",
        ),
        _BOTH,
    ),
    **dict.fromkeys(
        (
            "ADD",
            "ARG_MAX",
            "ARG_MIN",
            "CAST",
            "EQUAL",
            "EXPAND_DIMS",
            "GATHER",
            "GREATER",
            "GREATER_EQUAL",
            "LESS",
            "LESS_EQUAL",
            "MAXIMUM",
            "MINIMUM",
            "MUL",
            "NOT_EQUAL",
            "PACK",
            "SELECT",
            "SLICE",
            "SPLIT",
            "SUB",
            "TILE",
            "TOPK_V2",
        ),
        _INTS,
    ),
    **dict.fromkeys(
        (
            "ABS",
            "DIV",
            "ELU",
            "EXP",
            "FLOOR",
            "L2_POOL_2D",
            "LOCAL_RESPONSE_NORMALIZATION",
            "LOG",
            "LOG_SOFTMAX",
            "POW",
            "REDUCE_PROD",
            "RSQRT",
            "SIN",
            "SQRT",
            "SUM",
        ),
        _FLOATS,
    ),
    "DEQUANTIZE": _BYTES | {"float16"},
    "NEG": frozenset({"float32", "int32"}),
}


def rejects(node: Node) -> str:
    """Reason why the delegate does not support an operator; empty where it does."""
    if node.op not in TYPES:
        return f"no {node.op}"
    return reject_shapes(node) or reject_types(node, TYPES[node.op]) or _reject_options(node)


def _reject_options(node: Node) -> str:
    if node.op == "CONV_2D" and len(node.inputs) != 3:
        return "CONV_2D without a bias"
    if node.op in ("CONCATENATION", "L2_NORMALIZATION") and node.options.fusedActivationFunction:
        return f"{node.op} with an activation"
    if node.op == "MEAN" and not node.outputs[0].shape:
        return "MEAN that gives a scalar"
    if node.op == "PACK" and node.options.axis in (-1, len(node.inputs[0].shape)):
        return "PACK along the last axis"
    return ""


TARGET = Target(
    title="NNAPI",
    description="Android's neural-network interface, deprecated since Android 15: published rules.",
    variants=("int8", "float32", "float16"),
    rejects=rejects,
)
