"""Which network of the zoo a checkpoint is of, and for which scene it was trained."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from hsitf import zoo
from hsitf.adopt.pytorch.axes import expected_shape, unmatched_layers
from hsitf.adopt.pytorch.layers import CheckpointLayer
from hsitf.adopt.pytorch.match import Geometry, LayerMatch, has_decoder, match, without_weights
from hsitf.adopt.source import ReadingContext
from hsitf.errors import InputError

# Networks of which it is looked into whether the checkpoint is of them for another scene.
_NEAREST = 3
# Scenes and patches that are tried to find what a checkpoint was trained for.
_MAX_BANDS = 512
_MAX_PATCH = 33
# Bands around an estimate, since kernels that grow with the bands make sizes jump.
_AROUND = 16


def find_network(checkpoint: Sequence[CheckpointLayer], context: ReadingContext) -> LayerMatch:
    """The one network of the zoo whose layers a checkpoint has.

    Args:
        checkpoint: Its layers, in their order.
        context: The scene, and the network and patch where they are named.

    Raises:
        InputError: It is of none, or of several; or of one for another scene or patch.
    """
    names = [zoo.known(context.network)] if context.network else zoo.names()
    zoo.check_trainable(names[0], "read from a checkpoint")
    if context.network:
        zoo.check_patches(names[0], "read from a checkpoint")
    if context.network:
        _check_matched(names[0])
    found = [one for name in names for one in _matches(name, checkpoint, context)]
    complete = [one for one in found if one.complete]
    if len(complete) > 1:
        raise InputError(
            "the checkpoint has the layers of several networks",
            received=", ".join(one.network for one in complete),
            remedy=f"name the right one, such as --model {complete[0].network}",
        )
    if complete:
        return complete[0]
    nearest = sorted(found, key=lambda one: -one.similarity)[:_NEAREST]
    for one in nearest:
        if one.similarity > 0 and (fitting := _elsewhere(one, checkpoint, context)):
            raise _of_another_scene(one.network, fitting, context)
    raise _of_no_network(nearest, _others(checkpoint, context), context)


def _check_matched(name: str) -> None:
    """Refuses a network that has layers whose weights a checkpoint does not tell."""
    facts = zoo.network(name)
    with without_weights():
        others = unmatched_layers(zoo.build(name, bands=max(facts.min_bands, 64), classes=2))
    if others:
        raise InputError(
            f"{name} cannot be read from a checkpoint: its arrays do not tell which layer is which",
            received=f"layers of the types {', '.join(others)}",
            allowed="dense layers, convolutions, batch normalization and GRU",
            remedy="export the network to ONNX with torch.onnx.export, and adopt that file",
        )


def _others(checkpoint: Sequence[CheckpointLayer], context: ReadingContext) -> list[str]:
    """Networks that a checkpoint is of in place of the one that is named."""
    if not context.network:
        return []
    found = [one for name in zoo.names() for one in _matches(name, checkpoint, context)]
    return [one.network for one in found if one.complete]


def _matches(
    name: str, checkpoint: Sequence[CheckpointLayer], context: ReadingContext
) -> list[LayerMatch]:
    """Matches with the classes of the scene, and with one more for the background."""
    try:
        facts = zoo.network(name)
    except InputError:
        # A network from outside that cannot be loaded; it is named where it is asked for.
        if context.network:
            raise
        return []
    if facts.tile:
        return []
    patch = context.patch or facts.patch
    outputs = {layer.outputs for layer in checkpoint}
    classes = [one for one in (context.classes, context.classes + 1) if one in outputs]
    found = []
    for count in classes or [context.classes]:
        geometry = Geometry(context.components, count, patch)
        here = match(name, geometry, checkpoint)
        if here is None and not classes:
            # Too few bands or pixels for its layers: the nearest that it can be built for.
            bands = max(context.components, facts.min_bands)
            here = match(name, replace(geometry, bands=bands, patch=facts.patch), checkpoint)
        found += [] if here is None else [here]
    return found


def _elsewhere(
    near: LayerMatch, checkpoint: Sequence[CheckpointLayer], context: ReadingContext
) -> list[Geometry]:
    """The sizes for which a checkpoint is of a network, with all bands that do; none: no such."""
    # A network has as many layers on every scene, but one that halves the spectrum to the end.
    if len(near.pairs) != len(checkpoint) and not has_decoder(near.network):
        return []
    for classes in _class_counts(near, checkpoint):
        for start in _starts(near, classes, checkpoint, context):
            if _fits(near.network, start, checkpoint):
                return _all_bands(near.network, start, checkpoint)
    return []


def _class_counts(near: LayerMatch, checkpoint: Sequence[CheckpointLayer]) -> list[int]:
    """Numbers of classes that the checkpoint can have: outputs of what has no counterpart yet."""
    used = {id(source) for _, source in near.pairs[:-1]}
    last = [layer for layer in checkpoint if id(layer) not in used and _is_dense(layer)]
    return list(dict.fromkeys(layer.outputs for layer in last if layer.outputs > 1))


def _is_dense(layer: CheckpointLayer) -> bool:
    return len(layer.shape) >= 2 and math.prod(layer.shape[2:]) == 1


def _starts(
    near: LayerMatch,
    classes: int,
    checkpoint: Sequence[CheckpointLayer],
    context: ReadingContext,
) -> Iterator[Geometry]:
    """Sizes to try, the likely ones first."""
    facts = zoo.network(near.network)
    here = Geometry(context.components, classes, near.geometry.patch)
    sizes = {size for layer in checkpoint for size in layer.shape}
    bands = sorted(size for size in sizes if facts.min_bands <= size <= _MAX_BANDS)
    highest = min(facts.max_patch or _MAX_PATCH, max(_MAX_PATCH, facts.patch))
    patches = [facts.patch, *range(facts.min_patch, highest + 1)]
    yield here
    yield from (replace(here, patch=patch) for patch in patches)
    yield from (replace(here, bands=count) for count in bands)
    for patch in dict.fromkeys([near.geometry.patch, facts.patch]):
        yield from _estimates(near, replace(here, patch=patch))


def _estimates(near: LayerMatch, start: Geometry) -> Iterator[Geometry]:
    """Numbers of bands around the one that gives the first layer that differs its size."""
    place, instead = near.first_missing or (0, None)
    if instead is None:
        return
    wanted = math.prod(instead.shape)
    low, high = zoo.network(near.network).min_bands, _MAX_BANDS
    while low < high:
        middle = (low + high) // 2
        if _size_of_layer(near.network, replace(start, bands=middle), place) < wanted:
            low = middle + 1
        else:
            high = middle
    around = range(max(1, low - _AROUND), low + _AROUND)
    yield from (replace(start, bands=count) for count in around)


def _size_of_layer(name: str, geometry: Geometry, place: int) -> int:
    """Weights of one layer, of those with weights in their order; 0 where it cannot be built."""
    built = match(name, geometry, ())
    if built is None or place >= len(built.pairs):
        return 0
    return math.prod(expected_shape(built.pairs[place][0]))


def _fits(name: str, geometry: Geometry, checkpoint: Sequence[CheckpointLayer]) -> bool:
    found = match(name, geometry, checkpoint)
    return found is not None and found.complete


def _all_bands(
    name: str, fitting: Geometry, checkpoint: Sequence[CheckpointLayer]
) -> list[Geometry]:
    """All neighbouring numbers of bands that fit as well: strides leave some of them out."""

    def run(steps: Iterable[int]) -> list[Geometry]:
        found = []
        for count in steps:
            one = replace(fitting, bands=count)
            if not _fits(name, one, checkpoint):
                break
            found.append(one)
        return found

    below = run(range(fitting.bands - 1, 0, -1))
    return [*reversed(below), fitting, *run(range(fitting.bands + 1, _MAX_BANDS + 1))]


def _of_another_scene(
    name: str, fitting: Sequence[Geometry], context: ReadingContext
) -> InputError:
    first, last = fitting[0], fitting[-1]
    bands = str(first.bands) if first == last else f"{first.bands} to {last.bands}"
    patch = context.patch or zoo.network(name).patch
    remedies = []
    if not first.bands <= context.components <= last.bands:
        remedies.append(
            "give the scene that it was trained on, with the bands or the reduction in front of "
            "it, such as --bands pca:30"
        )
    if first.classes not in (context.classes, context.classes + 1):
        remedies.append("give the labels that it was trained on, without --drop-class")
    if first.patch != patch:
        remedies.append(f"give --patch {first.patch}")
    return InputError(
        f"the checkpoint is of {name} for {bands} bands, {first.classes} classes and patches of "
        f"{first.patch} x {first.patch} pixels",
        received=f"a scene with {context.components} bands or components and {context.classes} "
        f"classes, patches of {patch} x {patch} pixels",
        remedy="; ".join(remedies) or f"name it: --model {name}",
    )


def _of_no_network(
    nearest: Sequence[LayerMatch], others: Sequence[str], context: ReadingContext
) -> InputError:
    best = nearest[0] if nearest else None
    what = (
        f"the checkpoint does not hold the weights of {context.network}"
        if context.network
        else "the checkpoint is of no network of the zoo"
    )
    if others:
        named = " or ".join(others)
        return InputError(what, received=f"the layers of {named}", remedy=f"give --model {named}")
    export = "export it to ONNX with torch.onnx.export, and adopt that file"
    if best is None or not best.similarity:
        return InputError(what, received="no layer of its shapes", remedy=export)
    near = "" if context.network else f"the nearest is {best.network}: "
    other = "another network" if context.network else "the network"
    return InputError(
        what,
        received=f"{near}{best.difference}",
        remedy=f"name {other} with --model or its patch with --patch; or {export}",
    )
