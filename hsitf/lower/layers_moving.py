"""What moves elements and computes nothing: bookkeeping, and concatenation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.lower.depthwise import affine
from hsitf.lower.lines import Index
from hsitf.lower.place import Place
from hsitf.lower.value import Floats, Value, arranged, natural, positions


def nothing(place: Place, inputs: list[Value]) -> Value:
    """Layers that do nothing in inference."""
    return inputs[0]


def moved(place: Place, inputs: list[Value]) -> list[Value]:
    """Whatever only moves elements: it is run on the index, and no data moves at all.

    Of a second sample whose positions have the opposite sign it has to make the opposite of what
    it makes of the first. Zeros that it brings in are noted as such.
    """
    (value,) = inputs
    samples = place.call.node.arguments.keras_tensors[0].shape[0] or 2
    # Positions from 1, so that 0 is a zero.
    signs = np.where(np.arange(samples) % 2, -1, 1).astype(np.int32)
    numbers = np.asarray(value.index + 1, np.int32)
    leaving = place.call.repeated(place.layer, [np.multiply.outer(signs, numbers)])
    several = leaving if isinstance(leaving, list | tuple) else [leaving]
    return [replace(value, index=_checked(place, np.asarray(part), signs)) for part in several]


def _checked(place: Place, leaving: NDArray[np.int32], signs: NDArray[np.int32]) -> Index:
    first = np.asarray(leaving[0], np.int64)
    if (first < 0).any() or not np.array_equal(leaving, np.multiply.outer(signs, first)):
        kind = type(place.layer).__name__
        raise place.error("does more than to move the elements of each sample", received=kind)
    return first - 1


def upsampling(place: Place, inputs: list[Value]) -> list[Value]:
    """UpSampling1D to 3D: each element several times."""
    way = getattr(place.layer, "interpolation", "nearest")
    if way != "nearest":
        raise place.error("interpolates", received=way, allowed="nearest")
    return moved(place, inputs)


def padding(place: Place, inputs: list[Value]) -> list[Value]:
    """The operation Pad: zeros, or elements that are there already."""
    arguments = place.call.node.arguments
    value = arguments.kwargs.get("constant_values", [*arguments.args, None, None][1])
    if value is not None and np.any(np.asarray(value) != 0):
        raise place.error("pads with other numbers than zeros", received=value, allowed=0)
    return moved(place, inputs)


def concatenation(place: Place, inputs: list[Value]) -> Value:
    """Concatenate, along any axis."""
    axis = place.layer.axis
    rank = len(inputs[0].shape) + 1
    if axis % rank == 0:
        raise place.error("takes samples together", received=f"axis {axis}")
    return concatenated(inputs, axis % rank - 1, place.name)


def stacking(place: Place, inputs: list[Value]) -> Value:
    """The operation Stack: concatenation along an axis of its own."""
    axis = place.layer.axis
    rank = len(inputs[0].shape) + 2
    if axis % rank == 0:
        raise place.error("takes samples together", received=f"axis {axis}")
    own = axis % rank - 1
    layers = [replace(value, index=np.expand_dims(value.index, own)) for value in inputs]
    return concatenated(layers, own, place.name)


@dataclass(frozen=True, eq=False)
class Joined:
    """A tensor that is a concatenation, of which some parts are linear.

    Attributes:
        parts: What was concatenated.
        axis: Along which.
        index: Of what came out.
    """

    parts: tuple[Value, ...]
    axis: int
    index: Index

    def scaled(self, scale: Floats, shift: Floats, name: str) -> Value:
        """Each part by itself."""
        ends = list(accumulate(part.shape[self.axis] for part in self.parts))[:-1]
        split = zip(
            self.parts,
            np.split(scale[self.index], ends, self.axis),
            np.split(shift[self.index], ends, self.axis),
            strict=True,
        )
        parts = [
            affine(part, factors, terms, f"{name}_part{number}")
            for number, (part, factors, terms) in enumerate(split, 1)
        ]
        return concatenated(parts, self.axis, name)


def concatenated(values: list[Value], axis: int, name: str) -> Value:
    """Values one behind the other along an axis.

    Args:
        values: Alike but along that axis.
        axis: Of the logical shape, without batch.
        name: Of the layer.
    """
    axis %= len(values[0].shape)
    orders = [value.order for value in values]
    order = next((found for found in orders if found is not None), natural(values[0]))
    place = order.index(axis)
    blocks = []
    for value in values:
        sizes = [value.shape[along] for along in order]
        block = (prod(sizes[:place]), prod(sizes[place:]))
        blocks.append(arranged(value, order).viewed(*block))
    tensor = keras.layers.Concatenate(axis=-1, name=name)(blocks)
    index = positions(np.concatenate([value.index for value in values], axis).shape, order)
    linear = any(value.linear is not None for value in values)
    return Value(tensor, index, Joined(tuple(values), axis, index) if linear else None)
