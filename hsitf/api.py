"""hsitf in Python: functions to begin with, and what they return with the next steps as methods.

    import hsitf

    scene = hsitf.load_scene("fields")
    run = hsitf.train_network("cao", scene)
    bundle = run.prune(macs=0.5).export("int8", max_drop=0.5)
    bundle.classify(scene).save("map.tif")

Everything here is also a verb of the command line, with the same files in `models/` and
`export/`. Errors are those of `hsitf.errors`, which are also Python's own: ValueErrors,
FileNotFoundErrors where something is missing, OSErrors where a file cannot be written.
"""

from __future__ import annotations

import base64
import html
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hsitf.arrays import Float32Array
from hsitf.errors import InputError, MissingInputError
from hsitf.export.bundle import EXPORT, Bundle
from hsitf.log_silencing import load_keras, suppressed_output
from hsitf.metrics import Scores
from hsitf.options import (
    RecipeOptions,
    SplitChoice,
    TrainingOptions,
    band_reduction,
    training_plan,
)
from hsitf.progress import Progress, Silent, Terminal
from hsitf.records import ExportRecord, RunRecord, SceneChoice
from hsitf.runs import Run
from hsitf.scenes.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras
    from matplotlib.figure import Figure

    from hsitf.compare.comparison import ComparisonRecord
    from hsitf.compress.record import CompressionRecord
    from hsitf.prune.record import SensitivityAnalysis
    from hsitf.train.repeat import RepeatSummary
    from hsitf.verify import Verification

Path_ = str | Path


@contextmanager
def _progress(verbose: bool) -> Iterator[Progress]:
    """Progress on the terminal, or none."""
    if not verbose:
        yield Silent()
        return
    with Terminal() as terminal:
        yield terminal


# --- Scenes -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class LoadedScene:
    """A hyperspectral scene in memory, and how it was named.

    Attributes:
        choice: Source, files and classes, as records keep them.
        scene: The scene itself.
    """

    choice: SceneChoice
    scene: Scene

    @property
    def name(self) -> str:
        """Name in the catalog, or the file's stem."""
        return self.scene.name

    @property
    def cube(self) -> Float32Array:
        """(rows, cols, bands) float32, in the sensor's units."""
        return self.scene.cube

    @property
    def labels(self) -> NDArray[np.int32]:
        """(rows, cols) int32: classes from 1, 0 where unlabelled."""
        return self.scene.labels

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name a class, in their order."""
        return self.scene.class_names

    @property
    def class_counts(self) -> dict[str, int]:
        """Labelled pixels by class name."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.class_names) + 1)
        return dict(zip(self.class_names, counts[1:].tolist(), strict=True))

    def __repr__(self) -> str:
        rows, cols, bands = self.cube.shape
        labelled = sum(self.class_counts.values())
        synthetic = ", synthetic" if self.scene.synthetic else ""
        return (
            f"LoadedScene({self.name!r}{synthetic}: {rows} x {cols} pixels, {bands} bands, "
            f"{len(self.class_names)} classes, {labelled:,} labelled pixels)"
            + "".join(f"\n{note}" for note in self.scene.notes)
        )

    def _repr_html_(self) -> str:
        from hsitf.export.android import preview

        return _picture(preview(self.scene), repr(self)) + _html_table(
            ("class", "labelled pixels"),
            [(name, f"{count:,}") for name, count in self.class_counts.items()],
        )


def load_scene(
    source: Path_,
    *,
    data_dir: Path_ | None = None,
    labels: Path_ | None = None,
    variable: str | None = None,
    labels_variable: str | None = None,
    drop_classes: str | Sequence[str] = (),
    nodata: float | None = None,
    axes: str | None = None,
    all_bands: bool = False,
    wavelengths: Path_ | None = None,
    classes: Path_ | None = None,
    class_column: str | None = None,
    align: bool = False,
    keep_all: bool = False,
    picture_size: int | None = None,
) -> LoadedScene:
    """Loads a scene of the catalog, or a cube with its label map.

    Args:
        source: A catalog name such as "PaviaU", "fields" for the built-in synthetic scene, the path
            of a cube, or a folder of pictures with a sub-folder for each class.
        data_dir: Folder that holds the catalog's files.
        labels: Path of the label map of a cube given by its path.
        variable: Variable of the cube in its file.
        labels_variable: Variable of the label map in its file.
        drop_classes: Names of classes to leave unlabelled.
        nodata: Value that stands for no data in the cube, in place of what its file declares.
        axes: Order of the cube's axes in its file, such as "rows,bands,cols".
        all_bands: Whether bands that the file calls bad are kept.
        wavelengths: Path of a file of band centers, where the cube's has none.
        classes: Path of a file with number, name and color of each class.
        class_column: Column of a vector layer or table that holds the class.
        align: Whether labels on another grid are resampled to the cube's, by nearest neighbor.
        keep_all: Whether training refuses classes that are too small for a disjoint split; else
            they are left out.
        picture_size: Rows and cols that the pictures of a folder are resized to; None to leave them
            as they are.

    Raises:
        InputError: There is no such scene, file or class.
        DataError: A file cannot be read as a cube or label map.
    """
    from hsitf.data import load_scene as load

    choice = SceneChoice(
        str(source),
        None if data_dir is None else str(data_dir),
        None if labels is None else str(labels),
        variable,
        labels_variable,
        None,
        _names(drop_classes),
        nodata,
        axes,
        all_bands,
        None if wavelengths is None else str(wavelengths),
        None if classes is None else str(classes),
        class_column,
        align,
        keep_all,
        picture_size,
    )
    return LoadedScene(choice, load(choice))


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    """Names, where one may be given by itself: a string is a sequence of letters, too."""
    return (given,) if isinstance(given, str) else tuple(given)


def _choice(scene: LoadedScene | Path_) -> SceneChoice:
    if not isinstance(scene, LoadedScene | str | Path):
        raise InputError(
            "this is no scene",
            received=type(scene).__name__,
            allowed="what load_scene returns, the name of a scene, or the path of a cube",
            remedy="save an array with numpy.save and load it by its path, with its labels",
        )
    return scene.choice if isinstance(scene, LoadedScene) else SceneChoice(str(scene))


# --- Networks -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A trained network on disk, with what was measured of it.

    Attributes:
        run: Its folder and record.
        choice: Where its scene is now; None for where training found it.
    """

    run: Run
    choice: SceneChoice | None = None

    @property
    def folder(self) -> Path:
        """Folder of its network, record and split."""
        return self.run.folder

    @property
    def record(self) -> RunRecord:
        """What it was trained on, how, and how accurate it is."""
        return self.run.record

    @property
    def scores(self) -> Scores:
        """Overall, average and per-class accuracy and kappa on the test pixels."""
        return self.record.scores

    def training_figure(self) -> Figure:
        """Loss and validation accuracy by epoch, as a figure of matplotlib.

        Raises:
            DataError: It has no epochs: a baseline, or a network that was trained elsewhere.
        """
        from hsitf.train.pictures import training_figure

        return training_figure(self.record.history, self.record.best_epoch)

    def confusion_figure(self) -> Figure:
        """The confusion matrix on the test pixels, as a figure of matplotlib.

        Raises:
            DataError: Its record is of a version that kept no matrix.
        """
        from hsitf.train.pictures import confusion_figure

        return confusion_figure(self.scores, self.record.scene.class_names)

    @property
    def model(self) -> keras.Model:
        """The Keras network, loaded anew each time: (n, patch, patch, bands) -> logits."""
        load_keras()
        with suppressed_output():
            return self.run.network()

    def prune(
        self,
        *,
        ratio: float | None = None,
        macs: float | None = None,
        parameters: float | None = None,
        bytes: float | None = None,
        sparsity: float | None = None,
        alpha: float | None = None,
        layer_alphas: Mapping[str, float] | None = None,
        per_layer: bool = False,
        clusters: int = 0,
        untrained: bool = False,
        criterion: str = "l2",
        batches: int | None = None,
        batch_samples: int | None = None,
        layer_ratios: Mapping[str, float] | None = None,
        kinds: Mapping[str, float] | None = None,
        global_pruning: bool = False,
        round_to: int = 1,
        min_channels: int = 1,
        ignore: str | Sequence[str] = (),
        exact: bool = False,
        schedule: str = "one-shot",
        iterations: int | None = None,
        max_drop: float | None = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
        distill: bool = False,
        temperature: float | None = None,
        teacher_weight: float | None = None,
        unlabelled_weight: float | None = None,
        teacher: TrainedNetwork | None = None,
        run: str | None = None,
        threads: int | None = 1,
        verbose: bool = False,
    ) -> TrainedNetwork:
        """Removes channels (or single weights) for real and fine-tunes what is left.

        One of the first six says how much, as the options of `hsitf prune` do; none where
        `layer_ratios` or `kinds` say it, or weights are clustered alone.

        Args:
            ratio: Share of the channels to remove.
            macs: Share of the multiply-accumulates to leave, or above 1 how many.
            parameters: Share of the parameters to leave, or how many.
            bytes: Share of the float32 weights' bytes to leave, or how many.
            sparsity: Share of the single weights to remove.
            per_layer: Whether every layer gets that sparsity; else the smallest weights of the
                whole network are removed.
            alpha: Single weights below so many standard deviations of their layer are removed.
            layer_alphas: Other alphas by kind of layer ("first_convolution", "other_convolutions",
                "other_dense", "last_dense") or by name of a layer.
            clusters: Number of values that the weights of each kernel share in the end; 0 where
                they are not clustered.
            untrained: Whether channels are removed from this network as it was before training,
                and what is left is then trained as this one was.
            criterion: Importance criterion, such as "l2", "lfp" or "taylor", or a sum of several,
                such as "0.7*lfp+0.3*l1".
            batches: Batches of samples that the criterion is averaged over; None for its own
                number.
            batch_samples: Samples of each such batch; None for the criterion's own number.
            layer_ratios: Other ratios by layer.
            kinds: Other ratios by kind of channels, such as {"heads": 0.5, "mlp": 0.5}: heads,
                keys, values, mlp, embedding, filters, units.
            global_pruning: Whether the channels of all layers are ranked together.
            round_to: A multiple of so many channels is left of each layer.
            min_channels: At least so many channels are left of each layer.
            ignore: Layers that lose nothing.
            exact: Whether what cannot be removed exactly is left alone.
            schedule: "one-shot", "iterative" or "gradual".
            iterations: How often channels are removed and the rest fine-tuned.
            max_drop: Points of overall accuracy on validation pixels that may be lost.
            epochs: Epochs of fine-tuning; else as many as the network was trained for.
            learning_rate: Learning rate of fine-tuning.
            distill: Whether this network teaches the pruned one while it is fine-tuned, on
                unlabelled pixels, too.
            temperature: What softens the probabilities of distillation, 1 to 20; 2 where None.
            teacher_weight: Share of the teacher beside a label; 0.9 where None.
            unlabelled_weight: What an unlabelled pixel counts, 0 to show none; 1 where None.
            teacher: Another network that teaches in place of this one, such as the one that this
                one was pruned from.
            run: Name of the new run's folder.
            threads: Threads that the latency of its files is measured with; None to leave them
                unmeasured, which is faster.
            verbose: Whether progress is printed.

        Returns:
            The pruned, fine-tuned network.

        Raises:
            InputError: An argument is out of range, the target cannot be reached, or the teacher
                does not fit.
            VerificationError: More accuracy was lost than `max_drop` allows.
        """
        load_keras()
        from hsitf.prune.config import PruningConfig
        from hsitf.prune.options import (
            CriterionOptions,
            PruningOptions,
            ScheduleOptions,
            TargetOptions,
            TuningOptions,
        )
        from hsitf.prune.run import prune
        from hsitf.prune.untrained import untrained_like

        values = {
            "ratio": ratio,
            "macs": macs,
            "parameters": parameters,
            "bytes": bytes,
            "alpha": alpha,
            "sparsity": sparsity,
        }
        asked = PruningOptions(
            CriterionOptions(criterion, batches, batch_samples),
            TargetOptions(
                values,
                dict(layer_ratios or {}),
                dict(kinds or {}),
                dict(layer_alphas or {}),
                per_layer,
                clusters,
                untrained,
            ),
            PruningConfig(
                global_pruning=global_pruning,
                round_to=round_to,
                min_channels=min_channels,
                ignored=_names(ignore),
                exact=exact,
            ),
            ScheduleOptions(schedule, iterations, max_drop),
            TuningOptions(
                epochs, learning_rate, distill, temperature, teacher_weight, unlabelled_weight
            ),
        )
        (request,) = asked.requests(self.record.plan.recipe)
        other = None if teacher is None else teacher.run
        with _progress(verbose) as progress:
            origin = untrained_like(self.run, self.choice) if untrained else self.run
            pruned = prune(origin, request, run, progress, self.choice, threads, other)
        return TrainedNetwork(pruned, self.choice)

    def sensitivity(
        self,
        *,
        criterion: str = "l2",
        batches: int | None = None,
        batch_samples: int | None = None,
        round_to: int = 1,
        min_channels: int = 1,
        ignore: str | Sequence[str] = (),
        exact: bool = False,
        run: str | None = None,
        verbose: bool = False,
    ) -> SensitivityAnalysis:
        """Cuts every dependency group alone by 10 to 90 % and retrains nothing.

        The record and a figure of it (PNG and SVG) are written beside the network's folder.

        Args:
            criterion: Importance criterion, such as "l2", "lfp" or "taylor", or a sum of several,
                such as "0.7*lfp+0.3*l1".
            batches: Batches of samples that the criterion is averaged over; None for its own
                number.
            batch_samples: Samples of each such batch; None for the criterion's own number.
            round_to: A multiple of so many channels is left of each group.
            min_channels: At least so many channels are left of each group.
            ignore: Layers whose groups are not cut.
            exact: Whether what cannot be removed exactly is left alone.
            run: Name of the folder; derived from the criterion where None.
            verbose: Whether progress is printed.

        Returns:
            The accuracy on validation pixels, by group and share of its channels.

        Raises:
            InputError: An argument is out of range, or the split has no validation pixels.
        """
        load_keras()
        from hsitf.prune.combination import EvidenceBatches
        from hsitf.prune.config import PruningConfig
        from hsitf.prune.sensitivity import sensitivity

        config = PruningConfig(
            round_to=round_to, min_channels=min_channels, ignored=_names(ignore), exact=exact
        )
        looked_at = EvidenceBatches(batches, batch_samples)
        with _progress(verbose) as progress:
            found = sensitivity(self.run, criterion, config, run, progress, self.choice, looked_at)
        return found[0]

    def compress(
        self,
        *,
        max_drop: float | None = None,
        metric: str = "oa",
        max_bytes: float | None = None,
        max_macs: float | None = None,
        max_latency_ms: float | None = None,
        max_arena: float | None = None,
        max_target_cost: float | None = None,
        target: str | None = None,
        variant: str = "int8",
        minutes: float = 30.0,
        epochs: int | None = None,
        learning_rate: float | None = None,
        distill: bool = True,
        round_to: int = 1,
        controls: bool = False,
        run: str | None = None,
        out: Path_ = EXPORT,
        verbose: bool = False,
    ) -> CompressedNetwork:
        """Searches the smallest file within bounds, as `hsitf compress` does.

        Networks are chosen on validation and unlabelled pixels; the test pixels evaluate the
        result. Called again, it resumes an interrupted search, and uses what an earlier one found.

        Args:
            max_drop: Points of accuracy that may be lost.
            metric: The measure of accuracy: "oa", "aa" or "kappa".
            max_bytes: Size of the file.
            max_macs: Multiply-accumulates of one patch.
            max_latency_ms: Median latency of one patch on this machine, one thread.
            max_arena: Bytes of the arena of TensorFlow Lite Micro.
            max_target_cost: Cost of one inference on the target, in its unit.
            target: Name of the device that the file is made for.
            variant: Kind of the file.
            minutes: Time of the search, about.
            epochs: Epochs of fine-tuning after a cut; None for as many as fit.
            learning_rate: Learning rate of fine-tuning.
            distill: Whether the original network teaches, on unlabelled pixels, too.
            round_to: A multiple of so many channels is kept of each layer.
            controls: Whether simpler ways to the same cost are tried, to compare.
            run: Name of the new run's folder.
            out: Folder of all bundles.
            verbose: Whether progress is printed.

        Raises:
            InputError: There is no bound, or an argument is out of range.
            LoweringError: The network cannot be rewritten for inference.
            VerificationError: No network meets the bounds, or the chosen file does not keep them
                on test pixels; nothing was published.
        """
        load_keras()
        from hsitf.compress.bounds import CompressionBounds
        from hsitf.compress.request import CompressionRequest, SearchOptions
        from hsitf.compress.run import compress

        request = CompressionRequest(
            CompressionBounds(
                max_drop,
                metric,
                max_bytes,
                max_macs,
                max_latency_ms,
                max_arena,
                max_target_cost,
                target,
            ),
            SearchOptions(variant, epochs, learning_rate, distill, round_to),
            minutes,
            controls,
        )
        with _progress(verbose) as progress:
            done = compress(self.run, request, run, progress, self.choice, Path(out))
        return CompressedNetwork(
            TrainedNetwork(done.run, self.choice), ExportedNetwork(done.bundle), done.record
        )

    def export(
        self,
        variant: str = "int8",
        *,
        batch: int = 1,
        tile: int = 0,
        max_drop: float | None = None,
        fold_preprocessing: bool | None = None,
        channel_alignment: int | None = None,
        qat: bool = False,
        equalize: bool = False,
        correct_bias: bool = False,
        calibration: str | None = None,
        tta: bool = False,
        sensor: Path_ | None = None,
        target: str | None = None,
        threads: int = 1,
        out: Path_ = EXPORT,
        verbose: bool = False,
    ) -> ExportedNetwork:
        """Lowers, converts and verifies the network as one file.

        Args:
            variant: Kind of file, such as "int8", "float16" or "onnx".
            batch: Patches an inference takes.
            tile: Side in pixels of a tile that an inference takes in their place; 0 for patches.
            max_drop: Points of overall accuracy that the file may lose; accuracy-recovery
                techniques are applied until it loses no more.
            fold_preprocessing: Whether normalization and band reduction go into the file; None
                for what suits the variant.
            channel_alignment: Channels that the arithmetic is grouped to; None for the variant's.
            qat: Whether the network trains on with quantization simulated before.
            equalize: Whether channels that share a scale are brought to one range before.
            correct_bias: Whether biases take back the mean error of quantization.
            calibration: Range estimator: "min-max", "percentile", "mse" or "kl".
            tta: Whether the file computes the mean over the eight flips and rotations of a patch
                (test-time augmentation), at eight times the arithmetic.
            sensor: Cube, or list of band centers (.txt), of another sensor that the file is for; of
                a network by wavelength, such as deephs_hyve. None for the network's own bands.
            target: Name of the device that the file is made for (see `hsitf targets`): how
                convolutions are computed is chosen by what an inference costs there.
            threads: Threads that latency is measured with.
            out: Folder of all bundles.
            verbose: Whether progress is printed.

        Raises:
            InputError: An argument is unknown or out of range.
            LoweringError: The network cannot be rewritten for inference.
            VerificationError: The file is less accurate than its bounds allow; nothing was
                published.
        """
        load_keras()
        from hsitf.export.pipeline import export
        from hsitf.export.request import ExportRequest
        from hsitf.export.variants import variant as named
        from hsitf.sensors import at_sensor

        request = ExportRequest(
            (named(variant),),
            batch=batch,
            max_drop=max_drop,
            channel_alignment=channel_alignment,
            threads=threads,
            root=Path(out),
            fold_preprocessing=fold_preprocessing,
            tile=tile,
            qat=qat,
            calibration=calibration,
            equalize=equalize,
            correct_bias=correct_bias,
            tta=tta,
            target=target,
        )
        with _progress(verbose) as progress:
            run = self.run if sensor is None else at_sensor(self.run, Path(sensor), progress)
            published, refused = export(run, request, progress, self.choice)
        if refused:
            raise refused[0]
        return ExportedNetwork(published[0])

    def classify(self, scene: LoadedScene | Path_ | None = None, **options: Any) -> SceneMap:
        """Classifies every pixel of a scene; see `classify_scene`."""
        return classify_scene(self, scene, **options)

    def __repr__(self) -> str:
        plan, pruning = self.record.plan, self.record.pruning
        pruned = ""
        # A compression may publish the original, in which nothing was ranked.
        if pruning is not None and pruning.criterion:
            pruned = f", pruned to {pruning.target} by {pruning.criterion}"
        return (
            f"TrainedNetwork({plan.network!r} on {self.record.scene.name!r}{pruned}: "
            f"OA {self.scores.oa:.2%} on {self.record.split.test:,} test pixels, "
            f"{self.record.split.summary}; "
            f"{self.record.parameters:,} parameters; {self.folder})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>" + _html_table(
            ("class", "accuracy"),
            [
                (name, f"{accuracy:.2%}")
                for name, accuracy in zip(
                    self.record.scene.class_names, self.scores.per_class, strict=True
                )
            ],
        )


def build_network(
    name: str,
    bands: int = 200,
    classes: int = 16,
    patch: int | None = None,
    wavelengths: Sequence[float] | None = None,
) -> keras.Model:
    """Builds an untrained network of the zoo.

    Args:
        name: Name in the zoo, such as "cao".
        bands: Bands (or components) of a pixel.
        classes: Number of classes.
        patch: Side of the patch in pixels; None for the paper's.
        wavelengths: Center of each band in nanometers, for a network by wavelength, which can be
            counted and drawn without.

    Returns:
        A functional Keras model, (n, patch, patch, bands) float32 -> (n, classes) logits.

    Raises:
        InputError: There is no such network, or it does not fit this geometry.
    """
    load_keras()
    from hsitf import zoo

    side = zoo.network(name).patch if patch is None else patch
    with suppressed_output():
        return zoo.build(name, bands=bands, classes=classes, patch=side, wavelengths=wavelengths)


def _folder_of(trained: TrainedNetwork | Path_) -> str:
    return str(trained.folder if isinstance(trained, TrainedNetwork) else trained)


def train_network(
    network: str,
    scene: LoadedScene | Path_ = "fields",
    *,
    split: str = "disjoint",
    train: str | float | None = None,
    guard: int | None = None,
    validation_regions: bool | None = None,
    patch: int | None = None,
    seed: int = 0,
    split_seed: int | None = None,
    labelled: int | None = None,
    bands: str | None = None,
    whiten: bool = False,
    schedule: str = "short",
    epochs: int | None = None,
    batch_size: int | None = None,
    optimizer: str | None = None,
    learning_rate: float | None = None,
    momentum: float | None = None,
    weight_decay: float | None = None,
    flip_rotate: bool = True,
    brightness_noise: bool = False,
    intra_class_mixup: bool = False,
    class_weights: bool = False,
    patience: int = 0,
    recipe: str = "paper",
    augment: Sequence[str] | Mapping[str, float] = (),
    mixup: float | None = None,
    balanced_sampling: float | None = None,
    pixel_normalization: str = "",
    pseudo_labels: float = 0.0,
    teachers: Sequence[TrainedNetwork | Path_] = (),
    teacher_weight: float = 0.5,
    decoupled_weight_decay: float | None = None,
    warmup: float | None = None,
    cosine_decay: bool | None = None,
    label_smoothing: float | None = None,
    ema_epochs: float | None = None,
    run: str | None = None,
    verbose: bool = False,
) -> TrainedNetwork:
    """Trains a network of the zoo with its paper's recipe, or resumes or returns the same run.

    By default with the short schedule, as `hsitf export` does where no trained network is at hand.

    Args:
        network: Name in the zoo, such as "cao", or of a baseline.
        scene: What it learns from.
        split: "disjoint" (guard band), "random" (leaks) or "fixed".
        train: Share of the pixels to train on as a float such as 0.65, or a number of pixels a
            class as an integer.
        guard: Width of the guard band of a disjoint split, in pixels.
        validation_regions: Whether a fixed split, or one by image, validates on regions apart from
            its training pixels; None: by image only.
        patch: Side of the patch in pixels; None for the paper's.
        seed: Seed of the split, the weights and the order.
        split_seed: Another seed of the split; None for the same.
        labelled: Labelled pixels of each class that train, and that validate, at most; None for
            all.
        bands: Band reduction such as "pca:30"; None for all bands.
        whiten: Whether its components get unit deviation each, as of "pca-whiten:30".
        schedule: "short", minutes on a small machine, or "full", the paper's epochs.
        epochs: Epochs in place of the schedule's.
        batch_size: Patches a step in place of the paper's.
        optimizer: Optimizer in place of the paper's.
        learning_rate: Learning rate in place of the paper's.
        momentum: Momentum of SGD.
        weight_decay: Factor of the L2 penalty.
        flip_rotate: Whether patches are shown flipped and rotated at random.
        brightness_noise: Whether some patches are shown brighter or darker, with noise.
        intra_class_mixup: Whether some patches are mixed with another of their class.
        class_weights: Whether classes are weighted by their inverse frequency.
        patience: Epochs without a better validation accuracy after which training ends; 0 for
            never.
        recipe: "paper", or "robust", made for ground that was not seen; None of the options below
            is the recipe's value.
        augment: Augmentations as "NAME" or "NAME=STRENGTH", or strengths by name; "none" for none.
        mixup: Shape of the weights with which patches are mixed across classes; 0 for none.
        balanced_sampling: 0 to 1: how far classes are brought to equal shares in an epoch.
        pixel_normalization: How the network normalizes each spectrum by itself: "snv", "unit",
            "difference" or "continuum"; empty where it does not.
        pseudo_labels: Least probability with which an unlabelled pixel is shown as of its likeliest
            class; 0 for none.
        teachers: Trained networks that it learns from, too, or their folders.
        teacher_weight: Share of the teachers in a target.
        decoupled_weight_decay: Weight decay of AdamW.
        warmup: Share of the epochs in which the learning rate rises.
        cosine_decay: Whether the learning rate falls along half a cosine.
        label_smoothing: Share of a target that all classes get alike.
        ema_epochs: Epochs over which weights are averaged; 0 for none.
        run: Name of the run's folder.
        verbose: Whether progress is printed.

    Raises:
        InputError: An argument is unknown or out of range.
        DataError: The scene cannot be read or split.
    """
    load_keras()
    from hsitf.train.run import train as train_run

    choice = _choice(scene)
    plan = training_plan(
        network,
        choice,
        SplitChoice(
            split,
            None if train is None else str(train),
            guard,
            patch,
            seed if split_seed is None else split_seed,
            validation_regions,
            labelled,
        ),
        schedule,
        RecipeOptions(
            optimizer,
            learning_rate,
            batch_size,
            epochs,
            momentum,
            weight_decay,
            decoupled_weight_decay,
            warmup,
            cosine_decay,
            label_smoothing,
            ema_epochs,
        ),
        TrainingOptions(
            flip_rotate,
            brightness_noise,
            intra_class_mixup,
            class_weights,
            patience,
            recipe_name=recipe,
            augmentations=augment,
            mixup=mixup,
            balanced_sampling=balanced_sampling,
            pixel_normalization=pixel_normalization,
            pseudo_labels=pseudo_labels,
            teachers=tuple(_folder_of(one) for one in teachers),
            teacher_weight=teacher_weight,
        ),
        band_reduction(bands, whiten),
    )
    with _progress(verbose) as progress:
        return TrainedNetwork(train_run(replace(plan, seed=seed), run, progress), choice)


def train_on_splits(
    network: str,
    scene: LoadedScene | Path_ = "fields",
    *,
    splits: int = 5,
    runs: int = 1,
    seed: int = 0,
    **options: Any,
) -> RepeatSummary:
    """Trains a network on several splits, as `hsitf train --splits --runs` does.

    Finished runs are not repeated.

    Args:
        network: Name in the zoo, or of a baseline.
        scene: What it learns from.
        splits: Number of splits, with the seeds from `seed` on.
        runs: Number of runs on each, which differ in weights and order.
        seed: Seed of the first split and of the first run on it.
        options: Further arguments of `train_network`, but for `run` and `split_seed`.

    Returns:
        Means with 95 % intervals over the splits; of one split, over its runs.

    Raises:
        InputError: Fewer than two runs; else as `train_network`.
    """
    load_keras()
    from hsitf.train.repeat import seed_pairs, summarize
    from hsitf.train.run import default_run_name

    found = [
        train_network(network, scene, split_seed=split, seed=one, **options).run
        for split, one in seed_pairs(seed, runs, splits)
    ]
    stem = default_run_name(found[0].record.plan).rpartition("-seed")[0]
    return summarize(found, runs, stem)[0]


def compare_networks(
    sides: Mapping[str, TrainedNetwork | Sequence[TrainedNetwork | Path_] | RepeatSummary | Path_],
) -> ComparisonRecord:
    """Compares networks or recipes pair by pair on the same test pixels, as `hsitf compare` does.

    Args:
        sides: Two or more by name: trained networks, a summary of `train_on_splits`, the path of
            a run, a summary or a pattern of such, or a list of these.

    Returns:
        Differences with 95 % intervals and Wilcoxon's test, over the splits that two share.

    Raises:
        InputError: Two sides share no test pixels.
        DataError: The record or split of a run is damaged.
    """
    load_keras()
    from hsitf.compare.comparison import ComparisonSide, compare
    from hsitf.compare.sides import runs_at
    from hsitf.train.repeat import RepeatSummary

    found = []
    for name, given in sides.items():
        if isinstance(given, TrainedNetwork):
            several: Sequence[Run] = [given.run]
        elif isinstance(given, RepeatSummary):
            several = [Run.open(Path(one)) for one in given.runs]
        elif isinstance(given, str | Path):
            several = runs_at(str(given))
        else:
            named = [[o.run] if isinstance(o, TrainedNetwork) else runs_at(str(o)) for o in given]
            several = [run for runs in named for run in runs]
        found.append(ComparisonSide(name, tuple(several)))
    return compare(found)


def adopt_network(
    source: Path_ | Any,
    scene: LoadedScene | Path_,
    *,
    name: str = "",
    network: str = "",
    normalize: Any = "band-standard",
    statistics: str = "training",
    bands: str | None = None,
    reverse_bands: bool = False,
    input_axes: str | Sequence[str] = (),
    output: str = "",
    class_order: Sequence[int | str] = (),
    background: str = "",
    split: str = "disjoint",
    train: str | float | None = None,
    train_map: Path_ | None = None,
    guard: int | None = None,
    patch: int | None = None,
    seed: int = 0,
    accept_chance: bool = False,
    run: str | None = None,
    verbose: bool = False,
) -> TrainedNetwork:
    """Makes an ordinary run of a network trained elsewhere, after checking it on its scene.

    Args:
        source: Path of a file (.keras, .h5, .onnx, or weights as .pth, .pt, .safetensors), a model
            of Keras 3 or Keras 2 in memory, or a torch.nn.Module.
        scene: The scene that it was trained for.
        name: Name of the network; empty for that of the file or model.
        network: Network of the zoo that weights are of; empty to recognize it by shapes.
        normalize: "band-standard", "standard", "minmax", "band-minmax" or "none"; the path of a
            JSON or .npz file; or a fitted transformer of scikit-learn, a pipeline included.
        statistics: Pixels that a normalization given by name is fitted to: "training" or "scene".
        bands: Band reduction after it, such as "pca:30".
        reverse_bands: Whether the network takes the bands in reverse order.
        input_axes: Axes of each input, such as "rows,cols,bands,1"; empty to recognize them.
        output: Name of the output to take, of several.
        class_order: Class of each output, by number from 1 or name, "-" for none; empty for the
            order of the scene.
        background: "first", "last" or "none": where an output for background stands.
        split: "disjoint" (guard band), "random" (leaks) or "fixed".
        train: Share of the pixels on the training side, or a number of pixels a class.
        train_map: Label map of the pixels that it was trained on, for a fixed split.
        guard: Width of the guard band of a disjoint split, in pixels.
        patch: Side of the patch in pixels, where weights alone do not tell it.
        seed: Seed of the split.
        accept_chance: Whether a network is adopted that is no better than chance.
        run: Name of the run's folder.
        verbose: Whether progress is printed.

    Raises:
        InputError: The network does not fit the scene, or holds layers that are not known.
        DataError: A file is damaged.
        VerificationError: The network is no better than chance on the scene.
    """
    load_keras()
    from dataclasses import replace

    from hsitf.adopt.inputs import parse_layout
    from hsitf.adopt.preprocessing.options import PreprocessingOptions
    from hsitf.adopt.request import AdoptionRequest
    from hsitf.adopt.run import adopt
    from hsitf.options import split_options

    choice = _choice(scene)
    if train_map is not None:
        choice = replace(choice, train_map=str(train_map))
    wanted = SplitChoice(split, None if train is None else str(train), guard, patch, seed)
    request = AdoptionRequest(
        source=Path(source) if isinstance(source, str) else source,
        scene=choice,
        name=name,
        run=run,
        network=network,
        preprocessing=PreprocessingOptions(normalize, statistics, bands or "", reverse_bands),
        input_axes=tuple(map(parse_layout, _names(input_axes))),
        class_order=tuple(map(str, class_order)),
        background=background,
        output=output,
        split=split_options(wanted, patch or 1),
        patch=patch,
        accept_chance=accept_chance,
    )
    with _progress(verbose) as progress:
        return TrainedNetwork(adopt(request, progress), choice)


def load_run(folder: Path_, scene: LoadedScene | Path_ | None = None) -> TrainedNetwork:
    """Opens a trained network that an earlier command or session left on disk.

    Args:
        folder: Its folder, `models/<scene>/<network>/<run>`.
        scene: Where its scene is now, if not where training found it.

    Raises:
        InputError: There is no such run, or its training was not finished.
        DataError: Its record is damaged.
    """
    return TrainedNetwork(Run.open(Path(folder)), None if scene is None else _choice(scene))


# --- Exported files -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class ExportedNetwork:
    """An exported file with its record, golden vectors and labels.

    Attributes:
        bundle: Its folder and record.
    """

    bundle: Bundle

    @property
    def folder(self) -> Path:
        """Folder of the bundle."""
        return self.bundle.folder

    @property
    def file(self) -> Path:
        """The exported file."""
        return self.bundle.file

    @property
    def record(self) -> ExportRecord:
        """What the file is made of, how accurate it is and how it compares with its network."""
        return self.bundle.record

    def predict(self, patches: Float32Array, threads: int = 1) -> Float32Array:
        """Logits of patches as the file computes them.

        Args:
            patches: (n, patch, patch, bands) float32, as the file takes them: in sensor units
                where preprocessing is folded in, else normalized.
            threads: Threads of the engine.

        Returns:
            (n, classes) float32.
        """
        from hsitf.export.variants import variant
        from hsitf.runtimes import predict

        _check_threads(threads)
        runtime = variant(self.record.variant).format.runtime_of_any(self.file, threads)
        return predict(runtime, _inputs(patches, runtime.input.shape[1:]))

    def classify(self, scene: LoadedScene | Path_ | None = None, **options: Any) -> SceneMap:
        """Classifies every pixel of a scene; see `classify_scene`."""
        return classify_scene(self, scene, **options)

    def __repr__(self) -> str:
        record = self.record
        return (
            f"ExportedNetwork({record.model!r} on {record.scene!r}, {record.variant}: "
            f"{record.bytes:,} bytes, OA {record.oa:.2%} ({record.oa_drop:+.2f} points lost), "
            f"agreement {record.agreement:.2%}, {record.latency_ms.p50:.3f} ms; {self.file})"
        )

    def _repr_html_(self) -> str:
        from hsitf.export.table import format_bundles

        return f"<pre>{html.escape(format_bundles([self.bundle]))}</pre>"


@dataclass(frozen=True, eq=False)
class CompressedNetwork:
    """The result of a compression.

    Attributes:
        network: The chosen network, trained and thinned.
        file: Its published file.
        record: The search: bounds, candidates, front, and what test pixels say.
    """

    network: TrainedNetwork
    file: ExportedNetwork
    record: CompressionRecord

    def front_figure(self) -> Figure:
        """Accuracy of all candidates over bytes and latency, as a figure of matplotlib."""
        from hsitf.compress.figure import front_figure

        record = self.record
        tried = [one for one in record.candidates if one.step.kind in ("original", "cut")]
        origin = self.network.record
        return front_figure(tried, record.front, origin, record.bounds, record.chosen)

    def __repr__(self) -> str:
        from hsitf.compress.table import format_compression

        return format_compression(self.record)


def load_bundle(folder: Path_) -> ExportedNetwork:
    """Opens an exported bundle and checks its file against its record.

    Raises:
        DataError: The record or the file is missing, damaged or exchanged.
    """
    return ExportedNetwork(Bundle.open(Path(folder)))


# --- Maps ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class SceneMap:
    """The class of every pixel of a scene.

    Attributes:
        labels: (rows, cols) uint8, classes from 1; 0 where a pixel has no spectrum.
        class_names: One name a class.
        test_scores: Accuracy on the network's own test pixels; None on other scenes.
        labelled_scores: Accuracy on the labelled pixels of another scene; None on the network's
            own, and where the labels have none of its classes.
        georeference: Georeference of the input, as rasterio takes it; empty where it has none.
        class_colors: One color per class, where the labels have them; else empty.
    """

    labels: NDArray[np.uint8]
    class_names: tuple[str, ...]
    test_scores: Scores | None
    labelled_scores: Scores | None
    georeference: Mapping[str, Any]
    class_colors: tuple[tuple[int, int, int], ...] = ()

    def save(self, path: Path_, overwrite: bool = False) -> Path:
        """Writes the map in the format of the path's suffix.

        Args:
            path: `.tif` (GeoTIFF with colors, names and place), `.hdr` (ENVI) or `.png` (a
                picture with its legend).
            overwrite: Whether a file may be replaced.

        Raises:
            InputError: The suffix is not known, or the file exists.
            OutputError: The file cannot be written.
        """
        from hsitf.classify import outputs

        target = Path(path)
        outputs.check([target], overwrite)
        outputs.write(
            outputs.ClassMap(
                self.labels, self.class_names, dict(self.georeference), self.class_colors
            ),
            target,
        )
        return target

    def __repr__(self) -> str:
        rows, cols = self.labels.shape
        scores = self.test_scores or self.labelled_scores
        accuracy = ""
        if scores is not None:
            pixels = "test pixels" if self.test_scores else "all labelled pixels"
            accuracy = f", OA {scores.oa:.2%} on {pixels}"
        return f"SceneMap({rows} x {cols} pixels, {len(self.class_names)} classes{accuracy})"

    def _repr_html_(self) -> str:
        with tempfile.TemporaryDirectory() as folder:
            picture = self.save(Path(folder) / "map.png").read_bytes()
        return _picture(picture, repr(self))


def classify_scene(
    network: TrainedNetwork | ExportedNetwork,
    scene: LoadedScene | Path_ | None = None,
    *,
    smooth: float = 0.0,
    engine: str | None = None,
    threads: int = 2,
    strict_bands: bool = False,
    trust: bool = False,
    verbose: bool = False,
) -> SceneMap:
    """Classifies every pixel of a scene, strip by strip.

    Args:
        network: What classifies.
        scene: What is classified; None for the network's own scene.
        smooth: Strength of a Markov random field over the result; 0 for none.
        engine: "keras", "litert", "litert-tiles", "onnx" or "onnx-tiles"; None for the fastest,
            by a short trial.
        threads: Threads of the engine.
        strict_bands: Whether bands of another sensor are refused; else they are resampled by
            wavelength.
        trust: Whether a file that is a program, a SavedModel, is run though it was made elsewhere.
        verbose: Whether progress is printed.

    Raises:
        InputError: The scene has other bands than the network takes, or is smaller than a patch.
    """
    load_keras()
    if not isinstance(network, TrainedNetwork | ExportedNetwork):
        raise InputError(
            "this is nothing that classifies",
            received=type(network).__name__,
            allowed="what train_network, load_run, export or load_bundle returns",
        )
    from hsitf.classify.request import MapRequest
    from hsitf.classify.run import classify_scene as classify
    from hsitf.trust import programs_trusted

    given = None if scene is None else _choice(scene)
    if given is None and isinstance(network, TrainedNetwork):
        given = network.choice
    request = MapRequest(
        (), smooth=smooth, engine=engine, threads=threads, strict_bands=strict_bands
    )
    with programs_trusted(trust), _progress(verbose) as progress:
        result = classify(None, network.folder, given or SceneChoice(""), None, request, progress)
    return SceneMap(
        result.class_map.labels,
        result.class_map.class_names,
        result.test,
        result.labelled,
        result.class_map.georeference,
        result.class_map.class_colors,
    )


# --- Models in memory ---------------------------------------------------------------------------


def _inputs(values: object, shape: Sequence[int | None]) -> Float32Array:
    """Inputs of a network as float32, checked against the shape of one."""
    try:
        array = np.asarray(values, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(
            "these are no inputs", received=type(values).__name__, allowed="an array of numbers"
        ) from error
    fits = array.ndim == len(shape) + 1 and all(
        expected in (None, size) for size, expected in zip(array.shape[1:], shape, strict=True)
    )
    if not fits or not len(array):
        raise InputError(
            "these inputs do not fit the network",
            received=f"shape {array.shape}",
            allowed=f"shape (n, {', '.join(map(str, shape))}), n at least 1",
        )
    if not np.isfinite(array).all():
        raise InputError("inputs hold NaN or infinite numbers", remedy="leave those samples out")
    return array


def _classes(values: object, count: int, classes: int) -> NDArray[np.int64]:
    """Classes of samples from 0, checked against their number and that of the outputs."""
    array = np.asarray(values)
    if array.shape != (count,) or array.dtype.kind not in "iu":
        raise InputError(
            "there has to be one class a sample",
            received=f"shape {array.shape}, {array.dtype}",
            allowed=f"shape ({count},), integers",
        )
    if array.min() < 0 or array.max() >= classes:
        raise InputError(
            "a class is out of range",
            received=f"{array.min()} to {array.max()}",
            allowed=f"0 to {classes - 1}",
        )
    return array.astype(np.int64)


def _check_threads(threads: int) -> None:
    if threads < 1:
        raise InputError("threads is out of range", received=threads, allowed="1 or more")


def _check_model(model: object, single: bool = False) -> None:
    """Refuses what is no functional Keras model, or has several inputs or outputs."""
    try:
        count = len(model.inputs), len(model.outputs)  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            "this is no functional Keras model",
            received=type(model).__name__,
            allowed="keras.Model(inputs, outputs), or a Sequential model that is built",
            remedy="write a subclassed model as a functional one",
        ) from error
    if single and count != (1, 1):
        raise InputError(
            "the model has several inputs or outputs",
            received=f"{count[0]} inputs, {count[1]} outputs",
            allowed="one of each",
        )


def prune_model(
    model: keras.Model,
    ratio: float | None = None,
    *,
    macs: float | None = None,
    parameters: float | None = None,
    bytes: float | None = None,
    criterion: str = "l2",
    samples: tuple[Float32Array, NDArray[np.integer]] | None = None,
    layer_ratios: Mapping[str, float] | None = None,
    kinds: Mapping[str, float] | None = None,
    global_pruning: bool = False,
    round_to: int = 1,
    min_channels: int = 1,
    ignore: str | Sequence[str] = (),
    exact: bool = False,
) -> keras.Model:
    """Removes the least important channels of a functional Keras model, for real.

    The result equals the original with these channels zeroed where they are consumed; fine-tune
    it with Keras as any model. The original is left untouched.

    Args:
        model: A functional Keras 3 model of fixed shape.
        ratio: Share of the channels to remove.
        macs: Share of the multiply-accumulates to leave, or above 1 how many.
        parameters: Share of the parameters to leave, or how many.
        bytes: Share of the float32 weights' bytes to leave, or how many.
        criterion: Importance criterion, such as "l2", "lfp" or "taylor".
        samples: Inputs (n, ...) float32 and classes (n,) from 0, for criteria that look at data.
        layer_ratios: Other ratios by layer.
        kinds: Other ratios by kind of channels, such as {"heads": 0.5}.
        global_pruning: Whether the channels of all layers are ranked together.
        round_to: A multiple of so many channels is left of each layer.
        min_channels: At least so many channels are left of each layer.
        ignore: Layers that lose nothing.
        exact: Whether what cannot be removed exactly is left alone.

    Raises:
        InputError: Not exactly one target is given, it is out of reach, or a layer has no rule.
    """
    load_keras()
    from hsitf.prune import PruningConfig, Samples, plan, prune_to_cost, thin

    _check_model(model)
    costs = {"macs": macs, "parameters": parameters, "bytes": bytes}
    targets = {name: value for name, value in costs.items() if value is not None}
    asked = len(targets) + (ratio is not None)
    if asked > 1 or (not asked and not layer_ratios and not kinds):
        raise InputError(
            "one target of pruning is needed",
            received=", ".join([*(["ratio"] if ratio is not None else []), *targets]) or "none",
            allowed="ratio, macs, parameters or bytes (with or without layer_ratios or kinds)",
        )
    data = None
    if samples is not None:
        inputs = _inputs(samples[0], model.inputs[0].shape[1:])
        data = Samples((inputs,), _classes(samples[1], len(inputs), model.outputs[0].shape[-1]))
    config = PruningConfig(
        ratio=ratio or 0.0,
        ratios=dict(layer_ratios or {}),
        kinds=dict(kinds or {}),
        global_pruning=global_pruning,
        round_to=round_to,
        min_channels=min_channels,
        ignored=_names(ignore),
        exact=exact,
    )
    if not targets:
        return thin(model, plan(model, criterion, config, data))
    ((measure, target),) = targets.items()
    return thin(model, prune_to_cost(model, measure, target, criterion, config, data))


def lower_model(
    model: keras.Model, *, batch: int = 1, tile: int = 0, arithmetic: str = "float"
) -> keras.Model:
    """Rewrites a network exactly with 2-D operators, static shapes and at most four axes.

    Args:
        model: A functional Keras 3 model, (n, ...) -> (n, classes).
        batch: Patches an inference takes.
        tile: Side in pixels of a tile that an inference takes in their place; 0 for patches, and
            for the side that a network of tiles has.
        arithmetic: Name in `hsitf.arithmetic.ARITHMETICS`: "float" or "integer", which decide
            between exact rewrites.

    Raises:
        InputError: There is no such arithmetic.
        LoweringError: A layer has no rule, or cannot be rewritten exactly.
    """
    load_keras()
    from hsitf.arithmetic import ARITHMETICS
    from hsitf.lower import lower, to_fully_convolutional
    from hsitf.tile_networks import at_side, is_tile_network

    _check_model(model)
    if batch < 1 or tile < 0 or (tile and batch != 1):
        raise InputError(
            "batch and tile contradict each other or are out of range",
            received=f"batch {batch}, tile {tile}",
            allowed="a batch of 1 or more patches, or one tile",
        )
    wanted = ARITHMETICS.known(arithmetic)
    if is_tile_network(model):
        return lower(at_side(model, tile) if tile else model, batch, wanted)
    return to_fully_convolutional(model, tile, wanted) if tile else lower(model, batch, wanted)


def quantize_model(
    model: keras.Model,
    calibration: Float32Array,
    path: Path_,
    *,
    range_estimator: str | None = None,
    equalize: bool = False,
) -> Path:
    """Writes a Keras model as an integer .tflite file, lowered first.

    Args:
        model: A functional Keras 3 model, (n, ...) -> (n, classes).
        calibration: (n, ...) float32, inputs that ranges are measured on.
        path: File to write.
        range_estimator: "min-max", "percentile", "mse" or "kl"; None for the converter's own.
        equalize: Whether channels that share a scale are brought to one range first.

    Returns:
        The path.

    Raises:
        LoweringError: A layer has no rule, or cannot be rewritten exactly.
        VerificationError: An operator would compute in floats.
        OutputError: The file cannot be written.
    """
    from dataclasses import replace

    from hsitf import inspection
    from hsitf.arithmetic import INTEGER
    from hsitf.errors import VerificationError
    from hsitf.export.calibration import Calibration
    from hsitf.export.variants import VARIANTS
    from hsitf.files import replacing
    from hsitf.lower import lower
    from hsitf.quantize.equalization import equalize as equalized

    _check_model(model, single=True)
    inputs = _inputs(calibration, model.inputs[0].shape[1:])
    if Path(path).suffix != VARIANTS["int8"].suffix:
        raise InputError(
            "this is no name of an integer file",
            received=str(path),
            allowed=f"a path that ends in {VARIANTS['int8'].suffix}",
        )
    arithmetic = replace(INTEGER, square_root_powers=range_estimator is not None)
    with suppressed_output(), replacing(Path(path)) as temporary:
        lowered = lower(model, 1, arithmetic)
        if equalize:
            lowered, _ = equalized(lowered, inputs)
        VARIANTS["int8"].convert(lowered, Calibration(inputs, range_estimator), temporary)
        contents = inspection.tflite(temporary)
        if contents.integer_share < 1:
            floats = [f"{o.count} {o.op} in {o.dtype}" for o in contents.floating]
            raise VerificationError(
                f"{path} would not be integer throughout, so it was not written",
                received=", ".join(floats),
                allowed="arithmetic in int8 only",
                remedy="replace these layers, or export it in floats",
            )
    return Path(path)


def verify_file(
    path: Path_,
    model: keras.Model,
    patches: Float32Array,
    classes: NDArray[np.integer] | None = None,
    *,
    threads: int = 1,
) -> Verification:
    """Compares an exported file with the Keras model that it was made of.

    Args:
        path: A .tflite or .onnx file, or the folder of a SavedModel.
        model: The Keras model.
        patches: (n, ...) float32, what both take; n a multiple of the file's batch.
        classes: (n,) the true classes from 0; None to compare with the model's own, so that the
            file's overall accuracy is its agreement with the model.
        threads: Threads of the engine.

    Returns:
        Scores of both, agreement and logit errors; `check(bounds, name)` raises where they are
        too large.

    Raises:
        InputError: The file is of no kind that can be run here.
        DataError: The file is damaged.
    """
    from hsitf import runtimes
    from hsitf.export.variants import format_of
    from hsitf.verify import compare

    format_ = format_of(Path(path))
    if not Path(path).exists():
        raise MissingInputError(f"there is no file {path}", remedy="correct the path")
    _check_model(model, single=True)
    _check_threads(threads)
    inputs = _inputs(patches, model.inputs[0].shape[1:])
    received = runtimes.predict(format_.runtime_of_any(Path(path), threads), inputs)
    expected = runtimes.predict(runtimes.Keras(model), inputs)
    truth = (
        expected.argmax(axis=1)
        if classes is None
        else _classes(classes, len(inputs), expected.shape[1])
    )
    return compare(received, expected, truth)


# --- Notebooks ----------------------------------------------------------------------------------


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _picture(png: bytes, caption: str) -> str:
    data = base64.b64encode(png).decode()
    text = html.escape(caption)
    image = f'<img src="data:image/png;base64,{data}" alt="{text}">'
    return f"<figure>{image}<figcaption>{text}</figcaption></figure>"
