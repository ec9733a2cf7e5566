"""From a lowered network to a verified file: one conversion, or candidates under a bound."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hsitf import verify
from hsitf.errors import VerificationError
from hsitf.export.calibration import Calibration
from hsitf.export.convert import weight_bytes
from hsitf.export.job import Job
from hsitf.export.preparation import PreparedModel, Reference, prepare_model
from hsitf.export.recovery import CORRECTED, EQUALIZED, FloatModel, RecoveryContext, candidates
from hsitf.export.variants import VARIANTS
from hsitf.export.verification import VerifiedFile, verify_file
from hsitf.files import disk_space_required
from hsitf.progress import Progress
from hsitf.quantize.bias_correction import correct_biases
from hsitf.quantize.equalization import equalize
from hsitf.quantize.range_estimation import ESTIMATORS

if TYPE_CHECKING:
    import keras


def convert_or_train(
    job: Job, model: PreparedModel, reference: Reference, folder: Path, progress: Progress
) -> VerifiedFile:
    """Converts and verifies a file; where no technique keeps its bound, trains for it.

    Args:
        job: What to export.
        model: The network of its recipe.
        reference: The trained network.
        folder: Folder that the file is written to.
        progress: Receives progress and messages.

    Raises:
        VerificationError: See `convert`.
    """
    try:
        return convert(job, model, folder, progress)
    except VerificationError as error:
        if job.max_drop is None or job.recipe.qat:
            raise
        refused = error
    progress.say(
        f"{job.variant.name} loses too much with any ranges: starting quantization-aware training"
    )
    trained = job.with_qat()
    try:
        return convert(trained, prepare_model(reference, [trained], progress), folder, progress)
    except VerificationError:
        # What the network as it was trained lacks is what a user should read.
        raise refused from None


def convert(job: Job, model: PreparedModel, folder: Path, progress: Progress) -> VerifiedFile:
    """Converts and verifies one file inside `folder`.

    Raises:
        VerificationError: The file is less accurate than its bounds allow, or is not what its
            variant promises.
    """
    progress.start(f"converting to {job.variant.name}", 1)
    file = folder / job.file_name
    refused: VerificationError | None = None
    with disk_space_required(weight_bytes(model.lowered[job.target].model), folder):
        for techniques in _write_candidates(job, model, file, progress):
            try:
                return verify_file(job, model, file, techniques, progress)
            except VerificationError as error:
                # What the first, most honest candidate lacks is what a user should read.
                refused = refused or error
    if refused is None:
        raise ValueError("there is always a first candidate")
    raise refused


def _write_candidates(
    job: Job, model: PreparedModel, file: Path, progress: Progress
) -> Iterator[tuple[str, ...]]:
    """Writes the job's file: once, or again and again where its loss is bounded.

    Args:
        job: What to write.
        model: The network that it is converted from.
        file: Path of the file, written anew before each step.
        progress: Receives what is tried.

    Yields:
        What was applied to the file that lies there now, as records say it.
    """
    lowered = model.lowered[job.target].model
    calibration = Calibration(model.calibration, job.range_estimator, job.per_tensor_dense)
    techniques = ("one scale a dense layer",) if calibration.per_tensor_dense else ()
    with tempfile.TemporaryDirectory(dir=file.parent) as temporary:
        folder = Path(temporary)
        if job.max_drop is None:
            yield techniques + _write_file(job, lowered, calibration, file, progress, folder)
            return
        data, pixels = model.data, model.data.split.validation

        def accuracy_drop(path: Path) -> float:
            runtime = job.variant.runtime(path, job.threads)
            logits = model.reference.validation_logits
            return verify.verify(runtime, logits, data, pixels).oa_drop

        candidate_folder = folder / "candidates"
        candidate_folder.mkdir()
        context = RecoveryContext(
            folder=candidate_folder,
            converter_techniques=techniques,
            float_models=_float_models(job, lowered, calibration, folder),
            calibration=model.calibration,
            range_estimators=[job.range_estimator] if job.range_estimator else list(ESTIMATORS),
            bias_corrections=(True,) if job.correct_bias else (False, True),
            accuracy_drop=accuracy_drop,
            max_drop=job.max_drop,
            progress=progress,
        )
        for candidate in candidates(context):
            shutil.copyfile(candidate.file, file)
            yield candidate.techniques


def _write_file(
    job: Job,
    lowered: keras.Model,
    calibration: Calibration,
    file: Path,
    progress: Progress,
    folder: Path,
) -> tuple[str, ...]:
    """Writes a file with exactly the techniques that were asked for, and returns those applied."""
    name = job.variant.name
    estimator = calibration.range_estimator
    techniques = () if estimator is None else (f"ranges by {estimator}",)
    if job.equalize:
        lowered, scaled = equalize(lowered, calibration.patches)
        if scaled:
            techniques = (EQUALIZED, *techniques)
        else:
            progress.say(f"{name}: no channel can be equalized")
    job.variant.convert(lowered, calibration, file)
    if job.correct_bias:
        plain = folder / "float32.tflite"
        VARIANTS["float32"].convert(lowered, calibration, plain)
        if correct_biases(plain, file, calibration.patches, file, progress):
            techniques = (*techniques, CORRECTED)
        else:
            progress.say(f"{name}: no bias can be corrected")
    return techniques


def _float_models(
    job: Job, lowered: keras.Model, calibration: Calibration, folder: Path
) -> Iterator[FloatModel]:
    """The lowered network as it is, and with its channels equalized where that changes any."""
    if not job.equalize:
        yield _float_model(job, lowered, (), calibration, folder / "float32.tflite")
    equal, scaled = equalize(lowered, calibration.patches)
    if scaled or job.equalize:
        techniques = (EQUALIZED,) if scaled else ()
        yield _float_model(job, equal, techniques, calibration, folder / "equalized.tflite")


def _float_model(
    job: Job,
    network: keras.Model,
    techniques: tuple[str, ...],
    calibration: Calibration,
    path: Path,
) -> FloatModel:
    VARIANTS["float32"].convert(network, calibration, path)

    def convert(path: Path) -> None:
        job.variant.convert(network, calibration, path)

    return FloatModel(techniques, path, None if calibration.range_estimator else convert)
