"""The layers of a network whose outputs are maps: where rows and columns of the patch are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras

from hsitf.errors import InputError
from hsitf.graph import Call, functional, unwrap_single, walk
from hsitf.operators import find
from hsitf.operators.row import Role

# Operations of keras.ops that leave the first axes in their places, if they leave the rank.
_KEEP_PLACES = ("Pad", "GetItem")


@dataclass(frozen=True)
class FeatureMaps:
    """The maps that leave a layer, at its first call.

    Attributes:
        layer: Name of the layer.
        rows: Rows of each map.
        cols: Columns of each map.
    """

    layer: str
    rows: int
    cols: int

    @property
    def has_extent(self) -> bool:
        """Whether a map has more than one position."""
        return self.rows * self.cols > 1


def feature_maps(network: keras.Model) -> list[FeatureMaps]:
    """The layers whose second and third axes are rows and columns, in the forward pass's order.

    The axes are followed from the patch, (rows, cols, bands); where a layer puts something else
    there, such as a permutation or a layer of an unknown type, they are lost.
    """
    found: dict[str, FeatureMaps] = {}

    def visit(call: Call, kept: list[bool]) -> list[bool]:
        keeps = all(kept) and _keeps_places(call)
        shape = call.shapes[0]
        if keeps and _computes(call.operation):
            rows, cols = (int(size or 0) for size in shape[1:3])
            found.setdefault(call.operation.name, FeatureMaps(call.operation.name, rows, cols))
        return [keeps] * len(call.shapes)

    walk(network, [True] * len(functional(network).inputs), visit)
    return list(found.values())


def _keeps_places(call: Call) -> bool:
    """Whether axes 1 and 2 of what leaves are those of what enters."""
    layer = call.operation
    before, after = call.node.arguments.keras_tensors[0].shape, call.shapes[0]
    if len(after) < 4 or getattr(layer, "data_format", "channels_last") != "channels_last":
        return False
    if isinstance(layer, keras.layers.Permute):
        return tuple(layer.dims[:2]) == (1, 2)
    if isinstance(layer, keras.layers.Reshape):
        return tuple(after[1:3]) == tuple(before[1:3])
    if type(layer).__name__ in _KEEP_PLACES:
        return len(before) == len(after)
    row = find(layer)
    if row is None or row.gates or (row.pooling is not None and row.pooling.is_global):
        return False
    if row.role is Role.JOINS:
        return getattr(layer, "axis", -1) in (-1, len(after) - 1)
    # Convolutions and pooling over rows and cols, dense layers over channels, single numbers.
    return row.rank in (2, 3) or row.elementwise or row.role in (Role.NORMALIZES, Role.PRODUCES)


def _computes(layer: Any) -> bool:
    """Whether a layer makes maps of its own, and does not only move them or pass them on."""
    row = find(layer)
    return row is not None and row.role is not Role.MOVES and not row.training_only


def chosen_maps(network: keras.Model, layer: str = "") -> FeatureMaps:
    """The maps of a layer, or the last that the network has.

    Args:
        network: A functional network of patches.
        layer: Name of a layer; empty for the last one with maps.

    Raises:
        InputError: The layer has no maps, or its maps are single positions.
    """
    known = feature_maps(network)
    wide = [one for one in known if one.has_extent]
    if layer:
        chosen = next((one for one in known if one.layer == layer), None)
        received = f"--layer {layer}"
    else:
        chosen = known[-1] if known else None
        received = "the network's last maps" if known else "a network without maps"
    if chosen is not None and chosen.has_extent:
        return chosen
    what = "are 1 x 1" if chosen is not None else "do not exist"
    raise InputError(
        f"grad-cam draws maps over rows and columns, which {what} here",
        received=received if chosen is None else f"{received}, {chosen.layer}",
        allowed="a layer whose maps have 2 positions or more",
        remedy=f"name one by --layer, such as {wide[-1].layer} ({wide[-1].rows} x {wide[-1].cols})"
        if wide
        else "take --method saliency or occlusion, which explain any network",
    )


def behind(network: keras.Model, layer: str) -> keras.Model:
    """The network from the output of a layer on: (patches, that output) -> the logits.

    What passes beside the layer, such as a shortcut, is computed from the patches.
    """
    inputs = [keras.Input(tensor.shape[1:], dtype=tensor.dtype) for tensor in network.inputs]
    entering: list[Any] = []

    def visit(call: Call, values: list[Any]) -> list[Any]:
        if call.operation.name == layer and not entering:
            entering.append(keras.Input(call.shapes[0][1:]))
            return [*entering, *_further(call, values)]
        return _listed(call.call_with(call.operation, values))

    outputs = walk(network, inputs, visit)
    return keras.Model([*inputs, *entering], unwrap_single(outputs))


def _further(call: Call, values: list[Any]) -> list[Any]:
    """Outputs of a layer of several besides the first."""
    if len(call.shapes) == 1:
        return []
    return _listed(call.call_with(call.operation, values))[1:]


def _listed(result: Any) -> list[Any]:
    return list(result) if isinstance(result, list | tuple) else [result]
