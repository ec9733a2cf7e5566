"""Rules of layer types on a whole tile: one row per type in `RULES`.

A rule takes the context of a layer and its input tensors and returns its outputs, or None where
neighboring patches share no computation. A layer without a row is applied per patch, which is
exact, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers
from keras.src.applications.convnext import LayerScale, StochasticDepth

from hsitf.cost import macs
from hsitf.errors import LoweringError
from hsitf.layers import LocalResponseNormalization, PixelNormalization, WavelengthFilters
from hsitf.lower import layers_moving
from hsitf.lower.layers_elementwise import MIXING, SOFTMAX
from hsitf.lower.layout_tensor import LayoutTensor
from hsitf.lower.tile import FeatureMap, HaloRead, TileTensor, from_pixel_grid, pixel_grid
from hsitf.lower.tile_windows import (
    TileContext,
    clone_operation,
    convolution,
    flat_dense,
    global_pooling,
    merging,
    pooling,
)
from hsitf.operators import CallShapes, Capability, RuleTable

TileRule = Callable[[TileContext, list[TileTensor]], TileTensor | list[TileTensor] | None]


def identity(context: TileContext, inputs: list[TileTensor]) -> TileTensor:
    """Layers without effect at inference."""
    return inputs[0]


def data_movement(context: TileContext, inputs: list[TileTensor]) -> list[TileTensor]:
    """Operations that only move elements: applied to the layout, as in lowering."""
    (value,) = inputs
    layout = LayoutTensor(_NO_TENSOR, value.layout)
    return [
        replace(value, layout=part.layout)
        for part in layers_moving.data_movement(context, [layout])
    ]


# Layers of single pixels that leave another number of channels.
_CHANGING = (layers.Dense, PixelNormalization, WavelengthFilters)
# Data movement uses the layout only.
_NO_TENSOR: KerasTensor = None


def elementwise(context: TileContext, inputs: list[TileTensor]) -> TileTensor | None:
    """Element-wise operations, applied to each map."""
    (value,) = inputs
    zero = clone_operation(context.layer, context.name)(np.zeros((1, 1), np.float32))
    if (value.layout < 0).any() and np.any(keras.ops.convert_to_numpy(zero)):
        return None
    copies = tuple(
        _apply_to_map(context, number, each) for number, each in enumerate(value.maps, 1)
    )
    return TileTensor(copies, value.layout)


def activation(context: TileContext, inputs: list[TileTensor]) -> TileTensor | None:
    """Activation: element-wise, or over the channels of a pixel."""
    kind = getattr(context.layer.activation, "__name__", "")
    if kind in MIXING:
        return None
    return per_pixel(context, inputs) if kind in SOFTMAX else elementwise(context, inputs)


def per_pixel(context: TileContext, inputs: list[TileTensor]) -> TileTensor | None:
    """Operations along the last axis of each pixel."""
    grid = pixel_grid(inputs[0])
    if grid is None or (grid.locations < 0).any() or not _along_last(context):
        return None
    copies = [_apply_to_map(context, number, each) for number, each in enumerate(grid.maps, 1)]
    return from_pixel_grid(copies, grid.locations)


def _along_last(context: TileContext) -> bool:
    rank = len(context.call.shapes[0])
    asked = getattr(context.layer, "axis", -1)
    return asked in (-1, rank - 1, [-1], [rank - 1])


def _apply_to_map(context: TileContext, number: int, source: FeatureMap) -> FeatureMap:
    layer, name = context.layer, context.for_part(str(number)).name
    changes_channels = isinstance(layer, _CHANGING)
    channels = context.call.shapes[0][-1] if changes_channels else source.pixel_shape[-1]
    pixel_shape = (*source.pixel_shape[:-1], int(channels or 0))

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        copy = clone_operation(layer, name)
        result = copy(tensors[0])
        if isinstance(layer, keras.Layer):
            copy.set_weights(layer.get_weights())
        return result

    weights = [tuple(weight.shape) for weight in getattr(layer, "weights", [])]
    work = macs(layer, CallShapes(weights, [(1, *source.pixel_shape)], (1, *pixel_shape)))
    return FeatureMap(pixel_shape, source.window, (HaloRead(source),), make, work)


def dense(context: TileContext, inputs: list[TileTensor]) -> TileTensor | None:
    """Dense: over a whole patch, or per pixel."""
    flat = inputs[0].layout.ndim == 1
    return flat_dense(context, inputs) if flat else per_pixel(context, inputs)


def padding(context: TileContext, inputs: list[TileTensor]) -> list[TileTensor]:
    """The operation Pad."""
    layout = layers_moving.padding(context, [LayoutTensor(_NO_TENSOR, inputs[0].layout)])
    return [replace(inputs[0], layout=part.layout) for part in layout]


RULES: dict[type[Any], TileRule] = {
    layers.Conv2D: convolution,
    layers.Conv3D: convolution,
    layers.DepthwiseConv2D: convolution,
    layers.SeparableConv2D: convolution,
    layers.Dense: dense,
    layers.BatchNormalization: per_pixel,
    LocalResponseNormalization: per_pixel,
    PixelNormalization: per_pixel,
    WavelengthFilters: per_pixel,
    layers.MaxPooling2D: pooling,
    layers.MaxPooling3D: pooling,
    layers.AveragePooling2D: pooling,
    layers.AveragePooling3D: pooling,
    layers.GlobalAveragePooling2D: global_pooling,
    layers.GlobalMaxPooling2D: global_pooling,
    layers.Add: merging,
    layers.Subtract: merging,
    layers.Multiply: merging,
    layers.Average: merging,
    layers.Maximum: merging,
    layers.Minimum: merging,
    layers.Concatenate: merging,
    layers.Activation: activation,
    layers.ReLU: elementwise,
    layers.LeakyReLU: elementwise,
    layers.ELU: elementwise,
    layers.Softmax: per_pixel,
    layers.Dropout: identity,
    layers.SpatialDropout2D: identity,
    layers.SpatialDropout3D: identity,
    layers.GaussianDropout: identity,
    layers.GaussianNoise: identity,
    layers.AlphaDropout: identity,
    layers.ActivityRegularization: identity,
    layers.Identity: identity,
    StochasticDepth: identity,
    LayerScale: per_pixel,
    layers.Reshape: data_movement,
    layers.Flatten: data_movement,
    layers.Permute: data_movement,
    layers.Cropping2D: data_movement,
    layers.Cropping3D: data_movement,
    layers.ZeroPadding2D: data_movement,
    layers.ZeroPadding3D: data_movement,
}

# By the name of the operation's class, since Keras does not export these classes.
OPERATIONS: dict[str, TileRule] = {
    "GetItem": data_movement,
    "Split": data_movement,
    "Transpose": data_movement,
    "Reshape": data_movement,
    "ExpandDims": data_movement,
    "Squeeze": data_movement,
    "Pad": padding,
    "Concatenate": merging,
    "Add": merging,
    "Subtract": merging,
    "Multiply": merging,
    "Maximum": merging,
    "Minimum": merging,
    "Relu": elementwise,
    "Sigmoid": elementwise,
    "Tanh": elementwise,
}


def per_patch(context: TileContext, inputs: list[TileTensor]) -> None:
    """The rule of all other types: applied per patch."""


TABLE = RuleTable(Capability.TILE, RULES, OPERATIONS, LoweringError)


def rule(operation: Any) -> TileRule:
    """The rule for the type of a layer or an operation; for all others, each patch by itself."""
    if getattr(operation, "data_format", None) == "channels_first":
        return per_patch
    return TABLE.find(operation) or per_patch
