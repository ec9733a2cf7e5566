"""Quantization-aware training: fine-tunes a network with simulated 8-bit arithmetic.

The network as it was teaches the one whose arithmetic is simulated, on labelled and on unlabelled
pixels: what is asked of an integer file is that it classifies as its network does, and labels alone
would pull it elsewhere.

The trained network is fine-tuned, not its lowered form: a lowered 3-D convolution repeats its
weights and contains zeros, and training it would make the copies differ and fill the zeros (of
`he`, 204 thousand numbers became several times as many). The network fine-tuned here keeps its
shape, may have any layers, and runs on every backend.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import ops

from hsitf import zoo
from hsitf.data import SceneData
from hsitf.errors import InputError
from hsitf.graph import copy_weights, operations
from hsitf.progress import Progress
from hsitf.quantize.fake_quantize import TrainableFakeQuantize, TrainableMatmul
from hsitf.quantize.fake_quantized_network import FakeQuantizedNetwork
from hsitf.quantize.request import CALIBRATION_PATCHES
from hsitf.quantize.schemes import Bits, Scheme
from hsitf.quantize.simulator import QuantizationSimulator
from hsitf.runs import Run
from hsitf.seeding import seeded
from hsitf.tile_networks import is_tile_network
from hsitf.train.fine_tuning import distilled_plan
from hsitf.train.further_fit import fit_further
from hsitf.train.guidance import Guidance
from hsitf.train.loop import FitResult
from hsitf.train.teachers import Distillation

EPOCHS = 10
# Share of the recipe's learning rate: the network is near its optimum.
LEARNING_RATE_SHARE = 0.1
# The teacher alone: the network has learned its labels already.
DISTILLATION = Distillation(teacher_weight=1.0)
_BITS = Bits(8, 8, 32)


def quantization_aware_train(
    run: Run, network: keras.Model, data: SceneData, epochs: int, progress: Progress
) -> tuple[keras.Model, FitResult]:
    """Trains a copy of a network with weights and activations quantized to 8 bits.

    Activation ranges are calibrated on the trained network and asymmetric, as in a .tflite file.
    The statistics of batch normalization stay fixed.

    Args:
        run: The trained network as a run, which teaches.
        network: Its network; it is not changed.
        data: Scene, split and normalization. Validation pixels and unlabelled pixels that are never
            shown select the epoch.
        epochs: Passes over the training pixels.
        progress: Receives progress messages of every batch and epoch.

    Returns:
        The fine-tuned float network, and the result of the training loop. Where no epoch is better
        than the quantized network before, its best epoch is 0 and the network is as it was.

    Raises:
        InputError: A layer cannot be trained this way, or as `fit`.
    """
    if is_tile_network(network):
        raise zoo.tiles_refused(run.record.plan.network, "trained quantization-aware")
    plan = distilled_plan(run.record.plan)
    rate = LEARNING_RATE_SHARE * plan.recipe.learning_rate
    recipe = replace(
        plan.recipe, epochs=epochs, learning_rate=rate, decoupled_weight_decay=0.0, weight_decay=0.0
    )
    # Nor does the teacher say anything of turned patches.
    plan = replace(plan, recipe=recipe, flip_rotate=False)
    patches = data.patches.extract(data.calibration_pixels(CALIBRATION_PATCHES))
    # Layers that are not rebuilt, such as normalizations, are trained themselves: those of a copy.
    with seeded(plan.seed):
        copy = keras.models.clone_model(network)
        copy_weights(network, copy)
        simulator = QuantizationSimulator(copy, patches, Scheme("channel", "asymmetric"))
        aware = FakeQuantizedNetwork(copy, TrainableFakeQuantize, TrainableMatmul)
    _check(aware)
    for quantizer, params in zip(aware.quantizers, simulator.activation_params(_BITS), strict=True):
        quantizer.set_params(params)
    guidance = Guidance.distilled(run, plan, data, DISTILLATION, progress)
    folder = Path(tempfile.mkdtemp())
    try:
        state = folder / "state.npz"
        found = fit_further(aware.logits, plan, data, state, progress, guidance)[0]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not found.best_epoch:
        return network, found
    _copy_weights(aware, copy, copy)
    return copy, found


def _check(aware: FakeQuantizedNetwork) -> None:
    for layer in aware.quantized_layers:
        batch_norm = None if layer.matmul is None else layer.matmul.batch_norm
        unbiased = batch_norm is not None and not (layer.layer.use_bias or batch_norm.layer.center)
        if layer.shared or unbiased:
            raise InputError(
                "this network cannot be trained quantization-aware",
                received=f"layer {layer.name}, "
                + ("used at several places" if layer.shared else "with no bias to learn"),
                remedy="export it without --qat",
            )


def _copy_weights(aware: FakeQuantizedNetwork, network: keras.Model, copy: keras.Model) -> None:
    """Copies the trained weights back, batch normalization unfolded."""
    twins = dict(zip(map(id, operations(network)), operations(copy), strict=True))
    for quantized in aware.quantized_layers:
        if quantized.matmul is None:
            twin = twins[id(quantized.layer)]
            twin.set_weights(quantized.recurrent.get_weights())
            continue
        matmul = quantized.matmul
        rows = matmul.kernel_layout.to_matrix(ops.convert_to_numpy(matmul.kernel))
        bias = ops.convert_to_numpy(matmul.trained_bias)
        layer, batch_norm = twins[id(quantized.layer)], matmul.batch_norm
        if batch_norm is not None:
            # A channel that its normalization multiplies by 0 is constant, whatever its kernel.
            factor = np.where(batch_norm.factor == 0, 1, batch_norm.factor)
            rows = np.asarray(rows / factor[:, None], np.float32)
            if layer.use_bias:
                bias = (bias - batch_norm.shift) / factor
            else:
                beta = twins[id(batch_norm.layer)].beta
                beta.assign(ops.convert_to_numpy(beta) + bias - batch_norm.shift)
        kernel = matmul.kernel_layout.from_matrix(rows, matmul.kernel_shape)
        layer.set_weights([kernel, bias] if layer.use_bias else [kernel])
