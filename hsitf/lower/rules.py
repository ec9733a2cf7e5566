"""How each layer type is lowered: one row a type in `RULES`.

A rule takes the place of a layer in the network and the values that enter it, and returns what
leaves it, a list where there are several. To add a layer type, write such a function and give it
a row. Operations of `keras.ops` have theirs in `OPERATIONS`, by name.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from hsitf.errors import LoweringError
from hsitf.layers import LocalResponseNormalization
from hsitf.lower.layers_convolution import convolution, depthwise, separable
from hsitf.lower.layers_dense import dense
from hsitf.lower.layers_elementwise import (
    activation,
    elementwise,
    exponential,
    negation,
    prelu,
    scaled_exponential,
    softmax,
    softplus,
)
from hsitf.lower.layers_merging import (
    addition,
    average,
    division,
    maximum,
    minimum,
    multiplication,
    power,
    square,
    subtraction,
)
from hsitf.lower.layers_moving import concatenation, moved, nothing, padding, stacking, upsampling
from hsitf.lower.layers_normalization import batch_normalization, response_normalization
from hsitf.lower.layers_pooling import global_pooling, pooling, reduction
from hsitf.lower.layers_recurrent import recurrent
from hsitf.lower.place import Rule

RULES: dict[type[Any], Rule] = {
    layers.Conv1D: convolution,
    layers.Conv2D: convolution,
    layers.Conv3D: convolution,
    layers.DepthwiseConv1D: depthwise,
    layers.DepthwiseConv2D: depthwise,
    layers.SeparableConv1D: separable,
    layers.SeparableConv2D: separable,
    layers.Dense: dense,
    layers.SimpleRNN: recurrent,
    layers.GRU: recurrent,
    layers.LSTM: recurrent,
    layers.Bidirectional: recurrent,
    layers.BatchNormalization: batch_normalization,
    LocalResponseNormalization: response_normalization,
    layers.MaxPooling1D: pooling,
    layers.MaxPooling2D: pooling,
    layers.MaxPooling3D: pooling,
    layers.AveragePooling1D: pooling,
    layers.AveragePooling2D: pooling,
    layers.AveragePooling3D: pooling,
    layers.GlobalAveragePooling1D: global_pooling,
    layers.GlobalAveragePooling2D: global_pooling,
    layers.GlobalAveragePooling3D: global_pooling,
    layers.GlobalMaxPooling1D: global_pooling,
    layers.GlobalMaxPooling2D: global_pooling,
    layers.GlobalMaxPooling3D: global_pooling,
    layers.Add: addition,
    layers.Subtract: subtraction,
    layers.Multiply: multiplication,
    layers.Average: average,
    layers.Maximum: maximum,
    layers.Minimum: minimum,
    layers.Concatenate: concatenation,
    layers.Activation: activation,
    layers.ReLU: elementwise,
    layers.LeakyReLU: elementwise,
    layers.ELU: exponential,
    layers.PReLU: prelu,
    layers.Softmax: softmax,
    layers.Dropout: nothing,
    layers.SpatialDropout1D: nothing,
    layers.SpatialDropout2D: nothing,
    layers.SpatialDropout3D: nothing,
    layers.GaussianDropout: nothing,
    layers.GaussianNoise: nothing,
    layers.Reshape: moved,
    layers.Flatten: moved,
    layers.Permute: moved,
    layers.RepeatVector: moved,
    layers.Cropping1D: moved,
    layers.Cropping2D: moved,
    layers.Cropping3D: moved,
    layers.ZeroPadding1D: moved,
    layers.ZeroPadding2D: moved,
    layers.ZeroPadding3D: moved,
    layers.UpSampling1D: upsampling,
    layers.UpSampling2D: upsampling,
    layers.UpSampling3D: upsampling,
}

# By the name of the operation's class, since Keras does not export these classes.
OPERATIONS: dict[str, Rule] = {
    "GetItem": moved,
    "Split": moved,
    "Unstack": moved,
    "Take": moved,
    "Transpose": moved,
    "Swapaxes": moved,
    "Moveaxis": moved,
    "Reshape": moved,
    "ExpandDims": moved,
    "Squeeze": moved,
    "Flip": moved,
    "Roll": moved,
    "Repeat": moved,
    "Tile": moved,
    "Pad": padding,
    "Concatenate": concatenation,
    "Stack": stacking,
    "Add": addition,
    "Subtract": subtraction,
    "Multiply": multiplication,
    "Divide": division,
    "TrueDivide": division,
    "Maximum": maximum,
    "Minimum": minimum,
    "Negative": negation,
    "Square": square,
    "Power": power,
    "Mean": reduction,
    "Max": reduction,
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "Elu": exponential,
    "Selu": scaled_exponential,
    "Absolute": elementwise,
    "Clip": elementwise,
    "Exp": elementwise,
    "Gelu": elementwise,
    "HardSigmoid": elementwise,
    "HardSilu": elementwise,
    "HardTanh": elementwise,
    "LeakyRelu": elementwise,
    "Log": elementwise,
    "Relu": elementwise,
    "Relu6": elementwise,
    "Rsqrt": elementwise,
    "Sigmoid": elementwise,
    "Silu": elementwise,
    "Softplus": softplus,
    "Softsign": elementwise,
    "Sqrt": elementwise,
    "Tanh": elementwise,
}


def rule(operation: Any) -> Rule:
    """The row of a layer's or an operation's type.

    Raises:
        LoweringError: There is none, or its channels come first.
    """
    if getattr(operation, "data_format", None) == "channels_first":
        raise LoweringError(
            f"layer {operation.name!r} has its channels first",
            allowed="channels_last",
            remedy="build the network with channels last",
        )
    kind = type(operation)
    if kind in RULES:
        return RULES[kind]
    if not isinstance(operation, keras.Layer) and kind.__name__ in OPERATIONS:
        return OPERATIONS[kind.__name__]
    known = sorted({row.__name__ for row in RULES} | {f"ops {name}" for name in OPERATIONS})
    raise LoweringError(
        f"layer {operation.name!r} cannot be lowered",
        received=kind.__name__,
        allowed=", ".join(known),
        remedy="add a row for its type in hsitf/lower/rules.py",
    )
