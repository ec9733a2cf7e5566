"""From a trained network to verified bundles: convert, verify, measure, publish."""

from __future__ import annotations

from contextlib import ExitStack

from hsitf.errors import VerificationError
from hsitf.export.bundle import Bundle
from hsitf.export.conversion import convert_or_train
from hsitf.export.job import Job
from hsitf.export.preparation import load_reference, prepare_models
from hsitf.export.publication import announce_replacement, write_bundles
from hsitf.export.request import ExportRequest
from hsitf.export.verification import VerifiedFile
from hsitf.files import replacing_folder
from hsitf.locks import one_writer
from hsitf.progress import Progress
from hsitf.records import SceneChoice
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
    reference = load_reference(run, jobs, choice or run.scene_choice(), progress)
    models = prepare_models(reference, jobs, progress)
    refused: list[VerificationError] = []
    verified: list[VerifiedFile] = []
    with ExitStack() as publishing:
        publishing.enter_context(one_writer(progress.say, *(job.folder for job in jobs)))
        for job in jobs:
            announce_replacement(job.folder, run, progress)
            try:
                with ExitStack() as attempt:
                    folder = attempt.enter_context(replacing_folder(job.folder))
                    item = convert_or_train(job, models[job.recipe], reference, folder, progress)
                    verified.append(item)
                    publishing.enter_context(attempt.pop_all())
            except VerificationError as error:
                refused.append(error)
        write_bundles(verified)
    return [Bundle.open(item.job.folder) for item in verified], refused
