"""What a training run asks for, starts with and leaves behind, pruned or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hsitf.bands.reducer import Reducer
from hsitf.files import sha256
from hsitf.metrics import Scores
from hsitf.records.scene import SceneChoice, SceneRecord, SplitRecord
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.splits import SplitOptions
from hsitf.zoo import Recipe


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that decides on a training run's result, and nothing else.

    Attributes:
        network: Name in the zoo.
        scene: What to learn from.
        split: Which pixels teach and which judge.
        recipe: How to train.
        schedule: full, short or custom: how the epochs compare with the paper's.
        seed: Of weights, order, sides and dropout.
        turn: Whether each patch is shown turned or mirrored at random, one of eight ways.
        bands: How the bands are reduced, such as "pca:30"; empty where all are taken.
        radiation: Whether a tenth of the patches is shown brighter or darker, with noise.
        mixture: Whether a tenth of the patches is shown mixed with another of its class.
        balanced: Whether the loss of a pixel is weighted by the inverse frequency of its class.
        patience: Epochs without a better validation accuracy after which training ends; 0 for
            never.
        precision: float32, or what Keras computes in beside it: mixed_float16, mixed_bfloat16.
        xla: Whether XLA compiles the step, where that is not its backend's own way.
    """

    network: str
    scene: SceneChoice
    split: SplitOptions
    recipe: Recipe
    schedule: str
    seed: int
    turn: bool = True
    bands: str = ""
    radiation: bool = False
    mixture: bool = False
    balanced: bool = False
    patience: int = 0
    precision: str = "float32"
    xla: bool = False

    @property
    def patch(self) -> int:
        """Side of the patch in pixels."""
        return self.split.patch


@dataclass(frozen=True)
class BandsRecord:
    """How bands were reduced; what is needed to do it again lies in `bands.npz`.

    Attributes:
        text: As a user writes it, such as "pca:30".
        components: What is left of a pixel.
        chosen: Numbers of the bands that were selected, from 0; empty where they were combined.
        fusable: Whether the reduction can go into an exported file.
        remark: What everyone who reads these results has to know.
        sha256: Of bands.npz.
    """

    text: str
    components: int
    chosen: tuple[int, ...]
    fusable: bool
    remark: str
    sha256: str

    @classmethod
    def of(cls, reducer: Reducer, path: Path) -> BandsRecord:
        """The record of a reducer saved at `path`."""
        return cls(
            reducer.text,
            reducer.components,
            reducer.chosen,
            reducer.fusable,
            reducer.remark,
            sha256(path),
        )


@dataclass(frozen=True)
class Beginning:
    """What a training run began with, until its record says how it ended.

    Attributes:
        plan: What was asked for.
        scene: The scene as it was then.
        split: Its split as it was then.
    """

    schema: int
    plan: TrainingPlan
    scene: SceneRecord
    split: SplitRecord


@dataclass(frozen=True)
class Epoch:
    """One pass over the training pixels: its mean loss, the accuracy after it, its rate."""

    loss: float
    validation_oa: float
    learning_rate: float
    seconds: float


@dataclass(frozen=True)
class Standing:
    """What a network costs and what it is worth at one moment of its pruning.

    Sizes and times of files are 0 where files were not measured, as in studies.

    Attributes:
        parameters: Number of its weights.
        nonzero: Of them, how many are not zero.
        macs: Multiply-accumulates of one patch.
        bytes_float32: Of its float32 .tflite file.
        bytes_int8: Of its int8 .tflite file.
        bytes_zipped: Of its float32 weights, deflated.
        ms_float32: Median time of one patch through the float32 file on this machine.
        ms_int8: The same through the int8 file.
        oa: Overall accuracy of the network on the test pixels.
        aa: Average accuracy.
        kappa: Cohen's kappa.
    """

    parameters: int
    nonzero: int
    macs: int
    bytes_float32: int
    bytes_int8: int
    bytes_zipped: int
    ms_float32: float
    ms_int8: float
    oa: float
    aa: float
    kappa: float


@dataclass(frozen=True)
class Pruning:
    """How a network was pruned, and what that did to it.

    Attributes:
        origin: Folder of the run it was made from.
        origin_sha256: Digest of that run's network.
        kind: channels (structured) or weights (fine-grained).
        criterion: What chose what goes.
        target: What was asked for, such as "macs 0.5".
        schedule: one-shot, iterative or gradual.
        steps: How often something was cut and the rest fine-tuned.
        approximate: Why the thinned network is not exactly the masked original; empty where it
            is.
        before: The network it was made from.
        thinned: After the cut, before fine-tuning. Where there were several steps: after the
            last cut. Sizes and times are those of the fine-tuned network, which has its shape;
            of single weights the accuracy is that of all that goes going at once.
        after: After fine-tuning.
        threads: That times were measured with; 0 where they were not.
        processor: That they were measured on.
    """

    origin: str
    origin_sha256: str
    kind: str
    criterion: str
    target: str
    schedule: str
    steps: int
    approximate: tuple[str, ...]
    before: Standing
    thinned: Standing
    after: Standing
    threads: int
    processor: str


@dataclass(frozen=True)
class RunRecord:
    """A trained network: the record beside `network.keras`.

    Attributes:
        plan: What was asked for.
        paper: Citation of the network.
        parameters: Number of its weights.
        scene: The data it learned from.
        split: Which pixels.
        normalizer: What maps the scene's units to what the network takes.
        history: By epoch.
        best_epoch: Whose weights were kept, counted from 1; 0 where a pruned network was kept
            as it was before fine-tuning.
        scores: On the test pixels.
        seconds: Of training, interruptions left out.
        peak_memory: Of the process, bytes.
        sha256: Of network.keras.
        versions: Of Python and the packages that matter.
        command: As typed.
        pruning: How it was pruned; None where it was not.
        unlabelled: Pixels without a label whose spectra were reconstructed in training; 0 where
            the network has no decoder.
        bands: How bands were reduced before the network; None where it takes all of them.
        predict_us: Microseconds that the trained network takes a test pixel, in batches.
        gpu_memory: Largest memory taken on the first GPU, bytes; 0 where none computed.
        backend: What Keras ran on.
    """

    schema: int
    plan: TrainingPlan
    paper: str
    parameters: int
    scene: SceneRecord
    split: SplitRecord
    normalizer: Normalizer
    history: tuple[Epoch, ...]
    best_epoch: int
    scores: Scores
    seconds: float
    peak_memory: int
    sha256: str
    versions: dict[str, str]
    command: str
    pruning: Pruning | None = None
    unlabelled: int = 0
    bands: BandsRecord | None = None
    predict_us: float = 0.0
    gpu_memory: int = 0
    backend: str = "tensorflow"

    @property
    def components(self) -> int:
        """What the network takes of a pixel: bands, or components in their place."""
        return self.scene.shape[2] if self.bands is None else self.bands.components
