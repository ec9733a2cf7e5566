"""What training learns from beside labels: teachers, and unlabelled pixels."""

from __future__ import annotations

from dataclasses import dataclass, field

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.data import SceneData
from hsitf.progress import Progress
from hsitf.records import TrainingPlan
from hsitf.runs import Run
from hsitf.train import pseudo_labels
from hsitf.train.distillation import named_by_teachers
from hsitf.train.pseudo_labels import NamedPixels, UnlabelledShare
from hsitf.train.schedule import EpochLengths
from hsitf.train.teachers import Distillation, check_teachers
from hsitf.train.unseen import taught_pixels, unseen_pixels

# Beside the seed and the epoch: what is drawn here is drawn apart from the order of the pixels.
_DRAW = 1


@dataclass(frozen=True, eq=False)
class Guidance:
    """What a network learns from beside labels.

    Attributes:
        candidates: Unlabelled pixels that epochs draw from, ascending; empty where none are shown.
        unlabelled: How many of them an epoch shows.
        threshold: Least probability with which the network itself names an unlabelled pixel; 0
            where it names none.
        taught: Training pixels as teachers see them; None without teachers.
        taught_extra: Unlabelled pixels as teachers see them; None where the network itself names
            them.
        teacher_weight: Share of the teachers in the target of a training pixel.
        temperature: Temperature of the teachers' probabilities, which the loss then has for the
            network, too; None where labels and teachers are mixed in one target.
        compared: Unlabelled pixels that are never shown, as the teacher sees them, on which epochs
            are compared; None where they are compared on validation pixels alone.
    """

    candidates: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    unlabelled: UnlabelledShare = field(default_factory=UnlabelledShare)
    threshold: float = 0.0
    taught: NamedPixels | None = None
    taught_extra: NamedPixels | None = None
    teacher_weight: float = 0.0
    temperature: float | None = None
    compared: NamedPixels | None = None

    @classmethod
    def of(cls, plan: TrainingPlan, data: SceneData, progress: Progress) -> Guidance:
        """The guidance of a plan.

        Raises:
            InputError: A teacher does not fit.
            DataError: A teacher's files are damaged.
        """
        eligible, share = np.empty(0, np.int64), UnlabelledShare()
        if plan.pseudo_labels:
            eligible = pseudo_labels.eligible_pixels(data)
            if not len(eligible):
                progress.say(f"{_NONE_ELIGIBLE}: training goes on without pseudo-labels")
        if len(eligible):
            share = UnlabelledShare(
                pseudo_labels.extra_count(data),
                pseudo_labels.EXTRA_WEIGHT,
                pseudo_labels.first_epoch(plan),
            )
        if not plan.teachers:
            return cls(eligible, share, plan.pseudo_labels)
        train = np.sort(data.split.train)
        named = named_by_teachers(
            check_teachers(plan, data),
            data,
            np.union1d(train, eligible).astype(np.int64),
            progress,
        )
        extra = NamedPixels(eligible, named.of(eligible)).sure(plan.pseudo_labels)
        return cls(
            extra.pixels,
            share,
            plan.pseudo_labels,
            NamedPixels(train, named.of(train)),
            extra if len(eligible) else None,
            plan.teacher_weight,
        )

    @classmethod
    def distilled(
        cls,
        teacher: Run,
        plan: TrainingPlan,
        data: SceneData,
        distillation: Distillation,
        progress: Progress,
    ) -> Guidance:
        """The guidance of a network that is trained on with a teacher.

        Every epoch shows as many unlabelled pixels as it has labelled ones, drawn from all that are
        eligible. The teacher names only those that are drawn in some epoch, so that a large scene
        takes no longer than a small one. Epochs are compared by validation accuracy and by the
        share of unlabelled pixels, never shown, that the teacher classifies alike: what one field
        of validation pixels cannot tell, they do.

        Args:
            teacher: A trained network of this scene.
            plan: Plan of the further training: seed and epochs.
            data: The scene.
            distillation: How it teaches.
            progress: Receives messages.

        Raises:
            DataError: The teacher's files are damaged.
        """
        train, eligible = np.sort(data.split.train), np.empty(0, np.int64)
        if distillation.unlabelled_weight:
            eligible = taught_pixels(data)
            if not len(eligible):
                progress.say(f"{_NONE_ELIGIBLE}: the teacher teaches on training pixels alone")
        share = UnlabelledShare(min(len(train), len(eligible)), distillation.unlabelled_weight)
        drawn = [_drawn(eligible, share.count, plan, epoch) for epoch in range(plan.recipe.epochs)]
        shown = np.unique(np.concatenate(drawn))
        unseen = unseen_pixels(data)
        pixels = np.union1d(np.union1d(train, shown), unseen).astype(np.int64)
        named = named_by_teachers([teacher], data, pixels, progress, distillation.temperature)
        return cls(
            eligible,
            share,
            taught=NamedPixels(train, named.of(train)),
            taught_extra=NamedPixels(shown, named.of(shown)),
            teacher_weight=distillation.teacher_weight,
            temperature=distillation.temperature,
            compared=NamedPixels(unseen, named.of(unseen)) if len(unseen) else None,
        )

    @property
    def softens_targets(self) -> bool:
        """Whether targets are shares of classes for what is learned here."""
        return self.threshold > 0 or self.taught is not None

    def lengths(
        self, plan: TrainingPlan, data: SceneData, pixels: int, begin: int = 0
    ) -> EpochLengths:
        """Steps of the run's epochs.

        Args:
            plan: The training plan.
            data: The scene.
            pixels: Pixels of an epoch without unlabelled ones.
            begin: Epochs before this one do not count for the learning rate.
        """
        batch, share = plan.recipe.batch_size, self.unlabelled
        first, later = -(-pixels // batch), -(-(pixels + share.count) // batch)
        if not share.count:
            # Steps are counted in the same parts, and rounded alike, as where some are shown.
            return EpochLengths(first, first, pseudo_labels.first_epoch(plan), begin)
        return EpochLengths(first if share.first_epoch else later, later, share.first_epoch, begin)

    def extra(
        self,
        networks: tuple[keras.Model, keras.Model],
        plan: TrainingPlan,
        data: SceneData,
        epoch: int,
    ) -> NamedPixels | None:
        """The unlabelled pixels that an epoch shows; None where it shows none.

        They are drawn from the seed and the epoch's number, and named from the state of the run
        alone, so that a resumed run shows the same.
        """
        share = self.unlabelled
        if not share.count or epoch < share.first_epoch:
            return None
        drawn = _drawn(self.candidates, share.count, plan, epoch)
        if self.taught_extra is not None:
            return NamedPixels(drawn, self.taught_extra.of(drawn))
        named = pseudo_labels.named_by_network(networks, data, drawn)
        return named.sure(self.threshold).hard()


_NONE_ELIGIBLE = "no unlabelled pixel is far enough from validation and test pixels"


def _drawn(
    candidates: NDArray[np.int64], count: int, plan: TrainingPlan, epoch: int
) -> NDArray[np.int64]:
    return pseudo_labels.drawn_candidates(candidates, count, (plan.seed, epoch, _DRAW))


NO_GUIDANCE = Guidance()
