"""A study from its file to its tables: what is done is kept, what is left is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hsitf import records
from hsitf.errors import InputError
from hsitf.files import is_unused
from hsitf.locks import sole_writer
from hsitf.measure import processor
from hsitf.progress import Progress
from hsitf.records import SceneChoice
from hsitf.sweep import cluster, differences, learning_curves, tables
from hsitf.sweep.cells import StudyCells, expand_cells
from hsitf.sweep.eta import EtaEstimator
from hsitf.sweep.execute import fail
from hsitf.sweep.options import SweepOptions
from hsitf.sweep.plan import Stage, StageResult, SweepContext, plan_stages
from hsitf.sweep.record import STUDY, StudyRecord, StudyResults
from hsitf.sweep.study import FORMER_KEYS, SUFFIX, StudyFile
from hsitf.sweep.worker import run_stage

STUDIES = Path("studies")


def sweep(
    study: StudyFile, folder: Path | None, options: SweepOptions, progress: Progress
) -> StudyResults:
    """Runs what is missing of a study and writes its tables.

    An interrupted sweep resumes when it is called again: finished cells are not repeated, and those
    that were running continue from their last checkpoint.

    Args:
        study: The study to run.
        folder: Folder of the results; `studies/<study>-<scene>` where None.
        options: Where the scenes are, and how to run the stages.
        progress: Receives progress messages.

    Returns:
        All that is known now.

    Raises:
        InputError: There are impossible cells, the folder belongs to another study, Dask is not
            installed, or its scheduler does not answer.
        DataError: A scene cannot be read, or a record in the folder is damaged or of another
            version.
        OutputError: The folder cannot be written.
    """
    cluster.check()
    if options.spreadsheet:
        tables.check_spreadsheet()
    choices = {
        name: replace(options.scene, source=name) for grid in study.grids for name in grid.scenes
    }
    if study.former_keys:
        renamed = ", ".join(f"{old} is now {FORMER_KEYS[old]}" for old in study.former_keys)
        progress.say(f"{study.name}{SUFFIX} uses former keys, which will be dropped: {renamed}")
    progress.say("checking the cells")
    found = expand_cells(study, choices)
    study_folder = folder or STUDIES / "-".join(
        [study.name, *(s.name for s in found.scenes.values())]
    )
    _check_folder(study_folder)
    with _locked(study_folder):
        results = _open_study(study, found, study_folder)
        context = SweepContext(
            study_folder.resolve(),
            {name: _absolute(choice) for name, choice in choices.items()},
            {name: scene.name for name, scene in found.scenes.items()},
            tuple(sys.argv),
            tuple(map(os.path.abspath, found.network_files)),
        )
        failed = {record.settings.id for record in results.failed} if options.retry else set()
        missing = [
            cell.settings
            for cell in results.study.cells
            if cell.settings.id not in results.records_by_id or cell.settings.id in failed
        ]
        _report_missing(results, len(missing), progress)
        try:
            if missing:
                _run(context, plan_stages(missing), options, progress)
        finally:
            # Tables show what there is, also of a sweep that was interrupted.
            results = StudyResults.open(study_folder)
            tables.write(results, options.spreadsheet)
            differences.write(results)
            learning_curves.write(results)
    return results


def _report_missing(results: StudyResults, missing: int, progress: Progress) -> None:
    total = len(results.study.cells)
    known = f", {total - missing} of them known already" if missing < total else ""
    progress.say(f"{results.study.name}: {total} cells{known}; results in {results.folder}")
    if results.study.left_out:
        progress.say(f"{len(results.study.left_out)} impossible cells are left out, see study.json")


def _check_folder(study_folder: Path) -> None:
    """Refuses a folder of other things before anything is written to it."""
    if not (study_folder / STUDY).is_file() and not is_unused(study_folder):
        raise InputError(
            f"{study_folder} holds something else than a study",
            received="a folder with other files",
            remedy="name another folder with --out",
        )


def _locked(study_folder: Path) -> AbstractContextManager[None]:
    """Keeps a second sweep from the folder; that of a process that was killed is taken over."""
    return sole_writer(
        study_folder,
        f"another sweep is running in {study_folder}",
        "wait for it, or name another folder with --out",
    )


def _open_study(study: StudyFile, found: StudyCells, study_folder: Path) -> StudyResults:
    """The study's folder with its record, new or continued."""
    now = StudyRecord(
        records.SCHEMA,
        study.name,
        study.title,
        study.source,
        found.scenes,
        tuple(grid.name for grid in study.grids),
        found.cells,
        found.left_out,
        records.versions(),
        processor(),
        records.command(),
        found.network_sha256,
        study.reference,
    )
    if (study_folder / STUDY).is_file():
        then = records.read(StudyRecord, study_folder / STUDY)
        _same(then, now, study_folder)
    records.write(now, study_folder / STUDY)
    return StudyResults.open(study_folder)


def _same(then: StudyRecord, now: StudyRecord, study_folder: Path) -> None:
    """Refuses the folder of another study, or of the same one on other data."""
    differing = [
        f"scene {name}"
        for name in now.scenes
        if name in then.scenes and then.scenes[name] != now.scenes[name]
    ]
    differing += [
        f"another version of the file of {name}"
        for name, digest in now.network_sha256.items()
        if then.network_sha256.get(name, digest) != digest
    ]
    if then.name != now.name or not set(then.scenes) & set(now.scenes):
        differing = [f"study {now.name} on {', '.join(now.scenes)}"]
    if differing:
        raise InputError(
            f"{study_folder} holds the results of another study",
            received=", ".join(differing),
            allowed=f"study {then.name} on {', '.join(then.scenes)}, of the same files",
            remedy="name another folder with --out, or remove that one",
        )


def _absolute(choice: SceneChoice) -> SceneChoice:
    """The choice with paths that hold in every process."""

    def whole(path: str | None) -> str | None:
        return None if path is None else os.path.abspath(path)

    source = whole(choice.source) if Path(choice.source).exists() else choice.source
    return replace(
        choice,
        source=source or "",
        data_dir=whole(choice.data_dir),
        labels=whole(choice.labels),
        train_map=whole(choice.train_map),
    )


def _run(
    context: SweepContext, wanted: Sequence[Stage], options: SweepOptions, progress: Progress
) -> None:
    """Runs stages, each as soon as the one that it needs is done."""
    opened = (
        cluster.remote_workers(options.address)
        if options.address
        else cluster.local_workers(options.workers)
    )
    with opened as client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        eta = EtaEstimator(wanted, workers)
        progress.start("cells", sum(len(stage.cells) for stage in wanted))
        futures: dict[str, Any] = {}
        for priority, stage in enumerate(wanted):
            before = futures.get(stage.after)
            # Submitted in order, so that cells end in about the order of the study.
            futures[stage.name] = client.submit(
                run_stage,
                context,
                stage,
                before,
                key=f"{stage.name}-{os.getpid()}",
                priority=-priority,
                pure=False,
            )
        by_key = {future.key: stage for stage, future in zip(wanted, futures.values(), strict=True)}
        for future in _completed(futures.values()):
            stage = by_key[future.key]
            ended = _result_of(context, stage, future)
            eta.stage_done(stage, ended.seconds)
            if ended.message:
                progress.say(f"{stage.kind} of {stage.settings.text} failed: {ended.message}")
            progress.advance(len(stage.cells), stage.settings.text, eta.seconds)


def _completed(futures: Any) -> Iterator[Any]:
    from distributed import as_completed

    return iter(as_completed(list(futures)))  # type: ignore[no-untyped-call]


def _result_of(context: SweepContext, stage: Stage, future: Any) -> StageResult:
    """The result of a stage, also where its process died."""
    if future.status == "finished":
        ended: StageResult = future.result()
        return ended
    if error := future.exception():
        message = f"its process was lost ({type(error).__name__}): too little memory, probably"
    else:
        message = "it was cancelled"
    return fail(context, stage, message)
