"""Networks of the zoo that were trained with PyTorch: their checkpoints, or modules in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hsitf import zoo
from hsitf.adopt.pytorch.layers import CheckpointLayer, layers_of
from hsitf.adopt.pytorch.match import TOOLBOX_ORDER, LayerMatch, filled
from hsitf.adopt.pytorch.search import find_network
from hsitf.adopt.source import ReadingContext, SourceNetwork
from hsitf.arrays import Float32Array
from hsitf.errors import DataError, InputError
from hsitf.log_silencing import load_keras

FRAMEWORK = "PyTorch"


def read(path: Path, context: ReadingContext) -> SourceNetwork:
    """Reads a checkpoint, `.pth` or `.pt` of `torch.save`, or `.safetensors`.

    Its arrays are matched to the layers of the zoo's networks by shape and order; their names are
    free. A checkpoint does not tell how a toolbox reshapes between layers: where that differs from
    the zoo, it is read as PyTorch toolboxes have it, and said.

    Args:
        path: The file.
        context: The scene's sizes, and the network and patch where the user named them.

    Raises:
        InputError: It is of no network of the zoo for this scene, of several, would run code, or
            a package is missing.
        DataError: It is damaged.
    """
    from hsitf.adopt.pytorch.safetensors_file import SUFFIX, read_safetensors

    ordered = path.suffix.lower() != SUFFIX
    if ordered:
        from hsitf.adopt.pytorch.pickled import read_pickle

        arrays = read_pickle(path)
    else:
        arrays = read_safetensors(path)
    load_keras()
    checkpoint = _layers(arrays, ordered)
    found = find_network(checkpoint, context)
    remarks = _remarks(found, context.patch)
    if found.network in TOOLBOX_ORDER:
        remarks.append(
            f"{TOOLBOX_ORDER[found.network]}: so PyTorch toolboxes have it, and the weights alone "
            "do not tell"
        )
    if not ordered and _alike(checkpoint):
        remarks.append("layers of equal shape were ordered by their names, as the file has none")
    return SourceNetwork(filled(found), FRAMEWORK, found.network, tuple(remarks))


def from_module(module: Any, context: ReadingContext) -> SourceNetwork:
    """Takes over a `torch.nn.Module` in memory, whose own logits are the reference.

    Its input is found by trying the layouts that PyTorch toolboxes have (`pytorch_module`), and
    what its weights do not tell is decided by its logits.

    Args:
        module: The trained module; it is not changed.
        context: The scene's sizes, and the network and patch where the user named them.

    Raises:
        InputError: It is of no network of the zoo for this scene, or computes something else than
            the network whose layers it has.
    """
    from hsitf.adopt.pytorch.module import agreeing
    from hsitf.adopt.pytorch.pickled import arrays_of

    load_keras()
    found = find_network(_layers(arrays_of(module.state_dict()), True), context)
    orders = (False, True) if found.network in TOOLBOX_ORDER else (False,)
    model, reference = agreeing(module, (filled(found, order) for order in orders))
    remarks = [*_remarks(found, context.patch), f"its module takes patches as {reference.layout}"]
    return SourceNetwork(
        model, FRAMEWORK, found.network, tuple(remarks), reference=reference.outputs
    )


def _layers(arrays: Mapping[str, Float32Array], ordered: bool) -> tuple[CheckpointLayer, ...]:
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise DataError(
                "the checkpoint holds numbers that are not finite",
                received=f"infinity or NaN in {name}",
                remedy="take a checkpoint from before its training diverged",
            )
    layers = layers_of(arrays, ordered)
    if not layers:
        raise InputError("the checkpoint holds no weights", remedy="save model.state_dict()")
    return layers


def _remarks(found: LayerMatch, patch: int | None) -> list[str]:
    remarks = []
    if found.decoder:
        remarks.append(
            f"its decoder ({len(found.decoder)} layers), which serves training alone, was left out"
        )
    facts = zoo.network(found.network)
    if patch is None and facts.min_patch != facts.max_patch:
        remarks.append(f"its patch was taken to be the paper's, {found.geometry.patch} pixels wide")
    return remarks


def _alike(checkpoint: Sequence[CheckpointLayer]) -> bool:
    """Whether only the order tells some layers apart."""
    shapes = Counter((layer.shape, frozenset(layer.arrays)) for layer in checkpoint)
    return any(count > 1 for count in shapes.values())
