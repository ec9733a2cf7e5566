"""The dense form of a patch network: all pixels of a tile at once, each with the same logits.

The network is walked once to plan which maps of the tile its values lie in (see `tile`). Where
neighboring patches have nothing more in common, each goes on by itself: what is left of the
network is applied to all of them as a batch. Both parts are then lowered like any network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops
from numpy.typing import NDArray

from hsitf.cost import cost
from hsitf.errors import InputError, LoweringError
from hsitf.graph import Call, walk
from hsitf.lower.lines import ABSENT
from hsitf.lower.rewrite import named, rewritten
from hsitf.lower.tile import Map, Read, Shared, build, chosen, flat, needed
from hsitf.lower.tile_rules import rule
from hsitf.lower.tile_windows import TilePlace, twin
from hsitf.targets import FLOAT, LARGEST_TILE, Target

# Parts of a dense form at most. Where zeros around patches reach far inside, hardly two pixels of
# a patch are alike, and each takes operators of its own: a network of 20 layers has thousands.
MOST_PARTS = 256
# Pixels of a tile that are compared with the network.
COMPARED = 60


def dense(model: keras.Model, tile: int, target: Target = FLOAT) -> keras.Model:
    """The network for whole tiles: at each pixel the logits of the patch around it.

    Equal up to the rounding of float32 sums: output (i, j) is what the network makes of rows
    i to i + patch - 1 and columns j to j + patch - 1 of the input. The original is left
    untouched.

    Args:
        model: `(batch, patch, patch, bands)` -> `(batch, classes)`.
        tile: Side of the tile in pixels.
        target: What it is to run on.

    Returns:
        `(1, tile + patch - 1, tile + patch - 1, bands)` -> `(1, tile, tile, classes)`, lowered:
        2-D operators, static shapes and at most four axes.

    Raises:
        InputError: The tile is out of range.
        LoweringError: The dense form would save nothing, or a layer cannot be lowered.
    """
    if not 1 <= tile <= LARGEST_TILE:
        raise InputError(
            "the side of the tile is out of range", received=tile, allowed=f"1 to {LARGEST_TILE}"
        )
    rows, cols, bands = _shape(model)
    side = (tile + rows - 1, tile + cols - 1)
    plan = _plan(model, tile)
    if plan.apart:
        # Now that it is known which maps are needed, these can share parts of their sums.
        wanted = frozenset(each.name for each in needed(plan.gathered) if each.name)
        plan = _plan(model, tile, wanted)
    _worth(plan, model, tile)
    inputs = keras.Input(batch_shape=(1, *side, bands), name="tile")
    names: set[str] = set()
    tensors = rewritten(_front(plan, side, tile), [inputs], target, names)
    if plan.back is not None:
        split = [ops.reshape(tensor, (tile * tile, int(tensor.shape[-1]))) for tensor in tensors]
        tensors = rewritten(plan.back, split, target, names)
    logits = ops.reshape(tensors[0], (1, tile, tile, int(tensors[0].shape[-1])))
    return keras.Model(inputs, logits, name=model.name)


def tile_difference(
    model: keras.Model, lowered: keras.Model, tile: NDArray[np.float32]
) -> tuple[float, float]:
    """Largest difference of a logit between a network and its dense form.

    Args:
        model: The original.
        lowered: What `dense` made of it.
        tile: (tile + patch - 1, tile + patch - 1, bands) float32, of whose pixels some are
            compared, corners included.

    Returns:
        The largest absolute difference, and the largest absolute logit of the original.
    """
    side = int(lowered.outputs[0].shape[1])
    rows, cols, _ = _shape(model)
    drawn = np.random.default_rng(0).integers(0, side, (COMPARED, 2))
    places = np.concatenate([[[0, 0], [0, side - 1], [side - 1, 0], [side - 1] * 2], drawn])
    windows = np.stack([tile[row : row + rows, col : col + cols] for row, col in places])
    expected = np.asarray(model.predict(windows, verbose=0))
    received = ops.convert_to_numpy(lowered(tile[None]))[0][places[:, 0], places[:, 1]]
    return float(np.abs(expected - received).max()), float(np.abs(expected).max())


def _shape(model: keras.Model) -> tuple[int, int, int]:
    shape = tuple(model.inputs[0].shape[1:])
    if len(model.inputs) > 1 or len(model.outputs) > 1 or len(shape) != 3 or None in shape:
        raise LoweringError(
            "the network has no dense form",
            received=f"inputs {[tuple(each.shape) for each in model.inputs]}, "
            f"{len(model.outputs)} output(s)",
            allowed="one patch of fixed size, one output",
            remedy="classify patches one by one",
        )
    rows, cols, bands = (int(size) for size in shape)
    return rows, cols, bands


@dataclass(frozen=True, eq=False)
class _Plan:
    """How a network is computed on a tile.

    Attributes:
        source: The map that is the tile itself.
        gathered: What each pixel's patch goes on with, or the logits where nothing is left.
        back: What it goes on through, `(pixels, elements)` each -> `(pixels, classes)`.
        apart: Layers from which on neighboring patches share less, the first one first.
    """

    source: Map
    gathered: tuple[Map, ...]
    back: keras.Model | None
    apart: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Patches:
    """What has been taken out of the tile so far: notes of a walk.

    Attributes:
        batch: Pixels of the tile.
        wanted: Names of the maps of convolutions that the output needs, where that is known.
        names: Of layers.
        gathered: Maps that hold each pixel's part of a value.
        inputs: What the rest of the network sees of them.
        known: The same by value.
        apart: Layers from which on neighboring patches share less.
    """

    batch: int
    wanted: frozenset[str] | None
    names: set[str] = field(default_factory=set)
    gathered: list[Map] = field(default_factory=list)
    inputs: list[KerasTensor] = field(default_factory=list)
    known: dict[Shared, KerasTensor] = field(default_factory=dict)
    apart: list[str] = field(default_factory=list)

    def out(self, value: Shared | KerasTensor, name: str) -> KerasTensor:
        """A value for each pixel by itself, `(pixels, *shape)`."""
        if not isinstance(value, Shared):
            return value
        if value not in self.known:
            made = _gathered(value)
            if len(made.reads) > 1:
                self.apart.append(name)
            self.gathered.append(made)
            flattened = keras.Input(batch_shape=(self.batch, made.size))
            self.inputs.append(flattened)
            self.known[value] = layers.Reshape(value.index.shape)(flattened)
        return self.known[value]


def _plan(model: keras.Model, tile: int, wanted: frozenset[str] | None = None) -> _Plan:
    rows, cols, bands = _shape(model)
    source = Map((bands,), (rows, cols), (), lambda tensors: tensors[0])
    start = Shared((source,), np.arange(source.memory).reshape(rows, cols, bands))
    patches = _Patches(tile * tile, wanted)
    (end,) = walk(model, [start], partial(_visited, patches))
    if isinstance(end, Shared) and not patches.gathered:
        return _Plan(source, (_gathered(end),), None, tuple(patches.apart))
    back = keras.Model(patches.inputs, patches.out(end, "logits"))
    return _Plan(source, tuple(patches.gathered), back, tuple(patches.apart))


def _visited(
    patches: _Patches, call: Call, inputs: list[Shared | KerasTensor]
) -> Shared | KerasTensor | list[Shared | KerasTensor]:
    place = TilePlace(call, named(call.operation, patches.names), FLOAT, patches.wanted)
    shared = [value for value in inputs if isinstance(value, Shared)]
    if len(shared) == len(inputs):
        leaving: Any = rule(call.operation)(place, shared)
        if leaving is not None:
            if isinstance(leaving, Shared) and len(leaving.maps) > max(
                len(value.maps) for value in shared
            ):
                patches.apart.append(str(call.operation.name))
            return leaving
    operation = call.operation
    copy = twin(operation, place.name)
    tensors = [patches.out(value, str(operation.name)) for value in inputs]
    result: Any = call.repeated(copy, tensors)
    if isinstance(operation, keras.Layer):
        copy.set_weights(operation.get_weights())
    return list(result) if isinstance(result, list | tuple) else result


def _gathered(value: Shared) -> Map:
    """All elements of a value at each pixel: (elements,), zeros included."""
    sites, elements = (part.reshape(value.index.size, -1) for part in value.sites())
    present = elements[:, 0] >= 0
    pixels, which = np.unique(sites[present], axis=0, return_inverse=True)
    sources = [value.maps[number] for number in pixels[:, 0]]
    starts = np.cumsum([0, *(source.size for source in sources)])
    places = np.full(value.index.size, ABSENT, np.int64)
    places[present] = starts[which.ravel()] + elements[present, 0]
    reads = tuple(
        Read(source, (int(row), int(col)))
        for source, (_, row, col) in zip(sources, pixels, strict=True)
    )

    def make(tensors: list[KerasTensor]) -> KerasTensor:
        images = [flat(tensor) for tensor in tensors]
        beside = images[0] if len(images) == 1 else layers.Concatenate()(images)
        if np.array_equal(places, np.arange(starts[-1])):
            return beside
        return chosen(beside, places)

    return Map((value.index.size,), (1, 1), reads, make)


def _front(plan: _Plan, side: tuple[int, int], tile: int) -> keras.Model:
    """What is computed on the tile as a whole, `(1, tile, tile, elements)` for each gathering."""
    inputs = keras.Input(batch_shape=(1, *side, *plan.source.inner))
    tensors = build(needed(plan.gathered), {plan.source: inputs}, tile)
    return keras.Model(inputs, [tensors[each] for each in plan.gathered])


def _worth(plan: _Plan, model: keras.Model, tile: int) -> None:
    """Refuses a dense form that saves nothing.

    Raises:
        LoweringError: It does; says from which layer on.
    """
    # Single pixels have nothing to share; for them, a tile is a batch.
    if plan.source.window == (1, 1):
        return
    boxes = needed(plan.gathered)
    work = sum(each.macs * box.pixels(tile) for each, box in boxes.items())
    if plan.back is not None:
        work += tile * tile * cost(plan.back).macs
    share = work / max(1, tile * tile * cost(model).macs)
    parts = sum(len(each.reads) for each in boxes)
    if share <= 1 and parts <= MOST_PARTS:
        return
    first = f", from layer {plan.apart[0]!r} on" if plan.apart else ""
    raise LoweringError(
        f"{model.name} has no dense form that is worth it: what it computes of a pixel depends on "
        f"where in the patch that lies{first}",
        received=f"{share:.2f} of the multiply-accumulates of patches one by one, {parts} parts",
        allowed=f"1 at most, {MOST_PARTS} parts at most",
        remedy="classify patches one by one",
    )
