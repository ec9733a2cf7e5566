"""Records of a study's folder: numbers and paths only, TensorFlow is not loaded.

`python -m hsitf.sweep STUDY` writes one folder, by default `studies/<study>-<scene>/`:

    study.json          `StudyRecord`: the study file, its scenes and grids, its cells with their
                        settings, and the impossible cells with reasons
    cells/<id>.json     `CellRecord` of each finished or failed cell; a cell without one is pending
    results.csv         one row per finished or failed cell, in the order of the study
    means.csv           one row per cell averaged over its seeds: mean and half-width of the 95 %
                        interval
    differences.csv     differences to the reference grid, where the study names one
    results.xlsx        the first two tables, where requested
    models/<scene>/<network>/<run>/
                        trained and pruned networks, as `train` and `prune` write them
                        (`hsitf.runs.Run.open`); `order.json` and `channels.json` in pruned ones
    models/<scene>/<network>/<run>-quantized/*.json
                        bit studies, as `quantize` writes them (`hsitf.quantize.record.BitStudy`)
    export/<run>/<scene>/<network>/<variant>/
                        exported files, as `export` writes them (`hsitf.export.bundle.Bundle`).
                        Unlike there, they are published whatever their accuracy

`StudyResults.open(folder)` reads all of it. Paths in records of this module are
relative to the study's folder, so that a folder can be moved and read elsewhere.

A cell passes up to four stages, band reduction, training, pruning and quantization, and is
evaluated at the end of its last one. Cells share common stages: the cell of a trained network and
those of its prunings refer to the same run. What the literature draws as one curve is the cells of
one grid that differ in one setting, see `StudyResults.curves`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path

from hsitf import records
from hsitf.bands import former_spec
from hsitf.bands.request import WHITEN
from hsitf.compat import formerly, formerly_written
from hsitf.errors import DataError
from hsitf.metrics import Interval, interval
from hsitf.ranges import Amount, Count, Kappa, Positive, Share
from hsitf.records import SceneRecord

STUDY = "study.json"
CELLS = "cells"
RESULTS = "results.csv"
MEANS = "means.csv"
SPREADSHEET = "results.xlsx"

DONE, FAILED = "done", "failed"
# Scales of simulated weights: one for each output channel of a kernel (`quantize.schemes`).
PER_CHANNEL = "channel"


@formerly(fine_tuning_epochs="tuning_epochs", max_samples="most")
@formerly_written(bands=former_spec)
@dataclass(frozen=True)
class CellSettings:
    """What decides on a cell's values; two cells with the same settings are one cell.

    Attributes:
        scene: A catalog name, or the path of a cube.
        split: disjoint, random or fixed.
        train: Training side of the split, such as "0.65" or "50"; empty for the default.
        network: Name of a network or a baseline; of a file with a network of one's own, its name
            without the suffix.
        bands: Technique of band reduction, such as "pca" or "pca-whiten", or explicit bands, such
            as "select:10,20"; empty where all bands are used.
        components: Number of components of the technique; 0 without a technique.
        measure: Measure of the pruning target (`hsitf.prune.request.MEASURES`): ratio, parameters,
            macs or bytes (structured: whole channels), alpha or sparsity (unstructured: single
            weights); empty for no pruning.
        target: Value of the measure; 0 for no pruning.
        layers: Ratios of single layers, such as "conv1=0.3;block*_conv2=0.5" (shell patterns);
            empty where all layers have the target.
        criterion: Importance criterion of the channels; empty for no structured pruning.
        bits: Simulated bits of activations, weights and accumulators, such as "8,8,32"; empty for
            no simulation.
        variant: Variant of the exported file to evaluate, such as "int8"; empty for no file. A cell
            has bits or a variant, not both.
        seed: Seed of the split, the weights and the order.
        schedule: full or short, the schedule whose epochs are the default.
        epochs: Epochs of training.
        fine_tuning_epochs: Epochs of fine-tuning after pruning; 0 for no pruning.
        max_samples: Number of test pixels on which simulated bits are evaluated, at most; 0 for all
            of them.
        guard: Pixels between the sets of a disjoint split; None for that of the network's own
            patch.
        recipe: Recipe of training; "paper" for a baseline.
        labelled: Labelled pixels a class, at most; 0 for all.
        training: What is changed of the recipe, such as "label_smoothing=0;mixup=0.2" (see
            `hsitf.sweep.training_keys`); empty for nothing.
        weights: Of simulated bits, "channel" for a scale per output channel of a kernel, "tensor"
            for one scale per kernel; "channel" where nothing is simulated.
        layer_alphas: Of the measure alpha, other values by kind of layer or by layer, such as
            "first_convolution=0.05;last_dense=1.2"; empty where all layers have the target.
    """

    scene: str
    split: str
    train: str
    network: str
    bands: str
    components: int
    measure: str
    target: float
    layers: str
    criterion: str
    bits: str
    variant: str
    seed: int
    schedule: str
    epochs: int
    fine_tuning_epochs: int
    max_samples: int
    guard: int | None = None
    recipe: str = "paper"
    labelled: int = 0
    training: str = ""
    weights: str = PER_CHANNEL
    layer_alphas: str = ""

    def __post_init__(self) -> None:
        # Records of schema 1 call the measure of unstructured pruning "zeros".
        object.__setattr__(self, "measure", self.measure.replace("zeros", "sparsity"))

    @property
    def id(self) -> str:
        """Name of the cell's record: the same for the same settings, on any machine."""
        # Hashed by the names of schema 1, so that cells finished then are still found.
        content = asdict(self) | {"measure": self.measure.replace("sparsity", "zeros")}
        content["most"] = content.pop("max_samples")
        content["tuning_epochs"] = content.pop("fine_tuning_epochs")
        # Cells from before there were these settings are still found.
        for name in ("guard", "recipe", "labelled", "training", "weights", "layer_alphas"):
            if content[name] == getattr(CellSettings, name):
                del content[name]
        # Cells of components of unit deviation are found by the names of when all were such.
        if self.bands.endswith(WHITEN):
            content["bands"] = self.bands.removesuffix(WHITEN)
        elif former_spec(self.bands) != self.bands:
            content["component_scale"] = "weighted"
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def reduction(self) -> str:
        """Specification such as "pca:30"; empty where all bands are used."""
        return f"{self.bands}:{self.components}" if self.components else self.bands

    @property
    def pruning(self) -> str:
        """Such as "l1 ratio 0.5" or "alpha 0.8"; empty where nothing is pruned."""
        if not self.measure:
            return ""
        much = self.layers or f"{self.target:g}"
        return " ".join(filter(None, [self.criterion, self.measure, much, self.layer_alphas]))

    @property
    def quantization(self) -> str:
        """Bits, with their scales where these are not one per channel, or variant.

        Empty for the network as it is.
        """
        if self.bits and self.weights != PER_CHANNEL:
            return f"{self.bits} per {self.weights}"
        return self.bits or self.variant

    @property
    def text(self) -> str:
        """The cell in a line, such as "he on fields (disjoint), pca:40, alpha 0.8, seed 0"."""
        parts = [
            f"{self.network} on {self.scene} ({self.split})",
            self.reduction,
            self.pruning,
            f"bits {self.quantization}" if self.bits else self.variant,
            "" if self.recipe == "paper" else f"{self.recipe} recipe",
            self.training.replace(";", ", "),
            f"{self.labelled} labelled a class" if self.labelled else "",
            f"seed {self.seed}",
        ]
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class StudyCell:
    """A cell of a study: its settings, and the grids of the study that it belongs to."""

    settings: CellSettings
    grids: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """An impossible cell and the reason; kept where the study file says "leave out"."""

    settings: CellSettings
    grids: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class StudyRecord:
    """A study: `study.json`.

    Attributes:
        name: Name of the study file without its suffix.
        title: One-line title from the study file.
        source: The study file as it was written.
        scenes: The scenes as they were read, by their names in the settings.
        grids: Names of the grids, in order.
        cells: All cells, in order; a cell of several grids once.
        left_out: Impossible cells.
        versions: Versions of Python and the packages that matter, when the study was last started.
        processor: Processor of the machine on which it was last started.
        command: The command line of the last start.
        network_sha256: SHA-256 of the files that define networks which are not hsitf's own, by
            the names of these networks.
        reference: Name of the grid that others are compared with; empty where none is.
    """

    schema: int
    name: str
    title: str
    source: str
    scenes: dict[str, SceneRecord]
    grids: tuple[str, ...]
    cells: tuple[StudyCell, ...]
    left_out: tuple[LeftOut, ...]
    versions: dict[str, str]
    processor: str
    command: str
    network_sha256: dict[str, str] = field(default_factory=dict)
    reference: str = ""


@formerly(oa_pruned="oa_cut", sparsity="zeros")
@dataclass(frozen=True)
class CellValues:
    """What was measured of a cell; None where its stages do not measure it.

    Accuracies and shares are between 0 and 1 (kappa from -1). The latencies of the files of one
    network are measured alternately; between networks and machines, latencies vary by more than the
    differences of interest.

    Attributes:
        oa: Overall accuracy on the test pixels; `aa` and `kappa` likewise. Measured on the exported
            file or the simulation where the cell has one, else on the network.
        leakage: Share of test pixels whose patch shares a pixel with a training patch.
        oa_before: Accuracy before the last stage of the cell: of the network that is pruned or
            quantized. None where the cell only trains.
        oa_pruned: Accuracy after pruning, before fine-tuning.
        agreement: Share of test pixels for which the file or the simulation predicts the same class
            as its network.
        bands: Number of inputs per pixel: bands, or components of a reduction.
        parameters: Number of weights of the network after channels were removed.
        nonzero: Number of weights that are not zero.
        sparsity: Share of the original network's weights that pruning removed: zeroed, or removed
            with their channels; 0 for no pruning.
        macs: Multiply-accumulates of one patch.
        weight_bytes: Bytes of the weights: 4 per parameter in float32, or those of the simulated
            bits.
        zipped_bytes: Bytes of the float32 weights, deflated.
        file_bytes: Bytes of the exported file.
        float_bytes: Bytes of the float32 .tflite file of the same network.
        integer_share: Share of the file's arithmetic operators that compute in integers.
        saturated: Largest share of a layer's simulated sums that saturated.
        ms: Median latency of one patch through the exported file with one thread, in milliseconds.
        predict_us: Inference time of the Keras network per test pixel in batches, in microseconds.
        train_seconds: Time of training, or of fine-tuning where the cell prunes.
        peak_memory: Peak memory of the training process, in bytes.
        gpu_memory: Peak memory of the first GPU, in bytes; 0 where no GPU was used.
        validation_oa: Overall accuracy on the validation pixels in the epoch that was kept, of a
            cell that only trains.
        top5: Top-5 accuracy, measured as `oa` is; None for five classes or fewer.
    """

    oa: Share
    aa: Share
    kappa: Kappa
    leakage: Share
    oa_before: Share | None = None
    oa_pruned: Share | None = None
    agreement: Share | None = None
    bands: Positive | None = None
    parameters: Positive | None = None
    nonzero: Count | None = None
    sparsity: Share | None = None
    macs: Count | None = None
    weight_bytes: Count | None = None
    zipped_bytes: Count | None = None
    file_bytes: Positive | None = None
    float_bytes: Positive | None = None
    integer_share: Share | None = None
    saturated: Share | None = None
    ms: Amount | None = None
    predict_us: Amount | None = None
    train_seconds: Amount | None = None
    peak_memory: Count | None = None
    gpu_memory: Count | None = None
    validation_oa: Share | None = None
    top5: Share | None = None


@dataclass(frozen=True)
class CellPaths:
    """Paths of a cell's details, relative to the study's folder; empty where there are none.

    Attributes:
        trained: Folder of the trained network.
        run: Folder of the cell's network: the pruned one, or the trained one.
        bits: Path of the record of the bit study with the cell's bits.
        bundle: Folder of the exported file.
    """

    trained: str = ""
    run: str = ""
    bits: str = ""
    bundle: str = ""


@formerly(paths="places", created="made")
@dataclass(frozen=True)
class CellRecord:
    """A finished or failed cell: `cells/<id>.json`.

    Attributes:
        settings: Settings of the cell.
        status: done or failed.
        message: Reason of the failure; empty for a finished cell.
        values: The measured values; None for a failed cell.
        paths: Paths of the details.
        seconds: Time of its last stage, divided equally among the cells of the stage.
        cpu_seconds: The same of processor time, which other work on the machine leaves alone.
        created: Time of creation in UTC.
        processor: Processor of the machine that evaluated the cell.
    """

    schema: int
    settings: CellSettings
    status: str
    message: str
    values: CellValues | None
    paths: CellPaths
    seconds: Amount
    cpu_seconds: Amount
    created: str
    processor: str


@dataclass(frozen=True)
class CellMean:
    """Finished cells that differ in their seed alone.

    Attributes:
        settings: Settings of the first of these cells.
        grids: Grids that they belong to.
        seeds: Seeds of the cells in the mean.
        values: Mean and interval of each field of `CellValues` that all cells have. The half-width
            is NaN for a single seed.
        single_oa: Overall accuracy of each seed.
    """

    settings: CellSettings
    grids: tuple[str, ...]
    seeds: tuple[int, ...]
    values: dict[str, Interval]
    single_oa: tuple[float, ...] = ()


@dataclass(frozen=True)
class StudyResults:
    """A study with what is known of its cells.

    Attributes:
        folder: Folder of the study.
        study: Record of the study.
        records_by_id: Records of the cells by their ids; pending cells are missing, and records of
            cells that are no longer in the study are ignored.
    """

    folder: Path
    study: StudyRecord
    records_by_id: dict[str, CellRecord]

    @classmethod
    def open(cls, folder: Path) -> StudyResults:
        """Reads a study's folder.

        Raises:
            DataError: There is no study, a record is damaged, or of another version of hsitf.
        """
        study = records.read(StudyRecord, folder / STUDY)
        if not study.scenes:
            raise DataError(
                f"{folder / STUDY} is not the record of a study",
                received="no scene",
                remedy="run the study again",
            )
        found = {}
        for cell in study.cells:
            path = cell_path(folder, cell.settings)
            if path.is_file():
                found[cell.settings.id] = _read(path, cell.settings)
        return cls(folder, study, found)

    @property
    def records(self) -> tuple[CellRecord, ...]:
        """Finished and failed cells, in the order of the study."""
        ids = [cell.settings.id for cell in self.study.cells]
        return tuple(self.records_by_id[one] for one in ids if one in self.records_by_id)

    @property
    def done(self) -> tuple[CellRecord, ...]:
        """Finished cells, in the order of the study; each has values."""
        return tuple(record for record in self.records if record.values is not None)

    @property
    def failed(self) -> tuple[CellRecord, ...]:
        """Failed cells, in the order of the study; each has a message."""
        return tuple(record for record in self.records if record.status == FAILED)

    @property
    def pending(self) -> tuple[StudyCell, ...]:
        """Cells that have not been run."""
        return tuple(
            cell for cell in self.study.cells if cell.settings.id not in self.records_by_id
        )

    @cached_property
    def means(self) -> tuple[CellMean, ...]:
        """Means of the finished cells over their seeds, in the order of the study."""
        groups: dict[CellSettings, list[CellRecord]] = {}
        for record in self.done:
            groups.setdefault(replace(record.settings, seed=0), []).append(record)
        grids = {cell.settings.id: cell.grids for cell in self.study.cells}
        return tuple(
            mean_over_seeds(group, grids[group[0].settings.id]) for group in groups.values()
        )

    def curves(self, grid: str, along: str) -> dict[CellSettings, tuple[CellMean, ...]]:
        """Means of a grid as lines of a figure, points by rising value of one setting.

        Args:
            grid: Name of a grid.
            along: Name of a field of `Settings`, such as "components" or "target".

        Returns:
            By the settings of a line's first point, its points.
        """
        made: dict[tuple[tuple[str, object], ...], list[CellMean]] = {}
        for mean in self.means:
            if grid in mean.grids:
                others = asdict(mean.settings) | {"seed": 0, along: None}
                if along == "labelled":
                    # With few pixels, more epochs are trained (`epochs_factor`).
                    others |= {"epochs": 0, "fine_tuning_epochs": 0}
                made.setdefault(tuple(others.items()), []).append(mean)
        found = {}
        for points in made.values():
            points.sort(key=lambda mean: getattr(mean.settings, along))
            if along == "labelled":
                # 0 is all of them.
                points.sort(key=lambda mean: mean.settings.labelled == 0)
            found[points[0].settings] = tuple(points)
        return found


def cell_path(folder: Path, settings: CellSettings) -> Path:
    """The path of a cell's record in a study's folder."""
    return folder / CELLS / f"{settings.id}.json"


def value_names() -> tuple[str, ...]:
    """Names of all values, in the order of the tables."""
    return tuple(field.name for field in fields(CellValues))


def setting_names() -> tuple[str, ...]:
    """Names of all settings, in the order of the tables."""
    return tuple(field.name for field in fields(CellSettings))


def _read(path: Path, settings: CellSettings) -> CellRecord:
    record = records.read(CellRecord, path)
    if record.settings != settings or (record.values is None) != (record.status == FAILED):
        raise DataError(
            f"{path} is not the record of its cell",
            received=record.settings.text,
            allowed=settings.text,
            remedy="remove that file; the sweep makes it again",
        )
    return record


def mean_over_seeds(group: Sequence[CellRecord], grids: tuple[str, ...]) -> CellMean:
    """The mean of finished cells that differ in their seed alone.

    Args:
        group: The cells' records, one or more.
        grids: Grids that they belong to.
    """
    values = {}
    for name in value_names():
        found = [getattr(record.values, name) for record in group]
        if None not in found:
            values[name] = (
                interval(found) if len(found) > 1 else Interval(float(found[0]), float("nan"))
            )
    seeds = tuple(record.settings.seed for record in group)
    single = tuple(record.values.oa for record in group if record.values is not None)
    return CellMean(group[0].settings, grids, seeds, values, single)
