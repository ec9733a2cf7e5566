"""The table of pruning rules: one row per type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers
from keras.src.applications.convnext import LayerScale, StochasticDepth

from hsitf.errors import InputError
from hsitf.graph import Call
from hsitf.layers import (
    LearnedScale,
    LearnedTokens,
    LocalResponseNormalization,
    PixelNormalization,
    PositionEmbedding,
    ScaledAttention,
    WavelengthFilters,
)
from hsitf.operators import Capability, RuleTable
from hsitf.prune.channel_graph import (
    ChannelGraph,
    ChannelIds,
    squeeze_repeated,
    varying_axes,
)
from hsitf.prune.rules import (
    attention,
    moving,
    normalizing,
    operations,
    passing,
    producing,
    products,
    recurrent,
)
from hsitf.prune.rules.base import ELEMENTWISE, PruningRule, thin_nothing

# Activations that combine channels.
_MIXING = ("softmax", "log_softmax", "sparsemax")
# Halves the channels.
_RESHAPING = ("glu",)


def _trace_softmax(call: Call, inputs: list[ChannelIds], graph: ChannelGraph) -> ChannelIds:
    """What sums to one cannot lose a part and stay what it was; along other axes it can."""
    (ids,), asked = inputs, call.operation.axis
    axes = {axis % (ids.ndim + 1) - 1 for axis in ([asked] if isinstance(asked, int) else asked)}
    graph.protect(graph.positions_of(squeeze_repeated(ids)))
    if axes & set(varying_axes(graph.channels_of(squeeze_repeated(ids)))):
        graph.protect(ids)
    return ids


_SOFTMAX = PruningRule(_trace_softmax, thin_nothing)

RULES: dict[type[Any], PruningRule] = {
    layers.Dense: producing.DENSE,
    layers.EinsumDense: producing.EINSUM,
    layers.Conv1D: producing.CONVOLUTION,
    layers.Conv2D: producing.CONVOLUTION,
    layers.Conv3D: producing.CONVOLUTION,
    layers.Conv1DTranspose: producing.TRANSPOSED_CONVOLUTION,
    layers.Conv2DTranspose: producing.TRANSPOSED_CONVOLUTION,
    layers.Conv3DTranspose: producing.TRANSPOSED_CONVOLUTION,
    layers.SeparableConv1D: producing.SEPARABLE_CONVOLUTION,
    layers.SeparableConv2D: producing.SEPARABLE_CONVOLUTION,
    layers.DepthwiseConv1D: passing.DEPTHWISE,
    layers.DepthwiseConv2D: passing.DEPTHWISE,
    layers.MultiHeadAttention: attention.ATTENTION,
    layers.GroupQueryAttention: attention.ATTENTION,
    ScaledAttention: attention.ATTENTION,
    layers.Attention: products.DOT_ATTENTION,
    layers.SimpleRNN: recurrent.RECURRENT,
    layers.GRU: recurrent.RECURRENT,
    layers.LSTM: recurrent.RECURRENT,
    layers.Bidirectional: recurrent.BIDIRECTIONAL,
    layers.TimeDistributed: recurrent.time_distributed(lambda layer: rule(layer)),
    layers.BatchNormalization: normalizing.BATCH_NORMALIZATION,
    layers.LayerNormalization: normalizing.LAYER_NORMALIZATION,
    layers.GroupNormalization: normalizing.GROUP_NORMALIZATION,
    layers.RMSNormalization: normalizing.RMS_NORMALIZATION,
    layers.Normalization: normalizing.STANDARDIZATION,
    layers.Rescaling: normalizing.RESCALING,
    LayerScale: normalizing.LAYER_SCALE,
    LocalResponseNormalization: normalizing.RESPONSE_NORMALIZATION,
    PixelNormalization: normalizing.PIXEL_NORMALIZATION,
    WavelengthFilters: normalizing.WAVELENGTH_FILTERS,
    layers.MaxPooling1D: passing.POOLING,
    layers.MaxPooling2D: passing.POOLING,
    layers.MaxPooling3D: passing.POOLING,
    layers.AveragePooling1D: passing.POOLING,
    layers.AveragePooling2D: passing.POOLING,
    layers.AveragePooling3D: passing.POOLING,
    layers.GlobalAveragePooling1D: passing.WINDOW,
    layers.GlobalAveragePooling2D: passing.WINDOW,
    layers.GlobalAveragePooling3D: passing.WINDOW,
    layers.GlobalMaxPooling1D: passing.WINDOW,
    layers.GlobalMaxPooling2D: passing.WINDOW,
    layers.GlobalMaxPooling3D: passing.WINDOW,
    layers.ZeroPadding1D: passing.WINDOW,
    layers.ZeroPadding2D: passing.WINDOW,
    layers.ZeroPadding3D: passing.WINDOW,
    layers.Cropping1D: passing.WINDOW,
    layers.Cropping2D: passing.WINDOW,
    layers.Cropping3D: passing.WINDOW,
    layers.UpSampling1D: passing.WINDOW,
    layers.UpSampling2D: passing.WINDOW,
    layers.UpSampling3D: passing.WINDOW,
    layers.Resizing: passing.WINDOW,
    layers.Add: moving.MERGING,
    layers.Subtract: moving.MERGING,
    layers.Multiply: moving.MERGING,
    layers.Average: moving.MERGING,
    layers.Maximum: moving.MERGING,
    layers.Minimum: moving.MERGING,
    layers.Concatenate: moving.CONCATENATION,
    layers.Dot: products.PRODUCT,
    LearnedScale: products.FACTOR,
    LearnedTokens: products.TOKENS,
    PositionEmbedding: products.POSITIONS,
    layers.Flatten: moving.FLATTEN,
    layers.Reshape: moving.RESHAPE,
    layers.Permute: moving.PERMUTE,
    layers.RepeatVector: moving.REPETITION,
    layers.PReLU: passing.SLOPES,
    layers.Softmax: _SOFTMAX,
    layers.Activation: ELEMENTWISE,
    layers.ReLU: ELEMENTWISE,
    layers.LeakyReLU: ELEMENTWISE,
    layers.ELU: ELEMENTWISE,
    layers.Identity: ELEMENTWISE,
    layers.ActivityRegularization: ELEMENTWISE,
    layers.Dropout: ELEMENTWISE,
    layers.SpatialDropout1D: passing.BLOCK,
    layers.SpatialDropout2D: passing.BLOCK,
    layers.SpatialDropout3D: passing.BLOCK,
    layers.AlphaDropout: ELEMENTWISE,
    layers.GaussianDropout: ELEMENTWISE,
    layers.GaussianNoise: ELEMENTWISE,
    StochasticDepth: ELEMENTWISE,
}

# By the name of the operation's class, since Keras does not export these classes.
OPERATIONS: dict[str, PruningRule] = {
    "GetItem": moving.ITEM,
    "Split": moving.SPLIT,
    "Unstack": moving.UNSTACKED,
    "Reshape": moving.RESHAPED,
    "Transpose": moving.MOVED,
    "Swapaxes": moving.MOVED,
    "Moveaxis": moving.MOVED,
    "ExpandDims": moving.MOVED,
    "Squeeze": moving.MOVED,
    "Flip": moving.MOVED,
    "Roll": moving.MOVED,
    "Repeat": moving.REPEATED,
    "Tile": moving.MOVED,
    "Take": moving.TAKEN,
    "Concatenate": moving.CONCATENATION,
    "Stack": moving.STACK,
    "Pad": operations.PAD,
    "Add": operations.BINARY,
    "Subtract": operations.BINARY,
    "Multiply": operations.BINARY,
    "Divide": operations.BINARY,
    "TrueDivide": operations.BINARY,
    "Power": operations.BINARY,
    "Maximum": operations.BINARY,
    "Minimum": operations.BINARY,
    "Mean": operations.STATISTIC,
    "Sum": operations.STATISTIC,
    "Max": operations.STATISTIC,
    "Min": operations.STATISTIC,
    "Absolute": ELEMENTWISE,
    "Clip": ELEMENTWISE,
    "Exp": ELEMENTWISE,
    "Log": ELEMENTWISE,
    "Negative": ELEMENTWISE,
    "Rsqrt": ELEMENTWISE,
    "Sqrt": ELEMENTWISE,
    "Square": ELEMENTWISE,
    "Relu": ELEMENTWISE,
    "Relu6": ELEMENTWISE,
    "LeakyRelu": ELEMENTWISE,
    "Elu": ELEMENTWISE,
    "Selu": ELEMENTWISE,
    "Gelu": ELEMENTWISE,
    "Silu": ELEMENTWISE,
    "Sigmoid": ELEMENTWISE,
    "HardSigmoid": ELEMENTWISE,
    "HardSilu": ELEMENTWISE,
    "HardTanh": ELEMENTWISE,
    "Softplus": ELEMENTWISE,
    "Softsign": ELEMENTWISE,
    "Tanh": ELEMENTWISE,
    "Matmul": products.PRODUCT,
    "Einsum": products.PRODUCT,
    "Softmax": _SOFTMAX,
    "LogSoftmax": _SOFTMAX,
}

TABLE = RuleTable(Capability.PRUNE, RULES, OPERATIONS)
rule: Callable[[Any], PruningRule] = TABLE.rule


def mixes_channels(layer: Any) -> bool:
    """Whether a layer's activation combines channels, so that none of them can go.

    Raises:
        InputError: The activation is not known.
    """
    activation = getattr(getattr(layer, "layer", layer), "activation", None)
    if activation is None or type(activation) in RULES:
        return isinstance(activation, layers.Softmax)
    name = getattr(activation, "__name__", type(activation).__name__)
    if name in _MIXING:
        return True
    if getattr(keras.activations, name, None) is not activation or name in _RESHAPING:
        raise InputError(
            f"the activation of layer {layer.name!r} cannot be pruned through",
            received=name,
            allowed="Keras' own activations, each element by itself",
            remedy="put it into a layer with a rule, or use one of Keras' own",
        )
    return False
