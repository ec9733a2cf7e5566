"""The chosen network as a run like any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras

from hsitf.compress.candidate_builder import CandidateBuilder
from hsitf.compress.record import CompressionCandidate
from hsitf.compress.search import Search
from hsitf.files import os_errors_reported
from hsitf.measure import processor
from hsitf.prune.run import CHANNELS, model_stats, teachers_before
from hsitf.records import DistillationRecord, PruningRecord, TeacherRun
from hsitf.runs import RECORD, Run
from hsitf.train.evaluation import predict_ranked, score_predictions
from hsitf.train.gather import gather_model
from hsitf.train.loop import FitResult
from hsitf.train.run import save_run
from hsitf.train.teachers import Distillation

# Record of the search, beside the record of the run.
COMPRESSION = "compression.json"


def save_chosen(
    folder: Path, origin: Run, network: keras.Model, chosen: CompressionCandidate, search: Search
) -> Run:
    """Writes the chosen network as a run.

    Args:
        folder: Folder of the run.
        origin: The run that was compressed.
        network: Its network.
        chosen: The chosen candidate.
        search: The search that chose it.

    Raises:
        OutputError: The folder cannot be written.
    """
    builder = search.builder
    data, plan = builder.data, builder.plan
    small = builder.files.network(chosen)
    cut = builder.files.plan(chosen)
    predicted, top5 = predict_ranked(gather_model(small, data.patches), data, data.split.test)
    scores = score_predictions(predicted, data, data.split.test, top5)
    after = model_stats(small, {}, scores)
    pruning = PruningRecord(
        origin=str(origin.folder),
        origin_sha256=origin.record.sha256,
        kind="channels",
        criterion=chosen.step.criterion,
        target=f"{search.cuts.measure} {chosen.share:g}",
        schedule="search",
        iterations=0 if cut is None else 1,
        approximate=() if cut is None else cut.approximate,
        before=model_stats(network, {}, origin.record.scores),
        thinned=after,
        after=after,
        threads=0,
        processor=processor(),
        distillation=None if cut is None else _distillation(origin, builder),
        earlier_teachers=teachers_before(origin.record.pruning),
    )
    # An earlier result is no longer described while its files are replaced.
    for earlier in (COMPRESSION, RECORD, CHANNELS):
        with os_errors_reported(folder / earlier):
            (folder / earlier).unlink(missing_ok=True)
    if cut is not None:
        cut.save(folder / CHANNELS)
    trained = (
        (origin.record.history, origin.record.best_epoch, origin.record.seconds)
        if cut is None
        else (chosen.history, chosen.best_epoch, chosen.seconds)
    )
    fitted = FitResult(small, *trained[:2], predicted, trained[2], top5=top5)
    if cut is None:
        plan = origin.record.plan
    else:
        # Of those that were tried, the one of its path.
        rate = chosen.history[0].learning_rate
        plan = replace(plan, recipe=replace(plan.recipe, learning_rate=rate))
    return save_run(fitted, plan, data, folder, pruning, origin.record)


def _distillation(origin: Run, builder: CandidateBuilder) -> DistillationRecord | None:
    guidance = builder.guidance
    if guidance is None:
        return None
    how = Distillation()
    teacher = TeacherRun(str(origin.folder), origin.record.sha256)
    return DistillationRecord(
        teacher, how.temperature, how.teacher_weight, len(guidance.candidates)
    )
