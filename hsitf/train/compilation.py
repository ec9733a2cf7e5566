"""From a plan to the model that an epoch is fitted with: network, gather, loss, optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from hsitf import zoo
from hsitf.data import SceneData
from hsitf.errors import InputError
from hsitf.records import TrainingPlan
from hsitf.tile_networks import is_tile_network
from hsitf.train.averaging import average_weights
from hsitf.train.band_centers import band_centers
from hsitf.train.distillation import DistillationLoss
from hsitf.train.epoch_inputs import UNLABELLED, epoch_length, has_soft_targets
from hsitf.train.gather import PatchChanges, gather_model, reconstruction_model
from hsitf.train.guidance import NO_GUIDANCE, Guidance
from hsitf.train.normalized_bands import NormalizedBands
from hsitf.train.pixel_normalization import fit_pixel_normalization, in_front
from hsitf.train.schedule import StepFactor, optimizer
from hsitf.train.tile_gather import tile_gather_model
from hsitf.train.tile_inputs import check_tile, shown_in_training
from hsitf.train.tile_loss import TileCrossentropy


def build_network(plan: TrainingPlan, data: SceneData) -> keras.Model:
    """The plan's network with fresh weights, behind its normalization per pixel."""
    bands = plan.network_bands(data.bands)
    network = zoo.build(
        plan.network,
        bands=bands,
        classes=data.scene.classes,
        patch=plan.patch,
        wavelengths=band_centers(plan, data),
    )
    if not plan.pixel_normalization:
        return network
    return in_front(fit_pixel_normalization(plan.pixel_normalization, data), network)


@contextmanager
def precision_policy(precision: str) -> Iterator[None]:
    """Sets Keras' dtype policy inside the block; weights stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def decoder_weight(name: str) -> float | None:
    """Weight of the decoder's loss; None where the network has none, or is not known here."""
    facts = zoo.facts(name)
    return None if facts is None else facts.reconstruction_weight


def compile_model(
    network: keras.Model,
    plan: TrainingPlan,
    data: SceneData,
    weight: float | None,
    guidance: Guidance = NO_GUIDANCE,
    begin: int = 0,
) -> keras.Model:
    """The network behind a gather, ready to be fitted with the recipe's optimizer and decay.

    Where it is trained with a decoder, whose loss has a weight, the model has the error of the
    reconstruction as a second output, and its loss is CE + weight * MSE: the mean cross-entropy
    of a batch's labelled pixels and the mean squared error of the spectra of all its pixels.

    Args:
        network: The network.
        plan: The training plan.
        data: The scene.
        weight: Weight of the decoder's loss; None without a decoder.
        guidance: What is learned from beside labels.
        begin: The epoch from which those of the learning rate are counted.

    Raises:
        InputError: The plan changes patches or targets of a network with a decoder.
    """
    recipe = plan.recipe
    if is_tile_network(network):
        check_tile(data, int(network.inputs[0].shape[1]))
        model = tile_gather_model(network, data.patches, shown_in_training(data))
        loss = _tile_loss(plan, guidance)
    elif weight is None:
        model = gather_model(
            network,
            data.patches,
            plan.brightness_noise,
            plan.intra_class_mixup,
            _patch_changes(plan, data),
        )
        loss = _class_loss(plan, guidance)
    else:
        check_decoder(plan)
        model = reconstruction_model(zoo.semi_supervised(plan.network, network), data.patches)
        loss = [
            keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=UNLABELLED),
            keras.losses.MeanSquaredError(),
        ]
    for variable in model.trainable_variables:
        # The papers' weight decay adds l2 * w to the gradient, that is, l2 / 2 * w^2 to the loss.
        variable.regularizer = (
            keras.regularizers.L2(recipe.weight_decay / 2) if recipe.weight_decay else None
        )
    chosen = optimizer(recipe)
    if recipe.decoupled_weight_decay:
        chosen.exclude_from_weight_decay([v for v in model.trainable_variables if len(v.shape) < 2])
    lengths = guidance.lengths(plan, data, epoch_length(model, data), begin)
    average_weights(chosen, recipe.ema_epochs * lengths.first)
    StepFactor(recipe, lengths).apply_to(chosen)
    model.compile(
        chosen,
        loss,
        loss_weights=None if weight is None else [1.0, weight],
        # On CPU, TensorFlow's own kernels beat XLA's: 27 times for the convolutions of he.
        jit_compile=plan.xla if keras.backend.backend() == "tensorflow" else "auto",
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _tile_loss(plan: TrainingPlan, guidance: Guidance) -> keras.losses.Loss:
    """The loss of a network of tiles.

    Raises:
        InputError: It is to learn from a teacher or from pixels without a label.
    """
    if guidance.softens_targets or guidance.unlabelled.count:
        raise InputError(
            f"{plan.network} labels whole tiles, and learns from labels alone",
            received="a teacher or pseudo-labels",
            remedy="leave --distill, --teacher and --pseudo-labels out",
        )
    return TileCrossentropy(plan.recipe.label_smoothing)


def _class_loss(plan: TrainingPlan, guidance: Guidance) -> keras.losses.Loss:
    """The loss of a network with one output, its logits."""
    smoothing = plan.recipe.label_smoothing
    if guidance.temperature is not None:
        return DistillationLoss(guidance.temperature, smoothing)
    if has_soft_targets(plan, guidance):
        return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _patch_changes(plan: TrainingPlan, data: SceneData) -> PatchChanges:
    """How the plan changes patches in training; spectra are changed only where they are whole."""
    strengths = dict(plan.augmentations)
    axis = NormalizedBands.of(data) if strengths else None
    return PatchChanges(strengths, axis, plan.mixup > 0)


def check_decoder(plan: TrainingPlan) -> None:
    """Refuses a plan that changes patches or targets, for a network with a decoder.

    Raises:
        InputError: It does.
    """
    soft = has_soft_targets(plan) or plan.pseudo_labels > 0 or bool(plan.teachers)
    changed = plan.brightness_noise or plan.intra_class_mixup or soft
    if not (changed or plan.augmentations or plan.balanced_sampling):
        return
    raise InputError(
        f"{plan.network} learns from unlabelled pixels, whose spectra it reconstructs",
        received="--brightness-noise, --intra-class-mixup, --augment, --mixup, --label-smoothing, "
        "--balanced-sampling, --pseudo-labels or --teacher",
        remedy="leave them out",
    )
