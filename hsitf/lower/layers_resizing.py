"""Lowering of resizing: repeated, selected and interpolated pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from keras import layers, ops

from hsitf.arrays import Float32Array
from hsitf.lower.context import LoweringContext
from hsitf.lower.layers_dense import multiplied
from hsitf.lower.layers_moving import data_movement
from hsitf.lower.layout_tensor import LayoutTensor, dense_layout, logical_order, rearrange


def upsampling(
    context: LoweringContext, inputs: list[LayoutTensor]
) -> LayoutTensor | list[LayoutTensor]:
    """UpSampling1D to 3D: elements are repeated, or pixels interpolated.

    An image has an operator of its own. Selecting its elements instead would take a list of them,
    which for a whole tile is longer than all weights.
    """
    layer, (value,) = context.layer, inputs
    way = getattr(layer, "interpolation", "nearest")
    image = isinstance(layer, layers.UpSampling2D) and layer.data_format == "channels_last"
    if way == "nearest" and not (image and min(value.shape[:2]) > 1):
        return data_movement(context, inputs)
    rows, cols, _ = value.shape
    size = (rows * layer.size[0], cols * layer.size[1])
    if way == "nearest":
        return _by_operator(value, size, way)
    return _resized(value, size, way, False, context)


def resizing(context: LoweringContext, inputs: list[LayoutTensor]) -> LayoutTensor:
    """Resizing of the whole image to a fixed size."""
    layer = context.layer
    if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio:
        raise context.error(
            "keeps the aspect ratio",
            received="crop_to_aspect_ratio or pad_to_aspect_ratio",
            allowed="the whole image",
            remedy="crop or pad with Cropping2D or ZeroPadding2D before it",
        )
    size = (layer.height, layer.width)
    return _resized(inputs[0], size, layer.interpolation, layer.antialias, context)


def _resized(
    value: LayoutTensor, size: tuple[int, int], way: str, antialias: bool, context: LoweringContext
) -> LayoutTensor:
    """An image of another size.

    Nearest neighbors are selected, so that no data moves. For bilinear interpolation LiteRT has an
    operator with an integer kernel. All others are linear along each axis: products with a matrix
    of weights, which is what Keras makes of an image with a single one in each column.
    """
    weights = [
        _interpolation(length, wanted, way, antialias)
        for length, wanted in zip(value.shape, size, strict=False)
    ]
    if all(((matrix == 0) | (matrix == 1)).all() for matrix in weights):
        rows, cols = (matrix.argmax(axis=0) for matrix in weights)
        return replace(value, layout=value.layout[rows][:, cols])
    if way == "bilinear" and not antialias:
        return _by_operator(value, size, way)
    for axis, matrix in enumerate(weights):
        moved = replace(value, layout=np.moveaxis(value.layout, axis, -1))
        product = multiplied(moved, matrix, context.for_part(("rows", "cols")[axis]))
        value = replace(product, layout=np.moveaxis(product.layout, -1, axis))
    return value


def _by_operator(value: LayoutTensor, size: tuple[int, int], way: str) -> LayoutTensor:
    """An image of another size by the operator of LiteRT, which has an integer kernel."""
    image = rearrange(value, logical_order(value)).reshaped(*value.shape)
    tensor = ops.image.resize(image, size, interpolation=way, data_format="channels_last")
    return LayoutTensor(tensor, dense_layout((*size, value.shape[-1]), (0, 1, 2)))


def _interpolation(length: int, wanted: int, way: str, antialias: bool) -> Float32Array:
    """(length, wanted) float32: weight of each pixel along an axis in each of the resized axis."""
    columns = np.eye(length, dtype=np.float32)[:, None, :, None]
    resized = ops.image.resize(
        columns, (1, wanted), interpolation=way, antialias=antialias, data_format="channels_last"
    )
    return np.asarray(ops.convert_to_numpy(resized)[:, 0, :, 0])
