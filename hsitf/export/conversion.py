"""From a lowered network to a verified file: one conversion, or candidates under a bound."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hsitf import verify
from hsitf.errors import VerificationError
from hsitf.export.calibration import Calibration
from hsitf.export.convert import weight_bytes
from hsitf.export.job import Job
from hsitf.export.preparation import PreparedModel, Reference, prepare_model
from hsitf.export.recovery import (
    CORRECTED,
    EQUALIZED,
    LEARNED,
    AccuracyDrop,
    FloatModel,
    RecoveryContext,
    candidates,
    format_techniques,
)
from hsitf.export.repacking import repack
from hsitf.export.variants import TFLITE, VARIANTS
from hsitf.export.verification import VerifiedFile, verify_file
from hsitf.files import disk_space_required
from hsitf.metrics import format_drop
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
        if job.max_drop is None or job.recipe.qat or job.labels_tiles:
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
    with disk_space_required(weight_bytes(model.lowered_for(job).model), folder):
        for techniques in _write_candidates(job, model, file, progress):
            if job.variant.format is TFLITE:
                repack(file, model.calibration)
            try:
                return verify_file(job, model, file, techniques, progress)
            except VerificationError as error:
                # What the first, most honest candidate lacks is what a user should read.
                refused = refused or error
                if job.max_drop is not None:
                    progress.say(
                        f"{job.variant.name} with {format_techniques(techniques)} is not taken, by "
                        f"its test pixels: {error.received}; allowed: {error.allowed}"
                    )
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
    lowered = model.lowered_for(job).model
    learned = model.learned_ranges if job.learned_ranges else None
    calibration = Calibration(model.calibration, job.range_estimator, job.per_tensor_dense, learned)
    data, pixels = model.data, model.data.split.validation

    def accuracy_drop(path: Path) -> float:
        runtime = job.variant.runtime(path, job.threads)
        return verify.verify(runtime, model.reference.validation_logits, data, pixels).oa_drop

    with tempfile.TemporaryDirectory(dir=file.parent) as temporary:
        conversion = _Conversion(job, calibration, Path(temporary), accuracy_drop, progress)
        if job.max_drop is None:
            yield _write_file(conversion, lowered, file)
            return
        candidate_folder = conversion.folder / "candidates"
        candidate_folder.mkdir()
        context = RecoveryContext(
            folder=candidate_folder,
            float_models=_float_models(conversion, lowered),
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


@dataclass(frozen=True, eq=False)
class _Conversion:
    """What all files of a job are made with.

    Attributes:
        job: What to write.
        calibration: What ranges come from.
        folder: Folder for files that are not kept.
        accuracy_drop: Measures the overall accuracy that a file loses on validation pixels,
            percentage points.
        progress: Receives progress messages.
    """

    job: Job
    calibration: Calibration
    folder: Path
    accuracy_drop: AccuracyDrop
    progress: Progress

    def write(self, network: keras.Model, file: Path) -> tuple[str, ...]:
        """Writes a lowered network, and returns what was applied to its weights and ranges.

        Of learned and measured ranges, the file has those with which it loses less on validation
        pixels; learned ones where both lose the same.
        """
        calibration, convert = self.calibration, self.job.variant.convert
        convert(network, calibration, file)
        techniques = ("one scale a dense layer",) if calibration.per_tensor_dense else ()
        if calibration.range_estimator is not None:
            return (*techniques, f"ranges by {calibration.range_estimator}")
        learned = calibration.learned_ranges
        if learned is None:
            return techniques
        measured = self.folder / f"measured-{file.name}"
        convert(network, replace(calibration, learned_ranges=None), measured)
        kept = learned.kept_in(file)
        if kept and self._loses_no_more(file, measured):
            count = len(learned.layers)
            some = "" if len(kept) == count else f" ({len(kept)} of {count})"
            return (*techniques, f"{LEARNED}{some}")
        shutil.copyfile(measured, file)
        return techniques

    def _loses_no_more(self, learned: Path, measured: Path) -> bool:
        """Whether a file with learned ranges loses no more than one with measured ranges."""
        with_learned, with_measured = self.accuracy_drop(learned), self.accuracy_drop(measured)
        chosen = "learned" if with_learned <= with_measured else "measured"
        self.progress.say(
            f"{self.job.variant.name} with {LEARNED}: {format_drop(with_learned)} in "
            f"validation; with measured ranges: {format_drop(with_measured)}; {chosen} ranges are "
            "taken"
        )
        return with_learned <= with_measured


def _write_file(conversion: _Conversion, lowered: keras.Model, file: Path) -> tuple[str, ...]:
    """Writes a file with exactly the techniques that were asked for, and returns those applied."""
    job, patches = conversion.job, conversion.calibration.patches
    techniques: tuple[str, ...] = ()
    if job.equalize:
        lowered, scaled = equalize(lowered, patches)
        if scaled:
            techniques = (EQUALIZED,)
        else:
            conversion.progress.say(f"{job.variant.name}: no channel can be equalized")
    techniques += conversion.write(lowered, file)
    if job.correct_bias:
        plain = conversion.folder / "float32.tflite"
        VARIANTS["float32"].convert(lowered, conversion.calibration, plain)
        if correct_biases(plain, file, patches, file, conversion.progress):
            techniques = (*techniques, CORRECTED)
        else:
            conversion.progress.say(f"{job.variant.name}: no bias can be corrected")
    return techniques


def _float_models(conversion: _Conversion, lowered: keras.Model) -> Iterator[FloatModel]:
    """The lowered network as it is, and with its channels equalized where that changes any."""
    if not conversion.job.equalize:
        yield _float_model(conversion, lowered, (), "float32.tflite")
    equal, scaled = equalize(lowered, conversion.calibration.patches)
    if scaled or conversion.job.equalize:
        yield _float_model(conversion, equal, (EQUALIZED,) if scaled else (), "equalized.tflite")


def _float_model(
    conversion: _Conversion, network: keras.Model, techniques: tuple[str, ...], name: str
) -> FloatModel:
    path, calibration = conversion.folder / name, conversion.calibration
    VARIANTS["float32"].convert(network, calibration, path)

    def convert(file: Path) -> tuple[str, ...]:
        return conversion.write(network, file)

    return FloatModel(techniques, path, None if calibration.range_estimator else convert)
