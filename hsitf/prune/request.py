"""Pruning requests: target, criterion and schedule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from hsitf.compat import formerly
from hsitf.errors import InputError
from hsitf.prune.combination import EvidenceBatches, check_evidence, file_label
from hsitf.prune.config import PruningConfig
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
# How often something is cut, unless the user says so.
DEFAULT_ITERATIONS = {"one-shot": 1, "iterative": 4, "gradual": 8}
# An index into a larger codebook takes more than a byte.
MAX_CLUSTERS = 256


def check_schedule(schedule: str) -> None:
    """Refuses a pruning schedule that does not exist.

    Raises:
        InputError: It does not.
    """
    if schedule not in DEFAULT_ITERATIONS:
        raise InputError(
            "unknown pruning schedule", received=schedule, allowed=", ".join(DEFAULT_ITERATIONS)
        )


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
        check_schedule(self.schedule)
        if not 1 <= self.iterations <= self.recipe.epochs or (
            self.schedule == "one-shot" and self.iterations != 1
        ):
            raise InputError(
                f"this number of iterations is not possible for schedule {self.schedule}",
                received=f"{self.iterations} iterations in {self.recipe.epochs} epochs",
                allowed="1 for one-shot, else up to one per epoch",
                remedy="give other --iterations, more --epochs or --schedule iterative",
            )
        if self.max_drop is not None and not 0 <= self.max_drop <= 100:
            raise InputError(
                "the accuracy drop is out of range",
                received=self.max_drop,
                allowed="0 to 100 percentage points",
            )
        if self.kind == "weights" and self.config != PruningConfig():
            raise InputError(
                "unstructured pruning takes no options of layers or channels",
                received=f"--{self.measure} with options of structured pruning",
                remedy="leave out --layer, --global, --round-to, --min-channels, --ignore, "
                "and --exact",
            )
        self._check_weights()
        self._check_untrained()
        self._check_evidence()
        if self.per_layer and (self.measure != "sparsity" or not self.removes):
            beside = self.measure if self.removes else "cluster alone"
            raise InputError(
                "only a sparsity can be that of each layer",
                received=f"--per-layer with --{beside}",
                remedy="leave out --per-layer, or give --sparsity",
            )
        self._check_target()
        if self._distillation_options and not self.distill:
            raise InputError(
                "nothing teaches the pruned network",
                received="--temperature, --teacher-weight or --unlabelled-weight without --distill",
                remedy="add --distill, or leave them out",
            )
        _ = self.distillation

    def _check_weights(self) -> None:
        """Refuses options of unstructured pruning where they have no meaning."""
        if self.layer_alphas and self.measure != "alpha":
            raise InputError(
                "only alpha differs by layer where single weights are pruned",
                received=f"--layer-alpha with --{self.measure}",
                remedy="give --alpha, or leave --layer-alpha out",
            )
        if self.clusters and not 2 <= self.clusters <= MAX_CLUSTERS:
            raise InputError(
                "the number of values of a codebook is out of range",
                received=self.clusters,
                allowed=f"2 to {MAX_CLUSTERS}, what an index of a byte distinguishes",
            )
        if self.clusters and self.kind == "channels":
            raise InputError(
                "weights are clustered alone or after unstructured pruning",
                received=f"--cluster with --{self.measure}",
                remedy="prune the channels first, then --cluster the result with --from",
            )
        if self._only_clusters and self.schedule != "one-shot":
            raise InputError(
                "weights that are not removed are not removed in steps",
                received=f"--schedule {self.schedule} with --cluster alone",
                remedy="leave it out, or give --alpha or --sparsity, too",
            )
        if self.measure == "alpha":
            # What is out of range is refused now.
            _ = self.thresholds

    def _check_evidence(self) -> None:
        """Refuses numbers of samples that are out of range, or that nothing looks at."""
        batches = self.evidence_batches
        if self.kind == "channels":
            check_evidence(self.criterion, batches)
        elif batches != EvidenceBatches():
            raise InputError(
                "single weights are chosen by their size, without samples",
                received="--batches or --batch-samples",
                remedy="leave them out",
            )

    def _check_untrained(self) -> None:
        """Refuses what has no meaning for a network that was not trained."""
        if not self.untrained:
            return
        odd = {
            f"--{self.measure}": self.kind == "weights",
            f"--schedule {self.schedule}": self.schedule != "one-shot",
            "--max-drop": self.max_drop is not None,
            "--distill": self.distill,
        }
        if found := [name for name, is_given in odd.items() if is_given]:
            raise InputError(
                "an untrained network loses channels, at once, and has learned nothing to keep",
                received=f"--untrained with {' and '.join(found)}",
                allowed="--ratio, --macs, --parameters or --bytes",
                remedy="leave them out, or train the network first",
            )

    def _check_target(self) -> None:
        below_one = self.measure in ("ratio", "sparsity")
        # Ratios and alphas of single layers do without one for all, and so does clustering.
        without = self.config.ratios or self.layer_alphas or self._only_clusters
        least = self.target >= 0 if without else self.target > 0
        if not least or (below_one and self.target >= 1) or not math.isfinite(self.target):
            allowed = {
                "ratio": "above 0 to below 1, the share of channels to remove",
                "sparsity": "above 0 to below 1, the share of zero weights",
                "alpha": "above 0, in standard deviations",
            }.get(self.measure, "above 0 to 1, the share to keep, or a count above 1")
            raise InputError(
                f"the {self.measure} to prune to is out of range",
                received=self.target,
                allowed=allowed,
            )

    @property
    def distillation(self) -> Distillation:
        """How a teacher teaches, if there is one.

        Raises:
            InputError: A value of it is out of range.
        """
        return Distillation(**self._distillation_options)

    @property
    def _distillation_options(self) -> dict[str, float]:
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
    def _only_clusters(self) -> bool:
        """Whether weights are clustered and none are removed."""
        return bool(self.clusters) and self.measure == "sparsity" and self.target == 0

    @property
    def removes(self) -> bool:
        """Whether anything is removed before weights are clustered."""
        return not self._only_clusters

    @property
    def criterion_name(self) -> str:
        """Name of the importance criterion; magnitude for unstructured pruning."""
        if self._only_clusters:
            return "k-means"
        return self.criterion if self.kind == "channels" else "magnitude"

    @property
    def kind(self) -> str:
        """Whether channels (structured) or single weights (unstructured) are pruned."""
        return MEASURES[self.measure]

    @property
    def target_text(self) -> str:
        """The target as text, such as "macs 0.5"."""
        own = {**self.config.ratios, **self.layer_alphas}
        layers = [f"{name} {value:g}" for name, value in own.items()]
        each = " per layer" if self.per_layer else ""
        removed = [f"{self.measure} {self.target:g}{each}"] if self.removes else []
        shared = [f"{self.clusters} values a kernel"] if self.clusters else []
        return ", ".join([*removed, *layers, *shared])

    @property
    def label(self) -> str:
        """Short name that distinguishes the runs of one network, such as "lfp-macs0.5"."""
        how = "" if self.schedule == "one-shot" else f"-{self.schedule}{self.iterations}"
        layers = "-per-layer" if self.per_layer else ""
        if self.config.ratios or self.layer_alphas:
            layers = "-layers"
        shared = f"-clusters{self.clusters}" if self.clusters else ""
        taught = "-distill" if self.distill else ""
        if not self.removes:
            return f"clusters{self.clusters}{taught}"
        criterion = file_label(self.criterion_name)
        return f"{criterion}-{self.measure}{self.target:g}{layers}{how}{shared}{taught}"

    def removed_share(self, iteration: int) -> float:
        """Share of the total removal that is done after an iteration, counted from 1.

        Equal steps, or for gradual pruning 1 - (1 - i / n)^3 (Zhu, Gupta, 2018).
        """
        share = iteration / self.iterations
        return 1 - (1 - share) ** 3 if self.schedule == "gradual" else share

    def epochs(self, iteration: int) -> int:
        """Epochs of fine-tuning after an iteration, counted from 1.

        Iterations share the epochs equally; in gradual pruning the last one has half of them.
        """
        whole = self.recipe.epochs
        last = whole - whole // 2 if self.schedule == "gradual" and self.iterations > 1 else 0
        others = self.iterations - 1 if last else self.iterations
        if last and iteration == self.iterations:
            return last
        each, over = divmod(whole - last, others)
        return max(1, each + (1 if iteration <= over else 0))
