"""A study from its file to its tables: what is done is kept, what is left is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hsitf import records
from hsitf.errors import InputError
from hsitf.measure import processor
from hsitf.progress import Progress
from hsitf.records import SceneChoice
from hsitf.sweep import cluster, tables
from hsitf.sweep.cells import Cells, cells
from hsitf.sweep.left import Left
from hsitf.sweep.record import STUDY, StudyRecord, StudyResults
from hsitf.sweep.request import Means
from hsitf.sweep.stage import Context, Ended, Stage, done, stages
from hsitf.sweep.stages import fail
from hsitf.sweep.study import Study

STUDIES = Path("studies")
LOCK = ".lock"


def sweep(study: Study, folder: Path | None, means: Means, progress: Progress) -> StudyResults:
    """Runs what is missing of a study and writes its tables.

    Interrupted, it goes on from there when it is called again: finished cells are not repeated,
    and those that were running continue from their last saved epoch.

    Args:
        study: What to run.
        folder: Of the results; `studies/<study>-<scene>` where None.
        means: What to run it with.
        progress: Told what happens.

    Returns:
        All that is known now.

    Raises:
        InputError: There are cells that cannot be, the folder is another study's, Dask is not
            installed, or its scheduler does not answer.
        DataError: A scene cannot be read, or a record in the folder is damaged or of another
            version.
        OutputError: The folder cannot be written.
    """
    cluster.check()
    if means.spreadsheet:
        tables.check_spreadsheet()
    choices = {
        name: replace(means.scene, source=name) for grid in study.grids for name in grid.scenes
    }
    progress.say("checking the cells")
    found = cells(study, choices)
    place = folder or STUDIES / "-".join([study.name, *(s.name for s in found.scenes.values())])
    _check_folder(place)
    with _alone(place):
        results = _begun(study, found, place)
        context = Context(
            place.resolve(),
            {name: _absolute(choice) for name, choice in choices.items()},
            {name: scene.name for name, scene in found.scenes.items()},
            tuple(sys.argv),
        )
        failed = {record.settings.id for record in results.failed} if means.retry else set()
        missing = [
            cell.settings
            for cell in results.study.cells
            if cell.settings.id not in results.found or cell.settings.id in failed
        ]
        _tell(results, len(missing), progress)
        try:
            if missing:
                _run(context, stages(missing), means, progress)
        finally:
            # Tables show what there is, also of a sweep that was interrupted.
            results = StudyResults.open(place)
            tables.write(results, means.spreadsheet)
    return results


def _tell(results: StudyResults, missing: int, progress: Progress) -> None:
    total = len(results.study.cells)
    known = f", {total - missing} of them known already" if missing < total else ""
    progress.say(f"{results.study.name}: {total} cells{known}; results in {results.folder}")
    if results.study.left_out:
        progress.say(
            f"{len(results.study.left_out)} cells cannot be and are left out; study.json says why"
        )


def _check_folder(place: Path) -> None:
    """Refuses a folder of other things before anything is written to it."""
    if (place / STUDY).is_file() or not place.is_dir():
        return
    if any(item.name != LOCK for item in place.iterdir()):
        raise InputError(
            f"{place} holds something else than a study",
            received="a folder with other files",
            remedy="name another folder with --out",
        )


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Keeps a second sweep out of a folder; the system lets go of the lock of a killed one."""
    try:
        import fcntl
    except ImportError:
        # Windows has none; there two sweeps of one folder are the user's affair.
        yield
        return
    from hsitf.files import explained

    with explained(place):
        place.mkdir(parents=True, exist_ok=True)
        stream = (place / LOCK).open("w")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"another sweep is running in {place}",
                received="a second one",
                remedy="wait for it, or name another folder with --out",
            ) from error
        yield


def _begun(study: Study, found: Cells, place: Path) -> StudyResults:
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
    )
    if (place / STUDY).is_file():
        then = records.read(StudyRecord, place / STUDY)
        _same(then, now, place)
    records.write(now, place / STUDY)
    return StudyResults.open(place)


def _same(then: StudyRecord, now: StudyRecord, place: Path) -> None:
    """Refuses the folder of another study, or of the same one on other data."""
    differing = [
        f"scene {name}"
        for name in now.scenes
        if name in then.scenes and then.scenes[name] != now.scenes[name]
    ]
    if then.name != now.name or not set(then.scenes) & set(now.scenes):
        differing = [f"study {now.name} on {', '.join(now.scenes)}"]
    if differing:
        raise InputError(
            f"{place} holds the results of another study",
            received=", ".join(differing),
            allowed=f"study {then.name} on {', '.join(then.scenes)}, on the same files",
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


def _run(context: Context, wanted: Sequence[Stage], means: Means, progress: Progress) -> None:
    """Runs stages, each as soon as the one that it needs is done."""
    opened = cluster.remote(means.address) if means.address else cluster.local(means.workers)
    with opened as client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        left = Left(wanted, workers)
        progress.start("cells", sum(len(stage.cells) for stage in wanted))
        futures: dict[str, Any] = {}
        for priority, stage in enumerate(wanted):
            before = futures.get(stage.after)
            # Submitted in order, so that cells end in about the order of the study.
            futures[stage.name] = client.submit(
                done,
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
            ended = _ended(context, stage, future)
            left.end(stage, ended.seconds)
            if ended.message:
                progress.say(f"{stage.kind} of {stage.settings.text} failed: {ended.message}")
            progress.advance(len(stage.cells), stage.settings.text, left.seconds)


def _completed(futures: Any) -> Iterator[Any]:
    from distributed import as_completed

    return iter(as_completed(list(futures)))  # type: ignore[no-untyped-call]


def _ended(context: Context, stage: Stage, future: Any) -> Ended:
    """How a stage ended, also where its process did not live to say so."""
    if future.status == "finished":
        ended: Ended = future.result()
        return ended
    if error := future.exception():
        message = f"its process was lost ({type(error).__name__}): too little memory, probably"
    else:
        message = "it was cancelled"
    return fail(context, stage, message)
