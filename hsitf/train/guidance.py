"""What training learns from beside labels: teachers, and unlabelled pixels."""

from __future__ import annotations

from dataclasses import dataclass, field

import keras
import numpy as np
from numpy.typing import NDArray

from hsitf.data import SceneData
from hsitf.progress import Progress
from hsitf.records import TrainingPlan
from hsitf.train import pseudo_labels
from hsitf.train.distillation import named_by_teachers
from hsitf.train.pseudo_labels import NamedPixels
from hsitf.train.schedule import EpochLengths

# Beside the seed and the epoch: what is drawn here is drawn apart from the order of the pixels.
_DRAW = 1


@dataclass(frozen=True, eq=False)
class Guidance:
    """What a run learns from beside labels.

    Attributes:
        eligible: Unlabelled pixels that may be shown, ascending; empty where none are.
        taught: Training pixels as teachers see them; None without teachers.
        taught_extra: Eligible pixels as teachers see them, those that they are sure of; None where
            the network itself names them.
    """

    eligible: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    taught: NamedPixels | None = None
    taught_extra: NamedPixels | None = None

    @classmethod
    def of(cls, plan: TrainingPlan, data: SceneData, progress: Progress) -> Guidance:
        """The guidance of a plan.

        Raises:
            InputError: A teacher does not fit.
            DataError: A teacher's files are damaged.
        """
        eligible = np.empty(0, np.int64)
        if plan.pseudo_labels:
            eligible = pseudo_labels.eligible_pixels(data)
            if not len(eligible):
                progress.say(
                    "no unlabelled pixel is far enough from validation and test pixels: training "
                    "goes on without pseudo-labels"
                )
        if not plan.teachers:
            return cls(eligible)
        train = np.sort(data.split.train)
        named = named_by_teachers(
            plan, data, np.union1d(train, eligible).astype(np.int64), progress
        )
        extra = NamedPixels(eligible, named.of(eligible)).sure(plan.pseudo_labels)
        return cls(eligible, NamedPixels(train, named.of(train)), extra if len(eligible) else None)

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
        batch, extra = plan.recipe.batch_size, 0
        if len(self.eligible):
            extra = pseudo_labels.extra_count(data)
        return EpochLengths(
            -(-pixels // batch),
            -(-(pixels + extra) // batch),
            pseudo_labels.first_epoch(plan),
            begin,
        )

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
        if not len(self.eligible) or epoch < pseudo_labels.first_epoch(plan):
            return None
        count, seed = pseudo_labels.extra_count(data), (plan.seed, epoch, _DRAW)
        if self.taught_extra is not None:
            known = self.taught_extra
            drawn = pseudo_labels.drawn_candidates(known.pixels, count, seed)
            return NamedPixels(drawn, known.of(drawn))
        drawn = pseudo_labels.drawn_candidates(self.eligible, count, seed)
        named = pseudo_labels.named_by_network(networks, data, drawn)
        return named.sure(plan.pseudo_labels).hard()


NO_GUIDANCE = Guidance()
