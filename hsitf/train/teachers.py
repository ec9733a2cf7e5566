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
            pixels, or is not the network that the plan names.
    """
    held_out = np.concatenate([data.split.validation, data.split.test])
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
        if seen := int(np.isin(held_out, run.split().train).sum()):
            raise InputError(
                f"{teacher.folder} was trained on validation or test pixels of this run",
                received=f"{seen:,} of {len(held_out):,}",
                remedy="train it on the same split: the same --split, --train, --guard and --seed "
                "(the default guard is the patch's; --guard sets one for all)",
            )
        found.append(run)
    return found
