"""Which runs may teach a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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

# How a pruned network learns from the one that it was; docs/how-to/compress.md has what was
# measured.
TEMPERATURE = 2.0
TEACHER_WEIGHT = 0.9
UNLABELLED_WEIGHT = 1.0
# Hinton et al. (2015) tried temperatures from 1 to 20.
MAX_TEMPERATURE = 20.0


@dataclass(frozen=True)
class Distillation:
    """How a network that is trained on learns from its teacher.

    Attributes:
        temperature: What the logits of both are divided by before the softmax, 1 to 20.
        teacher_weight: Share of the teacher in the loss of a labelled pixel; its label has the
            rest.
        unlabelled_weight: What the loss of an unlabelled pixel counts, where that of a labelled one
            counts 1; 0 where none are shown.

    Raises:
        InputError: A value is out of range.
    """

    temperature: float = TEMPERATURE
    teacher_weight: float = TEACHER_WEIGHT
    unlabelled_weight: float = UNLABELLED_WEIGHT

    def __post_init__(self) -> None:
        if not 1 <= self.temperature <= MAX_TEMPERATURE:
            raise InputError(
                "the temperature of distillation is out of range",
                received=self.temperature,
                allowed=f"1 to {MAX_TEMPERATURE:g}",
                remedy="correct --temperature",
            )
        for name, value in (
            ("teacher", self.teacher_weight),
            ("unlabelled", self.unlabelled_weight),
        ):
            if not 0 <= value <= 1:
                raise InputError(
                    f"the {name} weight of distillation is out of range",
                    received=value,
                    allowed="0 to 1",
                    remedy=f"correct --{name}-weight",
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
        run = Run.open(Path(folder))
        _check_probabilities(run)
        found.append(TeacherRun(str(folder), run.record.sha256))
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
        _check_scene(run, data)
        for one in (run, *_taught_by(run)):
            _check_pixels_known(one)
            _check_apart(one, data)
        found.append(run)
    return found


def check_teacher_of_pruned(teacher: Run, origin: Run, data: SceneData) -> None:
    """Refuses a teacher of a pruned network that knows more pixels than what was pruned.

    The network that is pruned knows nothing else by itself. Of one that was trained elsewhere on
    unknown pixels, the pruned network is as unknown, whoever teaches it.

    Args:
        teacher: The run that is to teach.
        origin: The run that is pruned.
        data: The scene as the origin takes it.

    Raises:
        InputError: It is of another scene or other classes, gives no probabilities, or knows
            validation or test pixels.
    """
    if teacher.record.sha256 == origin.record.sha256:
        return
    _check_probabilities(teacher)
    _check_scene(teacher, data)
    for one in (teacher, *_taught_by(teacher)):
        if _pixels_known(origin):
            _check_pixels_known(one)
        _check_apart(one, data)


def _check_probabilities(run: Run) -> None:
    if run.record.plan.network in zoo.BASELINES:
        raise InputError(
            f"{run.folder} is no teacher",
            received=f"{run.record.plan.network}, whose outputs are no probabilities",
            remedy="name the runs of networks",
        )


def _check_scene(teacher: Run, data: SceneData) -> None:
    try:
        check_same_scene(data.scene, teacher.record.scene)
    except DataError as error:
        raise InputError(
            f"{teacher.folder} cannot teach this network: {error.what}",
            received=error.allowed,
            allowed=error.received,
            remedy="name teachers of the same scene and classes",
        ) from error


def _own_teachers(run: Run) -> list[TeacherRun]:
    """Who taught a run directly, but for what it was pruned from: it shares its pixels."""
    pruning, found = run.record.pruning, list(run.record.plan.teachers)
    if pruning is None:
        return found
    later = [] if pruning.distillation is None else [pruning.distillation.teacher]
    found += [*pruning.earlier_teachers, *later]
    by_network = {one.sha256: one for one in found if one.sha256 != pruning.origin_sha256}
    return list(by_network.values())


def _taught_by(run: Run) -> list[Run]:
    """A teacher's own teachers, and theirs: what they know of a pixel, it knows, too.

    Raises:
        InputError: One is not there any more.
    """
    found: list[Run] = []
    waiting, met = _own_teachers(run), set[str]()
    while waiting:
        teacher = waiting.pop()
        if teacher.sha256 in met:
            continue
        met.add(teacher.sha256)
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
        waiting.extend(_own_teachers(one))
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


def _pixels_known(run: Run) -> bool:
    """Whether it is known on which pixels a network was trained."""
    return run.record.adopted is None or run.record.split.leakage_pixel is not None


def _check_pixels_known(run: Run) -> None:
    """Refuses a network that was trained elsewhere, on pixels that nobody named."""
    if not _pixels_known(run):
        raise InputError(
            f"{run.folder} was trained elsewhere, on pixels that are not known",
            received="a teacher that may know validation or test pixels of this run",
            remedy="adopt it with --split fixed and --train-map, a map of its training pixels",
        )
