"""What a training run asks for, starts with and leaves behind, pruned or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hsitf.bands import Reducer, former_spec
from hsitf.compat import Content, formerly, formerly_shaped, formerly_written
from hsitf.errors import DataError
from hsitf.files import sha256
from hsitf.metrics import Scores
from hsitf.ranges import Amount, Count, Kappa, Positive, Share
from hsitf.records.relations import check_lengths, check_same_names
from hsitf.records.scene import SceneChoice, SceneRecord, SplitRecord
from hsitf.scenes.normalize import Normalizer
from hsitf.scenes.splits import SplitOptions
from hsitf.zoo import Recipe


@dataclass(frozen=True)
class TeacherRun:
    """A trained network that teaches another one.

    Attributes:
        folder: Folder of its run.
        sha256: SHA-256 of its network.
    """

    folder: str
    sha256: str


@formerly(
    flip_rotate="turn",
    brightness_noise="radiation",
    intra_class_mixup="mixture",
    class_weights="balanced",
)
@formerly_written(bands=former_spec)
@dataclass(frozen=True)
class TrainingPlan:
    """Everything that decides on a training run's result, and nothing else.

    Attributes:
        network: Name of the network in the zoo.
        scene: The scene to train on.
        split: How the labelled pixels are split into training, validation and test.
        recipe: Optimizer, learning rate, batch size and further hyperparameters.
        schedule: full, short or custom: how the number of epochs relates to the paper's.
        seed: Seed of the initial weights, the order of the patches, augmentation and dropout.
        flip_rotate: Data augmentation: whether each patch is flipped and rotated at random into one
            of eight orientations.
        bands: Specification of the band reduction, such as "pca:30"; empty where all bands are
            used.
        brightness_noise: Data augmentation: whether the brightness of a tenth of the patches is
            changed and noise is added.
        intra_class_mixup: Data augmentation: whether a tenth of the patches is mixed with another
            patch of its class.
        class_weights: Whether losses are weighted by the inverse frequency of the pixel's class.
        patience: Epochs without a better validation accuracy after which training stops; 0 for
            never.
        precision: float32, or a mixed precision of Keras: mixed_float16 or mixed_bfloat16.
        xla: Whether XLA compiles the training step on a backend that does not use it by default.
        network_sha256: SHA-256 of the file that defines the network, where it is not one of
            hsitf's own; empty where it is, or where no file is known.
        recipe_name: paper, or robust: what the recipe and the options below began with.
        augmentations: Data augmentation: names and strengths above 0, in the order in which they
            are applied.
        mixup: Data augmentation: shape of the Beta distribution of the weights with which patches
            and targets of any classes are mixed; 0 for none.
        balanced_sampling: 0 to 1: how far the classes of an epoch are brought to equal shares.
        pixel_normalization: How the network normalizes each spectrum by itself: snv, unit,
            difference or continuum; empty where it does not.
        pseudo_labels: Least probability with which an unlabelled pixel is shown as of its likeliest
            class; 0 where unlabelled pixels are not shown.
        teachers: Trained networks whose outputs it learns from, too.
        teacher_weight: Share of the teachers in a target.
    """

    network: str
    scene: SceneChoice
    split: SplitOptions
    recipe: Recipe
    schedule: str
    seed: int
    flip_rotate: bool = True
    bands: str = ""
    brightness_noise: bool = False
    intra_class_mixup: bool = False
    class_weights: bool = False
    patience: int = 0
    precision: str = "float32"
    xla: bool = False
    network_sha256: str = ""
    recipe_name: str = "paper"
    augmentations: tuple[tuple[str, float], ...] = ()
    mixup: float = 0.0
    balanced_sampling: float = 0.0
    pixel_normalization: str = ""
    pseudo_labels: float = 0.0
    teachers: tuple[TeacherRun, ...] = ()
    teacher_weight: float = 0.5

    def network_bands(self, bands: int) -> int:
        """How many bands are left for the network of `bands` that are normalized per pixel."""
        return bands - (self.pixel_normalization == "difference")

    @property
    def patch(self) -> int:
        """Side of the patch in pixels."""
        return self.split.patch


@formerly(spec="text", selected="chosen", foldable="fusable")
@formerly_written(spec=former_spec)
@dataclass(frozen=True)
class BandsRecord:
    """A band reduction; `bands.npz` holds the fitted arrays.

    Attributes:
        spec: Specification as given by the user, such as "pca:30".
        components: Number of components (or selected bands) of a pixel.
        selected: Indices of the selected bands, from 0; empty where bands are combined.
        foldable: Whether the reduction can be folded into an exported file.
        remark: A caveat that every reader of the results needs to know.
        sha256: SHA-256 of bands.npz.
    """

    spec: str
    components: Positive
    selected: tuple[Count, ...]
    foldable: bool
    remark: str
    sha256: str

    @classmethod
    def of(cls, reducer: Reducer, path: Path) -> BandsRecord:
        """The record of a reducer saved at `path`."""
        return cls(
            reducer.spec,
            reducer.components,
            reducer.selected,
            reducer.foldable,
            reducer.remark,
            sha256(path),
        )


@dataclass(frozen=True)
class RunStart:
    """The start of a training run, kept until its record describes the result.

    Attributes:
        plan: The training plan.
        scene: The scene as it was then.
        split: The split as it was then.
    """

    schema: int
    plan: TrainingPlan
    scene: SceneRecord
    split: SplitRecord


@dataclass(frozen=True)
class Epoch:
    """One pass over the training pixels: its mean loss, the accuracy after it, its rate.

    Attributes:
        loss: Mean loss.
        validation_oa: Overall accuracy on validation pixels.
        learning_rate: Learning rate of its first step.
        seconds: Time that it took.
        agreement: Share of unlabelled pixels that the network and its teacher classify alike; None
            where an epoch is judged by validation pixels alone.
    """

    loss: float
    validation_oa: Share
    learning_rate: Amount
    seconds: Amount
    agreement: Share | None = None

    @property
    def score(self) -> float:
        """What epochs are compared by: the mean of accuracy and agreement, where there is one."""
        if self.agreement is None:
            return self.validation_oa
        return (self.validation_oa + self.agreement) / 2


# The variant whose file holds every weight in full precision: its size says no more than the number
# of parameters.
FULL_PRECISION = "float32"


@dataclass(frozen=True)
class FileStats:
    """Size and latency of a network as a file that is not published.

    Attributes:
        bytes: Size of the file.
        milliseconds: Median latency of one patch on this machine.
    """

    bytes: Positive
    milliseconds: Amount


def _files_by_variant(content: Content) -> Content:
    """Schema 1 had the keys bytes_float32, ms_float32, bytes_int8, ms_int8; 0 if not measured."""
    others = dict(content)
    files = {}
    for variant in ("float32", "int8"):
        keys = {"bytes": f"bytes_{variant}", "milliseconds": f"ms_{variant}"}
        stats = {new: others.pop(old) for new, old in keys.items() if old in others}
        if stats.get("bytes") != 0:
            files[variant] = stats
    return {"files": files, **others}


@formerly_shaped(_files_by_variant)
@dataclass(frozen=True)
class ModelStats:
    """Cost and accuracy of a network at one stage of pruning.

    Attributes:
        parameters: Number of its weights.
        nonzero: Number of weights that are not zero.
        macs: Multiply-accumulates of one patch.
        files: The network as files, by the name of the variant; empty where files were not
            measured, as in studies.
        bytes_zipped: Bytes of the float32 weights, deflated.
        oa: Overall accuracy of the network on the test pixels.
        aa: Average accuracy.
        kappa: Cohen's kappa.
        top5: Top-5 accuracy; None for five classes or fewer, and in older records.
    """

    parameters: Positive
    nonzero: Count
    macs: Positive
    files: dict[str, FileStats]
    bytes_zipped: Positive
    oa: Share
    aa: Share
    kappa: Kappa
    top5: Share | None = None

    @property
    def compressed_files(self) -> dict[str, FileStats]:
        """The files whose size does not simply follow from the number of parameters."""
        return {name: file for name, file in self.files.items() if name != FULL_PRECISION}


@dataclass(frozen=True)
class DistillationRecord:
    """How a pruned network learned from a teacher while it was fine-tuned.

    Attributes:
        teacher: The network that taught it.
        temperature: What the logits of both were divided by.
        teacher_weight: Share of the teacher in the loss of a labelled pixel.
        unlabelled: Unlabelled pixels that epochs were drawn from; 0 where none were asked for, or
            none were far enough from validation and test pixels.
        unlabelled_weight: What the loss of an unlabelled pixel counted, a labelled one's 1.
    """

    teacher: TeacherRun
    temperature: float
    teacher_weight: float
    unlabelled: int
    unlabelled_weight: float = 1.0


@formerly(iterations="steps")
@dataclass(frozen=True)
class PruningRecord:
    """How a network was pruned, and what that did to it.

    Attributes:
        origin: Folder of the run that was pruned.
        origin_sha256: SHA-256 of that run's network.
        kind: channels (structured pruning) or weights (unstructured pruning).
        criterion: Importance criterion of the channels or weights.
        target: The pruning target, such as "macs 0.5".
        schedule: one-shot, iterative or gradual.
        iterations: Number of pruning iterations, each followed by fine-tuning.
        approximate: Why the thinned network is not exactly the masked original; empty where it
            is.
        before: The network before pruning.
        thinned: After pruning and before fine-tuning; of several iterations, after the last one.
            Sizes and latencies are those of the fine-tuned network, which has the same shape. For
            unstructured pruning, the accuracy is that of one-shot pruning to the final sparsity.
        after: The network after fine-tuning.
        threads: Number of threads of the latency measurement; 0 where it was not measured.
        processor: Processor of the latency measurement.
        distillation: How it was taught while it was fine-tuned; None where it learned from labels.
        earlier_teachers: Networks that taught what it was pruned from, in earlier prunings.
        clusters: Values that the weights of each kernel share at most, zero among them; 0 where
            weights are not shared.
        untrained: Whether channels were removed from the network before it was trained: `origin`
            is empty, `before` and `thinned` have the accuracy of initial weights, and `after` that
            of the whole training.
    """

    origin: str
    origin_sha256: str
    kind: str
    criterion: str
    target: str
    schedule: str
    iterations: Count
    approximate: tuple[str, ...]
    before: ModelStats
    thinned: ModelStats
    after: ModelStats
    threads: Count
    processor: str
    distillation: DistillationRecord | None = None
    earlier_teachers: tuple[TeacherRun, ...] = ()
    clusters: Count = 0
    untrained: bool = False

    def __post_init__(self) -> None:
        check_same_names(
            "measured files", self.before.files, (self.thinned.files, self.after.files)
        )


@dataclass(frozen=True)
class AdoptionRecord:
    """Where a network that was trained elsewhere comes from, and what it was told to be.

    Attributes:
        source: Name of its file; "a model in memory" where it had none.
        source_sha256: SHA-256 of the file; empty where it had none.
        framework: What wrote it, such as "Keras 2" or "PyTorch".
        inputs: Axes of each of its inputs, such as "rows, cols, bands, 1".
        preprocessing: What is computed of a pixel's bands before they enter.
        class_order: Class of the scene, from 1, of each output of the file; 0 for an output that
            was removed.
        remarks: What was changed or assumed, each a clause in the past tense.
        output_error: Largest difference of an output from what its own framework computes; None
            where that could not be computed.
        activation_ranges: Smallest and largest value of layers' outputs, by layer name, as
            quantization-aware training learned them.
    """

    source: str
    source_sha256: str
    framework: str
    inputs: tuple[str, ...]
    preprocessing: str
    class_order: tuple[Count, ...]
    remarks: tuple[str, ...] = ()
    output_error: Amount | None = None
    activation_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """A trained network: the record beside `network.keras`.

    Attributes:
        plan: The training plan.
        paper: Citation of the network.
        parameters: Number of its weights.
        scene: The data it learned from.
        split: Which pixels are training, validation and test pixels.
        normalizer: The normalization from the scene's units to the network's input.
        history: Loss, accuracy and learning rate of every epoch.
        best_epoch: Epoch whose weights were kept, counted from 1; 0 where a pruned network was kept
            as it was before fine-tuning.
        scores: Accuracy on the test pixels.
        seconds: Training time without interruptions.
        peak_memory: Peak memory of the process, in bytes.
        sha256: SHA-256 of network.keras.
        versions: Versions of Python and the packages that matter.
        command: The command line as typed.
        pruning: How the network was pruned; None where it was not.
        unlabelled: Number of unlabelled pixels whose spectra were reconstructed in training; 0
            where the network has no decoder.
        bands: The band reduction in front of the network; None where it uses all bands.
        predict_us: Inference time per test pixel in batches, in microseconds.
        gpu_memory: Peak memory of the first GPU, in bytes; 0 where no GPU was used.
        backend: Keras backend that trained the network.
        adopted: Where the network comes from; None where it was trained here.
        tile: Side in pixels of the tiles that it was trained on, where it labels all their pixels;
            0 where it names the center of a patch. The patch of the plan is then the window around
            a pixel that its logits depend on.
        tile_stride: What sides and places of tiles are multiples of.
    """

    schema: int
    plan: TrainingPlan
    paper: str
    parameters: Count
    scene: SceneRecord
    split: SplitRecord
    normalizer: Normalizer
    history: tuple[Epoch, ...]
    best_epoch: Count
    scores: Scores
    seconds: Amount
    peak_memory: Count
    sha256: str
    versions: dict[str, str]
    command: str
    pruning: PruningRecord | None = None
    unlabelled: Count = 0
    bands: BandsRecord | None = None
    predict_us: Amount = 0.0
    gpu_memory: Count = 0
    backend: str = "tensorflow"
    adopted: AdoptionRecord | None = None
    tile: Count = 0
    tile_stride: Positive = 1

    def __post_init__(self) -> None:
        classes, bands = len(self.scene.class_names), self.scene.shape[2]
        if not classes:
            raise DataError("class_names is empty")
        check_lengths(f"{classes} classes", {"support": self.scores.support}, (classes,))
        check_lengths(f"{bands} bands", {"the normalizer": self.normalizer.offset}, (bands,))
        if self.best_epoch > len(self.history):
            raise DataError(f"best_epoch is {self.best_epoch} of {len(self.history)}")

    @property
    def components(self) -> int:
        """Number of inputs per pixel: bands, or components of a reduction."""
        return self.scene.shape[2] if self.bands is None else self.bands.components
