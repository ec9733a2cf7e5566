"""What a pruning run keeps in its folder until its record describes the result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hsitf.compat import formerly
from hsitf.data import SceneData
from hsitf.metrics import Scores
from hsitf.progress import Progress
from hsitf.prune.plans import PruningPlan
from hsitf.prune.request import PruningRequest
from hsitf.records import DistillationRecord, Epoch, TeacherRun, TrainingPlan
from hsitf.runs import Run
from hsitf.train.fine_tuning import distilled_plan
from hsitf.train.guidance import Guidance

REQUEST = "order.json"
STEP = "step.json"
CHANNELS = "channels.json"


@formerly(request="order")
@dataclass(frozen=True)
class PruningState:
    """The start of a pruning run, kept until its record describes the result.

    Attributes:
        origin_sha256: SHA-256 of the network that is pruned.
        request: What to remove, and how to fine-tune the rest.
        teacher: Who teaches while it is fine-tuned; None where nobody does.
    """

    schema: int
    origin_sha256: str
    request: PruningRequest
    teacher: TeacherRun | None = None

    def is_of(self, other: PruningState) -> bool:
        """Whether two are of one run; networks are known by their SHA-256, not by their folders."""
        return self._unplaced() == other._unplaced()

    def _unplaced(self) -> PruningState:
        if self.teacher is None:
            return self
        return replace(self, teacher=replace(self.teacher, folder=""))


@formerly(pruned_scores="cut")
@dataclass(frozen=True)
class PruningStep:
    """A finished pruning iteration: the channels kept so far, and how its fine-tuning went.

    Attributes:
        number: Number of the iteration, from 1.
        plan: The channels of the original network that are kept.
        pruned_scores: Accuracy on the test pixels after pruning, before fine-tuning.
        history: Loss and accuracy of every fine-tuning epoch.
        best_epoch: Epoch whose weights were kept, counted from 1; 0 where no epoch was better on
            the validation pixels than the pruned network.
        seconds: Time of all fine-tuning so far.
        sha256: SHA-256 of the network's file.
    """

    schema: int
    number: int
    plan: PruningPlan
    pruned_scores: Scores
    history: tuple[Epoch, ...]
    best_epoch: int
    seconds: float
    sha256: str


@dataclass(frozen=True, eq=False)
class PruningJob:
    """What all iterations of a pruning run have in common.

    Attributes:
        origin: The run that is pruned.
        request: What to remove, and how to fine-tune the rest.
        data: The scene.
        folder: Folder of the new run.
        progress: Receives progress messages.
        teacher: Who teaches while it is fine-tuned; None where nobody does.
        guidance: What fine-tuning learns from the teacher; None without one.
    """

    origin: Run
    request: PruningRequest
    data: SceneData
    folder: Path
    progress: Progress
    teacher: TeacherRun | None = None
    guidance: Guidance | None = None

    @property
    def distillation(self) -> DistillationRecord | None:
        """How the network is taught; None where it learns from labels."""
        if self.teacher is None or self.guidance is None:
            return None
        how = self.request.distillation
        return DistillationRecord(
            self.teacher,
            how.temperature,
            how.teacher_weight,
            len(self.guidance.candidates),
            how.unlabelled_weight,
        )

    def fine_tuning_plan(self, epochs: int) -> TrainingPlan:
        """The plan of some epochs of fine-tuning, by the recipe of the request."""
        plan = self.origin.record.plan
        recipe = replace(self.request.recipe, epochs=epochs)
        if self.request.distill:
            return replace(distilled_plan(plan), recipe=recipe)
        if recipe == plan.recipe and self.request.untrained:
            return plan
        return replace(plan, recipe=recipe, schedule="custom")


def clear(folder: Path) -> None:
    """Removes what only a run that is not finished needs."""
    for pattern in (STEP, "step-*.keras", "state-*.npz"):
        for leftover in folder.glob(pattern):
            leftover.unlink()


def network_file(folder: Path, number: int) -> Path:
    """The file of the network that a finished iteration left."""
    return folder / f"step-{number}.keras"


def state_file(folder: Path, number: int) -> Path:
    """The checkpoint of an iteration's fine-tuning."""
    return folder / f"state-{number}.npz"
