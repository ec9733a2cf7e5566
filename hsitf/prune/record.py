"""What is written down of curves of pruned networks; reading it loads no Keras."""

from __future__ import annotations

from dataclasses import dataclass

from hsitf.prune.sparsity import Sparsity
from hsitf.prune.thresholds import Thresholds
from hsitf.records import SplitRecord, Standing
from hsitf.zoo import Recipe


@dataclass(frozen=True)
class Point:
    """One pruned network.

    Attributes:
        target: What was asked for.
        run: Its folder.
        thinned: After the cut.
        after: After fine-tuning.
    """

    target: float
    run: str
    thinned: Standing
    after: Standing


@dataclass(frozen=True)
class Curve:
    """Networks pruned to several targets, from one origin.

    Attributes:
        network: Name in the zoo.
        scene: Name of the scene.
        synthetic: True where the scene was generated.
        origin: Folder of the run they were made from.
        origin_sha256: Digest of its network.
        criterion: What chose what goes.
        measure: What the targets are of, such as macs.
        epochs: Of fine-tuning.
        before: The network they were made from.
        points: In the order of the targets.
        processor: That all times were measured on, in turns.
    """

    schema: int
    network: str
    scene: str
    synthetic: bool
    origin: str
    origin_sha256: str
    criterion: str
    measure: str
    epochs: int
    before: Standing
    points: tuple[Point, ...]
    processor: str


@dataclass(frozen=True)
class SparsePoint:
    """A network at one threshold.

    Attributes:
        thresholds: Below which its weights went.
        sparse: Its weights, zeros and all, after retraining where there was any.
        thinned: What is left of them without dead channels, a network of the same outputs.
        oa_pruned: Overall accuracy on the test pixels before retraining.
        oa_retrained: After it; None where there was none.
    """

    thresholds: Thresholds
    sparse: Sparsity
    thinned: Sparsity
    oa_pruned: float
    oa_retrained: float | None

    @property
    def oa(self) -> float:
        """Of the network as it is in the end."""
        return self.oa_pruned if self.oa_retrained is None else self.oa_retrained


@dataclass(frozen=True)
class SparseCurve:
    """A network at rising thresholds, each time from the same trained weights.

    Attributes:
        network: Name in the zoo.
        scene: Name of the scene.
        synthetic: True where the scene was generated: its numbers are of a synthetic scene.
        split: Which pixels taught and which judged.
        origin: Folder of the trained network.
        origin_sha256: Digest of its file.
        recipe: Of the retraining; None where there was none.
        dense: The trained network's weights.
        oa: Its overall accuracy on the test pixels.
        points: In the order in which they were asked for.
        versions: Of Python and the packages that matter.
        command: As typed.
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
    oa: float
    points: tuple[SparsePoint, ...]
    versions: dict[str, str]
    command: str
