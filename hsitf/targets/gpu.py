"""Rules of LiteRT's GPU delegate.

Operators and their limits: `lite/tools/versioning/gpu_compatibility.cc` of TensorFlow, by which
delegate and analyzer decide. Types: floats, and integers of 8 bits, which the delegate computes in
floats. Ranks: its tensors have batch, height, width and channels (google-ai-edge/LiteRT issue 2540,
tensorflow/tensorflow issues 39920 and 60793, on tensors of five axes).
"""

from __future__ import annotations

from hsitf.inspection import Node
from hsitf.targets._rules import reject_shapes, reject_types
from hsitf.targets._target import Target

OPERATORS = frozenset(
    {
        "ABS",
        "ADD",
        "ADD_N",
        "ATAN2",
        "AVERAGE_POOL_2D",
        "BATCH_MATMUL",
        "CAST",
        "CEIL",
        "CONCATENATION",
    }
    | {"CONV_2D", "COS", "CUMSUM", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV"}
    | {"DYNAMIC_UPDATE_SLICE", "ELU", "EMBEDDING_LOOKUP", "EQUAL", "EXP", "FLOOR", "FLOOR_DIV"}
    | {"FLOOR_MOD", "FULLY_CONNECTED", "GATHER", "GELU", "GREATER", "GREATER_EQUAL", "HARD_SWISH"}
    | {"LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG", "LOGICAL_AND", "LOGISTIC", "LSTM", "MAXIMUM"}
    | {"MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG", "NOT_EQUAL", "ONE_HOT", "PACK"}
    | {"PAD", "PADV2", "POW", "PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"}
    | {"RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"}
    | {"RSQRT", "SELECT", "SELECT_V2", "SIGN", "SIN", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT"}
    | {"SPLIT_V", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "STRIDED_SLICE", "SUB", "SUM", "TANH"}
    | {"TILE", "TRANSPOSE", "TRANSPOSE_CONV"}
)
TYPES = ("float32", "float16", "int8", "uint8")
# Slices of tensors of these many axes.
_SLICED = (3, 4)


def rejects(node: Node) -> str:
    """Reason why the delegate does not support an operator; empty where it does."""
    if node.op not in OPERATORS:
        return f"no {node.op}"
    return reject_shapes(node) or reject_types(node, TYPES) or _reject_slices(node)


def _reject_slices(node: Node) -> str:
    if node.op not in ("SLICE", "STRIDED_SLICE"):
        return ""
    if len(node.inputs[0].shape) not in _SLICED:
        return f"{node.op} of {len(node.inputs[0].shape)} axes"
    masks = ("ellipsisMask", "newAxisMask", "shrinkAxisMask")
    if any(getattr(node.options, mask, 0) for mask in masks):
        return f"{node.op} that adds or drops axes"
    return ""


TARGET = Target(
    title="GPU",
    description="LiteRT's GPU delegate on phones and single-board computers: published rules.",
    variants=("float32", "float16", "int8"),
    rejects=rejects,
)
