"""Quantization-aware training: a network learns what rounding will do to it.

It is the trained network that learns, not its lowered form: a lowered 3-D convolution repeats
its weights and fills up with zeros, and training it as it stands would tell the copies apart and
fill the zeros (of `he`, 204 thousand numbers became several times as many). What learns here keeps
its shape, is of any layers that a network has, and runs on every backend.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import ops

from hsitf.data import Data
from hsitf.errors import InputError
from hsitf.graph import operations
from hsitf.progress import Progress
from hsitf.quantize.request import CALIBRATION_PATCHES
from hsitf.quantize.rounding import AwareRounding, AwareSumming
from hsitf.quantize.schemes import Bits, Scheme
from hsitf.quantize.simulate import Rebuilt, Simulation
from hsitf.records import TrainingPlan
from hsitf.train.loop import FitResult, fit

EPOCHS = 10
# The network is near its optimum; rounding moved it by less than a step of training does.
SLOWER = 10
_BITS = Bits(8, 8, 32)


def taught(
    network: keras.Model, plan: TrainingPlan, data: Data, epochs: int, progress: Progress
) -> tuple[keras.Model, FitResult]:
    """Trains a copy of a network with its numbers rounded to 8 bits in every forward pass.

    Ranges of activations are those of the network as it is, each wherever its values lie, as
    in a .tflite file. Batch normalization stays as it is.

    Args:
        network: As it was trained; left as it is.
        plan: How it was trained: recipe, order and augmentation are taken from it.
        data: What it was trained on. The validation pixels choose the epoch.
        epochs: Passes over the training pixels.
        progress: Told of every batch and epoch.

    Returns:
        The copy, of floats, whose integer file loses less; and how training went.

    Raises:
        InputError: As `fit`.
    """
    patches = data.patches.cut(data.balanced(CALIBRATION_PATCHES))
    grids = Simulation(network, patches, Scheme("channel", "affine")).grids(_BITS)
    aware = Rebuilt(network, AwareRounding, AwareSumming)
    _check(aware)
    for rounding, grid in zip(aware.roundings, grids, strict=True):
        rounding.put(grid)
    rate = plan.recipe.learning_rate / SLOWER
    recipe = replace(plan.recipe, epochs=epochs, learning_rate=rate, milestones=())
    learning = replace(plan, recipe=recipe, schedule="custom", patience=0)
    folder = Path(tempfile.mkdtemp())
    try:
        found = fit(learning, data, folder / "state.npz", progress, aware.logits, labelled=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    _hand_back(aware, network, copy)
    return copy, found


def _check(aware: Rebuilt) -> None:
    for place in aware.places:
        behind = None if place.summing is None else place.summing.behind
        unbiased = behind is not None and not (place.layer.use_bias or behind.layer.center)
        if place.shared or unbiased:
            raise InputError(
                "this network cannot be trained with its numbers rounded",
                received=f"layer {place.name}, "
                + ("used at several places" if place.shared else "with no bias to learn"),
                remedy="export it without --qat",
            )


def _hand_back(aware: Rebuilt, network: keras.Model, copy: keras.Model) -> None:
    """Gives a copy of the network what its roundings taught."""
    twins = dict(zip(map(id, operations(network)), operations(copy), strict=True))
    for place in aware.places:
        if place.summing is None:
            twin = twins[id(place.layer)]
            twin.set_weights(place.recurrent.get_weights())
            continue
        summing = place.summing
        rows = summing.layout.rows(ops.convert_to_numpy(summing.kernel))
        bias = ops.convert_to_numpy(summing.learned)
        layer, behind = twins[id(place.layer)], summing.behind
        if behind is not None:
            # A channel that its normalization multiplies by 0 says nothing, whatever its kernel.
            factor = np.where(behind.factor == 0, 1, behind.factor)
            rows = np.asarray(rows / factor[:, None], np.float32)
            if layer.use_bias:
                bias = (bias - behind.shift) / factor
            else:
                beta = twins[id(behind.layer)].beta
                beta.assign(ops.convert_to_numpy(beta) + bias - behind.shift)
        kernel = summing.layout.back(rows, summing.shape)
        layer.set_weights([kernel, bias] if layer.use_bias else [kernel])
