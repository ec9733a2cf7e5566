"""Lowering rules of layer types: one row per type in `RULES`.

A rule takes the context of a layer and its input tensors and returns its output, or a list of
outputs. To add a layer type, give it a row in
`hsitf/operators`, write such a function and enter it here. Operations of `keras.ops` have theirs
in `OPERATIONS`, by name. A rule for a layer of your own is given from outside with
`TABLE.register`.
"""

from __future__ import annotations

from typing import Any

from keras import layers
from keras.src.applications.convnext import LayerScale, StochasticDepth

from hsitf.errors import LoweringError
from hsitf.layers import (
    LearnedScale,
    LearnedTokens,
    LocalResponseNormalization,
    PixelNormalization,
    PositionEmbedding,
    ScaledAttention,
    WavelengthFilters,
)
from hsitf.lower.context import LoweringRule
from hsitf.lower.layers_attention import (
    dot_attention,
    grouped_query_attention,
    multi_head_attention,
)
from hsitf.lower.layers_convolution import convolution, depthwise, separable, transposed
from hsitf.lower.layers_dense import dense, einsum, wavelength_filters
from hsitf.lower.layers_elementwise import (
    activation,
    elementwise,
    exponential,
    layer_scale,
    learned_scale,
    negation,
    position_embedding,
    prelu,
    rescaling,
    scaled_exponential,
    softmax,
    softplus,
    standardization,
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
from hsitf.lower.layers_moving import (
    concatenation,
    data_movement,
    identity,
    learned_tokens,
    padding,
    stacking,
)
from hsitf.lower.layers_normalization import (
    batch_normalization,
    group_normalization,
    layer_normalization,
    response_normalization,
    rms_normalization,
)
from hsitf.lower.layers_pixel_normalization import pixel_normalization
from hsitf.lower.layers_pooling import global_pooling, pooling, reduction
from hsitf.lower.layers_recurrent import recurrent
from hsitf.lower.layers_resizing import resizing, upsampling
from hsitf.lower.layers_wrapping import time_distributed
from hsitf.lower.products import product
from hsitf.operators import Capability, RuleTable

RULES: dict[type[Any], LoweringRule] = {
    layers.Conv1D: convolution,
    layers.Conv2D: convolution,
    layers.Conv3D: convolution,
    layers.Conv1DTranspose: transposed,
    layers.Conv2DTranspose: transposed,
    layers.Conv3DTranspose: transposed,
    layers.DepthwiseConv1D: depthwise,
    layers.DepthwiseConv2D: depthwise,
    layers.SeparableConv1D: separable,
    layers.SeparableConv2D: separable,
    layers.Dense: dense,
    layers.EinsumDense: einsum,
    WavelengthFilters: wavelength_filters,
    layers.MultiHeadAttention: multi_head_attention,
    layers.GroupQueryAttention: grouped_query_attention,
    ScaledAttention: multi_head_attention,
    layers.Attention: dot_attention,
    layers.Dot: product,
    LearnedScale: learned_scale,
    LearnedTokens: learned_tokens,
    PositionEmbedding: position_embedding,
    layers.SimpleRNN: recurrent,
    layers.GRU: recurrent,
    layers.LSTM: recurrent,
    layers.Bidirectional: recurrent,
    layers.TimeDistributed: time_distributed(lambda layer: rule(layer)),
    layers.BatchNormalization: batch_normalization,
    layers.LayerNormalization: layer_normalization,
    layers.GroupNormalization: group_normalization,
    layers.RMSNormalization: rms_normalization,
    LocalResponseNormalization: response_normalization,
    PixelNormalization: pixel_normalization,
    layers.Normalization: standardization,
    layers.Rescaling: rescaling,
    LayerScale: layer_scale,
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
    layers.Dropout: identity,
    layers.SpatialDropout1D: identity,
    layers.SpatialDropout2D: identity,
    layers.SpatialDropout3D: identity,
    layers.GaussianDropout: identity,
    layers.GaussianNoise: identity,
    layers.AlphaDropout: identity,
    layers.ActivityRegularization: identity,
    layers.Identity: identity,
    StochasticDepth: identity,
    layers.Reshape: data_movement,
    layers.Flatten: data_movement,
    layers.Permute: data_movement,
    layers.RepeatVector: data_movement,
    layers.Cropping1D: data_movement,
    layers.Cropping2D: data_movement,
    layers.Cropping3D: data_movement,
    layers.ZeroPadding1D: data_movement,
    layers.ZeroPadding2D: data_movement,
    layers.ZeroPadding3D: data_movement,
    layers.UpSampling1D: upsampling,
    layers.UpSampling2D: upsampling,
    layers.UpSampling3D: upsampling,
    layers.Resizing: resizing,
}

# By the name of the operation's class, since Keras does not export these classes.
OPERATIONS: dict[str, LoweringRule] = {
    "GetItem": data_movement,
    "Split": data_movement,
    "Unstack": data_movement,
    "Take": data_movement,
    "Transpose": data_movement,
    "Swapaxes": data_movement,
    "Moveaxis": data_movement,
    "Reshape": data_movement,
    "ExpandDims": data_movement,
    "Squeeze": data_movement,
    "Flip": data_movement,
    "Roll": data_movement,
    "Repeat": data_movement,
    "Tile": data_movement,
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
    "Min": reduction,
    "Sum": reduction,
    "Matmul": product,
    "Einsum": product,
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

TABLE = RuleTable(Capability.LOWER, RULES, OPERATIONS, LoweringError)


def rule(operation: Any) -> LoweringRule:
    """The rule for the type of a layer or an operation.

    Raises:
        LoweringError: There is none, or its channels come first.
    """
    if getattr(operation, "data_format", None) == "channels_first":
        raise LoweringError(
            f"layer {operation.name!r} has its channels first",
            allowed="channels_last",
            remedy="build the network with channels last",
        )
    return TABLE.rule(operation)
