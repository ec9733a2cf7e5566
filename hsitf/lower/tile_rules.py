"""How each layer type is computed on a whole tile: one row a type in `RULES`.

A rule takes the place of a layer and the values that enter it, and returns what leaves it; or
None, where neighboring patches have nothing in common in it. A layer without a row is applied to
each pixel's patch by itself, which is exact, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers

from hsitf.cost import macs
from hsitf.layers import LocalResponseNormalization
from hsitf.lower import layers_moving
from hsitf.lower.layers_elementwise import MIXING, SOFTMAX
from hsitf.lower.tile import Map, Read, Shared, of_table, table
from hsitf.lower.tile_windows import (
    TilePlace,
    convolution,
    flat_dense,
    global_pooling,
    merging,
    pooling,
    twin,
)
from hsitf.lower.value import Value

TileRule = Callable[[TilePlace, list[Shared]], Shared | list[Shared] | None]


def nothing(place: TilePlace, inputs: list[Shared]) -> Shared:
    """Layers that do nothing in inference."""
    return inputs[0]


def moved(place: TilePlace, inputs: list[Shared]) -> list[Shared]:
    """Whatever only moves elements: it is run on the index, as lowering does."""
    (value,) = inputs
    books = Value(_NO_TENSOR, value.index)
    return [replace(value, index=part.index) for part in layers_moving.moved(place, [books])]


# Moving looks at the index only.
_NO_TENSOR: KerasTensor = None


def elementwise(place: TilePlace, inputs: list[Shared]) -> Shared | None:
    """What is computed of each element by itself, on all maps as they are."""
    (value,) = inputs
    zero = twin(place.layer, place.name)(np.zeros((1, 1), np.float32))
    if (value.index < 0).any() and np.any(keras.ops.convert_to_numpy(zero)):
        return None
    copies = tuple(_applied(place, number, each) for number, each in enumerate(value.maps, 1))
    return Shared(copies, value.index)


def activation(place: TilePlace, inputs: list[Shared]) -> Shared | None:
    """Activation: of each element by itself, or of all channels of a pixel."""
    kind = getattr(place.layer.activation, "__name__", "")
    if kind in MIXING:
        return None
    return by_pixel(place, inputs) if kind in SOFTMAX else elementwise(place, inputs)


def by_pixel(place: TilePlace, inputs: list[Shared]) -> Shared | None:
    """What is computed of each pixel by itself, along its last axis."""
    laid = table(inputs[0])
    if laid is None or (laid.sites < 0).any() or not _along_last(place):
        return None
    copies = [_applied(place, number, each) for number, each in enumerate(laid.maps, 1)]
    return of_table(copies, laid.sites)


def _along_last(place: TilePlace) -> bool:
    rank = len(place.call.shapes[0])
    asked = getattr(place.layer, "axis", -1)
    return asked in (-1, rank - 1, [-1], [rank - 1])


def _applied(place: TilePlace, number: int, source: Map) -> Map:
    layer, name = place.layer, place.named(str(number)).name
    channels = place.call.shapes[0][-1] if isinstance(layer, layers.Dense) else source.inner[-1]
    inner = (*source.inner[:-1], int(channels or 0))

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        copy = twin(layer, name)
        result = copy(tensors[0])
        if isinstance(layer, keras.Layer):
            copy.set_weights(layer.get_weights())
        return result

    weights = [tuple(weight.shape) for weight in getattr(layer, "weights", [])]
    work = macs(layer, weights, source.inner, inner)
    return Map(inner, source.window, (Read(source),), make, work)


def dense(place: TilePlace, inputs: list[Shared]) -> Shared | None:
    """Dense: of a whole patch, or of single pixels."""
    flat = inputs[0].index.ndim == 1
    return flat_dense(place, inputs) if flat else by_pixel(place, inputs)


def padding(place: TilePlace, inputs: list[Shared]) -> list[Shared]:
    """The operation Pad."""
    books = layers_moving.padding(place, [Value(_NO_TENSOR, inputs[0].index)])
    return [replace(inputs[0], index=part.index) for part in books]


RULES: dict[type[Any], TileRule] = {
    layers.Conv2D: convolution,
    layers.Conv3D: convolution,
    layers.DepthwiseConv2D: convolution,
    layers.SeparableConv2D: convolution,
    layers.Dense: dense,
    layers.BatchNormalization: by_pixel,
    LocalResponseNormalization: by_pixel,
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
    layers.Softmax: by_pixel,
    layers.Dropout: nothing,
    layers.SpatialDropout2D: nothing,
    layers.SpatialDropout3D: nothing,
    layers.GaussianDropout: nothing,
    layers.GaussianNoise: nothing,
    layers.Reshape: moved,
    layers.Flatten: moved,
    layers.Permute: moved,
    layers.Cropping2D: moved,
    layers.Cropping3D: moved,
    layers.ZeroPadding2D: moved,
    layers.ZeroPadding3D: moved,
}

# By the name of the operation's class, since Keras does not export these classes.
OPERATIONS: dict[str, TileRule] = {
    "GetItem": moved,
    "Split": moved,
    "Transpose": moved,
    "Reshape": moved,
    "ExpandDims": moved,
    "Squeeze": moved,
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


def apart(place: TilePlace, inputs: list[Shared]) -> None:
    """The rule of all other types: each pixel's patch by itself."""


def rule(operation: Any) -> TileRule:
    """The row of a layer's or an operation's type."""
    kind = type(operation)
    if getattr(operation, "data_format", None) == "channels_first":
        return apart
    if isinstance(operation, keras.Layer):
        return RULES.get(kind, apart)
    return OPERATIONS.get(kind.__name__, apart)
