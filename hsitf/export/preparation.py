"""From a trained network to the lowered ones that files are converted from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hsitf import runtimes, verify
from hsitf.arithmetic import FLOAT, Arithmetic
from hsitf.arrays import Float32Array
from hsitf.data import SceneData
from hsitf.export.convert import (
    LoweredNetwork,
    calibration_inputs,
    calibration_patches,
    calibration_tiles,
    float32_size,
    lower_and_check,
    lowered_form,
)
from hsitf.export.job import Job, PreprocessingRecipe
from hsitf.export.tuning import TunedLowering, TuningSubject, tune
from hsitf.log_silencing import suppressed_output
from hsitf.lower.preprocessing import fold_preprocessing
from hsitf.lower.test_time_augmentation import mean_over_sides
from hsitf.progress import Progress
from hsitf.quantize.learned_ranges import (
    PROBES,
    LearnedRanges,
    Probe,
    observe_learned_ranges,
)
from hsitf.quantize.qat import EPOCHS, quantization_aware_train
from hsitf.records import SceneChoice
from hsitf.runs import Run
from hsitf.targets import find_target

if TYPE_CHECKING:
    import keras

# A tile holds thousands of patches.
_TILE_PROBES = 2


@dataclass(frozen=True, eq=False)
class Reference:
    """The trained network with its own logits, which every file is compared with.

    Attributes:
        run: Run that the network comes from.
        data: Its scene, split and normalization.
        network: The network as it was trained.
        test_logits: (test pixels, classes) float32, its logits; their mean over the eight sides
            of each patch where files compute that.
        validation_logits: (validation pixels, classes) float32; empty where no file is chosen by
            them.
    """

    run: Run
    data: SceneData
    network: keras.Model
    test_logits: Float32Array
    validation_logits: Float32Array


@dataclass(frozen=True, eq=False)
class PreparedModel:
    """The network of one preprocessing recipe, ready to be converted.

    Attributes:
        reference: The trained network.
        data: The scene as the prepared network takes it: in sensor units where preprocessing is
            folded in.
        network: The trained network, with what the recipe puts in front of it.
        lowered: The network rewritten for each arithmetic that jobs ask for, and for floats.
        float32_bytes: Size of the plain float32 .tflite, the yardstick of all others.
        calibration: (n, ...) float32, class-balanced training patches, or tiles of them.
        techniques: What was done to the network beyond its training, as records say it.
        learned_ranges: Ranges that its training learned, with what finds them in files; None
            where no job uses any.
        tuned: What was chosen by the cost of a target, by the name of the kind of file.
    """

    reference: Reference
    data: SceneData
    network: keras.Model
    lowered: dict[Arithmetic, LoweredNetwork]
    float32_bytes: int
    calibration: Float32Array
    techniques: tuple[str, ...] = ()
    learned_ranges: LearnedRanges | None = None
    tuned: dict[str, TunedLowering] = field(default_factory=dict)

    def arithmetic(self, job: Job) -> Arithmetic:
        """The arithmetic that the network of a job was lowered for."""
        tuned = self.tuned.get(job.variant.name)
        return job.arithmetic if tuned is None else tuned.arithmetic

    def lowered_for(self, job: Job) -> LoweredNetwork:
        """The network of a job as it was lowered for it."""
        return self.lowered[self.arithmetic(job)]


def load_reference(
    run: Run, jobs: Sequence[Job], choice: SceneChoice, progress: Progress
) -> Reference:
    """Loads a trained network and computes the logits that its files are compared with.

    Raises:
        InputError: The scene cannot be found.
        DataError: The scene or the network is not the one of the run's record.
    """
    data = run.data(choice)
    with suppressed_output():
        network = run.network()
    whole = runtimes.trained(mean_over_sides(network) if jobs[0].tta else network)
    test_logits = verify.runtime_logits(whole, data, data.split.test, progress)
    selects = any(job.max_drop is not None or job.learned_ranges for job in jobs)
    selection_pixels = data.split.validation if selects else data.split.validation[:0]
    validation_logits = verify.runtime_logits(whole, data, selection_pixels, progress)
    return Reference(run, data, network, test_logits, validation_logits)


def prepare_models(
    reference: Reference, jobs: Sequence[Job], progress: Progress
) -> dict[PreprocessingRecipe, PreparedModel]:
    """The networks that jobs convert: one a recipe, lowered for each arithmetic of its jobs."""
    prepared = {}
    for recipe in dict.fromkeys(job.recipe for job in jobs):
        members = [job for job in jobs if job.recipe == recipe]
        prepared[recipe] = prepare_model(reference, members, progress)
    return prepared


def prepare_model(reference: Reference, jobs: Sequence[Job], progress: Progress) -> PreparedModel:
    """The network of jobs that share a recipe, lowered for each of their targets.

    Raises:
        LoweringError: The network cannot be rewritten for inference.
    """
    recipe, batch, tile, tta = jobs[0].recipe, jobs[0].batch, jobs[0].tile, jobs[0].tta
    data, network = reference.data, reference.network
    techniques: tuple[str, ...] = ()
    if recipe.qat:
        network, found = quantization_aware_train(reference.run, network, data, EPOCHS, progress)
        if found.best_epoch:
            techniques = (f"quantization-aware training, {EPOCHS} epochs",)
        else:
            progress.say("quantization-aware training made nothing better, and is undone")
    with suppressed_output():
        # Files are compared with the network as it was trained, on bands prepared for it.
        if recipe.fold_preprocessing:
            network = fold_preprocessing(
                network, data.normalizer, data.reducer, recipe.separate_normalization
            )
            data = data.in_sensor_units()
        samples = calibration_inputs(network, data, batch, tile)
    tuned = {
        job.variant.name: _tuned(job, network, samples, progress)
        for job in jobs
        if job.target is not None and find_target(job.target).cost is not None
    }
    with suppressed_output():
        lowered = {
            arithmetic: lower_and_check(network, data, batch, arithmetic, tile, tta)
            for arithmetic in _arithmetics(jobs, tuned)
        }
        return PreparedModel(
            reference,
            data,
            network,
            lowered,
            float32_size(lowered[FLOAT].model),
            samples,
            techniques,
            _learned_ranges(reference, data, batch, tile)
            if any(job.learned_ranges for job in jobs)
            else None,
            tuned,
        )


def _tuned(
    job: Job, network: keras.Model, samples: Float32Array, progress: Progress
) -> TunedLowering:
    """What is chosen by the cost of the job's target, kept beside its bundle."""
    name = str(job.target)
    subject = TuningSubject(
        lambda arithmetic: lowered_form(network, job.batch, arithmetic, job.tile, job.tta),
        job.variant,
        samples,
        name,
        find_target(name),
    )
    cache = job.folder.with_name(f"{job.folder.name}-lowering.json")
    return tune(subject, job.arithmetic, cache, progress)


def _learned_ranges(
    reference: Reference, data: SceneData, batch: int, tile: int
) -> LearnedRanges | None:
    """The ranges of a run that was trained quantization-aware elsewhere.

    Args:
        reference: The network as it was trained.
        data: The scene as its files take it.
        batch: Patches per inference.
        tile: Side in pixels of the tile that an inference takes; 0 for patches.
    """
    adopted = reference.run.record.adopted
    if adopted is None:
        return None
    probes = (
        _tile_probes(reference.data, data, tile) if tile else _probes(reference.data, data, batch)
    )
    return observe_learned_ranges(reference.network, adopted.activation_ranges, probes)


def _probes(trained: SceneData, data: SceneData, batch: int) -> list[Probe]:
    """Batches of calibration patches, as the network and as its files take them."""
    patches, inputs = (calibration_patches(one, batch)[: PROBES * batch] for one in (trained, data))
    return [
        Probe(inputs[at : at + batch], patches[at : at + batch])
        for at in range(0, len(inputs), batch)
    ]


def _tile_probes(trained: SceneData, data: SceneData, tile: int) -> list[Probe]:
    """Calibration tiles as a file takes them, and all patches in each."""
    patch = data.patches.patch
    whole, inputs = (calibration_tiles(one, tile)[:_TILE_PROBES] for one in (trained, data))
    windows = sliding_window_view(whole, (patch, patch), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    return [
        Probe(one[None], np.ascontiguousarray(inside.reshape(tile * tile, patch, patch, -1)))
        for one, inside in zip(inputs, windows, strict=True)
    ]


def _arithmetics(jobs: Iterable[Job], tuned: dict[str, TunedLowering]) -> list[Arithmetic]:
    """Every arithmetic that jobs need, and the one of floats."""
    chosen = (
        tuned[job.variant.name].arithmetic if job.variant.name in tuned else job.arithmetic
        for job in jobs
    )
    return list(dict.fromkeys([*chosen, FLOAT]))
