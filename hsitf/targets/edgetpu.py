"""Rules of the compiler for the Edge TPU.

Coral, "TensorFlow models on the Edge TPU" (coral.ai/docs/edgetpu/models-intro): integers of 8 bits;
sizes constant; tensors of one to three axes, of more only the innermost three larger than one; and
the table of operators with their limits, which Axis repeats for its Edge TPU (ARTPEC-7, "Supported
ops" and "Optimization tips"). The graph is cut once: all operators from the first
unsupported one on run on the CPU.
"""

from __future__ import annotations

from hsitf.inspection import Node
from hsitf.targets._rules import reject_shapes, reject_types
from hsitf.targets._target import Target

OPERATORS = frozenset(
    {"ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "EXPAND_DIMS"}
    | {"FULLY_CONNECTED", "L2_NORMALIZATION", "LOGISTIC", "LSTM", "MAXIMUM", "MAX_POOL_2D", "MEAN"}
    | {"MINIMUM", "MUL", "PACK", "PAD", "PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RELU"}
    | {"RELU6", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RSQRT"}
    | {"SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SQUARED_DIFFERENCE", "SQUEEZE"}
    | {"STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE", "TRANSPOSE_CONV"}
)
TYPES = ("int8", "uint8")
# Axes that may be larger than one.
INNER = 3
_WITHOUT_ACTIVATION = ("AVERAGE_POOL_2D", "CONCATENATION", "MAX_POOL_2D")


def rejects(node: Node) -> str:
    """Reason why the compiler does not support an operator; empty where it does."""
    if node.op not in OPERATORS:
        return f"no {node.op}"
    return (
        reject_types(node, TYPES)
        or reject_shapes(node)
        or _reject_outer_axes(node)
        or _reject_options(node)
    )


def _reject_outer_axes(node: Node) -> str:
    moving = [tensor for tensor in (*node.inputs, *node.outputs) if not tensor.constant]
    for tensor in moving:
        if any(size > 1 for size in tensor.shape[:-INNER]):
            shape = " x ".join(map(str, tensor.shape))
            return f"{node.op} of {shape}: only the last {INNER} axes may be larger than 1"
    return ""


def _reject_options(node: Node) -> str:
    options = node.options
    if node.op in _WITHOUT_ACTIVATION and options.fusedActivationFunction:
        return f"{node.op} with an activation"
    if node.op in ("CONV_2D", "DEPTHWISE_CONV_2D") and (
        options.dilationWFactor != options.dilationHFactor
    ):
        return f"{node.op} with another dilation along rows than along columns"
    if node.op == "FULLY_CONNECTED" and any(size > 1 for size in node.outputs[0].shape[:-1]):
        return "FULLY_CONNECTED of more than one sample"
    if node.op == "STRIDED_SLICE" and (options.ellipsisMask or options.newAxisMask):
        return "STRIDED_SLICE that adds axes"
    return ""


TARGET = Target(
    title="Edge TPU",
    description="Google's Coral accelerator: published rules of its compiler.",
    variants=("int8",),
    rejects=rejects,
    prefix_only=True,
)
