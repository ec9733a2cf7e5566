"""Which layer of a checkpoint belongs to which layer of a network: by shape, then by order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from hsitf import zoo
from hsitf.adopt.pytorch.axes import (
    expected_shape,
    feature_order,
    fits,
    keras_weights,
    unmatched_layers,
    weighted_layers,
)
from hsitf.adopt.pytorch.layers import MEAN, CheckpointLayer
from hsitf.errors import InputError

# Networks that PyTorch toolboxes lay out otherwise than the zoo, and how; weights do not tell.
TOOLBOX_ORDER = {
    "luo": "what each filter finds follows the filter before it, cut into rows of 90",
    "mou": "the steps of a unit follow each other where its states are flattened",
    "roy": "the bands of a filter follow each other where volumes become an image",
}


@dataclass(frozen=True)
class Geometry:
    """The sizes that a network is built for.

    Attributes:
        bands: Numbers per pixel.
        classes: Outputs.
        patch: Side of the patch in pixels.
    """

    bands: int
    classes: int
    patch: int


@dataclass(frozen=True, eq=False)
class LayerMatch:
    """How far a checkpoint has the layers of a network.

    Attributes:
        network: Name of the network.
        geometry: Its sizes.
        pairs: Each layer of the network with that of the checkpoint; None where it has none.
        left: Layers of the checkpoint that the network does not have.
        decoder: Layers of the checkpoint that serve training alone.
    """

    network: str
    geometry: Geometry
    pairs: tuple[tuple[Any, CheckpointLayer | None], ...]
    left: tuple[CheckpointLayer, ...]
    decoder: tuple[CheckpointLayer, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the checkpoint is of this network."""
        return not self.left and all(source is not None for _, source in self.pairs)

    @property
    def similarity(self) -> float:
        """From 0 to 1, which is complete: a layer of other inputs counts half."""
        left, points = list(self.left), 0.0
        for layer, source in self.pairs:
            if source is not None:
                points += 1
                continue
            shape = expected_shape(layer)
            alike = [one for one in left if one.shape[:1] == shape[:1]]
            alike = [one for one in alike if len(one.shape) == len(shape)]
            if alike:
                left.remove(alike[0])
                points += 0.5
        return points / max(len(self.pairs), len(self.pairs) + len(left))

    @property
    def first_missing(self) -> tuple[int, CheckpointLayer | None] | None:
        """Place of the first layer without a counterpart, and what the checkpoint has instead."""
        for place, (layer, source) in enumerate(self.pairs):
            if source is None:
                axes = len(expected_shape(layer))
                alike = [other for other in self.left if len(other.shape) == axes]
                return place, next(iter(alike or self.left), None)
        return None

    @property
    def difference(self) -> str:
        """The first layer that differs, with the shape it should have and what there is."""
        if self.first_missing is None:
            return f"the checkpoint has another layer, {self.left[0]}" if self.left else ""
        place, instead = self.first_missing
        layer = self.pairs[place][0]
        there = "no other layer" if instead is None else str(instead)
        return f"its layer {layer.name} needs {expected_shape(layer)}, the checkpoint has {there}"


def has_decoder(name: str) -> bool:
    """Whether a network is trained with a decoder, whose weights a checkpoint holds as well."""
    return zoo.network(name).reconstruction_weight is not None


def match(
    name: str, geometry: Geometry, checkpoint: Sequence[CheckpointLayer]
) -> LayerMatch | None:
    """Matches a checkpoint to a network of the zoo, which is built without its weights.

    Each layer of the network takes the first layer of the checkpoint that fits it and is free, so
    that the order decides between layers of equal shape.

    Args:
        name: Name of the network.
        geometry: Its sizes.
        checkpoint: Layers of the checkpoint, in their order.

    Returns:
        The match; None where the network cannot be built with these sizes, or has layers that
        shapes do not tell.
    """
    with without_weights():
        try:
            model = zoo.build(
                name, bands=geometry.bands, classes=geometry.classes, patch=geometry.patch
            )
        except InputError:
            return None
        if unmatched_layers(model):
            return None
        free = list(checkpoint)
        pairs = _paired(weighted_layers(model), free)
        decoder = _decoder(name, model, free)
    left = [one for one in free if one not in decoder]
    return LayerMatch(name, geometry, tuple(pairs), tuple(left), tuple(decoder))


def _paired(
    layers: Sequence[Any], free: list[CheckpointLayer]
) -> list[tuple[Any, CheckpointLayer | None]]:
    """Each layer with the first of the checkpoint that fits, which is taken out of `free`."""
    pairs: list[tuple[Any, CheckpointLayer | None]] = []
    for layer in layers:
        place = next((at for at, source in enumerate(free) if fits(layer, source)), None)
        pairs.append((layer, None if place is None else free.pop(place)))
    return pairs


def _decoder(
    name: str, model: keras.Model, left: Sequence[CheckpointLayer]
) -> list[CheckpointLayer]:
    """What is left of a checkpoint, where it is the decoder that the network is trained with."""
    if not left or not has_decoder(name):
        return []
    encoder = {id(layer) for layer in model.layers}
    whole = weighted_layers(zoo.semi_supervised(name, model))
    others = list(left)
    pairs = _paired([layer for layer in whole if id(layer) not in encoder], others)
    # A toolbox keeps a normalization that its forward pass leaves out.
    unused = all(MEAN in source.arrays for source in others)
    return list(left) if unused and all(source is not None for _, source in pairs) else []


def filled(found: LayerMatch, own_order: bool = False) -> keras.Model:
    """The network with the weights of the checkpoint.

    Args:
        found: A complete match.
        own_order: Whether the network is laid out as the zoo has it rather than as PyTorch
            toolboxes do, see `TOOLBOX_ORDER`.
    """
    model = _built(found.network, found.geometry, own_order)
    sources = [source for _, source in found.pairs if source is not None]
    for layer, source in zip(weighted_layers(model), sources, strict=True):
        layer.set_weights(keras_weights(layer, source, feature_order(layer, own_order)))
    return model


def _built(name: str, geometry: Geometry, own_order: bool) -> keras.Model:
    if name == "luo" and not own_order:
        from hsitf.zoo import luo

        return luo.build(geometry.bands, geometry.classes, geometry.patch, transposed=False)
    return zoo.build(name, bands=geometry.bands, classes=geometry.classes, patch=geometry.patch)


@contextmanager
def without_weights() -> Iterator[None]:
    """Networks that are built inside have shapes but no memory for weights, and cannot run."""
    from keras.src.backend.common import global_state

    pending = global_state.get_global_attribute("uninitialized_variables", [], True)
    before = list(pending)
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        # Keras would give them memory at the end of a later scope.
        pending[:] = before
