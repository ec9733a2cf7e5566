"""What a reader of a study's folder finds. Numbers and paths only: no TensorFlow is loaded.

`python -m hsitf.sweep STUDY` writes one folder, `studies/<study>-<scene>/` unless told otherwise:

    study.json          `StudyRecord`: the study as written, its scenes, its grids, every cell that
                        it has with its settings, and the cells that it cannot have, with reasons
    cells/<id>.json     `CellRecord`: one a finished or failed cell; a cell without one has not
                        been run yet
    results.csv         one row a finished or failed cell, in the order of the study
    means.csv           one row a cell but for its seed: mean and half of the 95 % interval
    results.xlsx        the same two tables, where it was asked for
    models/<scene>/<network>/<run>/
                        trained and pruned networks, as `train` and `prune` write them
                        (`hsitf.runs.Run.open`); `order.json` and `channels.json` in pruned ones
    models/<scene>/<network>/<run>-quantized/*.json
                        bit studies, as `quantize` writes them (`hsitf.quantize.study.Study`)
    export/<run>/<scene>/<network>/<variant>/
                        exported files, as `export` writes them (`hsitf.export.bundle.Bundle`).
                        Unlike those, they are published whatever they lose: the record says what

Everything is reached through `StudyResults.open(folder)`. Paths in records of this module are
relative to the study's folder, so that a folder can be moved and read elsewhere.

A cell goes through up to four stages, band reduction, training, pruning and quantization, and is
judged at the end of the last one that it has. Cells share the stages that they have in common:
the cell of a trained network and those of its prunings name the same run. What the literature
draws as one curve is the cells of one grid that differ in one setting, see `StudyResults.lines`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path

from hsitf import records
from hsitf.errors import DataError
from hsitf.metrics import Interval, interval
from hsitf.records import SceneRecord

STUDY = "study.json"
CELLS = "cells"
RESULTS = "results.csv"
MEANS = "means.csv"
SPREADSHEET = "results.xlsx"

DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class Settings:
    """What decides on a cell's values; two cells with the same settings are one cell.

    Attributes:
        scene: As the user names it: a catalog name, or the path of a cube.
        split: disjoint, random or fixed.
        train: Training side of the split, such as "0.65" or "50"; empty for the default.
        network: Name in the zoo, or of a baseline.
        bands: Technique of band reduction, such as "pca", or bands named outright, such as
            "select:10,20"; empty where all bands are taken.
        components: How many a technique leaves; 0 where there is none.
        measure: What pruning is asked for (`hsitf.prune.order.MEASURES`): ratio, parameters,
            macs or bytes (channels go), alpha or zeros (single weights go); empty where nothing
            is pruned.
        target: Its value; 0 where nothing is pruned.
        layers: Ratios of single layers, such as "conv1=0.3;block*_conv2=0.5" (shell patterns);
            empty where all have the target.
        criterion: What chooses the channels that go; empty where none do.
        bits: Simulated bits of activations, weights and accumulators, such as "8,8,32"; empty
            where none are simulated.
        variant: Kind of exported file that is judged, such as "int8"; empty where none is. A
            cell has bits or a variant, not both.
        seed: Of split, weights and order.
        schedule: full or short, which epochs are counted from.
        epochs: Of training.
        tuning_epochs: Of fine-tuning after pruning; 0 where nothing is pruned.
        most: Test pixels that simulated bits are judged on, at most; 0 for all of them.
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
    tuning_epochs: int
    most: int

    @property
    def id(self) -> str:
        """Name of the cell's record: the same for the same settings, on any machine."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def reduction(self) -> str:
        """As a user writes it, such as "pca:30"; empty where all bands are taken."""
        return f"{self.bands}:{self.components}" if self.components else self.bands

    @property
    def pruning(self) -> str:
        """Such as "l1 ratio 0.5" or "alpha 0.8"; empty where nothing is pruned."""
        if not self.measure:
            return ""
        much = self.layers or f"{self.target:g}"
        return " ".join(filter(None, [self.criterion, self.measure, much]))

    @property
    def quantization(self) -> str:
        """Bits or variant; empty for the network as it is."""
        return self.bits or self.variant

    @property
    def text(self) -> str:
        """The cell in a line, such as "he on fields (disjoint), pca:40, alpha 0.8, seed 0"."""
        parts = [
            f"{self.network} on {self.scene} ({self.split})",
            self.reduction,
            self.pruning,
            f"bits {self.bits}" if self.bits else self.variant,
            f"seed {self.seed}",
        ]
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class Cell:
    """A cell of a study: its settings, and the grids of the study that it belongs to."""

    settings: Settings
    grids: tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """A cell that cannot be, and why; a study may have such where it says so."""

    settings: Settings
    grids: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class StudyRecord:
    """A study: `study.json`.

    Attributes:
        name: Name of the study file without its suffix.
        title: In a line, from the study file.
        source: The study file as it was written.
        scenes: By the name in settings, the scene as it was read.
        grids: Names of the grids, in order.
        cells: All cells, in order; a cell of several grids once.
        left_out: Cells that cannot be.
        versions: Of Python and the packages that matter, when the study was begun last.
        processor: Of the machine that it was begun on last.
        command: As typed last.
    """

    schema: int
    name: str
    title: str
    source: str
    scenes: dict[str, SceneRecord]
    grids: tuple[str, ...]
    cells: tuple[Cell, ...]
    left_out: tuple[LeftOut, ...]
    versions: dict[str, str]
    processor: str
    command: str


@dataclass(frozen=True)
class Values:
    """What was measured of a cell; None where its stages do not measure it.

    Accuracies and shares lie between 0 and 1 (kappa from -1). Files of one network are timed in
    turns; between networks and machines times differ by more than what is compared.

    Attributes:
        oa: Overall accuracy on the test pixels; `aa` and `kappa` likewise. Of the exported file
            or simulated bits where the cell has them, else of the network.
        leakage: Share of test pixels whose patch shares a pixel with a training patch.
        oa_before: Of the network before what the cell does last: the network that is pruned, or
            that is quantized. None where the cell only trains.
        oa_cut: After the cut, before fine-tuning.
        agreement: Share of test pixels on which the file or the simulation names the class that
            its network names.
        bands: What the network takes of a pixel: bands, or components in their place.
        parameters: Weights of the network, after channels were removed.
        nonzero: Of them, how many are not zero.
        zeros: Share of the weights that are gone by pruning: zeroed, or removed with their
            channels, of those of the network before; 0 where nothing is pruned.
        macs: Multiply-accumulates of one patch.
        weight_bytes: Of the weights: 4 a parameter in floats, what the bits take where they are
            simulated.
        zipped_bytes: Of the float32 weights, deflated.
        file_bytes: Of the exported file.
        float_bytes: Of the float32 .tflite file of the same network.
        integer_share: Share of the file's arithmetic operators that compute in integers.
        saturated: Largest share of a layer's simulated sums that saturated.
        ms: Median time of one patch through the exported file, one thread.
        predict_us: Microseconds that the Keras network takes a test pixel, in batches.
        train_seconds: Of training, or of fine-tuning where the cell prunes.
        peak_memory: Of the process that trained, bytes.
        gpu_memory: Largest memory taken on the first GPU, bytes; 0 where none computed.
    """

    oa: float
    aa: float
    kappa: float
    leakage: float
    oa_before: float | None = None
    oa_cut: float | None = None
    agreement: float | None = None
    bands: int | None = None
    parameters: int | None = None
    nonzero: int | None = None
    zeros: float | None = None
    macs: int | None = None
    weight_bytes: int | None = None
    zipped_bytes: int | None = None
    file_bytes: int | None = None
    float_bytes: int | None = None
    integer_share: float | None = None
    saturated: float | None = None
    ms: float | None = None
    predict_us: float | None = None
    train_seconds: float | None = None
    peak_memory: int | None = None
    gpu_memory: int | None = None


@dataclass(frozen=True)
class Places:
    """Where a cell's details lie, relative to the study's folder; empty where there are none.

    Attributes:
        trained: Folder of the trained network.
        run: Folder of the network that the cell is about: the pruned one, or the trained one.
        bits: Record of the bit study that holds the cell's bits.
        bundle: Folder of the exported file.
    """

    trained: str = ""
    run: str = ""
    bits: str = ""
    bundle: str = ""


@dataclass(frozen=True)
class CellRecord:
    """A finished or failed cell: `cells/<id>.json`.

    Attributes:
        settings: Of the cell.
        status: done or failed.
        message: Why it failed; empty where it did not.
        values: What was measured; None where it failed.
        places: Where the details lie.
        seconds: That its last stage took, shared equally among the cells that it served.
        cpu_seconds: The same of processor time, which other work on the machine leaves alone.
        made: When, in coordinated universal time.
        processor: Of the machine that made it.
    """

    schema: int
    settings: Settings
    status: str
    message: str
    values: Values | None
    places: Places
    seconds: float
    cpu_seconds: float
    made: str
    processor: str


@dataclass(frozen=True)
class Mean:
    """Finished cells that differ in their seed alone.

    Attributes:
        settings: Of the first of them.
        grids: That they belong to.
        seeds: Those that are in the means.
        values: By name of a field of `Values`, where every one of them has it. The half-width is
            NaN where there is a single seed.
    """

    settings: Settings
    grids: tuple[str, ...]
    seeds: tuple[int, ...]
    values: dict[str, Interval]


@dataclass(frozen=True)
class StudyResults:
    """A study with what is known of its cells.

    Attributes:
        folder: Of the study.
        study: Its record.
        found: Records of cells by the cells' ids; cells that have not been run are missing, and
            records of cells that are no longer in the study are left aside.
    """

    folder: Path
    study: StudyRecord
    found: dict[str, CellRecord]

    @classmethod
    def open(cls, folder: Path) -> StudyResults:
        """Reads a study's folder.

        Raises:
            DataError: There is no study, a record is damaged, or of another version of hsitf.
        """
        study = records.read(StudyRecord, folder / STUDY)
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
        return tuple(self.found[one] for one in ids if one in self.found)

    @property
    def done(self) -> tuple[CellRecord, ...]:
        """Finished cells, in the order of the study; each has values."""
        return tuple(record for record in self.records if record.values is not None)

    @property
    def failed(self) -> tuple[CellRecord, ...]:
        """Failed cells, in the order of the study; each has a message."""
        return tuple(record for record in self.records if record.status == FAILED)

    @property
    def pending(self) -> tuple[Cell, ...]:
        """Cells that have not been run."""
        return tuple(cell for cell in self.study.cells if cell.settings.id not in self.found)

    def of(self, grid: str) -> tuple[CellRecord, ...]:
        """Finished cells of a grid, in the order of the study."""
        own = {cell.settings.id for cell in self.study.cells if grid in cell.grids}
        return tuple(record for record in self.done if record.settings.id in own)

    @cached_property
    def means(self) -> tuple[Mean, ...]:
        """Finished cells over their seeds, in the order of the study."""
        groups: dict[Settings, list[CellRecord]] = {}
        for record in self.done:
            groups.setdefault(replace(record.settings, seed=0), []).append(record)
        grids = {cell.settings.id: cell.grids for cell in self.study.cells}
        return tuple(_mean(group, grids[group[0].settings.id]) for group in groups.values())

    def lines(self, grid: str, along: str) -> dict[Settings, tuple[Mean, ...]]:
        """Means of a grid as lines of a figure, points by rising value of one setting.

        Args:
            grid: Name of a grid.
            along: Name of a field of `Settings`, such as "components" or "target".

        Returns:
            By the settings of a line's first point, its points.
        """
        made: dict[tuple[tuple[str, object], ...], list[Mean]] = {}
        for mean in self.means:
            if grid in mean.grids:
                others = asdict(mean.settings) | {"seed": 0, along: None}
                made.setdefault(tuple(others.items()), []).append(mean)
        found = {}
        for points in made.values():
            points.sort(key=lambda mean: getattr(mean.settings, along))
            found[points[0].settings] = tuple(points)
        return found


def cell_path(folder: Path, settings: Settings) -> Path:
    """Where the record of a cell lies in a study's folder."""
    return folder / CELLS / f"{settings.id}.json"


def value_names() -> tuple[str, ...]:
    """Names of all values, in the order of the tables."""
    return tuple(field.name for field in fields(Values))


def setting_names() -> tuple[str, ...]:
    """Names of all settings, in the order of the tables."""
    return tuple(field.name for field in fields(Settings))


def _read(path: Path, settings: Settings) -> CellRecord:
    record = records.read(CellRecord, path)
    if record.settings != settings or (record.values is None) != (record.status == FAILED):
        raise DataError(
            f"{path} is not the record of its cell",
            received=record.settings.text,
            allowed=settings.text,
            remedy="remove that file; the sweep makes it again",
        )
    return record


def _mean(group: Sequence[CellRecord], grids: tuple[str, ...]) -> Mean:
    values = {}
    for name in value_names():
        found = [getattr(record.values, name) for record in group]
        if None not in found:
            values[name] = (
                interval(found) if len(found) > 1 else Interval(float(found[0]), float("nan"))
            )
    seeds = tuple(record.settings.seed for record in group)
    return Mean(group[0].settings, grids, seeds, values)
