"""What a user asks of a pruning run, in parts, and the requests that this makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hsitf.options import RecipeOptions, changed_recipe
from hsitf.prune.combination import EvidenceBatches, check_evidence, criterion_terms
from hsitf.prune.config import PruningConfig
from hsitf.prune.parsing import check_sensitivity, parse_targets
from hsitf.prune.request import PruningRequest
from hsitf.prune.schedule import DEFAULT_ITERATIONS, check_schedule
from hsitf.train.fine_tuning import distilled_recipe, fine_tuning_recipe
from hsitf.zoo import Recipe


@dataclass(frozen=True)
class CriterionOptions:
    """How channels are compared; `PruningRequest` says what each attribute is."""

    criterion: str = "l2"
    batches: int | None = None
    batch_samples: int | None = None

    @property
    def evidence_batches(self) -> EvidenceBatches:
        """How much data the criterion looks at."""
        return EvidenceBatches(self.batches, self.batch_samples)


@dataclass(frozen=True)
class TargetOptions:
    """How much is removed.

    Attributes:
        values: By measure, the value that the user gave; None where there is none.
        layers: Ratios of single layers.
        kinds: Ratios of kinds of channels.
        layer_alphas: Alphas by kind of layer, or by layer.
        per_layer: Whether every layer gets the sparsity.
        clusters: Values that the weights of a kernel share; 0 where they share none.
        untrained: Whether channels are removed before the network is trained.
    """

    values: Mapping[str, float | None] = field(default_factory=dict)
    layers: Mapping[str, float] = field(default_factory=dict)
    kinds: Mapping[str, float] = field(default_factory=dict)
    layer_alphas: Mapping[str, float] = field(default_factory=dict)
    per_layer: bool = False
    clusters: int = 0
    untrained: bool = False

    @property
    def given(self) -> dict[str, object]:
        """By the names of the options, what was given; false where nothing was."""
        return {
            **{f"--{name}": value for name, value in self.values.items()},
            "--layer": self.layers,
            "--prune": self.kinds,
            "--layer-alpha": self.layer_alphas,
            "--per-layer": self.per_layer,
            "--cluster": self.clusters,
            "--untrained": self.untrained,
        }


@dataclass(frozen=True)
class ScheduleOptions:
    """In which steps channels or weights go; a curve has several targets in place of one."""

    schedule: str = "one-shot"
    iterations: int | None = None
    max_drop: float | None = None
    curve: str | None = None

    @property
    def given(self) -> dict[str, object]:
        """As `TargetOptions.given`."""
        return {
            "--schedule": self.schedule != "one-shot",
            "--iterations": self.iterations,
            "--max-drop": self.max_drop is not None,
            "--curve": self.curve,
        }


@dataclass(frozen=True)
class TuningOptions:
    """How what is left is fine-tuned; `PruningRequest` says what each attribute is."""

    epochs: int | None = None
    learning_rate: float | None = None
    distill: bool = False
    temperature: float | None = None
    teacher_weight: float | None = None
    unlabelled_weight: float | None = None

    @property
    def given(self) -> dict[str, object]:
        """As `TargetOptions.given`."""
        return {
            "--epochs": self.epochs,
            "--learning-rate": self.learning_rate,
            "--distill": self.distill,
            "--temperature": self.temperature,
            "--teacher-weight": self.teacher_weight is not None,
            "--unlabelled-weight": self.unlabelled_weight is not None,
        }

    def recipe(self, trained: Recipe, untrained: bool) -> Recipe:
        """Recipe of the fine-tuning, or of the whole training of a network that had none.

        Args:
            trained: Recipe of the network's training.
            untrained: Whether it was not trained.
        """
        usual = distilled_recipe(trained) if self.distill else fine_tuning_recipe(trained)
        changes = RecipeOptions(epochs=self.epochs, learning_rate=self.learning_rate)
        return changed_recipe(trained if untrained else usual, changes)


@dataclass(frozen=True)
class PruningOptions:
    """All parts of what a user asks for.

    Attributes:
        criterion: How channels are compared.
        target: How much is removed.
        limits: Where nothing is removed, and how much is left; without ratios.
        schedule: In which steps.
        tuning: How what is left is fine-tuned.
    """

    criterion: CriterionOptions = field(default_factory=CriterionOptions)
    target: TargetOptions = field(default_factory=TargetOptions)
    limits: PruningConfig = field(default_factory=PruningConfig)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    tuning: TuningOptions = field(default_factory=TuningOptions)

    @property
    def config(self) -> PruningConfig:
        """Which channels are pruned, with the ratios of layers and kinds."""
        return replace(self.limits, ratios=dict(self.target.layers), kinds=dict(self.target.kinds))

    def targets(self) -> tuple[str, tuple[float, ...]]:
        """The requested measure and its targets: several for a curve.

        Raises:
            InputError: No measure or several measures, a value that is not a number, or a criterion
                or schedule that does not exist.
        """
        target = self.target
        found = parse_targets(
            target.values,
            self.schedule.curve,
            bool(target.layers or target.kinds),
            bool(target.layer_alphas),
            target.clusters != 0,
        )
        self.check_criterion()
        check_schedule(self.schedule.schedule)
        return found

    def check_criterion(self) -> None:
        """Refuses a criterion that does not exist.

        Raises:
            InputError: It does not; the nearest names are offered.
        """
        criterion_terms(self.criterion.criterion)

    def check_sensitivity(self, others: Mapping[str, object]) -> None:
        """Refuses what a sensitivity analysis has no use for.

        Args:
            others: Further options by their names; what is None or False was not given.

        Raises:
            InputError: Something was given.
        """
        parts = (self.target.given, self.schedule.given, self.tuning.given)
        given = {name: value for part in parts for name, value in part.items()}
        check_sensitivity({**given, "--global": self.limits.global_pruning, **others})
        check_evidence(self.criterion.criterion, self.criterion.evidence_batches)

    def requests(self, trained: Recipe) -> list[PruningRequest]:
        """A request for each target.

        Args:
            trained: Recipe of the network's training.

        Raises:
            InputError: What is asked for is not possible.
        """
        measure, targets = self.targets()
        schedule, tuning, target = self.schedule, self.tuning, self.target
        often = schedule.iterations
        if often is None:
            often = DEFAULT_ITERATIONS[schedule.schedule]
        return [
            PruningRequest(
                measure=measure,
                target=value,
                recipe=tuning.recipe(trained, target.untrained),
                criterion=self.criterion.criterion,
                config=self.config,
                schedule=schedule.schedule,
                iterations=often,
                max_drop=schedule.max_drop,
                per_layer=target.per_layer,
                distill=tuning.distill,
                temperature=tuning.temperature,
                teacher_weight=tuning.teacher_weight,
                unlabelled_weight=tuning.unlabelled_weight,
                layer_alphas=dict(target.layer_alphas),
                clusters=target.clusters,
                batches=self.criterion.batches,
                batch_samples=self.criterion.batch_samples,
                untrained=target.untrained,
            )
            for value in targets
        ]
