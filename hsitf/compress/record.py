"""Records of a compression; reading them does not load Keras."""

from __future__ import annotations

from dataclasses import dataclass, field

from hsitf.compress.bounds import CompressionBounds
from hsitf.compress.losses import Drop, Fidelity
from hsitf.compress.request import SearchOptions
from hsitf.ranges import Amount, Count, Positive, Share
from hsitf.records import Epoch, SplitRecord

ORIGINAL = "original"


@dataclass(frozen=True)
class SearchStart:
    """What the candidates of a folder belong to, kept beside them.

    Attributes:
        origin: Folder of the run that is compressed.
        origin_sha256: SHA-256 of its network.
        steered_by: Cost that is reduced step by step: parameters or macs.
        options: What decides on the candidates, with the epochs that were derived.
    """

    schema: int
    origin: str
    origin_sha256: str
    steered_by: str
    options: SearchOptions


@dataclass(frozen=True)
class Step:
    """How a candidate came about.

    Attributes:
        key: Name of the candidate in the folder of candidates.
        parent: Key of the candidate that it was made of; empty for the original.
        kind: original, cut (from its parent, and fine-tuned), or the name of a control.
        share: Share of the original's steered cost that was asked for.
        criterion: Importance criterion of the cut; empty for none.
        allocation: How the cut was spread over layers, see `proposals.Proposal`; empty for none.
        divergence: Mean Kullback-Leibler divergence from the original after the cut and before
            fine-tuning, in nats.
    """

    key: str
    parent: str
    kind: str
    share: float
    criterion: str = ""
    allocation: str = ""
    divergence: Amount = 0.0


@dataclass(frozen=True)
class CompressionCandidate:
    """A network on the way, and its file.

    Attributes:
        step: How it came about.
        parameters: Number of weights.
        macs: Multiply-accumulates of one patch.
        history: Loss and validation accuracy of every epoch of fine-tuning.
        best_epoch: Epoch whose weights were kept; 0 where none was better than before.
        seconds: Time that making it took.
        fidelity: How far its file is from the original network.
        costs: Costs of the file by the names of `bounds.COSTS`.
        sha256: SHA-256 of its network.
        file_sha256: SHA-256 of its file.
        channel_alignment: Smallest number of channels that lowering gave convolutions in its file
            (see `arithmetic.ConvolutionMethod`); None for that of the kind of file.
    """

    step: Step
    parameters: Count
    macs: Count
    history: tuple[Epoch, ...]
    best_epoch: Count
    seconds: Amount
    fidelity: Fidelity
    costs: dict[str, Amount]
    sha256: str = ""
    file_sha256: str = ""
    channel_alignment: Positive | None = None

    @property
    def key(self) -> str:
        """Its name in the folder of candidates."""
        return self.step.key

    @property
    def share(self) -> float:
        """Share of the original's steered cost that was asked for."""
        return self.step.share


@dataclass(frozen=True)
class FinalEvaluation:
    """What the chosen file lost on the test pixels, which chose nothing.

    Attributes:
        before: OA, AA and kappa of the original network.
        after: The same of the file.
        drop: Loss of the bounded measure.
        agreement: Share of test pixels that both classify alike.
        pixels: Number of test pixels.
    """

    before: dict[str, float]
    after: dict[str, float]
    drop: Drop
    agreement: Share
    pixels: Count


@dataclass(frozen=True)
class CompressionRecord:
    """A search and its result: `compression.json` beside the chosen network.

    Attributes:
        network: Name of the network.
        scene: Name of the scene.
        synthetic: True where the scene was generated.
        split: Training, validation and test pixels.
        bounds: What the file had to meet.
        start: What the candidates belong to.
        candidates: All of them, the original first and controls last.
        front: Keys of the candidates that no other one surpasses in accuracy and `minimized`.
        minimized: The cost that was to be as small as possible.
        chosen: Key of the candidate that was published.
        steps: Keys from the original to the chosen one.
        bytes_float32: Size of the float32 file of the original.
        final_evaluations: The chosen file, the original's and those of controls on test pixels, by
            key.
        seconds: Time of the search, without candidates that were there already.
        processor: Processor on which latencies were measured, alternately.
        versions: Versions of Python and the packages that matter.
        command: The command line as typed.
    """

    schema: int
    network: str
    scene: str
    synthetic: bool
    split: SplitRecord
    bounds: CompressionBounds
    start: SearchStart
    candidates: tuple[CompressionCandidate, ...]
    front: tuple[str, ...]
    minimized: str
    chosen: str
    steps: tuple[str, ...]
    bytes_float32: Count
    final_evaluations: dict[str, FinalEvaluation]
    seconds: Amount
    processor: str
    versions: dict[str, str] = field(default_factory=dict)
    command: str = ""
