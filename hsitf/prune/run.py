"""A pruning run: from a trained network to a smaller one, pruned and fine-tuned iteratively."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras

from hsitf import records, runs
from hsitf.cost import cost
from hsitf.errors import InputError, VerificationError
from hsitf.export.convert import measure_files
from hsitf.files import is_unused
from hsitf.locks import current_writer, one_writer
from hsitf.lower import lower
from hsitf.measure import processor
from hsitf.metrics import Scores
from hsitf.progress import Progress
from hsitf.prune.iterations import (
    calibration_samples,
    plan_iteration,
    prune_channels,
)
from hsitf.prune.job import CHANNELS, REQUEST, STEP, PruningJob, PruningState, PruningStep, clear
from hsitf.prune.request import PruningRequest
from hsitf.prune.sparsity import Sparsity
from hsitf.prune.weight_iterations import check_weights, prune_weights
from hsitf.records import FileStats, ModelStats, PruningRecord, SceneChoice, TeacherRun
from hsitf.runs import Run
from hsitf.train.evaluation import predict_ranked, score_predictions
from hsitf.train.gather import gather_model
from hsitf.train.guidance import Guidance
from hsitf.train.loop import FitResult
from hsitf.train.run import check_name, save_run
from hsitf.train.teachers import check_teacher_of_pruned

__all__ = [
    "CHANNELS",
    "calibration_samples",
    "model_stats",
    "plan_iteration",
    "prune",
    "teachers_before",
]


def prune(
    origin: Run,
    request: PruningRequest,
    name: str | None,
    progress: Progress,
    choice: SceneChoice | None = None,
    threads: int | None = 1,
    teacher: Run | None = None,
) -> Run:
    """Prunes a trained network, or resumes or returns the run of the same request.

    Args:
        origin: The trained network.
        request: What to remove, and how to fine-tune the rest.
        name: Name of the new run's folder, beside the origin's; derived from the request where
            None.
        progress: Receives progress messages.
        choice: Where the scene is now, if not at the path of the record.
        threads: Number of threads of the latency measurement; None to skip the measurement, which
            takes longer than pruning a small network: the record then has no files.
        teacher: The run that teaches, where the request asks for distillation; the origin where
            None.

    Returns:
        The finished run.

    Raises:
        InputError: The request is not possible, a run of another request has that name, or the
            teacher does not fit.
        DataError: The scene or the network is not the one of the origin's record.
        LoweringError: The network cannot be lowered for inference, so its files cannot be measured.
        VerificationError: The accuracy drop is larger than the request allows.
        OutputError: The folder cannot be written.
    """
    if name is not None:
        check_name(name)
    if threads is not None and threads < 1:
        raise InputError("threads is out of range", received=threads, allowed="1 or more")
    folder = origin.folder.parent / (name or f"{origin.folder.name}-{request.label}")
    teacher = _teacher(origin, request, teacher)
    named = TeacherRun(str(teacher.folder), teacher.record.sha256) if teacher else None
    work = PruningState(records.SCHEMA, origin.record.sha256, request, named)
    if (folder / runs.RECORD).is_file():
        return _finished(folder, work, progress)
    network, data = origin.network(), origin.data(choice)
    if teacher is not None:
        check_teacher_of_pruned(teacher, origin, data)
    if threads is not None:
        # Refused before hours of fine-tuning rather than after.
        lower(network)
    if request.kind == "channels" and not (folder / STEP).is_file():
        # What cannot be cut is refused before the first file is written.
        samples = calibration_samples(data, request.evidence_batches, network)
        plan_iteration(network, request, 1, network, samples)
    elif request.kind == "weights":
        check_weights(network, request)
    with one_writer(progress.say, folder):
        if (folder / runs.RECORD).is_file():
            # Another command pruned it while this one waited.
            return _finished(folder, work, progress)
        _begin(folder, work, progress)
        job = PruningJob(origin, request, data, folder, progress, named)
        if teacher is not None:
            job = replace(job, guidance=_guidance(job, teacher))
        return _pruned(network, job, threads)


def _pruned(network: keras.Model, job: PruningJob, threads: int | None) -> Run:
    """Prunes a network in the folder of its job, from where that was interrupted."""
    folder, request, data = job.folder, job.request, job.data
    try:
        prune_by = prune_channels if request.kind == "channels" else prune_weights
        done, small = prune_by(network, job)
    except VerificationError:
        clear(folder)
        (folder / REQUEST).unlink()
        folder.rmdir()
        raise
    predicted, top5 = predict_ranked(gather_model(small, data.patches), data, data.split.test)
    scores = score_predictions(predicted, data, data.split.test, top5)
    pruning = _measured(job, network, small, scores, done, threads)
    fitted = FitResult(small, done.history, done.best_epoch, predicted, done.seconds, top5=top5)
    done.plan.save(folder / CHANNELS)
    plan = job.fine_tuning_plan(request.recipe.epochs)
    run = save_run(fitted, plan, data, folder, pruning, job.origin.record)
    clear(folder)
    return run


def _teacher(origin: Run, request: PruningRequest, teacher: Run | None) -> Run | None:
    """Who teaches while the network is fine-tuned; None where the request asks for nobody."""
    if request.distill:
        return teacher or origin
    if teacher is not None:
        raise InputError(
            "a teacher is named for a network that learns from labels alone",
            received=str(teacher.folder),
            remedy="ask for distillation, or name no teacher",
        )
    return None


def _guidance(job: PruningJob, teacher: Run) -> Guidance:
    """What fine-tuning learns from a teacher; the draws of any number of epochs are among it."""
    plan = job.fine_tuning_plan(job.request.recipe.epochs)
    return Guidance.distilled(teacher, plan, job.data, job.request.distillation, job.progress)


def _finished(folder: Path, work: PruningState, progress: Progress) -> Run:
    run = Run.open(folder)
    if run.record.pruning is None or not records.read(PruningState, folder / REQUEST).is_of(work):
        raise _other_request(folder)
    clear(folder)
    current_writer(folder)
    progress.say(f"{folder} is pruned already")
    return run


def _other_request(folder: Path) -> InputError:
    return InputError(
        f"{folder} belongs to another run",
        received="a network pruned from another one, or otherwise",
        remedy="give this run another name with --run, or remove that folder",
    )


def _begin(folder: Path, work: PruningState, progress: Progress) -> None:
    if (folder / REQUEST).is_file():
        if not records.read(PruningState, folder / REQUEST).is_of(work):
            raise _other_request(folder)
        progress.say(f"resuming {folder}")
    elif not is_unused(folder):
        raise _other_request(folder)
    records.write(work, folder / REQUEST)


def _measured(
    job: PruningJob,
    network: keras.Model,
    small: keras.Model,
    scores: Scores,
    step: PruningStep,
    threads: int | None,
) -> PruningRecord:
    """What pruning did, both networks measured as files in one run."""
    origin, request = job.origin, job.request
    measured: dict[str, dict[str, FileStats]] = {"before": {}, "after": {}}
    if threads is not None:
        job.progress.start("measuring the files", 1)
        measured = measure_files({"before": network, "after": small}, job.data, threads)
    return PruningRecord(
        origin="" if request.untrained else str(origin.folder),
        origin_sha256=origin.record.sha256,
        kind=request.kind,
        criterion=request.criterion_name,
        target=request.target_text,
        schedule=request.schedule,
        iterations=step.number,
        approximate=step.plan.approximate,
        before=model_stats(network, measured["before"], origin.record.scores),
        thinned=model_stats(small, measured["after"], step.pruned_scores),
        after=model_stats(small, measured["after"], scores),
        threads=threads or 0,
        processor=processor(),
        distillation=job.distillation,
        earlier_teachers=teachers_before(origin.record.pruning),
        clusters=request.clusters,
        untrained=request.untrained,
    )


def teachers_before(pruning: PruningRecord | None) -> tuple[TeacherRun, ...]:
    """The networks that taught a run in this and earlier prunings; none where it was not pruned."""
    if pruning is None:
        return ()
    own = () if pruning.distillation is None else (pruning.distillation.teacher,)
    return tuple(dict.fromkeys((*pruning.earlier_teachers, *own)))


def model_stats(network: keras.Model, files: dict[str, FileStats], scores: Scores) -> ModelStats:
    """Cost and accuracy of a network."""
    sparsity, count = Sparsity.of(network), cost(network)
    return ModelStats(
        parameters=count.parameters,
        nonzero=sparsity.nonzero,
        macs=count.macs,
        files=files,
        bytes_zipped=sparsity.bytes_deflated,
        oa=scores.oa,
        aa=scores.aa,
        kappa=scores.kappa,
        top5=scores.top5,
    )
