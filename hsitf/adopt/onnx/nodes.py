"""The table of ONNX operators that are adopted: one row a type."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from keras import layers, ops

from hsitf.adopt.onnx import convolution as onnx_convolution
from hsitf.adopt.onnx import dense as onnx_dense
from hsitf.adopt.onnx import elementwise as onnx_elementwise
from hsitf.adopt.onnx import merging as onnx_merging
from hsitf.adopt.onnx import moving as onnx_moving
from hsitf.adopt.onnx import normalization as onnx_normalization
from hsitf.adopt.onnx import pooling as onnx_pooling
from hsitf.adopt.onnx.node import OnnxNode, Operand
from hsitf.registry import Registry

# Converts a node, whose inputs are converted already.
NodeRule = Callable[[OnnxNode], Operand | Sequence[Operand]]

_activation = onnx_elementwise.activation
_operation = onnx_elementwise.operation

NODES: Registry[NodeRule] = Registry(
    "ONNX operator",
    {
        "Conv": onnx_convolution.convolution,
        "ConvTranspose": onnx_convolution.transposed_convolution,
        "MaxPool": onnx_pooling.max_pooling,
        "AveragePool": onnx_pooling.average_pooling,
        "GlobalAveragePool": onnx_pooling.global_average_pooling,
        "GlobalMaxPool": onnx_pooling.global_max_pooling,
        "Gemm": onnx_dense.gemm,
        "MatMul": onnx_dense.matrix_product,
        "BatchNormalization": onnx_normalization.batch_normalization,
        "InstanceNormalization": onnx_normalization.instance_normalization,
        "GroupNormalization": onnx_normalization.group_normalization,
        "LayerNormalization": onnx_normalization.layer_normalization,
        "LRN": onnx_normalization.response_normalization,
        "ReduceMean": onnx_normalization.mean,
        "ReduceMax": onnx_normalization.maximum,
        "ReduceMin": onnx_normalization.minimum,
        "ReduceSum": onnx_normalization.total,
        "Relu": onnx_elementwise.relu,
        "LeakyRelu": onnx_elementwise.leaky_relu,
        "PRelu": onnx_elementwise.prelu,
        "Elu": onnx_elementwise.elu,
        "Selu": onnx_elementwise.selu,
        "Gelu": onnx_elementwise.gelu,
        "Sigmoid": _activation("sigmoid", nonnegative=True),
        "Tanh": _activation("tanh"),
        "Softplus": _activation("softplus", nonnegative=True),
        "Softsign": _activation("softsign"),
        "HardSigmoid": onnx_elementwise.hard_sigmoid,
        "HardSwish": _activation("hard_silu"),
        "Mish": onnx_elementwise.mish,
        "Swish": onnx_elementwise.swish,
        "Clip": onnx_elementwise.clip,
        "Softmax": onnx_elementwise.softmax("softmax"),
        "LogSoftmax": onnx_elementwise.softmax("log_softmax"),
        "Abs": _operation(ops.absolute),
        "Neg": _operation(ops.negative),
        "Exp": _operation(ops.exp),
        "Log": _operation(ops.log),
        "Sqrt": _operation(ops.sqrt),
        "Reciprocal": onnx_elementwise.reciprocal,
        "Identity": onnx_elementwise.identity,
        "Dropout": onnx_elementwise.dropout,
        "Cast": onnx_elementwise.cast,
        "Add": onnx_merging.addition,
        "Sum": onnx_merging.addition,
        "Sub": onnx_merging.subtraction,
        "Mul": onnx_merging.multiplication,
        "Div": onnx_merging.division,
        "Pow": onnx_merging.power,
        "Max": onnx_merging.extreme(layers.Maximum, ops.maximum),
        "Min": onnx_merging.extreme(layers.Minimum, ops.minimum),
        "Concat": onnx_merging.concatenation,
        "Transpose": onnx_moving.transpose,
        "Reshape": onnx_moving.reshape,
        "Flatten": onnx_moving.flatten,
        "Squeeze": onnx_moving.squeeze,
        "Unsqueeze": onnx_moving.unsqueeze,
        "Shape": onnx_moving.shape_of,
        "Size": onnx_moving.size_of,
        "Slice": onnx_moving.slicing,
        "Gather": onnx_moving.gather,
        "Split": onnx_moving.split,
        "Expand": onnx_moving.expand,
        "Tile": onnx_moving.tile,
        "Pad": onnx_moving.pad,
    },
)

# What to write in place of operators that networks have, and that are not adopted.
REMEDIES = {
    "Greater": "export it with dynamo=False, where activations such as SELU are one operator",
    "Where": "export it with dynamo=False, where activations such as SELU are one operator",
    "Erf": "export it with opset_version=20, where GELU is one operator",
    "ArgMax": "export the network up to its logits",
    "TopK": "export the network up to its logits",
    "GRU": "adopt it from Keras, or as weights of a network of the zoo",
    "LSTM": "adopt it from Keras",
    "RNN": "adopt it from Keras",
    "Einsum": "write it as a matrix product (torch.matmul) with weights",
    "Resize": "write the network without resampling, or with a transposed convolution",
    "Upsample": "write the network without resampling, or with a transposed convolution",
}
