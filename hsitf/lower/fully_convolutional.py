"""Fully convolutional (tile) form of a patch network: the logits of all pixels of a tile at once.

The network is walked once to plan the feature maps of the tile that contain its tensors (see
`tile`). From where neighboring patches share no more computation, the rest of the network is
applied per patch, to all patches as a batch. Both parts are then lowered like any network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops
from numpy.typing import NDArray

from hsitf.arithmetic import FLOAT, MAX_TILE, Arithmetic
from hsitf.cost import cost
from hsitf.errors import InputError, LoweringError
from hsitf.graph import Call, copy_weights, walk
from hsitf.lower.rewrite import lower, rewrite, unique_name
from hsitf.lower.rules import rule as lowering_rule
from hsitf.lower.strided_layout import ZERO_PADDING
from hsitf.lower.tile import (
    FeatureMap,
    HaloRead,
    TileTensor,
    build_maps,
    flatten_pixels,
    gather_channels,
    required_regions,
)
from hsitf.lower.tile_rules import rule
from hsitf.lower.tile_windows import TileContext, clone_operation

# Largest number of parts of a tile form. Where zero padding affects most of the patch, nearly every
# pixel of a patch needs operators of its own: a network of 20 layers has thousands.
MAX_PARTS = 256
# Pixels of a tile that are compared with the network.
COMPARED_PIXELS = 60


def to_fully_convolutional(
    model: keras.Model, tile: int, arithmetic: Arithmetic = FLOAT
) -> keras.Model:
    """Converts a patch network to a network for whole tiles.

    Output (i, j) has the logits of the patch at rows i to i + patch - 1 and columns j to
    j + patch - 1 of the input, equal up to the rounding of float32 sums. The original is not
    changed.

    Args:
        model: `(batch, patch, patch, bands)` -> `(batch, classes)`.
        tile: Side of the tile in pixels.
        arithmetic: Arithmetic to lower for.

    Returns:
        `(1, tile + patch - 1, tile + patch - 1, bands)` -> `(1, tile, tile, classes)`, lowered:
        2-D operators, static shapes and at most four axes.

    Raises:
        InputError: The tile is out of range.
        LoweringError: The tile form would save nothing, or a layer cannot be lowered.
    """
    if not 1 <= tile <= MAX_TILE:
        raise InputError(
            "the side of the tile is out of range", received=tile, allowed=f"1 to {MAX_TILE}"
        )
    rows, cols, bands = _shape(model)
    side = (tile + rows - 1, tile + cols - 1)
    plan = _plan(model, tile)
    if plan.diverging_layers:
        # With the required maps known, they can share partial sums.
        required = frozenset(each.name for each in required_regions(plan.outputs) if each.name)
        plan = _plan(model, tile, required)
    _check_savings(plan, model, tile)
    inputs = keras.Input(batch_shape=(1, *side, bands), name="tile")
    names: set[str] = set()
    tensors = rewrite(_tile_model(plan, side, tile), [inputs], arithmetic, names)
    if plan.per_patch_model is not None:
        split = [ops.reshape(tensor, (tile * tile, int(tensor.shape[-1]))) for tensor in tensors]
        try:
            tensors = rewrite(plan.per_patch_model, split, arithmetic, names)
        except LoweringError:
            # Its layers are copies. The network itself has the names that a user knows.
            lower(model, 1, arithmetic)
            raise
    logits = ops.reshape(tensors[0], (1, tile, tile, int(tensors[0].shape[-1])))
    return keras.Model(inputs, logits, name=model.name)


def tile_difference(
    model: keras.Model, lowered: keras.Model, tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Largest difference of a logit between a network and its tile form.

    Args:
        model: The original network.
        lowered: The result of `to_fully_convolutional`.
        tile: (tile + patch - 1, tile + patch - 1, bands) float32; a sample of its pixels is
            compared, corners included.

    Returns:
        The largest absolute difference, and the largest absolute logit of the original.
    """
    side = int(lowered.outputs[0].shape[1])
    rows, cols, _ = _shape(model)
    drawn = np.random.default_rng(0).integers(0, side, (COMPARED_PIXELS, 2))
    positions = np.concatenate([[[0, 0], [0, side - 1], [side - 1, 0], [side - 1] * 2], drawn])
    windows = np.stack([tile[row : row + rows, col : col + cols] for row, col in positions])
    expected = np.asarray(model.predict(windows, verbose=0))
    received = ops.convert_to_numpy(lowered(tile[None]))[0][positions[:, 0], positions[:, 1]]
    return float(np.abs(expected - received).max()), float(np.abs(expected).max())


def _shape(model: keras.Model) -> tuple[int, int, int]:
    shape = tuple(model.inputs[0].shape[1:])
    if len(model.inputs) > 1 or len(model.outputs) > 1 or len(shape) != 3 or None in shape:
        raise LoweringError(
            "the network has no tile form",
            received=f"inputs {[tuple(each.shape) for each in model.inputs]}, "
            f"{len(model.outputs)} output(s)",
            allowed="one patch of fixed size, one output",
            remedy="classify patches one by one",
        )
    rows, cols, bands = (int(size) for size in shape)
    return rows, cols, bands


@dataclass(frozen=True, eq=False)
class _TilePlan:
    """Plan of a network on a tile.

    Attributes:
        source: Map of the tile itself.
        outputs: Maps of the inputs of the per-patch model, or of the logits where there is none.
        per_patch_model: Rest of the network, applied per patch: `(pixels, elements)` inputs ->
            `(pixels, classes)`; None where everything is computed on the tile.
        diverging_layers: Layers after which neighboring patches share less, the first one first.
    """

    source: FeatureMap
    outputs: tuple[FeatureMap, ...]
    per_patch_model: keras.Model | None
    diverging_layers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _PatchInputs:
    """Inputs of the per-patch model, collected while the network is walked.

    Attributes:
        batch: Number of pixels of the tile.
        required_maps: Names of the convolution maps that the output needs; None where unknown.
        names: Names of layers in use.
        gathered: Maps with the elements of a tensor for each pixel.
        inputs: Keras inputs of the per-patch model for these maps.
        known: Reshaped inputs by the tensor that they stand for.
        diverging_layers: Layers after which neighboring patches share less.
    """

    batch: int
    required_maps: frozenset[str] | None
    names: set[str] = field(default_factory=set)
    gathered: list[FeatureMap] = field(default_factory=list)
    inputs: list[KerasTensor] = field(default_factory=list)
    known: dict[TileTensor, KerasTensor] = field(default_factory=dict)
    diverging_layers: list[str] = field(default_factory=list)

    def per_patch(self, value: TileTensor | KerasTensor, name: str) -> KerasTensor:
        """A tensor of the tile as an input of the per-patch model, `(pixels, *shape)`."""
        if not isinstance(value, TileTensor):
            return value
        if value not in self.known:
            gathered_map = _gather(value)
            if len(gathered_map.sources) > 1:
                self.diverging_layers.append(name)
            self.gathered.append(gathered_map)
            flattened = keras.Input(batch_shape=(self.batch, gathered_map.pixel_size))
            self.inputs.append(flattened)
            self.known[value] = layers.Reshape(value.layout.shape)(flattened)
        return self.known[value]


def _plan(model: keras.Model, tile: int, required: frozenset[str] | None = None) -> _TilePlan:
    rows, cols, bands = _shape(model)
    source = FeatureMap((bands,), (rows, cols), (), lambda tensors: tensors[0])
    start = TileTensor((source,), np.arange(source.window_size).reshape(rows, cols, bands))
    patches = _PatchInputs(tile * tile, required)
    (end,) = walk(model, [start], partial(_visit, patches))
    if isinstance(end, TileTensor) and not patches.gathered:
        return _TilePlan(source, (_gather(end),), None, tuple(patches.diverging_layers))
    back = keras.Model(patches.inputs, patches.per_patch(end, "logits"))
    return _TilePlan(source, tuple(patches.gathered), back, tuple(patches.diverging_layers))


def _visit(
    patches: _PatchInputs, call: Call, inputs: list[TileTensor | KerasTensor]
) -> TileTensor | KerasTensor | list[TileTensor | KerasTensor]:
    context = TileContext(
        call, unique_name(call.operation, patches.names), FLOAT, patches.required_maps
    )
    shared = [value for value in inputs if isinstance(value, TileTensor)]
    if len(shared) == len(inputs):
        leaving: Any = rule(call.operation)(context, shared)
        if leaving is not None:
            if isinstance(leaving, TileTensor) and len(leaving.maps) > max(
                len(value.maps) for value in shared
            ):
                patches.diverging_layers.append(str(call.operation.name))
            return leaving
    operation = call.operation
    # What cannot be lowered cannot always be copied, and its copy has another name.
    lowering_rule(operation)
    copy = clone_operation(operation, context.name)
    tensors = [patches.per_patch(value, str(operation.name)) for value in inputs]
    result: Any = call.call_with(copy, tensors)
    if isinstance(operation, keras.Layer):
        copy_weights(operation, copy)
    return list(result) if isinstance(result, list | tuple) else result


def _gather(value: TileTensor) -> FeatureMap:
    """Map with all elements of a tensor at each pixel, (elements,), zeros included."""
    locations, elements = (part.reshape(value.layout.size, -1) for part in value.locations())
    present = elements[:, 0] >= 0
    pixels, which = np.unique(locations[present], axis=0, return_inverse=True)
    sources = [value.maps[number] for number in pixels[:, 0]]
    starts = np.cumsum([0, *(source.pixel_size for source in sources)])
    positions = np.full(value.layout.size, ZERO_PADDING, np.int64)
    positions[present] = starts[which.ravel()] + elements[present, 0]
    reads = tuple(
        HaloRead(source, (int(row), int(col)))
        for source, (_, row, col) in zip(sources, pixels, strict=True)
    )

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        images = [flatten_pixels(tensor) for tensor in tensors]
        beside = images[0] if len(images) == 1 else layers.Concatenate()(images)
        if np.array_equal(positions, np.arange(starts[-1])):
            return beside
        return gather_channels(beside, positions)

    return FeatureMap((value.layout.size,), (1, 1), reads, make)


def _tile_model(plan: _TilePlan, side: tuple[int, int], tile: int) -> keras.Model:
    """Model of the part computed on the whole tile, with `(1, tile, tile, elements)` outputs."""
    inputs = keras.Input(batch_shape=(1, *side, *plan.source.pixel_shape))
    tensors = build_maps(required_regions(plan.outputs), {plan.source: inputs}, tile)
    return keras.Model(inputs, [tensors[each] for each in plan.outputs])


def _check_savings(plan: _TilePlan, model: keras.Model, tile: int) -> None:
    """Checks that the tile form saves multiply-accumulates.

    Raises:
        LoweringError: It does not; the message names the first layer where patches diverge.
    """
    # Patches of a single pixel share nothing; for them, a tile is a batch.
    if plan.source.window == (1, 1):
        return
    regions = required_regions(plan.outputs)
    work = sum(each.macs * region.pixels(tile) for each, region in regions.items())
    if plan.per_patch_model is not None:
        work += tile * tile * cost(plan.per_patch_model).macs
    share = work / max(1, tile * tile * cost(model).macs)
    parts = sum(len(each.sources) for each in regions)
    if share <= 1 and parts <= MAX_PARTS:
        return
    first = f", from layer {plan.diverging_layers[0]!r} on" if plan.diverging_layers else ""
    raise LoweringError(
        f"{model.name} has no efficient tile form: its results for a pixel depend on the position "
        f"of the pixel in the patch{first}",
        received=f"{share:.2f} of the multiply-accumulates of patches one by one, {parts} parts",
        allowed=f"1 at most, {MAX_PARTS} parts at most",
        remedy="classify patches one by one",
    )
