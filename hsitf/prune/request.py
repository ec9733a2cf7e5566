"""Pruning requests: target, criterion and schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hsitf.compat import formerly
from hsitf.prune.combination import EvidenceBatches, file_label
from hsitf.prune.config import PruningConfig
from hsitf.prune.request_checks import check_request
from hsitf.prune.schedule import epochs_of, removed_share
from hsitf.prune.thresholds import Thresholds
from hsitf.train.teachers import Distillation
from hsitf.zoo import Recipe

# What can be asked for, and what kind of pruning reaches it.
MEASURES = {
    "ratio": "channels",
    "parameters": "channels",
    "macs": "channels",
    "bytes": "channels",
    "alpha": "weights",
    "sparsity": "weights",
}


@formerly(config="cutting", iterations="steps")
@dataclass(frozen=True)
class PruningRequest:
    """What to remove from a trained network, and how to fine-tune the rest.

    Attributes:
        measure: Measure of the target: ratio, the share of the channels to remove; the share to
            keep of the parameters, macs or bytes (above 1: their number); alpha, the threshold of
            single weights in standard deviations; or sparsity, the share of zeros among the
            weights.
        target: Value of the measure.
        recipe: Recipe of the fine-tuning; its epochs are divided among the iterations.
        criterion: Importance criterion of the channels.
        config: Which layers and channels are excluded, and how ratios are applied.
        schedule: one-shot, iterative (equal steps) or gradual (large steps first).
        iterations: Number of pruning iterations, each followed by fine-tuning.
        max_drop: Largest allowed drop of overall accuracy on the validation pixels, in percentage
            points; pruning stops before a larger drop. None for no bound.
        per_layer: Whether every weight tensor gets the sparsity, as in Zhu and Gupta (2018); else
            the smallest weights of the whole network are removed.
        distill: Whether a teacher, the network before pruning where no other is named, teaches what
            is left while it is fine-tuned.
        temperature: What the logits of teacher and network are divided by, 1 to 20; None for the
            usual one, as with both weights.
        teacher_weight: Share of the teacher in the loss of a labelled pixel.
        unlabelled_weight: What the loss of an unlabelled pixel counts, where that of a labelled one
            counts 1; 0 where none are shown.
        layer_alphas: Alphas other than the target, by kind of layer or by name of a layer (see
            `thresholds.Thresholds`).
        clusters: Number of values that each kernel's weights share after pruning (weight
            clustering); 0 where they are not shared. With a sparsity of 0, nothing else is done.
        batches: Number of batches of samples that criteria look at; their own where None.
        batch_samples: Samples of such a batch; the criterion's own where None.
        untrained: Whether the network was not trained before: `recipe` then is that of its whole
            training.

    Raises:
        InputError: A value is out of range or not valid here.
    """

    measure: str
    target: float
    recipe: Recipe
    criterion: str = "l2"
    config: PruningConfig = field(default_factory=PruningConfig)
    schedule: str = "one-shot"
    iterations: int = 1
    max_drop: float | None = None
    per_layer: bool = False
    distill: bool = False
    temperature: float | None = None
    teacher_weight: float | None = None
    unlabelled_weight: float | None = None
    layer_alphas: Mapping[str, float] = field(default_factory=dict)
    clusters: int = 0
    batches: int | None = None
    batch_samples: int | None = None
    untrained: bool = False

    def __post_init__(self) -> None:
        # Records of schema 1 call this measure "zeros".
        object.__setattr__(self, "measure", self.measure.replace("zeros", "sparsity"))
        check_request(self)

    @property
    def distillation(self) -> Distillation:
        """How a teacher teaches, if there is one.

        Raises:
            InputError: A value of it is out of range.
        """
        return Distillation(**self.distillation_options)

    @property
    def distillation_options(self) -> dict[str, float]:
        """What was asked for of distillation, by name."""
        values = {
            "temperature": self.temperature,
            "teacher_weight": self.teacher_weight,
            "unlabelled_weight": self.unlabelled_weight,
        }
        return {name: value for name, value in values.items() if value is not None}

    @property
    def thresholds(self) -> Thresholds:
        """Magnitude thresholds of a request for alpha.

        Raises:
            InputError: One is out of range.
        """
        return Thresholds.by_layer(self.target, self.layer_alphas)

    @property
    def evidence_batches(self) -> EvidenceBatches:
        """How much data criteria look at.

        Raises:
            InputError: A number is out of range.
        """
        return EvidenceBatches(self.batches, self.batch_samples)

    @property
    def only_clusters(self) -> bool:
        """Whether weights are clustered and none are removed."""
        return bool(self.clusters) and self.measure == "sparsity" and self.target == 0

    @property
    def removes(self) -> bool:
        """Whether anything is removed before weights are clustered."""
        return not self.only_clusters

    @property
    def criterion_name(self) -> str:
        """Name of the importance criterion; magnitude for unstructured pruning."""
        if self.only_clusters:
            return "k-means"
        return self.criterion if self.kind == "channels" else "magnitude"

    @property
    def kind(self) -> str:
        """Whether channels (structured) or single weights (unstructured) are pruned."""
        return MEASURES[self.measure]

    @property
    def target_text(self) -> str:
        """The target as text, such as "macs 0.5"."""
        own = {**self.config.kinds, **self.config.ratios, **self.layer_alphas}
        layers = [f"{name} {value:g}" for name, value in own.items()]
        each = " per layer" if self.per_layer else ""
        # Kinds and layers may have ratios of their own alone.
        removed = [f"{self.measure} {self.target:g}{each}"] if self.removes and self.target else []
        shared = [f"{self.clusters} values a kernel"] if self.clusters else []
        return ", ".join([*removed, *layers, *shared])

    @property
    def label(self) -> str:
        """Short name that distinguishes the runs of one network, such as "lfp-macs0.5"."""
        how = "" if self.schedule == "one-shot" else f"-{self.schedule}{self.iterations}"
        layers = "-per-layer" if self.per_layer else ""
        if self.config.ratios or self.layer_alphas:
            layers = "-layers"
        kinds = "".join(f"-{kind}{ratio:g}" for kind, ratio in self.config.kinds.items())
        shared = f"-clusters{self.clusters}" if self.clusters else ""
        taught = "-distill" if self.distill else ""
        if not self.removes:
            return f"clusters{self.clusters}{taught}"
        criterion = file_label(self.criterion_name)
        alone = not self.target and bool(kinds)
        target = "" if alone else f"-{self.measure}{self.target:g}"
        return f"{criterion}{target}{kinds}{layers}{how}{shared}{taught}"

    def removed_share(self, iteration: int) -> float:
        """Share of the total removal that is done after an iteration, counted from 1."""
        return removed_share(self.schedule, iteration, self.iterations)

    def epochs(self, iteration: int) -> int:
        """Epochs of fine-tuning after an iteration, counted from 1."""
        return epochs_of(self.schedule, iteration, self.iterations, self.recipe.epochs)
