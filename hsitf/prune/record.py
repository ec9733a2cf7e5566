"""Records of pruning curves; reading them does not load Keras."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.prune.sparsity import Sparsity
from hsitf.prune.thresholds import Thresholds
from hsitf.ranges import Count, Positive, Share
from hsitf.records import ModelStats, SplitRecord
from hsitf.records.relations import check_same_names
from hsitf.zoo import Recipe


@dataclass(frozen=True)
class CurvePoint:
    """One pruned network of a curve.

    Attributes:
        target: The pruning target.
        run: Folder of the run.
        thinned: Cost and accuracy after pruning.
        after: Cost and accuracy after fine-tuning.
    """

    target: float
    run: str
    thinned: ModelStats
    after: ModelStats


@dataclass(frozen=True)
class PruningCurve:
    """Networks pruned to several targets from the same trained network.

    Attributes:
        network: Name of the network in the zoo.
        scene: Name of the scene.
        synthetic: True where the scene was generated.
        origin: Folder of the run that was pruned.
        origin_sha256: SHA-256 of its network.
        criterion: Importance criterion.
        measure: The measure of the targets, such as macs.
        epochs: Epochs of fine-tuning.
        before: Cost and accuracy of the network before pruning.
        points: The pruned networks, in the order of the targets.
        processor: Processor on which all latencies were measured, alternately.
    """

    schema: int
    network: str
    scene: str
    synthetic: bool
    origin: str
    origin_sha256: str
    criterion: str
    measure: str
    epochs: Count
    before: ModelStats
    points: tuple[CurvePoint, ...]
    processor: str

    def __post_init__(self) -> None:
        after = (point.after.files for point in self.points)
        check_same_names("measured files", self.before.files, after)


@dataclass(frozen=True)
class SparsePoint:
    """A network at one threshold.

    Attributes:
        thresholds: Magnitude thresholds of the removed weights.
        sparse: Size of the sparse network, after retraining where there was any.
        thinned: Size without dead channels, a network with the same outputs.
        oa_pruned: Overall accuracy on the test pixels before retraining.
        oa_retrained: Overall accuracy after retraining; None without retraining.
    """

    thresholds: Thresholds
    sparse: Sparsity
    thinned: Sparsity
    oa_pruned: Share
    oa_retrained: float | None

    @property
    def oa(self) -> float:
        """Overall accuracy of the final network."""
        return self.oa_pruned if self.oa_retrained is None else self.oa_retrained


@dataclass(frozen=True)
class SparseCurve:
    """A network at rising thresholds, each time pruned from the same trained weights.

    Attributes:
        network: Name of the network in the zoo.
        scene: Name of the scene.
        synthetic: True where the scene was generated: its numbers are of a synthetic scene.
        split: Which pixels are training, validation and test pixels.
        origin: Folder of the trained network.
        origin_sha256: SHA-256 of its file.
        recipe: Recipe of the retraining; None without retraining.
        dense: Size of the trained network.
        oa: Overall accuracy of the trained network on the test pixels.
        points: The pruned networks, in the order of the request.
        versions: Versions of Python and the packages that matter.
        command: The command line as typed.
    """

    schema: int
    network: str
    scene: str
    synthetic: bool
    split: SplitRecord
    origin: str
    origin_sha256: str
    recipe: Recipe | None
    dense: Sparsity
    oa: Share
    points: tuple[SparsePoint, ...]
    versions: dict[str, str]
    command: str


@dataclass(frozen=True)
class SensitivityPoint:
    """A network that lost channels of one dependency group, not retrained.

    Attributes:
        ratio: Share of the group's channels that was to be removed.
        kept: Channels of the group that are left.
        oa: Overall accuracy on the validation pixels.
        parameters: Weights that are left of the whole network.
        macs: Multiply-accumulates that are left of the whole network.
    """

    ratio: float
    kept: Count
    oa: Share
    parameters: Count
    macs: Count


@dataclass(frozen=True)
class GroupSensitivity:
    """What a network loses with the channels of one dependency group.

    Attributes:
        layers: The layers of the group.
        channels: Its number of channels.
        approximate: Why removing them is not exact; empty where it is.
        points: By rising ratio.
    """

    layers: tuple[str, ...]
    channels: Count
    approximate: str
    points: tuple[SensitivityPoint, ...]


@dataclass(frozen=True)
class SensitivityAnalysis:
    """How much accuracy depends on each dependency group alone, without retraining.

    Attributes:
        network: Name of the network in the zoo.
        scene: Name of the scene.
        synthetic: True where the scene was generated.
        split: Which pixels are training, validation and test pixels.
        origin: Folder of the trained network.
        origin_sha256: SHA-256 of its file.
        criterion: Importance criterion of the channels; the least important are removed.
        min_channels: Channels that every group keeps at least.
        round_to: The number of kept channels is a multiple of this.
        oa: Overall accuracy of the whole network on the validation pixels.
        parameters: Its weights.
        macs: Its multiply-accumulates.
        groups: The groups in the order of the forward pass.
        versions: Versions of Python and the packages that matter.
        command: The command line as typed.
        batches: Batches of samples that the criterion was averaged over; None for its own number.
        batch_samples: Samples of such a batch; None for the criterion's own number.
    """

    schema: int
    network: str
    scene: str
    synthetic: bool
    split: SplitRecord
    origin: str
    origin_sha256: str
    criterion: str
    min_channels: Positive
    round_to: Positive
    oa: Share
    parameters: Count
    macs: Count
    groups: tuple[GroupSensitivity, ...]
    versions: dict[str, str]
    command: str
    batches: int | None = None
    batch_samples: int | None = None
