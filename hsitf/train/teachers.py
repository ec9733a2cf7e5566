"""Which runs may teach a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hsitf import zoo
from hsitf.data import SceneData, check_same_scene
from hsitf.errors import DataError, InputError
from hsitf.records import TeacherRun, TrainingPlan
from hsitf.runs import Run

_SAME_SPLIT = (
    "train it on the same split: the same --split, --train, --guard and --seed (the default guard "
    "is the patch's; --guard sets one for all)"
)


def known_teachers(folders: Sequence[str]) -> tuple[TeacherRun, ...]:
    """The runs in folders as plans name them.

    Raises:
        InputError: There is no finished run of a network that gives probabilities, or one is named
            twice.
        DataError: A record is damaged.
    """
    found = []
    for folder in folders:
        record = Run.open(Path(folder)).record
        if record.plan.network in zoo.BASELINES:
            raise InputError(
                f"{folder} is no teacher",
                received=f"{record.plan.network}, whose outputs are no probabilities",
                remedy="name the runs of networks",
            )
        found.append(TeacherRun(str(folder), record.sha256))
    if len({one.sha256 for one in found}) < len(found):
        raise InputError(
            "a teacher is named twice",
            received=", ".join(map(str, folders)),
            remedy="name every run once",
        )
    return tuple(found)


def check_teachers(plan: TrainingPlan, data: SceneData) -> list[Run]:
    """The teachers of a plan, which have to know its classes and none of its evaluation pixels.

    Raises:
        InputError: One is of another scene or other classes, was trained on validation or test
            pixels or validated on test pixels, was trained on unknown ones, or is not the network
            that the plan names.
    """
    found = []
    for teacher in plan.teachers:
        run = Run.open(Path(teacher.folder))
        if run.record.sha256 != teacher.sha256:
            raise InputError(
                f"{teacher.folder} holds another network than when this run began",
                received=f"SHA-256 {run.record.sha256[:12]}",
                allowed=f"SHA-256 {teacher.sha256[:12]}",
                remedy="give this run another name with --run",
            )
        try:
            check_same_scene(data.scene, run.record.scene)
        except DataError as error:
            raise InputError(
                f"{teacher.folder} cannot teach this network: {error.what}",
                received=error.allowed,
                allowed=error.received,
                remedy="name teachers of the same scene and classes",
            ) from error
        for one in (run, *_taught_by(run)):
            _check_pixels_known(one)
            _check_apart(one, data)
        found.append(run)
    return found


def _taught_by(run: Run) -> list[Run]:
    """A teacher's own teachers, and theirs: what they know of a pixel, it knows, too.

    Raises:
        InputError: One is not there any more.
    """
    found: list[Run] = []
    waiting = list(run.record.plan.teachers)
    while waiting:
        teacher = waiting.pop()
        try:
            one = Run.open(Path(teacher.folder))
        except InputError:
            one = None
        if one is None or one.record.sha256 != teacher.sha256:
            raise InputError(
                f"{run.folder} was taught by a network that is not there any more",
                received=f"{teacher.folder}, SHA-256 {teacher.sha256[:12]}",
                allowed="teachers whose own teachers are there, to know their pixels",
                remedy="keep that run where it was, or name another teacher",
            )
        found.append(one)
        waiting.extend(one.record.plan.teachers)
    return found


def _check_apart(teacher: Run, data: SceneData) -> None:
    """Refuses a teacher that was trained or chosen on what a run is evaluated on."""
    held_out = np.concatenate([data.split.validation, data.split.test])
    split = teacher.split()
    if seen := int(np.isin(held_out, split.train).sum()):
        raise InputError(
            f"{teacher.folder} was trained on validation or test pixels of this run",
            received=f"{seen:,} of {len(held_out):,}",
            remedy=_SAME_SPLIT,
        )
    if chosen_on := int(np.isin(data.split.test, split.validation).sum()):
        raise InputError(
            f"{teacher.folder} validated on test pixels of this run",
            received=f"{chosen_on:,} of {len(data.split.test):,}",
            remedy=_SAME_SPLIT,
        )


def _check_pixels_known(run: Run) -> None:
    """Refuses a network that was trained elsewhere, on pixels that nobody named."""
    if run.record.adopted is not None and run.record.split.leakage_pixel is None:
        raise InputError(
            f"{run.folder} was trained elsewhere, on pixels that are not known",
            received="a teacher that may know validation or test pixels of this run",
            remedy="adopt it with --split fixed and --train-map, a map of its training pixels",
        )
