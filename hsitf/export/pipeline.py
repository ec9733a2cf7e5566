"""From a trained network to verified bundles: convert, verify, measure, publish."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from hsitf import records
from hsitf.errors import DataError, VerificationError
from hsitf.export import bundle
from hsitf.export.bundle import Bundle
from hsitf.export.conversion import write_candidates
from hsitf.export.convert import weight_bytes
from hsitf.export.job import Job
from hsitf.export.preparation import (
    PreparedModel,
    Reference,
    load_reference,
    prepare_model,
    prepare_models,
)
from hsitf.export.publication import write_bundle
from hsitf.export.request import ExportRequest
from hsitf.export.verification import VerifiedFile, verify_file
from hsitf.files import disk_space_required, replacing_folder
from hsitf.measure import Timing, interleaved
from hsitf.progress import Progress
from hsitf.records import ExportRecord, SceneChoice
from hsitf.runs import Run


def export(
    run: Run, request: ExportRequest, progress: Progress, choice: SceneChoice | None = None
) -> tuple[list[Bundle], list[VerificationError]]:
    """Exports a trained network and publishes the files that pass verification.

    Args:
        run: The trained network.
        request: What to export.
        progress: Receives progress and messages.
        choice: Where the scene is now, if not where the run found it.

    Returns:
        The published bundles in the order asked for, and what kept the others back.

    Raises:
        InputError: The scene cannot be found.
        DataError: The scene or the network is not the one of the run's record.
        LoweringError: The network cannot be rewritten for inference.
        OutputError: The bundles cannot be written.
    """
    reducer = run.reducer()
    jobs = [Job.of(request, variant, run, reducer) for variant in request.variants]
    reference = load_reference(run, jobs, choice or run.record.plan.scene, progress)
    models = prepare_models(reference, jobs, progress)
    refused: list[VerificationError] = []
    verified: list[VerifiedFile] = []
    with ExitStack() as publishing:
        for job in jobs:
            _announce_replacement(job.folder, run, progress)
            try:
                with ExitStack() as attempt:
                    folder = attempt.enter_context(replacing_folder(job.folder))
                    item = convert_or_train(job, models[job.recipe], reference, folder, progress)
                    verified.append(item)
                    publishing.enter_context(attempt.pop_all())
            except VerificationError as error:
                refused.append(error)
        timings = _timings(verified, request.batch)
        for item in verified:
            write_bundle(item, timings[item.job.variant.name])
    return [Bundle.open(item.job.folder) for item in verified], refused


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
        for techniques in write_candidates(job, model, file, progress):
            try:
                return verify_file(job, model, file, techniques, progress)
            except VerificationError as error:
                # What the first, most honest candidate lacks is what a user should read.
                refused = refused or error
    if refused is None:
        raise ValueError("there is always a first candidate")
    raise refused


def _announce_replacement(folder: Path, run: Run, progress: Progress) -> None:
    """Says so where a bundle of another run will be replaced."""
    if not (folder / bundle.RECORD).is_file():
        return
    try:
        then = records.read(ExportRecord, folder / bundle.RECORD)
    except DataError as error:
        progress.say(f"replacing {folder}, which cannot be read: {error}")
        return
    if then.run_sha256 != run.record.sha256:
        progress.say(f"replacing {folder}, which was exported from {then.run_folder}")


def _timings(verified: Sequence[VerifiedFile], batch: int) -> dict[str, Timing]:
    """How long inferences take, by variant, measured in turns."""
    return interleaved(
        {
            item.job.variant.name: item.runtime.action(item.golden.stored_inputs[:batch])
            for item in verified
        }
    )
